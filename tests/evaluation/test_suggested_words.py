"""Suggested words are compared with the classes of a photo's mask."""

from pathlib import Path

import pytest

from evaluation.suggested_words import Suggested, judge, main

AREAS = {"sea": 60.0, "wall brick": 30.0, "dog": 10.0}
NAMED = {"ocean": {"sea"}, "wall": {"wall brick"}}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["dog", "cat"], Suggested(words=2, right=1, area=0.1)),
        (["ocean", "wall"], Suggested(words=2, right=2, area=0.9)),  # a synonym, and a kind
        (["sea", "ocean"], Suggested(words=2, right=2, area=0.6)),  # named twice, counted once
    ],
)
def test_a_word_that_is_there_counts_and_names_its_area(words: list[str], found: Suggested) -> None:
    assert judge(words, AREAS, NAMED) == found


def test_a_folder_of_no_index_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "index.json" in capsys.readouterr().err
