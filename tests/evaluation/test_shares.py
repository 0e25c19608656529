"""Shares of one evaluation add up to the same digits as one run."""

import subprocess
import sys
from pathlib import Path

import pytest

from evaluation import shares
from evaluation.cli import main
from evaluation.errors import EvaluationError
from evaluation.tally import Tally, added
from tests.evaluation.test_runner import assert_same, go, one_thread, whole

__all__ = ["one_thread", "whole"]

ROOT = Path(__file__).parents[2]


def test_shares_add_up_to_the_whole(tmp_path: Path, whole: Tally) -> None:
    parts = [go(tmp_path / str(i), (i, 4)) for i in range(4)]
    assert [sorted(p.image_miou) for p in parts] == [[0, 4], [1, 5], [2], [3]]
    assert_same(added(parts[::-1]), whole)
    assert not added(parts[:3]).complete


def test_shares_of_different_runs_are_refused(tmp_path: Path) -> None:
    parts = [go(tmp_path / "a", (0, 2), n=2), go(tmp_path / "b", (1, 2), n=3)]
    with pytest.raises(EvaluationError, match=r"fingerprint.*images"):
        added(parts)


def test_under_torchrun_two_processes_give_the_table_of_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = [
        "--dataset", "photos", "--n", "3", "--short-side", "48", "--quiet",
        "--templates", "plain", "--methods", "clearclip", "--out",
    ]  # fmt: skip
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launch, "-m", "evaluation", "--", *command, str(tmp_path / "two")],
        capture_output=True, text=True, cwd=ROOT, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("3 images") == 1, "one table, of all images"
    assert main([*command, str(tmp_path / "one")]) == 0
    assert_same(Tally.load(tmp_path / "two"), Tally.load(tmp_path / "one"))


def test_alone_a_process_takes_everything() -> None:
    with shares.of_this_process() as share:
        assert share == (0, 1)
        assert shares.gather("mine") == ["mine"]
        assert shares.own_device("cuda") == "cuda"
