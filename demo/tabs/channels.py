"""Channels: the norms of every FFN output channel, other channels to suppress, a simulation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from gradio.components import Component
from gradio.events import Dependency

from demo import variants, widgets, wording
from demo.answer import Answer, resolve
from demo.controls import RAW, Controls, Tab, Updates, in_browser, selected_numbers, show_errors
from demo.engine import Engine
from demo.settings import Settings, as_control
from demo.tabs import contents, similarity
from demo.widgets import values
from demo.widgets.values import Json, Norms, Side
from gclip_core import cs as suppression
from gclip_core.backbone import Backbone
from gclip_core.errors import GclipError
from gclip_core.types import MethodReport

DRAGGED = ("channels", "cs_blocks", "cs")
ONE_REGION, TWO_REGIONS = "#1f9d83", "#e0633a"
MASK_SIDE = 448
"""Pixels of a mask here, on its longer side."""


@dataclass(frozen=True, eq=False)
class ChannelsContent:
    """Masks without and with CS (under a simulation also without it), norms, and cosines.

    ``changed`` is the share of the pixels that CS relabels; ``amf`` whether AMF is on in all masks.
    ``gclip`` is the report of GCLIP with both switches on. ``in_in_out`` are cosines of Values in
    one region and across two, without and with CS, by ``regions``. ``channels`` are those chosen by
    hand.
    """

    picture: Json
    names: Sequence[str]
    off: Side
    on: Side
    untouched: Side | None
    changed: float
    amf: bool
    simulated: str
    gclip: MethodReport
    norms: Norms
    channels: Sequence[int]
    in_in_out: tuple[tuple[float, float], tuple[float, float]]
    regions: str
    opacity: float
    pixel: tuple[int, int] | None


def build(engine: Engine, controls: Controls) -> Tab:
    """Masks without and with CS; under them a block's norms beside what to plant or suppress."""
    gr.Markdown(wording.CHANNELS_INTRO, elem_classes=["gclip-note"])
    with gr.Column(elem_classes=["cardbox"]):
        with gr.Row(elem_classes=["masks"]):
            masks = {
                name: widgets.canvas(elem_id=f"channels-{name}")
                for name in ("off", "on", "untouched")
            }
        notes = widgets.lines("channels-notes", "What CS did")
    with gr.Row(elem_classes=["channelrow"]):
        with gr.Column(scale=5, min_width=300, elem_classes=["cardbox"]):
            plot = widgets.norms(elem_id="channel-norms")
        with gr.Column(scale=4, min_width=300, elem_classes=["bare"]):
            with gr.Column(elem_classes=["cardbox"]):
                plant_blocks = _planting(controls)
            card = widgets.card("similarity", wording.SIMILARITY)

    changes = [
        *_choices(engine, controls, plot),
        plant_blocks.submit(**in_browser("() => []")),
    ]
    parts = {"norms": plot, **masks, "notes": notes, "similarity": card}
    return Tab(parts, changes, masks=list(masks.values()))


def _choices(engine: Engine, controls: Controls, plot: gr.HTML) -> list[Dependency]:
    """Events that choose channels to suppress, or the block in view: typed, or in the plot."""
    read, dragged = controls.reader(), [controls[name] for name in DRAGGED]

    def change(raw: Sequence[Any], channels: Sequence[int] | None) -> Updates:
        """The controls that a choice of channels changes; None are those that were typed."""
        try:
            old = read(raw)
            backbone = engine.segmenter(old).backbone
            new = choose(backbone, old, old.channels if channels is None else channels)
        except GclipError:  # the open tab shows why
            return {part: gr.skip() for part in dragged}
        return {controls[name]: as_control(name, getattr(new, name)) for name in DRAGGED}

    @show_errors
    def select(event: gr.SelectData, *raw: Any) -> Updates:
        if isinstance(event.index, int):
            return {controls["view_block"]: str(event.index)}
        if not event.index:
            return change(raw, ())
        first, last = selected_numbers(event, 2)
        return change(raw, range(first, last + 1))

    def enter(*raw: Any) -> Updates:
        return change(raw, None)

    inputs = controls.components
    return [
        controls["channels"].submit(enter, inputs, dragged, **RAW),
        plot.select(select, inputs, [*dragged, controls["view_block"]], **RAW),
    ]


def _planting(controls: Controls) -> Component:
    """Switch, channel, gain and blocks of the planted channel."""
    gr.Markdown(wording.PLANT_INTRO, elem_classes=["gclip-note"])
    controls["plant"].render()
    controls.make("plant_gain", minimum=1, maximum=300)
    with gr.Row(elem_classes=["plantrow"]):
        controls.make("plant_channel", min_width=110)
        return controls.make("plant_blocks", asks=False, min_width=110, max_lines=1)


