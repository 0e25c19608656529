"""Attention: where every patch looks, in any block and in the last one without and with AMF."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from demo import widgets, wording
from demo.answer import Answer
from demo.controls import QUIET, Controls, Tab, block_chosen, hint, place_chosen, unplant
from demo.engine import Engine
from demo.host.blob_store import LazyBlob
from demo.settings import as_control
from demo.tabs import contents
from demo.widgets import values
from demo.widgets.values import Json
from gclip_core.types import GlobalTokens, Method, MethodReport

HEAD_MEAN = ["mean of all heads", "mean"]


@dataclass(frozen=True, eq=False)
class Matrix:
    """One attention matrix, and where the class token looks (N,)."""

    matrix: LazyBlob
    class_row: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AttentionContent:
    """All blocks, and three maps: the block in view's own, the last block without and with AMF.

    ``gclip`` names the blocks that AMF takes, whether or not it is on; ``received`` (L, N),
    1 = uniform, and ``tokens`` are of every block. ``own``, ``off`` and ``on`` are of ``head``
    (0-based, None for the mean). Of a method without switches ``on`` is its own, ``mixes`` what it
    mixes in, and ``caveats`` are sentences on it. ``by_block`` are masks by block, of ``names``.
    """

    picture: Json
    gclip: MethodReport
    received: NDArray[np.float32]
    tokens: GlobalTokens
    block: int
    head: int | None
    n_heads: int
    own: Matrix
    off: Matrix
    on: Matrix
    method: Method
    mixes: str
    caveats: Sequence[str]
    patch: tuple[int, int] | None
    simulated: str
    names: Sequence[str]
    by_block: LazyBlob


def build(engine: Engine, controls: Controls) -> Tab:
    """The strip of all blocks; under it three maps that follow one pointer."""
    hint(wording.ATTENTION_INTRO)
    with gr.Column(elem_classes=["cardbox"]):
        strip = widgets.blocks(elem_id="block-strip")
    with gr.Column(elem_classes=["cardbox"]):
        head = controls.make(
            "view_head", choices=[HEAD_MEAN], elem_id="head", allow_custom_value=True
        )
        maps = widgets.attention(elem_id="live-attention")

    maps.select(place_chosen, None, controls["patch"], **QUIET)
    changes = [
        strip.select(block_chosen, None, controls["view_block"], **QUIET),
        widgets.on(strip, "endSimulation")(**unplant(controls)),
    ]
    return Tab({"strip": strip, "head": head, "maps": maps}, changes)


def compute(engine: Engine, answer: Answer) -> AttentionContent:
    """What patches receive in every block, and three matrices of the chosen head."""
    with engine.turn(answer.question.scene):
        return _computed(engine, answer)


def _computed(engine: Engine, answer: Answer) -> AttentionContent:
    question, scene = answer.question, answer.question.scene
    settings, method, segmenter = question.settings, question.chosen, scene.segmenter
    trunk, backbone = engine.trunk(scene, method), segmenter.backbone
    block = settings.block_in_view(backbone.n_blocks, answer.gclip.fusion.blocks)
    head = settings.view_head
    head = None if head is None else min(head, backbone.n_heads - 1)
    cs = method.suppression is not None
    off = question.switched[False, cs]
    on = question.switched[True, cs] if method.switchable else method

    def last(used: Method) -> Matrix:
        row = segmenter.last_attention(trunk, used, head)[0, 1:].numpy()
        return Matrix(contents.matrix(engine, question, used, head), row)

    own = segmenter.attention_map(trunk, block, head)[0, 1:].numpy()
    return AttentionContent(
        picture=contents.picture(engine, answer),
        gclip=answer.gclip,
        received=segmenter.received(trunk, clean=False).numpy(),
        tokens=segmenter.globality(trunk, settings.global_threshold, clean=False),
        block=block,
        head=head,
        n_heads=backbone.n_heads,
        own=Matrix(contents.block_matrix(engine, question, block, head), own),
        off=last(off),
        on=last(on),
        method=method,
        mixes=wording.mixes(answer.report.fusion, method),
        caveats=wording.on_this_model(backbone.name, [method]),
        patch=settings.patch,
        simulated=wording.simulated(scene.planted),
        names=answer.mask.names,
        by_block=contents.block_masks(engine, question),
    )


def view(content: AttentionContent) -> dict[str, Any]:
    """The strip, the menu of heads, the maps."""
    heads = [HEAD_MEAN, *((str(head + 1), str(head + 1)) for head in range(content.n_heads))]
    chosen = as_control("view_head", content.head)
    return {
        "strip": _strip_view(content),
        "head": gr.Dropdown(choices=heads, value=chosen),
        "maps": _maps_view(content),
    }


def _strip_view(content: AttentionContent) -> Json:
    blocks = content.gclip.fusion.blocks
    return values.blocks_value(
        content.picture,
        content.received,
        content.tokens,
        blocks,
        content.block,
        note=wording.strip_note(content.gclip, content.tokens.threshold),
        simulated=content.simulated,
        names=content.names,
        by_block=content.by_block,
    )


def _maps_view(content: AttentionContent) -> Json:
    """The block's own attention, then the last block's matrix without and with AMF."""
    n_blocks, blocks, tokens = content.gclip.n_blocks, content.gclip.fusion.blocks, content.tokens
    fused = sorted({token for block in blocks for token in tokens.tokens[block]})
    own_tokens, agreement = tokens.tokens[content.block], tokens.agreement[content.block]
    if content.method.switchable:
        titles = [f"Block {n_blocks}, AMF off", f"Block {n_blocks}, AMF on"]
        note = wording.fused_note(blocks, len(fused))
    else:
        titles = [f"Block {n_blocks}, {title}" for title in ("ClearCLIP", content.method.title)]
        note = " ".join([content.method.summary, content.mixes, *content.caveats])

    def map_of(matrix: Matrix, title: str, outlined: Sequence[int], note: str) -> values.Map:
        return values.Map(title, matrix.matrix, outlined, matrix.class_row, note)

    own_note = wording.map_note(len(own_tokens), agreement)
    maps = [
        map_of(content.own, f"Block {content.block + 1} of {n_blocks}", own_tokens, own_note),
        map_of(content.off, titles[0], fused, wording.QUERY_QUERY_NOTE),
        map_of(content.on, titles[1], fused, note),
    ]
    return values.attention_value(content.picture, maps, content.patch)
