"""The card of one block's weight norms, before and after CS."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo import variants, wording
from demo.look import Look
from demo.settings import Settings
from demo.tabs import common
from demo.widgets import cards
from demo.widgets.values import Json
from gclip_core import cs as suppression
from gclip_core.types import MethodReport

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Norms:
    """Norms of every FFN output channel: ``before`` and ``after`` (L, D), and what CS found.

    ``block`` (0-based) is the one in view; ``ratios_after`` are largest norm over median after CS.
    """

    backbone: str
    before: Floats
    after: Floats
    found: MethodReport
    planted: bool
    block: int
    ratios_after: tuple[float, ...]


def see(look: Look) -> Norms:
    """Weight norms before and after CS, whether or not it is switched on."""
    found = look.findings(variants.ablation(look.settings, amf=False, cs=True))
    return Norms(
        backbone=look.segmenter.backbone.title,
        before=found.norms_before.numpy(),
        after=found.norms_after.numpy(),
        found=found,
        planted=bool(look.segmenter.backbone.planted),
        block=block_in_view(look.settings, found),
        ratios_after=suppression.ratios(found.norms_after),
    )


def block_in_view(settings: Settings, found: MethodReport) -> int:
    """The block whose channels are shown: the chosen one, else the first that CS changes.

    Where CS changes none it is the first that a fault would be planted in, so that the block stays
    where one is switched off.
    """
    n = len(found.channels)
    if settings.view_block is not None:
        return min(settings.view_block, n - 1)
    return min(found.suppressed or settings.planted_blocks(n))


def value(look: Look, view: Norms, cs: bool, note: str, curves: list[Json], **more: Any) -> Json:
    """The norms of the block in view, before and after CS, whether or not ``cs`` is on."""
    return cards.norms_value(
        view.before[view.block], view.after[view.block], view.block, curves, model=view.backbone,
        cs=cs, abnormal=view.found.abnormal, threshold=look.settings.channel_threshold,
        badge=wording.switched("CS", cs), note=note, simulated=common.simulated(look), **more,
    )  # fmt: skip
