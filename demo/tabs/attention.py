"""Attention: where every patch looks, in any block and in the last one without and with AMF."""

import gradio as gr

from demo import widgets, wording
from demo.controls import QUIET, Answer, Controls, Tab, block_chosen, in_browser, place_chosen
from demo.look import Look, Studio
from demo.settings import as_control
from demo.tabs import common
from demo.widgets import values
from gclip_core.types import Method

HEAD_MEAN = ["mean of all heads", "mean"]
PLAIN_NOTE = "Query-Query alone: each patch looks at those with a similar query, wherever they are."


def build(studio: Studio, controls: Controls) -> Tab:
    """The strip of all blocks; under it three maps that follow one pointer."""
    gr.Markdown(wording.ATTENTION_INTRO, elem_classes=["gclip-note"])
    with gr.Column(elem_classes=["cardbox"]):
        strip = widgets.blocks(elem_id="block-strip")
    with gr.Column(elem_classes=["cardbox"]):
        head = controls.make(
            "view_head", choices=[HEAD_MEAN], elem_id="head", allow_custom_value=True
        )
        live = widgets.attention(elem_id="live-attention")

    def show(look: Look) -> Answer:
        n_heads = look.segmenter.backbone.n_heads
        heads = [HEAD_MEAN, *((str(h + 1), str(h + 1)) for h in range(n_heads))]
        return {
            strip: _strip(look),
            head: gr.Dropdown(choices=heads, value=as_control("view_head", head_in_view(look))),
            live: _maps(look),
        }

    live.select(place_chosen, None, controls["patch"], **QUIET)
    changes = [
        strip.select(block_chosen, None, controls["view_block"], **QUIET),
        strip.clear(**in_browser("() => false", outputs=controls["plant"])),
    ]
    return Tab(outputs=[strip, head, live], show=show, changes=changes)


def block_in_view(look: Look) -> int:
    """The chosen block, else the first that AMF takes."""
    block, last = look.settings.view_block, look.segmenter.backbone.n_blocks - 1
    return look.findings(ablations(look)[1]).fusion.blocks[0] if block is None else min(block, last)


def head_in_view(look: Look) -> int | None:
    """The chosen head, None for the mean of all."""
    head = look.settings.view_head
    return None if head is None else min(head, look.segmenter.backbone.n_heads - 1)


def ablations(look: Look) -> tuple[Method, Method]:
    """The methods without and with AMF, with CS as the request has it."""
    cs = look.chosen.suppression is not None
    return look.ablation(False, cs), look.ablation(True, cs)


def _strip(look: Look) -> values.Json:
    found, seen = look.findings(ablations(look)[1]), common.tokens(look)
    received = look.segmenter.received(look.trunk(look.chosen), clean=False).numpy()
    block = block_in_view(look)
    strip = values.blocks_value(common.picture(look), received, seen, found.fusion.blocks, block)
    return {**strip, "note": wording.strip_note(found), "simulated": common.simulated(look)}


def _maps(look: Look) -> values.Json:
    """The block's own attention, then the last block's matrix without and with AMF."""
    seg, trunk, method = look.segmenter, look.trunk(look.chosen), look.chosen
    head, block, n = head_in_view(look), block_in_view(look), seg.backbone.n_blocks
    seen, (off, on) = common.tokens(look), ablations(look)
    blocks = look.findings(on).fusion.blocks
    fused = sorted({token for one in blocks for token in seen.tokens[one]})

    def used(one: Method, title: str, note: str) -> values.Map:
        row = seg.last_attention(trunk, one, head)[0, 1:].numpy()
        return values.Map(title, common.matrix(look, one, head), fused, row, note)

    own = values.Map(
        f"Block {block + 1} of {n}",
        common.block_matrix(look, block, head),
        seen.tokens[block],
        seg.attention_map(trunk, block, head)[0, 1:].numpy(),
        wording.map_note(len(seen.tokens[block]), seen.agreement[block]),
    )
    if method.switchable:
        titles = [f"Block {n}, AMF {state}" for state in ("off", "on")]
        last = on, titles[1], wording.fused_note(blocks, len(fused))
    else:
        titles = [wording.last_title(n, which, method) for which in ("without", "with")]
        known = wording.on_this_model(look.bare.backbone.name, [method])
        mixes = wording.mixes(look.segment(method).report.fusion, method)
        last = method, titles[1], " ".join([method.summary, mixes, *known])
    maps = [own, used(off, titles[0], PLAIN_NOTE), used(*last)]
    return values.attention_value(common.picture(look), maps, look.settings.patch)
