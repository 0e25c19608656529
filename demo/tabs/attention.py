"""Attention: where every patch looks, in any block and in the last one without and with AMF."""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo import panel, widgets, wording
from demo.controls import Controls
from demo.drawing import plots, render
from demo.service import AttentionView, Request, Service, Status
from demo.settings import BLOCK, HEAD, PAIR
from demo.tabs import QUIET, Answer, Tab
from demo.widgets import values
from gclip_core.cache import BoundedCache

_plots: BoundedCache[str] = BoundedCache(64)


CSS = """
.cardbox:has(#block-strip) { min-height: 0; }
.form:has(#head) { border: 0; max-width: 320px; background: none; }
#head { padding: 0; background: none; }
#head .container { display: flex; align-items: center; gap: 10px; }
#head .container > :last-child { flex: 1; }
"""


def build(service: Service, controls: Controls) -> Tab:
    """The strip of all blocks; three maps that follow one pointer; the class token beside them."""
    gr.Markdown(wording.ATTENTION_INTRO, elem_classes=["gclip-note"])
    block = controls.add(
        "view_block", gr.Textbox("", visible=False), _read(BLOCK), _write(BLOCK), triggers=False
    )
    patch = controls.add(
        "patch", gr.Textbox("", visible=False), _read(PAIR), _write(PAIR), triggers=False
    )
    with gr.Column(elem_classes=["cardbox"]):
        strip = widgets.blocks(elem_id="block-strip")
    with gr.Column(elem_classes=["cardbox"]):
        head = controls.add_text(
            "view_head",
            gr.Dropdown([wording.HEAD_MEAN], value="mean", label=wording.HEAD, elem_id="head",
                        allow_custom_value=True),
        )  # fmt: skip
        live = widgets.attention(elem_id="live-attention")
    with gr.Row(elem_classes=["channelrow"]):
        with gr.Column(scale=5, min_width=300):
            beside = panel.build("class-token", wording.CLASS_TOKEN)
        with gr.Column(scale=5, min_width=300):
            scores = panel.build("block-scores", wording.BLOCK_SCORES)

    def show(service: Service, request: Request) -> tuple[Answer, Status]:
        settings = request.settings
        view = service.attention(request, settings.view_block, settings.view_head)
        heads = [wording.HEAD_MEAN, *((str(h + 1), str(h + 1)) for h in range(view.n_heads))]
        answer: Answer = {
            strip: _strip(view),
            head: gr.Dropdown(choices=heads, value=HEAD.write(view.head)),
            live: _live(view, settings.patch),
            beside: _class_token(view),
            scores: _scores(view, settings.global_threshold),
        }
        return answer, view.status

    def pin(event: gr.SelectData) -> str:
        return PAIR.write((int(event.index[0]), int(event.index[1])))

    def choose(event: gr.SelectData) -> str:
        return str(int(event.index))

    live.select(pin, None, patch, **QUIET)
    return Tab(
        outputs=[strip, head, live, beside, scores],
        show=show,
        changes=[strip.select(choose, None, block, **QUIET)],
    )


def _read(kind: Any) -> Any:
    """Reads a hidden field; an empty or strange one is no choice."""

    def read(text: Any) -> Any:
        try:
            return kind.read(str(text)) if text else None
        except ValueError:
            return None

    return read


def _write(kind: Any) -> Any:
    return lambda value: "" if value is None else kind.write(value)


def _strip(view: AttentionView) -> values.Json:
    return values.blocks_value(
        view.picture.image,
        view.received,
        view.grid,
        view.scores,
        view.tokens,
        view.amf_blocks,
        view.block,
        wording.strip_note(view.amf_blocks, view.reason),
    )


def _live(view: AttentionView, patch: tuple[int, int] | None) -> values.Json:
    """The block's own attention, then the last block's matrix without and with AMF."""
    n = len(view.scores)
    fused = sorted({token for block in view.amf_blocks for token in view.tokens[block]})
    plain_row, fused_row = view.class_rows_used
    maps = [
        values.Map(
            wording.map_title(view.block, n), view.matrix, view.tokens[view.block], view.class_row,
            wording.map_note(len(view.tokens[view.block])),
        ),
        values.Map(
            wording.used_title(n, amf=False), view.used_plain, fused, plain_row, wording.PLAIN_NOTE
        ),
        values.Map(
            wording.used_title(n, amf=True), view.used_fused, fused, fused_row,
            wording.fused_note(view.amf_blocks, len(fused)),
        ),
    ]  # fmt: skip
    return values.attention_value(view.picture.image, view.grid, maps, patch)


def _class_token(view: AttentionView) -> panel.Value:
    """The class token's row beside the mean row of the global tokens."""
    image, n, tokens = view.picture.image, len(view.scores), view.tokens[view.block]
    rows = [(wording.CLASS_ROW, view.class_row)]
    if tokens:
        rows.append((wording.token_rows(len(tokens)), view.matrix[list(tokens)].mean(0)))
    figures = []
    for caption, row in rows:
        drawn = render.heat_map(image, row, view.grid, max_side=320)
        drawn = render.token_outlines(drawn, tokens, view.grid)
        figures.append(
            panel.figure(drawn, caption, f"{caption}, {wording.map_title(view.block, n)}")
        )
    return panel.value(
        wording.CLASS_TOKEN,
        figures=figures,
        columns=2,
        note=wording.agreement_note(view.block, view.agreement[view.block], view.head),
        badge=wording.map_title(view.block, n),
    )


def _scores(view: AttentionView, threshold: float) -> panel.Value:
    model = view.status.backbone
    key = (model, threshold, view.scores, view.amf_blocks, str(view.agreement))
    drawn = _plots.get_or_make(
        key,
        lambda: plots.scores_plot(view.scores, threshold, model, view.amf_blocks, view.agreement),
    )
    return panel.value(wording.BLOCK_SCORES, plot=drawn, note=wording.SCORES_NOTE)
