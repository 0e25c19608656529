"""Suggested words are compared with the classes of a photo's mask."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation import suggested_words
from evaluation.datasets import LabelledSet
from evaluation.photos import photo_folder
from evaluation.suggested_words import (
    Judged,
    Truth,
    best_thresholds,
    figures,
    judge,
    main,
    meanings,
    read_truth,
)
from gclip_core.suggest import DEFAULT, Thresholds
from tests.models import loaded

AREAS = {"sea": 60, "wall brick": 30, "dog": 10}
NAMED = {"ocean": {"sea"}, "wall": {"wall brick"}}


@pytest.mark.parametrize(
    ("words", "judged"),
    [
        (["dog", "cat"], Judged(words=2, right=1, area=0.1)),
        (["ocean", "wall"], Judged(words=2, right=2, area=0.9)),  # a synonym, and a kind
        (["sea", "ocean"], Judged(words=2, right=2, area=0.6)),  # named twice, counted once
    ],
)
def test_right_words(words: list[str], judged: Judged) -> None:
    """A word that is there counts and names its area, by a synonym or a kind as well."""
    assert judge(words, Truth(AREAS, ""), NAMED) == judged


@pytest.mark.parametrize(
    ("words", "main", "first"),
    [
        (["wall", "dog"], True, False),
        (["puppy", "wall"], True, True),
        (["wall"], False, False),
    ],
)
def test_main_thing(words: list[str], main: bool, first: bool) -> None:
    """The main thing is named by its word or a synonym."""
    judged = judge(words, Truth(AREAS, "dog"), {"puppy": {"dog"}})
    assert (judged.main, judged.first) == (main, first)
    assert judged.alone == (words == ["wall"])


def test_kinds() -> None:
    """A fruit names a banana, food no pizza, a wall a brick wall."""
    assert judge(["fruit"], Truth({"banana": 1}, "banana"), {}).main
    assert not judge(["food"], Truth({"pizza": 1}, "pizza"), {}).main
    assert "wall brick" in meanings(loaded())["wall"]


def test_largest_thing(tmp_path: Path) -> None:
    """The main thing is the largest thing of 15 % of the photo or more."""
    photos = folder_of(tmp_path, {1: "sky", 2: "dog", 3: "cat"}, "a")
    labels = np.full((10, 10), -1)
    labels[:5], labels[5:7], labels[7:8], labels[6, 5:] = 0, 1, 2, -1
    assert read_truth(photos.classes, labels) == Truth({"sky": 50, "dog": 15, "cat": 10}, "dog")
    labels[6, 4] = -1
    assert read_truth(photos.classes, labels).main == ""


def test_figures() -> None:
    """Shares are over all words, over photos, and over the photos that have a main thing."""
    photos = [
        Judged(words=3, right=1, area=0.5),
        Judged(words=1, right=1, area=0.25, main=True, first=False, alone=False),
        Judged(words=1, right=0, area=0.0, main=False, first=False, alone=True),
    ]
    shares = figures(photos)
    assert (shares.right, shares.area) == (2 / 5, 0.25)
    assert (shares.main, shares.first, shares.alone) == (1 / 2, 0, 1 / 2)
    assert np.isnan(figures(photos[:1]).main)
    line = suggested_words.report("all", photos)
    assert line.startswith("all (3 photos): 40.0 % of the suggested words are in the photo, and")
    assert "25.0 % of the labelled area; 1.7 words a photo; of 2 photos with a main" in line


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"gain": (0.6, 0.8, 1.0, 1.2, 1.5), "certainty": (0.15, 0.2, 0.25, 0.3, 0.35)}
    monkeypatch.setattr(suggested_words, "TRIED", values)


@pytest.mark.usefixtures("tried")
def test_best_thresholds() -> None:
    """Thresholds are those whose figures, with their neighbours', come nearest to the aims."""

    def judged(thresholds: Thresholds) -> list[Judged]:
        if (thresholds.gain, thresholds.certainty) == (0.8, 0.25):
            return [Judged(words=2, right=2, area=0.6)]  # the best, by chance
        if thresholds.gain >= 1.0:
            return [Judged(words=2, right=2, area=0.5)]
        return [Judged(words=2, right=1, area=0.5)]

    best = best_thresholds(judged, replace(DEFAULT, people=0.3))
    assert best.gain == 1.2, "all around it is good"
    assert best.people == 0.3


@pytest.mark.usefixtures("tried")
def test_stuff_alone() -> None:
    """Thresholds with stuff alone are not chosen."""

    def judged(thresholds: Thresholds) -> list[Judged]:
        alone = thresholds.certainty < 0.25
        return [Judged(words=2, right=2, area=0.5, main=True, first=True, alone=alone)]

    assert best_thresholds(judged, DEFAULT).certainty == 0.3, "nor is any beside it"


def test_lists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thresholds are chosen on one list, and the figures are those of each."""
    monkeypatch.setattr(suggested_words, "TRIED", {"gain": (0.6, 2.0, 50.0)})
    folder_of(tmp_path, {1: "wall"}, "a", "b", "c")
    (tmp_path / "choose.txt").write_text("a\n")
    (tmp_path / "report.txt").write_text("b\nc\n")
    assert main([str(tmp_path), "--choose"]) == 0
    thresholds, *lines = capsys.readouterr().out.splitlines()
    assert thresholds.startswith("gain ")
    assert [line.partition(" photo")[0] for line in lines] == ["choose (1", "report (2", "all (3"]
    (tmp_path / "choose.txt").unlink()
    assert main([str(tmp_path), "--choose"]) == 2
    assert "choose.txt" in capsys.readouterr().err


def folder_of(folder: Path, words: dict[int, str], *names: str) -> LabelledSet:
    """A folder of gray photos whose masks have the value 1 alone."""
    for name in names:
        Image.new("RGB", (64, 64), "gray").save(folder / f"{name}.jpg")
        Image.new("L", (64, 64), 1).save(folder / f"{name}.png")
    entries = [{"file": name, "words": words} for name in names]
    (folder / "index.json").write_text(json.dumps(entries))
    return photo_folder(folder)
