"""Shares of one evaluation add up to the same digits as one run."""

import multiprocessing
import os
import sys
from pathlib import Path

import pytest

from evaluation.benchmark.cli import main
from evaluation.benchmark.shares import Share
from evaluation.benchmark.tally import Tally, added
from evaluation.errors import EvaluationError
from tests import free_port
from tests.evaluation.runs import assert_same, run_small


def test_shares_add_up_to_the_whole(tmp_path: Path, whole: Tally) -> None:
    parts = [run_small(tmp_path / str(i), Share(i, 4)) for i in range(4)]
    assert [sorted(p.image_miou) for p in parts] == [[0, 4], [1, 5], [2], [3]]
    assert_same(added(parts[::-1]), whole)
    assert not added(parts[:3]).complete


def test_shares_of_different_runs_are_refused(tmp_path: Path) -> None:
    parts = [
        run_small(tmp_path / "a", Share(0, 2), n=2),
        run_small(tmp_path / "b", Share(1, 2), n=3),
    ]
    with pytest.raises(EvaluationError, match=r"fingerprint.*images"):
        added(parts)


def test_two_processes_as_torchrun_starts_them_give_the_table_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    options = "--dataset photos --n 3 --short-side 48 --templates plain --methods clearclip"
    command = [*options.split(), "--quiet", "--threads", "1", "--out"]
    assert main([*command, str(tmp_path / "one")]) == 0
    assert capfd.readouterr().out.count("3 images") == 1

    def share(rank: int) -> None:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        sys.exit(main([*command, str(tmp_path / "two")]))

    settings = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_RUN_ID": "test"}
    for name, value in (settings | {"MASTER_PORT": str(free_port())}).items():
        monkeypatch.setenv(name, value)
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=share, args=(rank,)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
    assert [process.exitcode for process in processes] == [0, 0]
    assert capfd.readouterr().out.count("3 images") == 1, "one table, of all images"
    assert_same(Tally.load(tmp_path / "two"), Tally.load(tmp_path / "one"))
