"""Blocks are numbered from 0 in Python and from 1 wherever a person reads."""

import pytest

from gclip_core import MethodError
from gclip_core.numbering import block_choice


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
