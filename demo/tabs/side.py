"""Side by side: one row of three cards, each without and with what the switches choose."""

from dataclasses import dataclass

import gradio as gr
import numpy as np
from gradio.events import Dependency
from numpy.typing import NDArray

from demo import variants, widgets, wording
from demo.controls import QUIET, Answer, Controls, Tab, chosen, in_words, slide_opacity
from demo.learn import opening
from demo.look import Look, Mask, Studio
from demo.tabs import common, machine
from demo.tabs import norms as norms_card
from demo.widgets import cards
from demo.widgets.values import Json
from gclip_core import amf
from gclip_core.types import MethodReport

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BlockMap:
    """A block (0-based) that AMF takes or would take.

    ``received`` (N,) is the attention that each patch gets, 1 = uniform; ``tokens`` are the
    global ones.
    """

    block: int
    received: Floats
    tokens: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class SideView:
    """``plain`` is ClearCLIP, ``chosen`` what the switches name, on the same trunk of pixels.

    ``found`` is what the chosen method found; ``norms`` show what CS changes, on or off.
    """

    plain: Mask
    chosen: Mask
    found: MethodReport
    blocks: tuple[BlockMap, ...]
    norms: norms_card.Norms

    @property
    def is_plain(self) -> bool:
        """Whether the switches choose nothing, so that there is nothing to compare."""
        return self.chosen.method == self.plain.method


def build(studio: Studio, controls: Controls) -> Tab:
    """The canvas, the attention card and the norms card; above them the machine, folded."""
    strip = machine.build(studio, controls)
    with gr.Row(elem_classes=["sidebyside"], elem_id="side"):
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            canvas = widgets.canvas(elem_id="side-canvas", empty=wording.MASK_EMPTY)
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            maps = widgets.maps(elem_id="side-attention")
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            norms = widgets.norms(elem_id="side-norms")

    def show(look: Look) -> Answer:
        view = see(look)
        return {
            canvas: _canvas(look, view), maps: _maps(look, view), norms: _norms(look, view),
            **strip.show(look),
        }  # fmt: skip

    @in_words
    def choose(event: gr.SelectData) -> str:
        return str(*chosen(event, 1))

    def wire() -> list[Dependency]:
        slide_opacity(canvas, controls)
        off = common.switch_off(controls)
        return [
            canvas.clear(**off),
            norms.clear(**off),
            norms.submit(fn=None, js="() => true", outputs=controls["plant"], **QUIET),
            norms.select(choose, None, controls["view_block"], **QUIET),
            *strip.wire(),
        ]

    return Tab(outputs=[canvas, maps, norms, *strip.outputs], show=show, wire=wire, masks=[canvas])


def _canvas(look: Look, view: SideView) -> Json:
    same = _same(view)
    halves = [common.half(look, view.chosen, "with")]
    if not same:
        halves.insert(0, common.half(look, view.plain, "without"))
    return common.canvas(
        look,
        halves,
        view.chosen.names,
        notes=[
            opening.remark(look),
            _lowered(view),
            wording.pointing(swipes=not same),
            common.found_nothing([view.chosen]),
            wording.missed(common.missed(view.chosen)),
            common.absent(view.chosen),
            wording.nothing_changed(view.chosen.method, view.found) if same else "",
            wording.SCORE_SHORT if view.chosen.miou is not None else "",
        ],
    )


def _lowered(view: SideView) -> str:
    before, after = view.plain.miou, view.chosen.miou
    if before is None or after is None:
        return ""
    return wording.lowered(view.chosen.method.title, before, after)


def _same(view: SideView) -> bool:
    return bool((view.chosen.labels == view.plain.labels).all())


def _maps(look: Look, view: SideView) -> Json:
    method, n = view.chosen.method, look.segmenter.backbone.n_blocks
    sides = [(view.plain, wording.last_title(n, "without", method))]
    if method.attention == view.plain.method.attention and not (
        view.found.fusion.blocks or view.found.suppressed
    ):  # equal matrices are drawn once
        sides = [(view.plain, wording.alike_title(n, method))]
    elif not view.is_plain:
        sides.append((view.chosen, wording.last_title(n, "with", method)))
    return cards.maps_value(
        common.picture(look),
        [
            cards.Thumb(wording.map_caption(one.block, n), one.received, one.tokens)
            for one in view.blocks
        ],
        [(title, common.matrix(look, mask.method)) for mask, title in sides],
        title=wording.ATTENTION,
        note=wording.attention_note(view.found, method, [one.block for one in view.blocks]),
        simulated=bool(common.simulated(look)),
    )


def _norms(look: Look, view: SideView) -> Json:
    cs = view.chosen.method.suppression is not None
    found, block = view.norms.found, view.norms.block
    curves = [cards.entropy_curve(found.entropy, found.entropy_after)]
    return norms_card.value(look, view.norms, cs, wording.norms_note(found, cs, block), curves)


def see(look: Look) -> SideView:
    """Both masks of one look, the blocks AMF reads, the norms of the block in view."""
    seg, trunk = look.segmenter, look.trunk(look.chosen)
    fused = variants.ablation(look.settings, amf=True, cs=False)

    def see_block(block: int) -> BlockMap:
        received = seg.received(trunk, [block], clean=False)[0]
        tokens = amf.global_tokens(received, look.settings.global_threshold)
        return BlockMap(block, received.numpy(), tokens)

    blocks = map(see_block, look.findings(fused).fusion.blocks)
    return SideView(
        plain=look.mask(variants.ablation(look.settings, amf=False, cs=False)),
        chosen=look.mask(look.chosen),
        found=look.segment(look.chosen).found,
        blocks=tuple(blocks),
        norms=norms_card.see(look),
    )
