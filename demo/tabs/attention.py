"""Attention: where every patch looks, in any block and in the last one without and with AMF."""

from __future__ import annotations

import gradio as gr
from gradio.events import Dependency

from demo import widgets, wording
from demo.controls import QUIET, Answer, Controls, Tab
from demo.drawing import plots, render
from demo.look import Look, Studio
from demo.settings import as_control, as_text
from demo.tabs.drawn import block_matrix, matrix, picture
from demo.views import attention as views
from demo.views.attention import AttentionView
from demo.widgets import values
from gclip_core.cache import BoundedCache

_plots: BoundedCache[str] = BoundedCache(64)


def build(studio: Studio, controls: Controls) -> Tab:
    """The strip of all blocks; three maps that follow one pointer; the class token beside them."""
    gr.Markdown(wording.ATTENTION_INTRO, elem_classes=["gclip-note"])
    block, patch = controls.hidden("view_block"), controls.hidden("patch")
    with gr.Column(elem_classes=["cardbox"]):
        strip = widgets.blocks(elem_id="block-strip")
    with gr.Column(elem_classes=["cardbox"]):
        head = controls.make(
            "view_head", choices=[wording.HEAD_MEAN], elem_id="head", allow_custom_value=True
        )
        live = widgets.attention(elem_id="live-attention")
    with gr.Row(elem_classes=["channelrow"]):
        with gr.Column(scale=5, min_width=300):
            beside = widgets.card("class-token", wording.CLASS_TOKEN)
        with gr.Column(scale=5, min_width=300):
            scores = widgets.card("block-scores", wording.BLOCK_SCORES)

    def show(look: Look) -> Answer:
        view = views.see(look)
        heads = [wording.HEAD_MEAN, *((str(h + 1), str(h + 1)) for h in range(view.n_heads))]
        return {
            strip: _strip(look, view),
            head: gr.Dropdown(choices=heads, value=as_control("view_head", view.head)),
            live: _live(look, view),
            beside: _class_token(look, view),
            scores: _scores(look, view),
        }

    def pin(event: gr.SelectData) -> str:
        return as_text("patch", (int(event.index[0]), int(event.index[1])))

    def choose(event: gr.SelectData) -> str:
        return str(int(event.index))

    def wire() -> list[Dependency]:
        live.select(pin, None, patch, **QUIET)
        return [strip.select(choose, None, block, **QUIET)]

    return Tab(outputs=[strip, head, live, beside, scores], show=show, wire=wire)


def _strip(look: Look, view: AttentionView) -> values.Json:
    return values.blocks_value(
        look.picture.image,
        view.received,
        look.grid,
        view.scores,
        view.tokens,
        view.amf_blocks,
        view.block,
        wording.strip_note(view.amf_blocks, view.reason),
    )


def _live(look: Look, view: AttentionView) -> values.Json:
    """The block's own attention, then the last block's matrix without and with AMF."""
    n = len(view.scores)
    fused = sorted({token for block in view.amf_blocks for token in view.tokens[block]})
    plain_row, fused_row = view.class_rows_used
    plain, mixed = (matrix(look, method, view.head) for method in view.methods)
    own = block_matrix(look, view.block, view.head)
    maps = [
        values.Map(
            wording.map_title(view.block, n), own, view.tokens[view.block], view.class_row,
            wording.map_note(len(view.tokens[view.block])),
        ),
        values.Map(wording.used_title(n, amf=False), plain, fused, plain_row, wording.PLAIN_NOTE),
        values.Map(
            wording.used_title(n, amf=True), mixed, fused, fused_row,
            wording.fused_note(view.amf_blocks, len(fused)),
        ),
    ]  # fmt: skip
    shown = picture(look)
    return values.attention_value(
        shown.name, shown.size, look.grid, maps, look.settings.patch, shown.pooled
    )


def _class_token(look: Look, view: AttentionView) -> values.Json:
    """The class token's row beside the mean row of the global tokens."""
    image, n, tokens = look.picture.image, len(view.scores), view.tokens[view.block]
    rows = [(wording.CLASS_ROW, view.class_row)]
    if tokens:
        rows.append((wording.token_rows(len(tokens)), view.matrix[list(tokens)].mean(0)))
    figures = []
    for caption, row in rows:
        drawn = render.heat_map(image, row, look.grid, max_side=320)
        drawn = render.token_outlines(drawn, tokens, look.grid)
        figures.append(
            values.figure(drawn, caption, f"{caption}, {wording.map_title(view.block, n)}")
        )
    return values.card(
        wording.CLASS_TOKEN,
        figures=figures,
        columns=2,
        note=wording.agreement_note(view.block, view.agreement[view.block], view.head),
        badge=wording.map_title(view.block, n),
    )


def _scores(look: Look, view: AttentionView) -> values.Json:
    model, threshold = look.segmenter.backbone.title, look.settings.global_threshold
    key = (model, threshold, view.scores, view.amf_blocks, str(view.agreement))
    drawn = _plots.get_or_make(
        key,
        lambda: plots.scores_plot(view.scores, threshold, model, view.amf_blocks, view.agreement),
    )
    return values.card(wording.BLOCK_SCORES, plot=drawn, note=wording.SCORES_NOTE)
