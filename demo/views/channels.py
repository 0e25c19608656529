"""Channels: norms before and after CS, what it does to masks and Values, and chosen channels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from demo import variants
from demo.look import Look, Mask
from demo.settings import Settings
from gclip_core import cs
from gclip_core.backbone import Backbone
from gclip_core.types import Blocks, Found, Method

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NormsView:
    """Norms of every FFN output channel: ``before`` and ``after`` (L, D), and what CS found.

    ``block`` (0-based) is the one in view; ``ratios_after`` are largest norm over median after CS.
    """

    backbone: str
    before: Floats
    after: Floats
    found: Found
    planted: bool
    block: int
    ratios_after: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ChannelsView:
    """The norms of all channels, and the mask and Values without and with CS.

    ``untouched`` is the mask of the model as it is, None unless a planted channel is simulated.
    ``alike`` are in-in and in-out of the Values, "CS off" and "CS on", in ``regions``.
    """

    norms: NormsView
    off: Mask
    on: Mask
    untouched: Mask | None
    alike: dict[str, tuple[float, float]]
    regions: str


def see(look: Look) -> ChannelsView:
    """Norms, masks and Values without and with CS, whether or not it is switched on."""
    off, on = (variants.ablation(look.settings, look.settings.amf, on) for on in (False, True))
    norms = see_norms(look)
    plain, cured = (variants.ablation(look.settings, amf=False, cs=on) for on in (False, True))
    return ChannelsView(
        norms=norms,
        off=look.mask(off),
        on=look.mask(on),
        untouched=look.mask(off, planted=False) if norms.planted else None,
        alike={"CS off": alike(look, plain), "CS on": alike(look, cured)},
        regions=regions(look),
    )


def see_norms(look: Look) -> NormsView:
    """Weight norms before and after CS, whether or not it is switched on."""
    found = look.findings(variants.ablation(look.settings, amf=False, cs=True))
    return NormsView(
        backbone=look.segmenter.backbone.title,
        before=found.norms_before.numpy(),
        after=found.norms_after.numpy(),
        found=found,
        planted=bool(look.segmenter.backbone.planted),
        block=block_in_view(look.settings, found),
        ratios_after=cs.ratios(found.norms_after),
    )


def alike(look: Look, method: Method, planted: bool = True) -> tuple[float, float]:
    """In-in and in-out of the last block's Values under ``method``; nan where there is no pair."""

    def patches() -> Tensor:
        shown = look.segment(look.chosen).labels
        labels = torch.from_numpy(look.truth.labels) if look.truth else shown
        return cs.majority_labels(labels, look.grid)

    seg = look.segmenter if planted else look.bare
    values = seg.values(look.trunk(method, planted), method)
    return cs.in_in_out(values, look.once("regions", patches))


def regions(look: Look) -> str:
    """What the regions of :func:`alike` are."""
    return "the truth" if look.truth else "the mask shown"


def block_in_view(settings: Settings, found: Found) -> int:
    """The block whose channels are shown: the chosen one, else the first that CS changes.

    Where CS changes none it is the first that a fault would be planted in, so that the block stays
    where one is switched off.
    """
    n = len(found.channels)
    if settings.view_block is not None:
        return min(settings.view_block, n - 1)
    return min(found.suppressed or settings.planted_blocks(n))


def choose(backbone: Backbone, settings: Settings, channels: Sequence[int]) -> Settings:
    """The settings after channels of the block in view were chosen to be suppressed.

    They replace the abnormal channel in the blocks CS changes; where the block in view is not
    among these, in that block alone. No channels at all clear the choice.

    Raises:
        GclipError: the settings cannot be used.
    """
    if not channels:
        return clear(settings)
    chosen = settings.changed(channels=tuple(channels), cs=True)
    blocks, found_block = _blocks_of(backbone, settings)
    block = found_block if settings.view_block is None else settings.view_block
    return chosen if block in blocks else chosen.changed(cs_blocks=(block,))


def clear(settings: Settings) -> Settings:
    """The settings without channels of one's own, and without the one block such a choice named."""
    one = not isinstance(settings.cs_blocks, str) and len(settings.cs_blocks) == 1
    blocks: Blocks = "backbone" if one else settings.cs_blocks
    return settings.changed(channels=(), cs_blocks=blocks)


def _blocks_of(backbone: Backbone, settings: Settings) -> tuple[tuple[int, ...], int]:
    """The blocks CS changes under these settings, and the block in view where none is chosen."""
    repair = backbone.repair(variants.ablation(settings, amf=False, cs=True).suppression)
    blocks = tuple(repair.channels)
    return blocks, min(blocks or settings.planted_blocks(backbone.n_blocks))
