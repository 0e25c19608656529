"""Suggested words are compared with the classes of a photo's mask."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from evaluation.class_lists import ClassName
from evaluation.suggested_words import (
    Judgement,
    Truth,
    judge,
    main,
    meanings,
    read_truth,
    report,
)
from tests.evaluation.sets import save_ids, save_image
from tests.models import loaded

AREAS = {"sea": 60, "wall brick": 30, "dog": 10}
NAMED = {"ocean": {"sea"}, "wall": {"wall brick"}, "puppy": {"dog"}}


@pytest.mark.parametrize(
    ("words", "judged"),
    [
        (["dog", "cat"], Judgement(n_words=2, n_right=1, area=0.1)),
        (["ocean", "wall"], Judgement(n_words=2, n_right=2, area=0.9)),  # a synonym, and a kind
        (["sea", "ocean"], Judgement(n_words=2, n_right=2, area=0.6)),  # named twice, counted once
    ],
)
def test_right_words(words: list[str], judged: Judgement) -> None:
    """A word that is present counts and names its area, also as a synonym or a kind of it."""
    assert judge(words, Truth(AREAS, ""), NAMED) == judged


@pytest.mark.parametrize(
    ("words", "main"), [(["wall", "dog"], True), (["puppy", "wall"], True), (["wall"], False)]
)
def test_main_thing(words: list[str], main: bool) -> None:
    """The main thing is named by its word or a synonym."""
    assert judge(words, Truth(AREAS, "dog"), NAMED).main == main


def test_kinds() -> None:
    """A banana is named by "fruit", a pizza not by "food"; a brick wall is named by "wall"."""
    assert judge(["fruit"], Truth({"banana": 1}, "banana"), {}).main
    assert not judge(["food"], Truth({"pizza": 1}, "pizza"), {}).main
    assert "wall brick" in meanings(loaded())["wall"]


def test_largest_thing() -> None:
    """The main thing is the largest thing that covers at least 15 % of the photo."""
    classes = tuple(ClassName(word, (word,)) for word in ("sky", "dog", "cat"))
    labels = np.full((10, 10), -1)
    labels[:5], labels[5:7], labels[7:8], labels[6, 5:] = 0, 1, 2, -1
    assert read_truth(classes, labels) == Truth({"sky": 50, "dog": 15, "cat": 10}, "dog")
    labels[6, 4] = -1
    assert read_truth(classes, labels).main == ""
    labels[:, :], labels[0, :4] = 0, 1
    assert read_truth(classes, labels).small == ("dog",)
    truth = read_truth(classes, labels)
    assert judge(["sky", "puppy"], truth, NAMED).small == (1, 1)
    assert judge(["sky", "cat"], truth, NAMED).small == (0, 1)


def test_report() -> None:
    """Shares are over all words, over photos, and over the photos with a main thing."""
    photos = [
        Judgement(n_words=3, n_right=1, area=0.5, small=(1, 2)),
        Judgement(n_words=1, n_right=1, area=0.25, main=True),
        Judgement(n_words=1, n_right=0, area=0.0, main=False),
    ]
    numbers = ["3", "40.0", "25.0", "1.7", "2", "50.0", "2", "50.0"]
    assert re.findall(r"[\d.]+", report(photos)) == numbers


def test_ignored_photo(capsys: pytest.CaptureFixture[str]) -> None:
    """A photo without a labelled pixel is left out; a list selects some of one's own photos."""
    for name, value in (("a", 9), ("b", 3)):
        save_image(Path(f"{name}.jpg"))
        save_ids(Path(f"{name}.png"), [[value] * 3] * 2)
    index = [{"file": name, "words": {"3": "cat"}} for name in ("a", "b")]
    Path("index.json").write_text(json.dumps(index))
    assert main(["--root", "."]) == 0
    assert capsys.readouterr().out.startswith("1 photo: ")
    Path("report.txt").write_text("a\n")
    assert main(["--root", ".", "--split", "report"]) == 2
    assert "no labelled pixels" in capsys.readouterr().err
