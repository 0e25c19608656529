"""Suggested words are compared with the classes of a photo's mask."""

from pathlib import Path

import pytest

from evaluation.suggested_words import Suggested, judge, main

AREAS = {"sea": 60.0, "wall brick": 30.0, "dog": 10.0}
NAMED = {"ocean": {"sea"}, "wall": {"wall brick"}}


def test_a_word_that_is_there_counts_and_names_its_area() -> None:
    assert judge(["dog", "cat"], AREAS, NAMED) == Suggested(words=2, right=1, area=0.1)


def test_synonyms_and_kinds_of_a_word_name_it() -> None:
    assert judge(["ocean", "wall"], AREAS, NAMED) == Suggested(words=2, right=2, area=0.9)


def test_an_area_named_twice_counts_once() -> None:
    assert judge(["sea", "ocean"], AREAS, NAMED) == Suggested(words=2, right=2, area=0.6)


def test_a_folder_without_an_index_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "index.json" in capsys.readouterr().err
