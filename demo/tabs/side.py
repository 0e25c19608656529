"""Side by side: one row of three cards, each without and with what the switches choose."""

import gradio as gr
from gradio.events import Dependency

from demo import widgets, wording
from demo.controls import QUIET, Answer, Controls, Tab, slide_opacity
from demo.look import Look, Studio
from demo.tabs import diagram, drawn
from demo.views import side as views
from demo.views.side import SideView
from demo.widgets import cards
from demo.widgets.values import Json


def build(studio: Studio, controls: Controls) -> Tab:
    """The canvas, the attention card and the norms card; above them the machine, folded."""
    strip = diagram.strip(studio, controls)
    with gr.Row(elem_classes=["sidebyside"], elem_id="side"):
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            canvas = widgets.canvas(elem_id="side-canvas", empty=wording.MASK_EMPTY)
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            maps = widgets.maps(elem_id="side-attention")
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            norms = widgets.norms(elem_id="side-norms")

    def show(look: Look) -> Answer:
        view = views.see(look)
        return {
            canvas: _canvas(look, view), maps: _maps(look, view), norms: _norms(look, view),
            **strip.show(look),
        }  # fmt: skip

    def choose(event: gr.SelectData) -> str:
        return str(int(event.index))

    def wire() -> list[Dependency]:
        slide_opacity(canvas, controls)
        off = drawn.switch_off(controls)
        return [
            canvas.clear(**off),
            norms.clear(**off),
            norms.submit(fn=None, js="() => true", outputs=controls["plant"], **QUIET),
            norms.select(choose, None, controls["view_block"], **QUIET),
            *strip.wire(),
        ]

    return Tab(outputs=[canvas, maps, norms, *strip.outputs], show=show, wire=wire, masks=[canvas])


def _canvas(look: Look, view: SideView) -> Json:
    halves = [drawn.half(look, view.plain, "without")]
    if not view.is_plain:
        halves.append(drawn.half(look, view.chosen, "with"))
    return drawn.canvas(
        look,
        halves,
        view.chosen.names,
        notes=[
            wording.pointing(swipes=not view.is_plain),
            drawn.found_nothing([view.chosen]),
            wording.missed(drawn.missed(view.chosen)),
            drawn.absent(view.chosen),
            wording.nothing_changed(view.chosen.method, view.found) if _same(view) else "",
            wording.SCORE_SHORT if view.chosen.miou is not None else "",
        ],
    )


def _same(view: SideView) -> bool:
    return bool((view.chosen.labels == view.plain.labels).all())


def _maps(look: Look, view: SideView) -> Json:
    method, n = view.chosen.method, look.segmenter.backbone.n_blocks
    sides = [(view.plain, wording.last_title(n, "without", method))]
    if not view.is_plain:
        sides.append((view.chosen, wording.last_title(n, "with", method)))
    return cards.maps_value(
        drawn.picture(look),
        [
            cards.Thumb(wording.map_caption(one.block, n), one.received, one.tokens)
            for one in view.blocks
        ],
        [(title, drawn.matrix(look, mask.method)) for mask, title in sides],
        title=wording.ATTENTION,
        note=wording.attention_note(view.found, method, [one.block for one in view.blocks]),
        simulated=bool(drawn.simulated(look)),
    )


def _norms(look: Look, view: SideView) -> Json:
    cs = view.chosen.method.suppression is not None
    found, block = view.norms.found, view.norms.block
    curves = [cards.entropy_curve(found.entropy, found.entropy_after)]
    return drawn.norms(look, view.norms, cs, wording.norms_note(found, cs, block), curves)
