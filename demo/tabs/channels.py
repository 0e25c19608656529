"""Channels: the norms of every FFN output channel, other channels to suppress, one to plant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from demo import widgets, wording
from demo.controls import QUIET, RAW, Answer, Controls, Tab
from demo.drawing import plots
from demo.look import Look, Studio, changed_share
from demo.settings import Settings
from demo.tabs import drawn
from demo.views import channels as views
from demo.views.channels import ChannelsView, NormsView
from demo.widgets import values
from gclip_core.cache import BoundedCache
from gclip_core.errors import GclipError

_plots: BoundedCache[tuple[str, str]] = BoundedCache(64)
DRAGGED = ("channels", "cs_blocks", "cs")


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
            block = gr.Radio(
                [], label=wording.BLOCK, elem_id="channel-block", elem_classes=["blockchoice"]
            )
            norms = widgets.channels(elem_id="channel-norms")
        with gr.Column(scale=4, min_width=300, elem_classes=["bare"]):
            with gr.Column(elem_classes=["cardbox", "simulated"]):
                plant_blocks = _planting(controls)
            with gr.Column(elem_classes=["cardbox"]):
                typed = controls.make(
                    "channels",
                    asks=False,
                    placeholder="100-120, 64",
                    elem_id="channels-typed",
                    max_lines=1,
                )
    with gr.Row(elem_classes=["channelrow"]):
        with gr.Column(scale=5, min_width=300):
            by_block = widgets.card("by-block", wording.BY_BLOCK)
        with gr.Column(scale=4, min_width=300):
            similarity = widgets.card("similarity", wording.SIMILARITY)

    def show(look: Look) -> Answer:
        view = views.see(look)
        planted = view.norms.planted
        shown = [
            drawn.small(look, mask, wording.suppression_title(cs, planted))
            for cs, mask in ((False, view.off), (True, view.on))
        ]
        bare: dict[str, Any] = {"visible": view.untouched is not None}
        if view.untouched is not None:
            bare["value"] = drawn.small(look, view.untouched, wording.UNTOUCHED)
        return {
            block: gr.Radio(choices=_choices(view.norms), value=str(view.norms.block + 1)),
            norms: _norms(view.norms, look.settings),
            **dict(zip(masks, (*shown, gr.HTML(**bare)), strict=True)),
            said: _said(view, look.settings),
            by_block: _by_block(view.norms, look.settings),
            similarity: _similarity(view),
        }

    def drag(event: gr.SelectData, *raw: Any) -> Answer:
        span = range(event.index[0], event.index[1] + 1) if event.index else ()
        return _write(studio, controls, raw, span)

    def enter(*raw: Any) -> Answer:
        return _write(studio, controls, raw, None)

    def wire() -> list[Dependency]:
        inputs, outputs = controls.components, [controls[name] for name in DRAGGED]
        return [
            block.input(
                fn=None, js="(b) => b", inputs=block, outputs=controls["view_block"], **QUIET
            ),
            typed.submit(enter, inputs, outputs, **RAW),
            norms.select(drag, inputs, outputs, **RAW),
            plant_blocks.submit(fn=None, js="() => []", **QUIET),
        ]

    return Tab(
        outputs=[block, norms, *masks, said, by_block, similarity],
        show=show,
        wire=wire,
        masks=masks,
    )


def _planting(controls: Controls) -> Component:
    """Switch, channel, gain and blocks of the planted channel."""
    gr.Markdown(wording.PLANT_INTRO, elem_classes=["gclip-note"])
    controls.make("plant", elem_id="plant")
    controls.make("plant_gain", minimum=1, maximum=300, elem_id="plant-gain")
    with gr.Row(elem_classes=["plantrow"]):
        controls.make("plant_channel", min_width=110, elem_id="plant-channel")
        return controls.make(
            "plant_blocks", asks=False, min_width=110, elem_id="plant-blocks", max_lines=1
        )


def _write(
    studio: Studio, controls: Controls, raw: tuple[Any, ...], channels: Sequence[int] | None
) -> Answer:
    """Write what a choice of channels changes; nothing where it is refused: the tab says why.

    ``channels`` None takes those that were typed.
    """
    parts = [controls[name] for name in DRAGGED]
    try:
        old = controls.settings(raw)
        backbone = studio.segmenter(old).backbone
        every = controls.updates(
            views.choose(backbone, old, old.channels if channels is None else channels)
        )
    except GclipError:
        return {part: gr.skip() for part in parts}
    return {part: every[part] for part in parts}


def _choices(norms: NormsView) -> list[tuple[str, str]]:
    found = norms.found
    return [
        (wording.block_choice(index, index in found.abnormal), str(index + 1))
        for index in range(len(found.channels))
    ]


def _norms(norms: NormsView, settings: Settings) -> values.Json:
    picked = settings.channels if norms.block in norms.found.suppressed else ()
    whole = picked and picked[-1] - picked[0] == len(picked) - 1
    return values.channels_value(
        norms.before[norms.block],
        norms.after[norms.block],
        norms.block,
        len(norms.before),
        wording.model_name(norms.backbone, norms.planted),
        settings.channel_threshold,
        (picked[0], picked[-1]) if whole else None,
    )


def _similarity(view: ChannelsView) -> values.Json:
    """In-in and in-out of the last block's Values, without and with CS."""
    model = wording.model_name(view.norms.backbone, view.norms.planted)
    alike = [(row.title, row.inside, row.across) for row in view.alike]
    note = wording.similarity_note(view.regions, view.norms.found)
    return values.card(
        wording.SIMILARITY, plot=plots.similarity_plot(alike, model), note=note,
        badge=wording.SIMULATION_BADGE if view.norms.planted else "",
    )  # fmt: skip


def _said(view: ChannelsView, settings: Settings) -> values.Json:
    found, n = view.norms.found, len(view.norms.before)
    changed = changed_share(view.off.labels, view.on.labels)
    notes = [wording.suppression_said(found, changed, settings.amf)]
    if found.suppressed == (n - 1,):
        notes.append(wording.last_block_note(n))
    return values.lines(notes=notes)


def _by_block(norms: NormsView, settings: Settings) -> values.Json:
    found, threshold = norms.found, settings.channel_threshold
    model = wording.model_name(norms.backbone, norms.planted)
    key = (model, threshold, norms.before.tobytes(), norms.after.tobytes())
    drawn = _plots.get_or_make(
        key,
        lambda: plots.by_block_plots(
            found.entropy.numpy(),
            found.entropy_after.numpy(),
            found.ratios,
            norms.ratios_after,
            model,
            found.suppressed,
            threshold,
        ),
    )
    return values.card(wording.BY_BLOCK, plot="".join(drawn), note=wording.by_block_note(found))
