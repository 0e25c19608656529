"""The input column: image, examples, words, switches, backbone and what is advanced."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any, NamedTuple

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency
from PIL import Image, ImageOps

from demo import wording
from demo.controls import HEAVY, QUIET, RAW, Answer, Controls, in_words
from demo.look import Studio
from demo.settings import MAX_WORDS, Settings, declared
from demo.source import Picture
from evaluation import class_lists
from evaluation.photos import star_photos
from gclip_core.errors import GclipError
from gclip_core.registry import BACKBONES, BackboneEntry


@dataclass(frozen=True)
class Given:
    """The components of the input column that others need."""

    image: gr.Image
    words: Component
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


def build(studio: Studio, controls: Controls) -> Given:
    """Build the column, filled with what the controls open on."""
    opening = controls.opening
    _, picture = with_words(studio, opening)
    image = gr.Image(
        picture and picture.image,
        label=wording.IMAGE,
        type="filepath",
        sources=["upload", "clipboard", "webcam"],
        height=178,
        placeholder=wording.IMAGE_HINT,
        elem_id="image",
        buttons=["fullscreen"],
        alt_text="The image to segment",
    )
    gr.HTML("", elem_id="camera")
    gr.HTML(f'<button type="button">{wording.SEE_EXAMPLES}</button>', elem_id="to-examples")
    controls.hidden("source")
    controls.hidden("example")
    examples = _examples(studio)
    typed = controls.make(
        "words", asks=False, placeholder=wording.WORDS_HINT, max_length=MAX_WORDS, max_lines=4,
        elem_id="words",
    )  # fmt: skip
    controls.make("background", elem_id="background")
    with gr.Row(elem_id="switches"):
        controls.make("amf", elem_id="amf")
        controls.make("cs", elem_id="cs")
        segment = gr.Button(wording.SEGMENT, variant="primary", elem_id="segment", min_width=90)
    picker = _picker(studio, controls, opening)
    with gr.Accordion(wording.ADVANCED, open=False, elem_id="advanced"):
        preset = gr.Dropdown(
            list(_presets()), value=None, label=wording.PRESET, info=wording.PRESET_INFO,
            elem_id="preset",
        )  # fmt: skip
        _advanced(controls)
    return Given(image, typed, preset, segment, examples, picker)


_EVERYDAY = (
    "person, sky, tree, grass, road, building, wall, floor, water, car, dog, cat, horse, bird, "
    "boat, table, chair, flower, food"
)


@functools.cache
def _presets() -> dict[str, str]:
    """Word lists to start from, as a person would type them."""
    shipped = class_lists.shipped
    lists = {
        "VOC 20": shipped("voc20"),
        "VOC 21, with background": (*shipped("voc20"), class_lists.BACKGROUND),
        "Context 59": shipped("context59"),
        "COCO-Object 80": shipped("coco_object"),
        "COCO-Stuff 171": shipped("coco_stuff"),
        "ADE20K 150": shipped("ade20k"),
        "Cityscapes 19": shipped("cityscapes"),
    }
    words = {title: ", ".join("; ".join(c.phrases) for c in one) for title, one in lists.items()}
    return {wording.PRESET_PHOTO: _EVERYDAY, **words}


def _examples(studio: Studio) -> gr.Dataset:
    return gr.Dataset(
        components=[gr.Image(visible=False, type="pil")],
        samples=[[thumbnail] for thumbnail in _thumbnails(studio)],
        sample_labels=None,
        label=wording.EXAMPLES,
        type="index",
        layout="gallery",
        samples_per_page=12,
        elem_id="examples",
    )


def example_names() -> list[str]:
    """What each example is called, in their order."""
    return [photo.title for photo in star_photos().values()]


def _thumbnails(studio: Studio) -> list[Image.Image]:
    pictures = [studio.picture(Settings(example=name)).image for name in star_photos()]
    # Of an upright picture the upper part: there the heads are.
    return [ImageOps.fit(p, (160, 120), centering=(0.5, 0.15)) for p in pictures]


def _picker(studio: Studio, controls: Controls, opening: Settings) -> Picker:
    """The menu is no setting: one that is not here changes nothing but the card under it."""
    controls.hidden("backbone")
    choices = [(wording.default_backbone(studio.default.title), "default")]
    others = [entry for entry in BACKBONES.values() if entry.name != studio.default.name]
    choices += [(wording.backbone_choice(entry, studio.has(entry)), entry.name) for entry in others]
    menu = gr.Dropdown(
        choices,
        value=opening.backbone,
        label=declared("backbone")["label"],
        info=wording.BACKBONE_INFO,
        elem_id="backbone",
    )
    wanted = gr.Textbox("", visible=False)
    with gr.Column(visible=False, elem_id="fetch-card") as card:
        fetch = gr.Button(wording.FETCH, visible=studio.downloads, elem_id="fetch", size="sm")
        note = gr.Markdown("", elem_id="fetch-note")
    return Picker(menu, wanted, card, note, fetch)


ADVANCED = (
    "method", "amf_blocks", "cs_blocks", "n_blocks", "heads", "cs_target", "global_threshold",
    "channel_threshold", "templates", "short_side", "window", "stride", "logit_scale", "threshold",
)  # fmt: skip


def _advanced(controls: Controls) -> None:
    for name in ADVANCED:
        more: dict[str, Any] = {}
        if name == "amf_blocks":
            more = {"choices": wording.AMF_BLOCKS, "allow_custom_value": True}
        controls.make(name, elem_id=name.replace("_", "-"), **more)


def fill(studio: Studio, controls: Controls, given: Given, settings: Settings) -> Answer:
    """Values of all controls and the image for these settings."""
    settings, picture = with_words(studio, settings)
    entry = BACKBONES.get(settings.backbone)
    missing = entry if entry and not studio.has(entry) else None
    if missing:
        settings = settings.changed(backbone="default")
    if settings.backbone == studio.default.name:
        settings = settings.changed(backbone="default")
    found = {**controls.updates(settings), given.image: picture and picture.image}
    menu = {given.picker.menu: settings.backbone}
    return {**found, **menu, **_offer(studio, given.picker, missing)}


def with_words(studio: Studio, settings: Settings) -> tuple[Settings, Picture | None]:
    """The settings, with their picture's words where they have none; and that picture."""
    try:
        picture = None if settings.source == "upload" else studio.picture(settings)
    except GclipError:
        picture = None
    if picture and not settings.words:
        settings = settings.changed(words=picture.words)
    return settings, picture


