"""Channels: the norms of every FFN output channel, other channels to suppress, a simulation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np
from gradio.components import Component

from demo import variants, widgets, wording
from demo.controls import RAW, Answer, Controls, Tab, chosen, in_browser, in_words
from demo.look import Look, Mask, Studio
from demo.settings import Settings
from demo.tabs import common
from demo.widgets import values
from gclip_core import cs as suppression
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError

DRAGGED = ("channels", "cs_blocks", "cs")
ONE_REGION, TWO_REGIONS = "#1f9d83", "#e0633a"


def build(studio: Studio, controls: Controls) -> Tab:
    """Masks without and with CS; under them a block's norms beside what to plant or suppress."""
    gr.Markdown(wording.CHANNELS_INTRO, elem_classes=["gclip-note"])
    with gr.Column(elem_classes=["cardbox"]):
        with gr.Row(elem_classes=["masks"]):
            masks = [
                widgets.canvas(elem_id=f"channels-{name}", visible=name != "untouched")
                for name in ("off", "on", "untouched")
            ]
        said = widgets.lines("channels-said", "What CS did")
    with gr.Row(elem_classes=["channelrow"]):
        with gr.Column(scale=5, min_width=300, elem_classes=["cardbox"]):
            plot = widgets.norms(elem_id="channel-norms")
        with gr.Column(scale=4, min_width=300, elem_classes=["bare"]):
            with gr.Column(elem_classes=["cardbox"]):
                plant_blocks = _planting(controls)
            similarity = widgets.card("similarity", wording.SIMILARITY)

    def show(look: Look) -> Answer:
        amf, planted = look.settings.amf, common.simulated(look)
        off, on = (look.mask(look.ablation(amf, cs)) for cs in (False, True))
        bare: dict[str, Any] = {"visible": bool(planted)}
        if planted:
            clean = look.changed(plant=False)
            bare["value"] = _small(clean, clean.mask(off.method), "No simulation")
        shown = [_small(look, off, "CS off"), _small(look, on, "CS on")]
        changed = float((off.labels != on.labels).mean())
        notes = [planted, *wording.suppression_said(look.suppression, changed, amf)]
        return {
            plot: _norms(look),
            **dict(zip(masks, (*shown, gr.HTML(**bare)), strict=True)),
            said: values.lines(notes=notes),
            similarity: _similarity(look),
        }

    @in_words
    def select(event: gr.SelectData, *raw: Any) -> Answer:
        if isinstance(event.index, int):
            return {controls["view_block"]: str(event.index)}
        if not event.index:
            return _write(studio, controls, raw, ())
        first, last = chosen(event, 2)
        return _write(studio, controls, raw, range(first, last + 1))

    def enter(*raw: Any) -> Answer:
        return _write(studio, controls, raw, None)

    inputs, dragged = controls.components, [controls[name] for name in DRAGGED]
    changes = [
        controls["channels"].submit(enter, inputs, dragged, **RAW),
        plot.select(select, inputs, [*dragged, controls["view_block"]], **RAW),
        plant_blocks.submit(**in_browser("() => []")),
    ]
    outputs = [plot, *masks, said, similarity]
    return Tab(outputs=outputs, show=show, changes=changes, masks=masks)


def _small(look: Look, mask: Mask, title: str) -> values.Json:
    """A mask without a legend; no simulation is named."""
    one = replace(mask, title=title)
    return common.canvas(look, [one], simulated="", compact=True, max_side=448)


def _planting(controls: Controls) -> Component:
    """Switch, channel, gain and blocks of the planted channel."""
    gr.Markdown(wording.PLANT_INTRO, elem_classes=["gclip-note"])
    controls["plant"].render()
    controls.make("plant_gain", minimum=1, maximum=300)
    with gr.Row(elem_classes=["plantrow"]):
        controls.make("plant_channel", min_width=110)
        return controls.make("plant_blocks", asks=False, min_width=110, max_lines=1)


def _write(
    studio: Studio, controls: Controls, raw: tuple[Any, ...], channels: Sequence[int] | None
) -> Answer:
    """The controls that a choice of channels changes; the open tab shows why one is refused.

    ``channels`` None takes those that were typed.
    """
    parts = [controls[name] for name in DRAGGED]
    try:
        old = controls.settings(raw)
        backbone = studio.segmenter(old).backbone
        every = controls.updates(
            choose(backbone, old, old.channels if channels is None else channels)
        )
    except GclipError:
        return {part: gr.skip() for part in parts}
    return {part: every[part] for part in parts}


def _norms(look: Look) -> values.Json:
    found, block, settings = look.suppression, common.channels_block(look), look.settings
    picked = settings.channels if block in found.suppressed else ()
    whole = picked and picked[-1] - picked[0] == len(picked) - 1
    ratios_after = suppression.ratios(found.norms_after)
    curves = [
        values.entropy_curve(found.entropy, found.entropy_after),
        values.ratio_curve(found.ratios, ratios_after, settings.channel_threshold),
    ]
    note = wording.largest_note(found, block, settings.channel_threshold)
    chosen = (picked[0], picked[-1]) if whole else None
    return common.norms(look, note, curves, drags=True, chosen=chosen)


def _similarity(look: Look) -> values.Json:
    """In-in and in-out of the last block's Values, without and with CS."""
    off, on = (look.alike(look.ablation(amf=False, cs=cs)) for cs in (False, True))
    bars = [
        {
            "name": f"{title}, {regions}",
            "share": float(np.nan_to_num(value)),
            "colour": colour,
            "text": "no pairs" if np.isnan(value) else wording.cosine(value),
        }
        for title, alike in (("CS off", off), ("CS on", on))
        for regions, value, colour in zip(
            ("one region", "two regions"), alike, (ONE_REGION, TWO_REGIONS), strict=True
        )
    ]
    note = wording.similarity_note(look.regions, off, on)
    return values.card(wording.SIMILARITY, bars=bars, note=note)


def choose(backbone: Backbone, settings: Settings, channels: Sequence[int]) -> Settings:
    """The settings after channels of the block in view were chosen to be suppressed.

    They replace the abnormal channel in the blocks CS changes; where the block in view is not
    among these, in that block alone. No channels at all clear the choice, and the one block that
    it named.

    Raises:
        GclipError: the settings cannot be used.
    """
    named, block = settings.cs_blocks, settings.view_block
    if not channels:
        one = not isinstance(named, str) and len(named) == 1
        return settings.changed(channels=(), cs_blocks="backbone" if one else named)
    repair = backbone.repair(variants.ablation(settings, amf=False, cs=True).suppression)
    blocks = tuple(repair.factors)
    if block is None:
        block = min(blocks or settings.planted_blocks(backbone.n_blocks))
    chosen = settings.changed(channels=tuple(channels), cs=True)
    return chosen if block in blocks else chosen.changed(cs_blocks=(block,))
