"""Blocks are numbered from 0 in Python and from 1 wherever a person reads."""

import pytest

from gclip_core import MethodError
from gclip_core.numbering import block_choice, in_words


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        (" 6 , 7 ", (5, 6)),
        ("1 3-4, 3", (0, 2, 3)),
        ("auto", "auto"),
    ],
)
def test_block_choice(text: str, indices: tuple[int, ...]) -> None:
    """How people write blocks."""
    assert block_choice(text) == indices


@pytest.mark.parametrize(
    "text", ["0", "1001", "7-6", "six", "1.5", "-3", "6-", "5-x", "²", "9" * 50, "1--2", "", " , "]
)
def test_unusable_blocks(text: str) -> None:
    """Anything that is not a block is refused with a message."""
    with pytest.raises(MethodError, match="not a block number"):
        block_choice(text)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((), "no block"),
        ((6,), "block 6"),
        ((6, 7), "blocks 6 and 7"),
        ((6, 8, 9), "blocks 6, 8 and 9"),
        ((7, 8, 9, 10), "blocks 7 to 10"),
    ],
)
def test_named(numbers: tuple[int, ...], words: str) -> None:
    assert in_words(numbers) == words
