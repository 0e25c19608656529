"""Side by side: one row of three cards, each without and with what the switches choose."""

import gradio as gr
import numpy as np

from demo import opening, widgets, wording
from demo.controls import QUIET, Answer, Controls, Tab, block_chosen, in_browser, slide_opacity
from demo.look import Look, Mask, Studio
from demo.tabs import common, machine
from demo.widgets import values
from demo.widgets.values import Json
from gclip_core import amf


def build(studio: Studio, controls: Controls) -> Tab:
    """The canvas, the attention card and the norms card; above them the button of the machine."""
    strip = machine.build(studio, controls)
    with gr.Row(elem_classes=["sidebyside"], elem_id="side"):
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            canvas = widgets.canvas(elem_id="side-canvas")
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            maps = widgets.maps(elem_id="side-attention")
        with gr.Column(min_width=200, elem_classes=["cardbox"]):
            channels = widgets.norms(elem_id="side-norms")

    def show(look: Look) -> Answer:
        shown = {canvas: _canvas(look), maps: _maps(look), channels: _norms(look)}
        return shown | strip.show(look)

    slide_opacity(canvas, controls)
    changes = [
        canvas.clear(**in_browser("() => false", outputs=controls["plant"])),
        channels.submit(**in_browser("() => true", outputs=controls["plant"])),
        channels.select(block_chosen, None, controls["view_block"], **QUIET),
        *strip.changes,
    ]
    outputs = [canvas, maps, channels, *strip.outputs]
    return Tab(outputs=outputs, show=show, changes=changes, masks=[canvas])


def _canvas(look: Look) -> Json:
    """ClearCLIP's mask and the chosen method's; one of them where both are equal.

    Where CS repairs a simulation, the mask before differs by CS alone.
    """
    method, found = look.chosen, look.segment(look.chosen).report
    repaired = bool(look.segmenter.backbone.planted and found.suppressed)
    amf = repaired and method.fusion is not None
    plain, chosen = look.mask(look.ablation(amf, cs=False)), look.mask(method)
    same = bool((chosen.labels == plain.labels).all())
    unchanged = wording.nothing_changed(method, found)
    on = ["AMF"] * bool(method.fusion and not amf) + ["CS"] * bool(found.suppressed)
    title = on[0] if method.switchable and len(on) == 1 else method.title
    change = "" if same or chosen.miou is not None else _main_change(plain, chosen)
    scores = (plain.miou, chosen.miou, change)
    masks = [plain] if method.switchable and not on else [plain, chosen][same:]
    guessed = look.settings.source == "upload" and look.settings.words == ", ".join(look.suggested)
    return common.canvas(
        look,
        masks,
        notes=[
            opening.remark(look) or ("" if same else wording.compared(title, *scores)),
            wording.GUESSED * guessed,
            wording.pointing(swipes=not same),
            common.found_nothing([chosen]),
            wording.missed(common.missed(chosen)),
            common.absent(chosen),
            unchanged if same else "",
            wording.SCORE_COUNTS if chosen.miou is not None else common.unmeasured(look),
        ],
    )


def _main_change(before: Mask, after: Mask) -> str:
    """What most of the pixels that differ are before and after: "wall to person"."""
    names, differ = (*after.names, "background"), before.labels != after.labels
    old, new = (one.labels[differ].astype(int) % len(names) for one in (before, after))
    most = int(np.bincount(len(names) * old + new).argmax())
    return f"{names[most // len(names)]} to {names[most % len(names)]}"


def _maps(look: Look) -> Json:
    """What each patch receives in the blocks of AMF; under it the last block's matrices."""
    method, seg, found = look.chosen, look.segmenter, look.segment(look.chosen).report
    threshold = look.settings.global_threshold
    n, plain = seg.backbone.n_blocks, look.ablation(amf=False, cs=False)
    blocks = look.fused_blocks
    received = seg.received(look.trunk(method), blocks, clean=False)
    thumbs = [
        (f"Block {block + 1} of {n}", row, amf.global_tokens(row, threshold))
        for block, row in zip(blocks, received, strict=True)
    ]
    sides = [(wording.last_title(n, "without", method), plain)]
    changes = found.fusion.blocks or found.suppressed
    if method.attention == plain.attention and not changes:  # equal matrices are drawn once
        alike = ", with and without CS alike" * (method.suppression is not None)
        sides = [(f"Block {n}{alike}", plain)]
    elif method != plain:
        sides.append((wording.last_title(n, "with", method), method))
    return values.maps_value(
        common.picture(look),
        thumbs,
        [(title, common.matrix(look, one)) for title, one in sides],
        title="Attention",
        note=wording.attention_note(found, method, blocks),
    )


def _norms(look: Look) -> Json:
    found, cs = look.suppression, look.chosen.suppression is not None
    curves = [values.entropy_curve(found.entropy, found.entropy_after)]
    return common.norms(look, wording.norms_note(found, cs, common.channels_block(look)), curves)
