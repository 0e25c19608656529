"""Suggested words are compared with the classes of a photo's mask."""

import pytest

from evaluation.suggested_words import Suggested, judge

AREAS = {"sea": 60.0, "wall brick": 30.0, "dog": 10.0}
NAMED = {"ocean": {"sea"}, "wall": {"wall brick"}}


@pytest.mark.parametrize(
    ("words", "suggested"),
    [
        (["dog", "cat"], Suggested(words=2, right=1, area=0.1)),
        (["ocean", "wall"], Suggested(words=2, right=2, area=0.9)),  # a synonym, and a kind
        (["sea", "ocean"], Suggested(words=2, right=2, area=0.6)),  # named twice, counted once
    ],
)
def test_a_word_that_is_there_counts_and_names_its_area(
    words: list[str], suggested: Suggested
) -> None:
    assert judge(words, AREAS, NAMED) == suggested
