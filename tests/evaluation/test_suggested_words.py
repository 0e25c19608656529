"""Suggested words are compared with the classes of a photo's mask."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.photo_set import photo_folder
from evaluation.samples import LabelledSet
from evaluation.suggested_words import choosing
from evaluation.suggested_words.__main__ import main
from evaluation.suggested_words.choosing import best_thresholds
from evaluation.suggested_words.judging import Suggested, Truth, judge, read_truth
from gclip_core.suggestions import DEFAULT, Thresholds

AREAS = {"sea": 60, "wall brick": 30, "dog": 10}
NAMED = {"ocean": {"sea"}, "wall": {"wall brick"}}


@pytest.mark.parametrize(
    ("words", "judged"),
    [
        (["dog", "cat"], Suggested(words=2, right=1, area=0.1)),
        (["ocean", "wall"], Suggested(words=2, right=2, area=0.9)),  # a synonym, and a kind
        (["sea", "ocean"], Suggested(words=2, right=2, area=0.6)),  # named twice, counted once
    ],
)
def test_a_word_that_is_there_counts_and_names_its_area(
    words: list[str], judged: Suggested
) -> None:
    assert judge(words, Truth(AREAS, ""), NAMED) == judged


@pytest.mark.parametrize(
    ("words", "main", "first"),
    [
        (["wall", "dog"], True, False),
        (["puppy", "wall"], True, True),
        (["wall"], False, False),
    ],
)
def test_the_main_thing_is_named_by_its_word_or_a_synonym(
    words: list[str], main: bool, first: bool
) -> None:
    judged = judge(words, Truth(AREAS, "dog"), {"puppy": {"dog"}})
    assert (judged.main, judged.first) == (main, first)
    assert judged.alone == (words == ["wall"])


def test_a_fruit_names_a_banana_and_food_names_no_pizza() -> None:
    assert judge(["fruit"], Truth({"banana": 1}, "banana"), {}).main
    assert not judge(["food"], Truth({"pizza": 1}, "pizza"), {}).main


def test_the_main_thing_is_the_largest_thing_of_fifteen_percent_or_more(tmp_path: Path) -> None:
    photos = folder_of(tmp_path, {1: "sky", 2: "dog", 3: "cat"}, "a")
    labels = np.full((10, 10), -1)
    labels[:5], labels[5:7], labels[7:8] = 0, 1, 2
    assert read_truth(photos, labels) == Truth({"sky": 50, "dog": 20, "cat": 10}, "dog")
    labels[6:7] = -1
    assert read_truth(photos, labels).main == ""


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"gain": (0.6, 0.8, 1.0, 1.2, 1.5), "certainty": (0.15, 0.2, 0.25, 0.3, 0.35)}
    monkeypatch.setattr(choosing, "TRIED", values)


@pytest.mark.usefixtures("tried")
def test_thresholds_are_those_whose_figures_and_neighbours_come_nearest_to_the_aims() -> None:
    def judged(thresholds: Thresholds) -> list[Suggested]:
        if (thresholds.gain, thresholds.certainty) == (0.8, 0.25):
            return [Suggested(words=2, right=2, area=0.6)]  # the best, by chance
        if thresholds.gain >= 1.0:
            return [Suggested(words=2, right=2, area=0.5)]
        return [Suggested(words=2, right=1, area=0.5)]

    best = best_thresholds(judged, replace(DEFAULT, people=0.3))
    assert best.gain == 1.2, "all around it is good"
    assert best.people == 0.3


@pytest.mark.usefixtures("tried")
def test_thresholds_with_stuff_alone_are_not_chosen() -> None:
    def judged(thresholds: Thresholds) -> list[Suggested]:
        alone = thresholds.certainty < 0.25
        return [Suggested(words=2, right=2, area=0.5, main=True, first=True, alone=alone)]

    assert best_thresholds(judged, DEFAULT).certainty == 0.3, "nor is any beside it"


def test_thresholds_are_chosen_on_one_list_and_reported_on_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "TRIED", {"gain": (0.6, 2.0, 50.0)})
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
