"""The input column: photo, examples, words, switches, backbone and the advanced settings."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency
from PIL import Image, ImageOps

from demo import variants, widgets, wording
from demo.controls import HEAVY, QUIET, RAW, Answer, Controls, in_words
from demo.look import Look, Studio, known_words
from demo.settings import MAX_WORDS, Settings, declared
from evaluation import class_lists
from evaluation.photos import star_photos
from gclip_core.errors import GclipError
from gclip_core.registry import BACKBONES, BackboneEntry

ADVANCED = ("short_side", "window", "amf_blocks", "channels")
"""Advanced settings that people change; the others are folded once more."""
REST = (
    "method", "cs_blocks", "n_blocks", "heads", "cs_target", "global_threshold",
    "channel_threshold", "templates", "stride", "logit_scale", "threshold",
)  # fmt: skip
THUMBNAIL = (160, 120)


@dataclass(frozen=True)
class InputWidgets:
    """The components of the input column that others need.

    ``image`` has a visitor's file and is never seen; ``photo`` is the target for dropping one.
    ``suggested`` are words for a field that is empty, ``chips`` words to add, ``reasons`` why a
    switch does nothing.
    """

    image: gr.Image
    photo: gr.HTML
    words: Component
    suggested: gr.Textbox
    chips: gr.HTML
    reasons: gr.HTML
    preset: gr.Dropdown
    segment: gr.Button
    examples: gr.Dataset
    picker: Picker


class Picker(NamedTuple):
    """The backbone's menu, and the card of one that is not on this machine."""

    menu: gr.Dropdown
    wanted: gr.Textbox
    card: gr.Column
    note: gr.Markdown
    fetch: gr.Button


def build(studio: Studio, controls: Controls) -> InputWidgets:
    """Build the column, filled with the settings that the page opens on."""
    image = gr.Image(None, type="filepath", visible=False)
    photo = widgets.photo(elem_id="photo")
    for name in ("source", "example"):
        controls.hidden(name)
    examples = gr.Dataset(
        components=[gr.Image(visible=False, type="pil")],
        samples=[[thumbnail] for thumbnail in _thumbnails()],
        sample_labels=None,
        label=wording.EXAMPLES,
        type="index",
        layout="gallery",
        samples_per_page=len(star_photos()),
        elem_id="examples",
    )
    words = controls.make(
        "words", asks=False, placeholder=wording.WORDS_HINT, max_length=MAX_WORDS, max_lines=4,
        lines=1, elem_id="words",
    )  # fmt: skip
    suggested = gr.Textbox("", visible=False)
    chips = widgets.offers(elem_id="chips")
    with gr.Row(elem_id="switches"):
        controls.make("amf", elem_id="amf")
        controls.make("cs", elem_id="cs")
        segment = gr.Button(wording.SEGMENT, variant="primary", elem_id="segment", min_width=90)
    reasons = widgets.offers(elem_id="reasons")
    with gr.Column(elem_id="rest"):
        controls.make("background", elem_id="background")
        controls.make(
            "rest_weight", label=wording.WEIGHT, info=None, buttons=[], elem_id="rest-weight"
        )
    picker = _picker(studio, controls)
    with gr.Accordion(wording.ADVANCED, open=False, elem_id="advanced"):
        _advanced(controls, ADVANCED)
        with gr.Accordion(wording.ALL_SETTINGS, open=False, elem_id="all-settings"):
            preset = gr.Dropdown(
                list(_presets()), value=None, label=wording.PRESET, info=wording.PRESET_INFO,
                elem_id="preset",
            )  # fmt: skip
            _advanced(controls, REST)
    return InputWidgets(
        image, photo, words, suggested, chips, reasons, preset, segment, examples, picker
    )


def _advanced(controls: Controls, names: tuple[str, ...]) -> None:
    more: dict[str, dict[str, Any]] = {
        "amf_blocks": {"choices": wording.AMF_BLOCKS, "allow_custom_value": True},
        "channels": {"asks": False, "max_lines": 1},
    }
    for name in names:
        controls.make(name, elem_id=name.replace("_", "-"), **more.get(name, {}))


@functools.cache
def _presets() -> dict[str, str]:
    """Lists of words to start from, as a person would type them."""
    lists = {
        "VOC 20": "voc20", "Context 59": "context59", "COCO-Object 80": "coco_object",
        "COCO-Stuff 171": "coco_stuff", "ADE20K 150": "ade20k", "Cityscapes 19": "cityscapes",
    }  # fmt: skip
    words = {
        title: ", ".join("; ".join(one.phrases) for one in class_lists.shipped(name))
        for title, name in lists.items()
    }
    return {wording.PRESET_PHOTO: wording.EVERYDAY, **words}


def _thumbnails() -> list[Image.Image]:
    found = []
    for photo in star_photos().values():
        with Image.open(photo.path) as image:
            image.draft("RGB", (2 * THUMBNAIL[0], 2 * THUMBNAIL[1]))
            # The upper part of an upright picture: heads are there.
            found.append(ImageOps.fit(image.convert("RGB"), THUMBNAIL, centering=(0.5, 0.15)))
    return found