def _offer(studio: Studio, picker: Picker, entry: BackboneEntry | None) -> Answer:
    """The card that fetches a backbone's weights; none closes it."""
    if entry is None:
        return {picker.card: gr.Column(visible=False)}
    return {
        picker.wanted: entry.name,
        picker.note: wording.needs_fetch(entry, studio.downloads),
        picker.card: gr.Column(visible=True),
        picker.fetch: gr.Button(visible=studio.downloads),
    }


def wire(
    studio: Studio, controls: Controls, given: Given, filled: list[Component]
) -> list[Dependency]:
    """Events that change the input as a whole; after each the open tab is to be shown anew."""

    @in_words
    def choose(index: Any, *values: Any) -> Answer:
        old = controls.settings(values)
        chosen = _example(index, old)
        return fill(studio, controls, given, chosen)

    def pick(name: Any, current: Any) -> Answer:
        if not isinstance(name, str) or name not in ("default", *BACKBONES):
            return {picker.menu: current}
        entry = BACKBONES.get(name)
        if entry is None or studio.has(entry):
            return {controls["backbone"]: name, **_offer(studio, picker, None)}
        return {picker.menu: current, **_offer(studio, picker, entry)}

    def fetch(name: str, progress: gr.Progress = gr.Progress(track_tqdm=True)) -> Answer:  # noqa: B008
        try:
            said = wording.fetched(studio.fetch(name).title)
        except GclipError as error:
            return {picker.note: str(error)}
        return {
            picker.note: said, picker.fetch: gr.Button(visible=False), picker.menu: name,
            controls["backbone"]: name,
        }  # fmt: skip

    picker, source = given.picker, controls["source"]

    return [
        given.preset.input(
            fn=None, js=f"(title) => ({json.dumps(_presets())})[title]",
            inputs=given.preset, outputs=given.words, **QUIET,
        ),
        # A picture of one's own is seen by the model as it is, not by a simulation of a fault.
        given.image.input(
            fn=None, js="() => ['upload', false]", outputs=[source, controls["plant"]], **QUIET
        ),
        given.examples.click(
            choose, [given.examples, *controls.components], filled, **RAW
        ),
        picker.menu.input(
            pick, [picker.menu, controls["backbone"]],
            [controls["backbone"], *picker],
            **RAW,
        ),
        picker.fetch.click(
            fetch, picker.wanted,
            [picker.note, picker.fetch, picker.menu, controls["backbone"]],
            api_visibility="private", **HEAVY,
        ),
    ]  # fmt: skip


def _example(index: Any, old: Settings) -> Settings:
    """The settings with the example at that place of the list chosen."""
    names = list(star_photos())
    if index not in range(len(names)):
        raise GclipError(f"The number of an example was expected, but “{str(index)[:40]}” came.")
    return old.changed(source="example", example=names[index], words="", plant=False)
