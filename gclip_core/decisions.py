"""Which blocks AMF fuses and which channels CS repairs, each with its reason in words.

Pure: block counts, norms and settings in, blocks and channels out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from gclip_core import globality, suppression
from gclip_core.errors import MethodError
from gclip_core.numbering import block_numbers
from gclip_core.types import Blocks, Fusion, Suppression


@dataclass(frozen=True)
class Default:
    """What a backbone takes for ``"backbone"``, and the name it is called by."""

    blocks: Blocks
    title: str


def fused_blocks(
    fusion: Fusion | None,
    n_blocks: int,
    default: Default,
    has_tokens: Callable[[float], Sequence[bool]],
) -> tuple[tuple[int, ...], str]:
    """The blocks AMF fuses (0-based), and why these.

    ``has_tokens(threshold)`` says for all ``n_blocks`` blocks whether they have a global token; it
    is asked only when that decides.

    Raises:
        MethodError: the last block is named, or more blocks are wanted than there are.
    """
    if fusion is None:
        return (), "AMF is off"
    blocks, reason = _named(fusion.blocks, default)
    if isinstance(blocks, str):
        return _measured(fusion, n_blocks, has_tokens)
    if max(blocks) >= n_blocks - 1:
        raise MethodError(
            f"AMF takes blocks before the last one (1 to {n_blocks - 1} of {n_blocks}), "
            f"but block {max(blocks) + 1} came."
        )
    return blocks, reason


def _measured(
    fusion: Fusion, n_blocks: int, has_tokens: Callable[[float], Sequence[bool]]
) -> tuple[tuple[int, ...], str]:
    wanted = fusion.n_blocks
    if wanted > n_blocks - 1:
        raise MethodError(
            f"AMF can fuse up to {n_blocks - 1} of {n_blocks} blocks, but n_blocks={wanted} came."
        )
    first = globality.first_global_block(has_tokens(fusion.global_threshold), wanted)
    if first is None:
        middle = globality.middle_blocks(n_blocks, wanted)
        return middle, "no run of blocks with global tokens up to the last: middle blocks taken"
    return (
        tuple(range(first, first + wanted)),
        f"global tokens in every block from {first + 1} to {n_blocks - 1}",
    )


def repaired_channels(
    settings: Suppression | None,
    largest: Sequence[tuple[int, float]],
    width: int,
    default: Default,
) -> tuple[dict[int, tuple[int, ...]], str]:
    """The channels CS renormalises in each block it changes (0-based), and why these.

    ``largest`` is every block's largest channel and its norm over the median, ``width`` the number
    of channels.

    Raises:
        MethodError: a block or channel the tower does not have, or all channels at once.
    """
    if settings is None:
        return {}, "CS is off"
    n_blocks = len(largest)
    abnormal = abnormal_blocks(largest, settings.channel_threshold)
    blocks, reason = _named(settings.blocks, default)
    if isinstance(blocks, str):
        # The methods that use CS leave out the last block's FFN.
        blocks = tuple(block for block in abnormal if block < n_blocks - 1)
        reason = f"max/median of at least {settings.channel_threshold:g}"
        if not blocks:
            where = "before the last block" if abnormal else "in this model"
            return {}, f"no abnormal channel {where}: CS changes nothing"
    _check_there(blocks, settings.channels or (), n_blocks, width)
    ordinary = [block for block in sorted(blocks) if block not in abnormal]
    if ordinary and not settings.channels:
        listed = ", ".join(map(str, block_numbers(ordinary)))
        reason += f"; without an abnormal channel: blocks {listed}"
    return {block: settings.channels or (largest[block][0],) for block in sorted(blocks)}, reason


def abnormal_blocks(largest: Sequence[tuple[int, float]], threshold: float) -> tuple[int, ...]:
    """Blocks whose largest norm is at least ``threshold`` times the median."""
    return tuple(block for block, (_, ratio) in enumerate(largest) if ratio >= threshold)


def repaired_norms(
    norms: Tensor, repairs: Mapping[int, tuple[int, ...]], settings: Suppression | None
) -> Tensor:
    """The norms after CS: (L, D) float32; the given ones stay untouched."""
    after = norms.clone()
    for block, channels in repairs.items():
        target = (settings or Suppression()).target
        factors = suppression.suppressed_factors(norms[block], channels, target)
        after[block, list(channels)] *= factors
    return after


def _named(blocks: Blocks, default: Default) -> tuple[Blocks, str]:
    if blocks == "backbone":
        return default.blocks, f"the default for {default.title}"
    return blocks, "blocks chosen by hand"


def _check_there(blocks: Sequence[int], channels: Sequence[int], n_blocks: int, width: int) -> None:
    if max(blocks) >= n_blocks:
        raise MethodError(f"CS takes blocks 1 to {n_blocks}, but block {max(blocks) + 1} came.")
    if channels and max(channels) >= width:
        raise MethodError(f"Channels run from 0 to {width - 1}, but channel {max(channels)} came.")
    if len(channels) >= width:
        raise MethodError(
            f"CS brings channels to the mean of the others, but all {width} channels came."
        )