def _picker(studio: Studio, controls: Controls) -> Picker:
    """The menu is no setting: choosing a backbone that is not here opens the card under it."""
    controls.hidden("backbone")
    others = [entry for entry in BACKBONES.values() if entry.name != studio.default.name]
    choices = [(wording.default_backbone(studio.default.title), "default")]
    choices += [
        (wording.backbone_choice(entry, studio.has(entry), studio.downloads), entry.name)
        for entry in others
    ]
    menu = gr.Dropdown(
        choices, value=controls.opening.backbone, label=declared("backbone")["label"],
        info=wording.BACKBONE_INFO, elem_id="backbone",
    )  # fmt: skip
    wanted = gr.Textbox("", visible=False)
    with gr.Column(visible=False, elem_id="fetch-card") as card:
        fetch = gr.Button(wording.FETCH, visible=studio.downloads, elem_id="fetch", size="sm")
        note = gr.Markdown("", elem_id="fetch-note")
    return Picker(menu, wanted, card, note, fetch)


def fill(studio: Studio, controls: Controls, given: InputWidgets, settings: Settings) -> Answer:
    """Values of all controls for these settings."""
    entry = BACKBONES.get(settings.backbone)
    missing = entry if entry and not studio.has(entry) else None
    if missing or settings.backbone == studio.default.name:
        settings = settings.changed(backbone="default")
    found = {**controls.updates(settings), given.picker.menu: settings.backbone}
    return {**found, **_offer_fetch(studio, given.picker, missing)}


def _offer_fetch(studio: Studio, picker: Picker, entry: BackboneEntry | None) -> Answer:
    """The card that fetches a backbone's weights; none closes it."""
    if entry is None:
        return {picker.card: gr.Column(visible=False)}
    return {
        picker.wanted: entry.name,
        picker.note: wording.needs_fetch(entry, studio.downloads),
        picker.card: gr.Column(visible=True),
        picker.fetch: gr.Button(visible=studio.downloads),
    }


# --- what an answer changes in the column ---------------------------------------------------------


def answers(given: InputWidgets) -> list[Component]:
    """The components that :func:`answered` fills."""
    return [given.suggested, given.chips, given.reasons]


def answered(given: InputWidgets, look: Look) -> Answer:
    """Words for an empty field, words to add, and why a switch does nothing."""
    return {
        given.suggested: look.settings.words,
        given.chips: widgets.offers_value(_chips(look)),
        given.reasons: widgets.offers_value(*_reasons(look)),
    }


def _chips(look: Look) -> list[wording.Offer]:
    """Known words in the place of unknown ones, then words that the model sees besides."""
    swaps = [wording.swap(typed, known) for typed, known in look.nearest_known.items()]
    return [*swaps, wording.add(look.more_words)]


def _reasons(look: Look) -> tuple[list[wording.Offer], tuple[str, ...]]:
    """Why a switch does nothing, with what one press would change; and which switches."""
    if look.settings.method != "gclip":
        return [wording.unused(look.chosen.title)], ("amf", "cs")
    found = look.findings(variants.ablation(look.settings, amf=False, cs=True))
    return ([], ()) if found.suppressed else ([wording.NOTHING_TO_SUPPRESS], ("cs",))


# --- events ---------------------------------------------------------------------------------------


def wire(studio: Studio, controls: Controls, given: InputWidgets) -> list[Dependency]:
    """Events that change the input as a whole; the open tab is to be shown anew after each."""
    picker, words = given.picker, given.words
    picture = [
        given.image, controls["source"], controls["example"], words, controls["plant"],
        controls["pixel"], controls["patch"],
    ]  # fmt: skip

    @in_words
    def preset(title: Any, *values: Any) -> str:
        backbone = studio.backbone(studio.name_of(controls.settings(values)))
        return known_words(backbone, _presets().get(title, ""))

    def pick(name: Any, current: Any) -> Answer:
        if not isinstance(name, str) or name not in ("default", *BACKBONES):
            return {picker.menu: current}
        entry = BACKBONES.get(name)
        if entry is None or studio.has(entry):
            return {controls["backbone"]: name, **_offer_fetch(studio, picker, None)}
        return {picker.menu: current, **_offer_fetch(studio, picker, entry)}

    bar = gr.Progress(track_tqdm=True)

    def fetch(name: str, progress: gr.Progress = bar) -> Answer:
        try:
            said = wording.fetched(studio.fetch(name).title)
        except GclipError as error:
            return {picker.note: str(error)}
        return {
            picker.note: said, picker.fetch: gr.Button(visible=False), picker.menu: name,
            controls["backbone"]: name,
        }  # fmt: skip

    # A new picture clears the words: the answer fills in those that fit it.
    upload = """(words) =>
      [gclip.page.photo, 'upload', '', gclip.page.clearWords(words), false, '', '']"""
    example = "(index) => [null, 'example', gclip.page.example(index), '', false, '', '']"
    return [
        given.photo.submit(fn=None, js=upload, inputs=words, outputs=picture, **QUIET),
        given.examples.click(
            fn=None, js=example, inputs=given.examples, outputs=picture, **QUIET
        ),
        given.chips.select(
            fn=None, js="(words) => gclip.page.takeWord(words)", inputs=words, outputs=words,
            **QUIET,
        ),
        given.reasons.select(fn=None, js="() => true", outputs=controls["plant"], **QUIET),
        given.preset.input(preset, [given.preset, *controls.components], words, **RAW),
        picker.menu.input(
            pick, [picker.menu, controls["backbone"]], [controls["backbone"], *picker], **RAW
        ),
        picker.fetch.click(
            fetch, picker.wanted,
            [picker.note, picker.fetch, picker.menu, controls["backbone"]],
            api_visibility="private", **HEAVY,
        ),
    ]  # fmt: skip
