"""Channels: the norms of every FFN output channel, other channels to suppress, one to plant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from demo import panel, says, widgets, wording
from demo.controls import Controls
from demo.drawing import plots
from demo.service import Mask, Request, Service, Status, changed_share
from demo.settings import BLOCK, Settings
from demo.tabs import QUIET, Answer, Tab
from demo.views import channels as views
from demo.views.channels import SuppressionView
from demo.widgets import values
from gclip_core.cache import BoundedCache
from gclip_core.errors import GclipError

_plots: BoundedCache[tuple[str, str]] = BoundedCache(64)
DRAGGED = ("channels", "cs_blocks", "cs")

CSS = """
.masks { display: grid !important; gap: 12px; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(150px, 100%), 1fr)); }
@media (min-width: 641px) { .masks { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
.masks > * { min-width: 0 !important; width: auto !important; }
.channelrow { gap: 10px; align-items: stretch; }
.cardbox.simulated { border-left: 4px solid #de852f; }
.blockchoice .wrap { gap: 4px !important; }
.blockchoice label { padding: 3px 9px !important; min-height: 28px; }
.blockchoice label input { margin-right: 5px; }
.plantrow { gap: 10px; align-items: end; }
.bare { gap: 10px; padding: 0; }
.bare .cardbox { min-height: 0; }
"""


def build(service: Service, controls: Controls) -> Tab:
    """Masks without and with CS; under them a block's norms beside what to plant or suppress."""
    gr.Markdown(wording.CHANNELS_INTRO, elem_classes=["gclip-note"])
    with gr.Column(elem_classes=["cardbox"]):
        with gr.Row(elem_classes=["masks"]):
            masks = [
                widgets.mask(elem_id=f"channels-{name}", visible=name != "untouched")
                for name in ("off", "on", "untouched")
            ]
        said = says.build("channels-said", "What CS did")
    with gr.Row(elem_classes=["channelrow"]):
        with gr.Column(scale=5, min_width=300, elem_classes=["cardbox"]):
            block = gr.Radio(
                [], label=wording.BLOCK, elem_id="channel-block", elem_classes=["blockchoice"]
            )
            norms = widgets.channels(elem_id="channel-norms")
        with gr.Column(scale=4, min_width=300, elem_classes=["bare"]):
            with gr.Column(elem_classes=["cardbox", "simulated"]):
                planting = _planting(controls)
            with gr.Column(elem_classes=["cardbox"]):
                typed = controls.add_text(
                    "channels",
                    gr.Textbox(
                        "",
                        label=wording.OTHER_CHANNELS,
                        info=wording.OTHER_CHANNELS_INFO,
                        placeholder="100-120, 64",
                        elem_id="channels-typed",
                        max_lines=1,
                    ),
                    triggers=False,
                )
    by_block = panel.build("by-block", wording.BY_BLOCK)

    def show(service: Service, request: Request) -> tuple[Answer, Status]:
        view = views.suppression(service, request)
        planted = view.channels.planted
        shown = [
            _mask(view, mask, wording.suppression_title(cs, planted), request.settings.opacity)
            for cs, mask in ((False, view.off), (True, view.on))
        ]
        bare: dict[str, Any] = {"visible": view.untouched is not None}
        if view.untouched is not None:
            bare["value"] = _mask(view, view.untouched, wording.UNTOUCHED, request.settings.opacity)
        answer: Answer = {
            block: gr.Radio(choices=_choices(view), value=str(view.block + 1)),
            norms: _norms(view, request),
            **dict(zip(masks, (*shown, gr.HTML(**bare)), strict=True)),
            said: _said(view, request),
            by_block: _by_block(view, request),
        }
        return answer, view.status

    def drag(event: gr.SelectData, *raw: Any) -> Answer:
        span = range(event.index[0], event.index[1] + 1) if event.index else ()
        return _write(controls, raw, lambda old: views.choose_or_clear(service, old, span))

    def enter(*raw: Any) -> Answer:
        return _write(controls, raw, lambda old: views.choose_or_clear(service, old, old.channels))

    return Tab(
        outputs=[block, norms, *masks, said, by_block],
        show=show,
        changes=[
            block.input(fn=None, js="(b) => b", inputs=block,
                        outputs=controls.component("view_block"), **QUIET),
            typed.submit(enter, controls.components, _dragged(controls), preprocess=False, **QUIET),
            norms.select(drag, controls.components, _dragged(controls), preprocess=False, **QUIET),
            *planting,
        ],
    )  # fmt: skip


def _planting(controls: Controls) -> list[Dependency]:
    """Switch, channel, gain and blocks of the planted channel."""
    gr.Markdown(wording.PLANT_INTRO, elem_classes=["gclip-note"])
    controls.add("plant", gr.Checkbox(False, label=wording.PLANT, elem_id="plant"))
    controls.add(
        "plant_gain",
        gr.Slider(1, 300, 100, step=1, label=wording.PLANT_GAIN, elem_id="plant-gain"),
        read=float,
    )
    with gr.Row(elem_classes=["plantrow"]):
        controls.add(
            "plant_channel",
            gr.Number(77, label=wording.PLANT_CHANNEL, precision=0, minimum=0, min_width=110,
                      elem_id="plant-channel"),
            read=_whole,
        )  # fmt: skip
        blocks = controls.add_text(
            "plant_blocks",
            gr.Textbox("7-11", label=wording.PLANT_BLOCKS, min_width=110, elem_id="plant-blocks",
                       max_lines=1),
            triggers=False,
        )  # fmt: skip
    return [blocks.submit(fn=None, js="() => []", **QUIET)]


def _dragged(controls: Controls) -> list[Component]:
    """The components that a drag writes."""
    return [controls.component(name) for name in DRAGGED]


def _write(
    controls: Controls, raw: tuple[Any, ...], choose: Callable[[Settings], Settings]
) -> Answer:
    """Write what a choice of channels changes; nothing where it is refused: the tab says why."""
    parts = _dragged(controls)
    try:
        every = controls.updates(choose(controls.settings(raw)))
    except GclipError:
        return {part: gr.skip() for part in parts}
    return {part: every[part] for part in parts}


def _choices(view: SuppressionView) -> list[tuple[str, str]]:
    found = view.channels.found
    return [
        (wording.block_choice(index, index in found.abnormal), BLOCK.write(index))
        for index in range(len(found.channels))
    ]


def _norms(view: SuppressionView, request: Request) -> values.Json:
    channels, settings = view.channels, request.settings
    picked = settings.channels if view.block in channels.found.suppressed else ()
    whole = picked and picked[-1] - picked[0] == len(picked) - 1
    return values.channels_value(
        channels.before[view.block],
        channels.after[view.block],
        view.block,
        len(channels.before),
        wording.model_name(channels.backbone, channels.planted),
        settings.channel_threshold,
        (picked[0], picked[-1]) if whole else None,
    )


def _mask(view: SuppressionView, mask: Mask, name: str, opacity: float) -> values.Json:
    return values.mask_value(
        view.picture.image, mask.labels, mask.names, name, opacity,
        legend=False, slider=False, max_side=448, badge=wording.miou(mask.miou),
    )  # fmt: skip


def _said(view: SuppressionView, request: Request) -> values.Json:
    found, n = view.channels.found, len(view.channels.before)
    changed = changed_share(view.off.labels, view.on.labels)
    notes = [wording.suppression_said(found, changed, request.settings.amf)]
    if found.suppressed == (n - 1,):
        notes.append(wording.last_block_note(n))
    return says.value(notes=notes)


def _by_block(view: SuppressionView, request: Request) -> panel.Value:
    channels, found = view.channels, view.channels.found
    model = wording.model_name(channels.backbone, channels.planted)
    threshold = request.settings.channel_threshold
    key = (model, threshold, channels.before.tobytes(), channels.after.tobytes())
    drawn = _plots.get_or_make(
        key,
        lambda: plots.by_block_plots(
            found.entropy.numpy(),
            found.entropy_after.numpy(),
            found.ratios,
            view.ratios_after,
            model,
            found.suppressed,
            threshold,
        ),
    )
    return panel.value(wording.BY_BLOCK, plot="".join(drawn), note=wording.by_block_note(found))


def _whole(value: Any) -> int:
    if value is None or int(value) != value:
        raise GclipError(f"“{wording.PLANT_CHANNEL}” is a whole number from 0, but {value!r} came.")
    return int(value)
