"""The card of one block's weight norms, before and after CS."""

from typing import Any

from demo import variants, wording
from demo.look import Look
from demo.widgets import cards
from demo.widgets.values import Json
from gclip_core.types import MethodReport


def report(look: Look) -> MethodReport:
    """What CS finds, whether or not it is switched on."""
    return look.findings(variants.ablation(look.settings, amf=False, cs=True))


def block_in_view(look: Look) -> int:
    """The block (0-based) whose channels are shown: the chosen one, else the first that CS changes.

    Where CS changes none it is the first of the simulation's blocks, so that the block stays when
    the simulation is switched off.
    """
    found, n = report(look), look.segmenter.backbone.n_blocks
    if look.settings.view_block is not None:
        return min(look.settings.view_block, n - 1)
    return min(found.suppressed or look.settings.planted_blocks(n))


def value(look: Look, note: str, curves: list[Json], **more: Any) -> Json:
    """The norms of the block in view, before and after CS, whether or not CS is on."""
    found, block, cs = report(look), block_in_view(look), look.chosen.suppression is not None
    backbone = look.segmenter.backbone
    return cards.norms_value(
        found.norms_before[block], found.norms_after[block], block, curves, model=backbone.title,
        cs=cs, abnormal=found.abnormal, threshold=look.settings.channel_threshold,
        badge=wording.switched("CS", cs), note=note, simulated=bool(backbone.planted), **more,
    )  # fmt: skip
