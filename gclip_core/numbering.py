"""Which blocks a method uses: 0-based indices in Python, 1-based numbers in text for people."""

import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gclip_core.errors import MethodError
from gclip_core.types import Blocks


def block_numbers(indices: Iterable[int]) -> tuple[int, ...]:
    """0-based indices as 1-based numbers: ``(5, 6)`` becomes ``(6, 7)``."""
    return tuple(index + 1 for index in indices)


def in_words(numbers: Sequence[int]) -> str:
    """Ascending block numbers in words: "no block", "blocks 6 and 8", "blocks 7 to 11"."""
    if len(numbers) < 2:
        return f"block {numbers[0]}" if numbers else "no block"
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"blocks {numbers[0]} to {numbers[-1]}"
    return f"blocks {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def read_blocks(what: str, given: Blocks) -> Blocks:
    """One of the two words, or a tuple of integers from 0, each kept once. Raises MethodError for
    others."""
    if isinstance(given, str) and given in ("auto", "backbone"):
        return given
    try:
        blocks = tuple(dict.fromkeys(operator.index(block) for block in given))
    except TypeError:
        blocks = ()
    if not blocks or min(blocks) < 0:
        raise MethodError(
            f"{what} must be auto, backbone or block indices counted from 0, not {given!r:.80}."
        )
    return blocks


class Reason(StrEnum):
    """Why AMF or CS uses these blocks, or none."""

    OFF = "off"
    BY_HAND = "by hand"
    BACKBONE = "backbone default"
    GLOBAL_TOKENS = "first with global tokens"
    MIDDLE = "middle blocks"
    OUTLIERS = "outlier channels"
    NO_OUTLIER = "no outlier channel before the last block"


@dataclass(frozen=True)
class ChosenBlocks:
    """The blocks that AMF or CS uses (0-based, ascending), and the reason."""

    blocks: tuple[int, ...]
    reason: str
    """A Reason, or a method's own."""


OFF = ChosenBlocks((), Reason.OFF)


def given_blocks(what: str, blocks: Blocks, default: Blocks, n_blocks: int) -> ChosenBlocks | None:
    """The choice of the setting ``blocks`` if it is not measured, with ``default`` for "backbone".

    Raises MethodError for a block that is not before the last of ``n_blocks``.
    """
    reason = Reason.BY_HAND
    if blocks == "backbone":
        blocks, reason = default, Reason.BACKBONE
    if isinstance(blocks, str):
        return None
    if wrong := block_numbers(block for block in blocks if not 0 <= block < n_blocks - 1):
        raise MethodError(
            f"{what} works on blocks before the last one (1 to {n_blocks - 1} of {n_blocks}, "
            f"counted from 1), so {in_words(wrong)} cannot be used; choose others, or 'auto'."
        )
    return ChosenBlocks(tuple(sorted(blocks)), reason)


def block_choice(text: str) -> Blocks:
    """Reads auto, backbone, or 1-based numbers as 0-based indices.

    Numbers are written as ``"6 7"``, ``"6,7"`` or ``"7-11"``. Raises MethodError for other text, no
    number, or one over 1000.
    """
    if text in ("auto", "backbone"):
        return text
    chosen: list[int] = []
    for part in text.replace(",", " ").split() or [""]:
        written = re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", part)
        low, high = (int(written[1]), int(written[2] or written[1])) if written else (0, 0)
        if not 1 <= low <= high <= 1000:
            raise MethodError(
                f"'{part[:40]}' is not a block number from 1 to 1000 or a range of them; write "
                "auto, backbone, or numbers such as '6 7' or '7-11'."
            )
        chosen += range(low - 1, high)
    return tuple(dict.fromkeys(chosen))