def compute(engine: Engine, answer: Answer) -> ChannelsContent:
    """Masks with CS off and on, under a simulation also without it; cosines of Values."""
    with engine.turn(answer.question.scene):
        return _computed(engine, answer)


def _computed(engine: Engine, answer: Answer) -> ChannelsContent:
    question, settings = answer.question, answer.question.settings
    off, on = (
        engine.refined(question, question.switched[settings.amf, cs]) for cs in (False, True)
    )
    untouched = None
    if settings.plant:
        clean = resolve(engine, question.request.changed(plant=False))
        clean_mask = engine.refined(clean, off.method)
        untouched = contents.side(engine, clean, answer.grid, clean_mask, "No simulation")
    return ChannelsContent(
        picture=contents.picture(engine, answer),
        names=off.names,
        off=contents.side(engine, question, answer.grid, off, "CS off"),
        on=contents.side(engine, question, answer.grid, on, "CS on"),
        untouched=untouched,
        changed=float((off.labels != on.labels).mean()),
        amf=settings.amf,
        simulated=wording.simulated(question.scene.planted),
        gclip=answer.gclip,
        norms=contents.norms(answer),
        channels=settings.channels,
        in_in_out=(
            similarity.in_in_out(engine, answer, question.switched[False, False]),
            similarity.in_in_out(engine, answer, question.switched[False, True]),
        ),
        regions=similarity.regions(answer),
        opacity=settings.opacity,
        pixel=settings.pixel,
    )


def view(content: ChannelsContent) -> dict[str, Any]:
    """Three masks, the norms, the card of cosines, and what CS did."""
    untouched = content.untouched and _mask_view(content, content.untouched)
    report = content.gclip
    notes = [content.simulated, *wording.suppression_notes(report, content.changed, content.amf)]
    return {
        "norms": _norms_view(content),
        "off": _mask_view(content, content.off),
        "on": _mask_view(content, content.on),
        "untouched": untouched,
        "notes": values.lines(notes=notes),
        "similarity": _similarity_view(content),
    }


def _mask_view(content: ChannelsContent, side: Side) -> Json:
    """A mask without a legend; no simulation is named."""
    return values.canvas_value(
        content.picture,
        [side],
        content.names,
        opacity=content.opacity,
        pixel=content.pixel,
        compact=True,
        max_side=MASK_SIDE,
    )


def _norms_view(content: ChannelsContent) -> Json:
    report, block, threshold = content.gclip, content.norms.block, content.norms.threshold
    channels = content.channels if block in report.suppressed else ()
    is_run = bool(channels) and channels[-1] - channels[0] == len(channels) - 1
    after = suppression.ratios(report.norms_after)
    curves = [
        values.entropy_curve(report.entropy, report.entropy_after),
        values.ratio_curve(report.ratios, after, threshold),
    ]
    note = wording.largest_note(report, block, threshold)
    run = (channels[0], channels[-1]) if is_run else None
    return values.norms_value(content.norms, curves, note, drags=True, chosen=run)


def _similarity_view(content: ChannelsContent) -> Json:
    """In-in and in-out of the last block's Values, without and with CS."""
    off, on = content.in_in_out
    bars = [
        values.Bar(
            name=f"{title}, {regions}",
            share=float(np.nan_to_num(cosine)),
            colour=colour,
            text="no pairs" if np.isnan(cosine) else wording.cosine(cosine),
        )
        for title, cosines in (("CS off", off), ("CS on", on))
        for regions, cosine, colour in zip(
            ("one region", "two regions"), cosines, (ONE_REGION, TWO_REGIONS), strict=True
        )
    ]
    note = wording.similarity_note(content.regions, off, on)
    return values.card(wording.SIMILARITY, bars=bars, note=note)


def choose(backbone: Backbone, settings: Settings, channels: Sequence[int]) -> Settings:
    """The settings after channels of the block in view were chosen to be suppressed.

    They replace the abnormal channel in the blocks CS changes; where the block in view is not
    among these, in that block alone. No channels at all clear the choice, and the one block that
    it named. ``backbone`` has the planted channel of the settings.

    Raises:
        GclipError: the settings cannot be used.
    """
    chosen_blocks = settings.cs_blocks
    if not channels:
        is_single = not isinstance(chosen_blocks, str) and len(chosen_blocks) == 1
        return settings.changed(channels=(), cs_blocks="backbone" if is_single else chosen_blocks)
    repair = backbone.repair(variants.ablations(settings)[False, True].suppression)
    blocks = tuple(repair.factors)
    block = settings.block_in_view(backbone.n_blocks, blocks)
    changed = settings.changed(channels=tuple(channels), cs=True)
    return changed if block in blocks else changed.changed(cs_blocks=(block,))
