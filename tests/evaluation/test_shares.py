"""Shares of one evaluation: named by hand, or taken by rank, they add up to the same digits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation import shares
from evaluation.cli import main
from evaluation.tally import FILE, Tally, merge
from gclip_core.errors import EvaluationError
from tests.evaluation.test_runner import assert_same, go, one_thread, whole

__all__ = ["one_thread", "whole"]

ROOT = Path(__file__).parents[2]


def merged_from(folders: list[Path]) -> Tally:
    return merge([(str(folder), Tally.load(folder)) for folder in folders])


def test_shares_add_up_to_the_whole(tmp_path: Path, whole: Tally) -> None:
    folders = [tmp_path / str(i) for i in range(4)]
    parts = [go(folder, (i, 4)) for i, folder in enumerate(folders)]
    assert [sorted(p.image_miou) for p in parts] == [[0, 4], [1, 5], [2], [3]]
    merged = merged_from(folders[::-1])
    assert merged.complete
    assert_same(merged, whole)
    merged.save(tmp_path / "sum")
    assert_same(Tally.load(tmp_path / "sum"), whole)
    assert not merged_from(folders[:3]).complete


def test_a_share_counted_twice_is_refused(tmp_path: Path) -> None:
    go(tmp_path / "a", (0, 3), n=3)
    go(tmp_path / "b", (0, 1), n=3)
    with pytest.raises(EvaluationError, match="counted already"):
        merged_from([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(EvaluationError, match="counted already"):
        merged_from([tmp_path / "a", tmp_path / "a"])


def test_shares_of_different_runs_are_refused(tmp_path: Path) -> None:
    go(tmp_path / "a", (0, 2), n=2)
    go(tmp_path / "b", (1, 2), n=3)
    with pytest.raises(EvaluationError, match="fingerprint.*images"):
        merged_from([tmp_path / "a", tmp_path / "b"])


def test_a_folder_without_a_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=FILE):
        merged_from([tmp_path])
    with pytest.raises(EvaluationError):
        merged_from([])


@pytest.mark.parametrize("text", ["0/8", "9/8", "1/0", "1", "a/b", "1/2/3", "-1/2"])
def test_a_share_is_checked(text: str) -> None:
    assert shares.parse("2/8") == (1, 8)
    with pytest.raises(EvaluationError, match="2/8"):
        shares.parse(text)


def test_two_processes_share_without_being_told_and_the_first_adds_up(tmp_path: Path) -> None:
    """Under torchrun: the same digits as one process alone."""
    command = [
        "--dataset", "scenes", "--n", "5", "--size", "48", "--short-side", "48", "--quiet",
        "--templates", "plain", "--methods", "clearclip", "gclip", "--out",
    ]  # fmt: skip
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launch, "-m", "evaluation", "--", *command, str(tmp_path / "two")],
        capture_output=True, text=True, cwd=ROOT, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("5 images") == 1, "one table, of all images"
    assert main([*command, str(tmp_path / "one")]) == 0
    assert_same(Tally.load(tmp_path / "two"), Tally.load(tmp_path / "one"))
    two, one = (json.loads((tmp_path / n / "result.json").read_text()) for n in ("two", "one"))
    assert two["results"] == one["results"]
    halves = [Tally.load(tmp_path / "two" / f"share-{i}-of-2") for i in (1, 2)]
    assert [sorted(half.image_miou) for half in halves] == [[0, 2, 4], [1, 3]]


def test_alone_a_process_takes_everything() -> None:
    with shares.of_this_process() as share:
        assert share == (0, 1)
        assert shares.gather("mine") == ["mine"]
        assert shares.own_device("cuda") == "cuda"
