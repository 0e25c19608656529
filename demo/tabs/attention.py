"""Attention: where every patch looks, in any block and in the last one without and with AMF."""

from dataclasses import dataclass

import gradio as gr
import numpy as np
from gradio.events import Dependency
from numpy.typing import NDArray

from demo import variants, widgets, wording
from demo.controls import QUIET, Answer, Controls, Tab, chosen, in_words
from demo.look import Look, Studio
from demo.settings import as_control, as_text
from demo.tabs.common import block_matrix, card, matrix, picture, simulated
from demo.widgets import cards, values
from gclip_core.types import FusionReport, Method

FUSED, UNFUSED = "#e0633a", "#4a90d9"
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AttentionView:
    """Every block's attention of one image.

    ``received`` (L, N); ``scores``, ``agreement`` and ``tokens`` per block; ``matrix`` (N, N) the
    chosen block's, ``used_plain`` and ``used_fused`` (N, N) the last block's without and with AMF;
    ``class_row`` (N,) the class token's row of the block, ``class_rows_used`` those of the last
    two, whose methods are ``methods``.
    """

    block: int
    head: int | None
    n_heads: int
    received: Floats
    scores: tuple[float, ...]
    agreement: tuple[float, ...]
    tokens: tuple[tuple[int, ...], ...]
    matrix: Floats
    used_plain: Floats
    used_fused: Floats
    class_row: Floats
    class_rows_used: tuple[Floats, Floats]
    methods: tuple[Method, Method]
    fusion: FusionReport


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
        with gr.Column(scale=5, min_width=300, elem_classes=["cardbox"]):
            beside = widgets.maps(elem_id="class-token")
        with gr.Column(scale=5, min_width=300):
            scores = widgets.card("block-scores", wording.BLOCK_SCORES)

    def show(look: Look) -> Answer:
        view = see(look)
        heads = [wording.HEAD_MEAN, *((str(h + 1), str(h + 1)) for h in range(view.n_heads))]
        return {
            strip: _strip(look, view),
            head: gr.Dropdown(choices=heads, value=as_control("view_head", view.head)),
            live: _live(look, view),
            beside: _class_token(look, view),
            scores: _scores(look, view),
        }

    @in_words
    def pin(event: gr.SelectData) -> str:
        return as_text("patch", chosen(event, 2))

    @in_words
    def choose(event: gr.SelectData) -> str:
        return str(*chosen(event, 1))

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
        view.fusion.blocks,
        view.block,
        wording.strip_note(view.fusion),
        bool(simulated(look)),
    )


def _live(look: Look, view: AttentionView) -> values.Json:
    """The block's own attention, then the last block's matrix without and with AMF."""
    n = len(view.scores)
    fused = sorted({token for block in view.fusion.blocks for token in view.tokens[block]})
    plain_row, fused_row = view.class_rows_used
    plain, mixed = (matrix(look, method, view.head) for method in view.methods)
    own = block_matrix(look, view.block, view.head)
    used = wording.used_title(n, look.chosen)
    maps = [
        values.Map(
            wording.map_title(view.block, n), own, view.tokens[view.block], view.class_row,
            wording.map_note(len(view.tokens[view.block])),
        ),
        values.Map(f"{used}, AMF off", plain, fused, plain_row, wording.PLAIN_NOTE),
        values.Map(
            f"{used}, AMF on", mixed, fused, fused_row,
            wording.fused_note(view.fusion.blocks, len(fused)),
        ),
    ]  # fmt: skip
    return values.attention_value(picture(look), maps, look.settings.patch, bool(simulated(look)))


def _class_token(look: Look, view: AttentionView) -> values.Json:
    """The class token's row beside the mean row of the global tokens."""
    tokens, block = view.tokens[view.block], view.block
    rows = [(wording.CLASS_ROW, view.class_row)]
    if tokens:
        rows.append((wording.token_rows(len(tokens)), view.matrix[list(tokens)].mean(0)))
    return cards.maps_value(
        picture(look),
        [cards.Thumb(caption, row, tokens) for caption, row in rows],
        title=wording.CLASS_TOKEN,
        badge=wording.map_title(block, len(view.scores)),
        note=wording.agreement_note(block, view.agreement[block], view.head),
        simulated=bool(simulated(look)),
    )


def _scores(look: Look, view: AttentionView) -> values.Json:
    """Every block's global-token score, on a logarithmic scale from an equal share."""
    threshold = look.settings.global_threshold
    top = np.log(max(*view.scores, threshold, 2.0))
    bars = [
        {
            "name": wording.fused_block(index, index in view.fusion.blocks),
            "share": max(0.0, float(np.log(max(score, 1.0)) / top)),
            "colour": FUSED if index in view.fusion.blocks else UNFUSED,
            "text": wording.scored(score, agreement),
        }
        for index, (score, agreement) in enumerate(zip(view.scores, view.agreement, strict=True))
    ]
    mark, model = float(np.log(threshold) / top), look.segmenter.backbone.title
    note = wording.scores_note(threshold, model, any(view.tokens))
    return card(look, wording.BLOCK_SCORES, note, bars=bars, mark=mark)


def see(look: Look) -> AttentionView:
    """The block and head in view; without a choice the first block that AMF takes, all heads."""
    method, seg = look.chosen, look.segmenter
    fused = variants.ablation(look.settings, amf=True, cs=method.suppression is not None)
    found, trunk = look.findings(fused), look.trunk(method)
    seen = seg.globality(trunk, look.settings.global_threshold, clean=False)
    received = seg.received(trunk, clean=False).numpy()
    block, head = look.settings.view_block, look.settings.view_head
    block = found.fusion.blocks[0] if block is None else min(block, seg.backbone.n_blocks - 1)
    head = None if head is None else min(head, seg.backbone.n_heads - 1)
    whole = seg.attention_map(trunk, block, head)
    methods = (variants.ablation(look.settings, False, method.suppression is not None), fused)
    plain, mixed = (seg.last_attention(trunk, one, head) for one in methods)
    return AttentionView(
        block=block,
        head=head,
        n_heads=seg.backbone.n_heads,
        received=received,
        scores=seen.scores,
        agreement=seen.agreement,
        tokens=seen.tokens,
        matrix=whole[1:, 1:].numpy(),
        used_plain=plain[1:, 1:].numpy(),
        used_fused=mixed[1:, 1:].numpy(),
        class_row=whole[0, 1:].numpy(),
        class_rows_used=(plain[0, 1:].numpy(), mixed[0, 1:].numpy()),
        methods=methods,
        fusion=found.fusion,
    )
