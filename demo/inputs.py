"""The input column: image, words, switches, backbone, examples, scenes and what is advanced."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency
from gradio.utils import get_upload_folder
from PIL import Image, ImageDraw, ImageOps

from demo import wording
from demo.controls import Controls, in_words, read_raw
from demo.drawing import lettering
from demo.service import Service
from demo.settings import Settings
from demo.tabs import QUIET, Answer
from gclip_core import class_lists, scenes
from gclip_core.errors import GclipError, ImageError
from gclip_core.photos import star_photos
from gclip_core.registry import BACKBONES
from gclip_core.vocabulary import TEMPLATES

STARRED = (137, 186, 225)
PHOTO_BACKBONE = "openai-vit-b-16"

CSS = """
#switches { gap: 8px; flex-wrap: nowrap; align-items: stretch; }
#switches > * { min-width: 0 !important; }
#switches .block { padding: 8px 10px; }
#switches .prose, #switches span { line-height: 1.25; }
#segment { flex: 0 0 96px; }
#examples .gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(62px, 1fr));
  gap: 6px; }
#examples .gallery-item { width: 100%; aspect-ratio: 4 / 3; overflow: hidden; }
#examples .gallery-item img, #examples .gallery-item .container { width: 100% !important;
  height: 100% !important; max-height: none !important; object-fit: cover; }
#input { gap: 8px; }
"""


@dataclass(frozen=True)
class Given:
    """The components of the input column that others need."""

    image: gr.Image
    words: gr.Textbox
    preset: gr.Dropdown
    segment: gr.Button
    source: gr.Textbox
    examples: gr.Dataset
    new_scene: gr.Button
    scene: tuple[Component, ...]
    backbone: gr.Dropdown
    fetch: gr.Button
    fetch_note: gr.Markdown


def build(service: Service, controls: Controls, opening: Settings) -> Given:
    """Build the column."""
    image = gr.Image(
        label=wording.IMAGE,
        type="filepath",
        sources=["upload", "clipboard", "webcam"],
        height=190,
        placeholder=wording.IMAGE_HINT,
        elem_id="image",
        buttons=["fullscreen"],
        alt_text="The image to segment",
    )
    source = controls.add("source", gr.Textbox("scene", visible=False), triggers=False)
    controls.add("example", gr.Textbox("", visible=False), triggers=False)
    typed = controls.add(
        "words",
        gr.Textbox(
            label=wording.WORDS,
            placeholder=wording.WORDS_HINT,
            info=wording.WORDS_INFO,
            max_length=6000,
            lines=1,
            max_lines=4,
            elem_id="words",
        ),
        triggers=False,
    )
    with gr.Row(elem_id="switches"):
        controls.add(
            "amf", gr.Checkbox(True, label=wording.AMF, info=wording.AMF_INFO, elem_id="amf")
        )
        controls.add("cs", gr.Checkbox(True, label=wording.CS, info=wording.CS_INFO, elem_id="cs"))
        segment = gr.Button(wording.SEGMENT, variant="primary", elem_id="segment", min_width=90)
    examples = _examples(service)
    with gr.Accordion(wording.SCENE, open=False, elem_id="scene"):
        new_scene, scene = _scene(controls)
    backbone, fetch, fetch_note = _backbone(service, controls, opening)
    with gr.Accordion(wording.ADVANCED, open=False, elem_id="advanced"):
        choices = list(_presets())
        preset = gr.Dropdown(
            choices, value=None, label=wording.PRESET, info=wording.PRESET_INFO, elem_id="preset"
        )
        _advanced(controls)
    return Given(
        image,
        typed,
        preset,
        segment,
        source,
        examples,
        new_scene,
        scene,
        backbone,
        fetch,
        fetch_note,
    )


@functools.cache
def _presets() -> dict[str, str]:
    """Word lists to start from, as a person would type them."""
    lists = {
        "VOC 20": ("voc20",),
        "VOC 21, with background": ("voc20", "background"),
        "Context 59": ("context59",),
        "COCO-Object 80": ("coco_object",),
        "COCO-Stuff 171": ("coco_stuff",),
        "ADE20K 150": ("ade20k",),
        "Cityscapes 19": ("cityscapes",),
    }
    words = {
        title: ", ".join("; ".join(c.phrases) for name in names for c in class_lists.shipped(name))
        for title, names in lists.items()
    }
    known = ", ".join(word.name for word in (*scenes.things(), *scenes.backgrounds()))
    return {wording.PRESET_KNOWN: known, **words}


def _examples(service: Service) -> gr.Dataset:
    return gr.Dataset(
        components=[gr.Image(visible=False, type="pil")],
        samples=[[thumbnail] for thumbnail in _thumbnails(service)],
        sample_labels=None,
        label=wording.EXAMPLES,
        type="index",
        layout="gallery",
        samples_per_page=12,
        elem_id="examples",
    )


def example_names() -> list[str]:
    """What each example is called, in their order."""
    titles = [f"emoji scene {seed}" for seed in STARRED]
    titles += [f"photo, {photo.title}" for photo in star_photos().values()]
    return [f"Example: {title}, truth known" for title in titles]


def _thumbnails(service: Service) -> list[Image.Image]:
    """Small pictures, each with the star of a known truth: scenes first, then photos."""
    shown = [_example(index, Settings()) for index in range(len(example_names()))]
    pictures = [service.sources.picture(settings).image for settings in shown]
    # Of an upright picture the upper part: there the heads are.
    pictures = [ImageOps.fit(p, (160, 120), centering=(0.5, 0.15)) for p in pictures]
    for picture in pictures:
        lettering.pill(ImageDraw.Draw(picture), (20, 20), "★", 22, "#ffffff", "#111111")
    return pictures


def _scene(controls: Controls) -> tuple[gr.Button, tuple[Component, ...]]:
    things = controls.add(
        "things",
        gr.Slider(0, scenes.MAX_THINGS, 0, step=1, label=wording.THINGS, info=wording.THINGS_INFO),
        triggers=False,
        read=int,
    )
    style = controls.add(
        "style",
        gr.Dropdown(["held-out", "seen", *scenes.styles()], value="held-out", label=wording.STYLE),
        triggers=False,
    )
    seed = controls.add(
        "seed",
        gr.Number(1, label=wording.SEED, precision=0, minimum=0),
        triggers=False,
        read=_whole,
    )
    return gr.Button(wording.NEW_SCENE, elem_id="new-scene"), (things, style, seed)


def _backbone(
    service: Service, controls: Controls, opening: Settings
) -> tuple[gr.Dropdown, gr.Button, gr.Markdown]:
    choices = [(wording.backbone_choice(e, service.has(e)), e.name) for e in BACKBONES.values()]
    backbone = controls.add(
        "backbone",
        gr.Dropdown(choices, value=opening.backbone, label=wording.BACKBONE, elem_id="backbone"),
        triggers=False,
    )
    note = gr.Markdown("", visible=False, elem_id="fetch-note")
    fetch = gr.Button(wording.FETCH, visible=False, elem_id="fetch")
    return backbone, fetch, note


def _advanced(controls: Controls) -> None:
    controls.add(
        "opacity",
        gr.Slider(0, 1, 0.6, step=0.05, label=wording.OPACITY, elem_id="opacity"),
        triggers=False,
    )
    controls.add_text("amf_blocks", gr.Textbox("backbone", label=wording.AMF_BLOCKS))
    controls.add_text("cs_blocks", gr.Textbox("backbone", label=wording.CS_BLOCKS))
    controls.add("n_blocks", gr.Slider(1, 6, 2, step=1, label=wording.N_BLOCKS), read=int)
    controls.add("heads", gr.Radio(["each", "mean"], value="each", label=wording.HEADS))
    controls.add("cs_target", gr.Radio(["mean", "median"], value="mean", label=wording.CS_TARGET))
    controls.add("global_threshold", gr.Number(5, label=wording.GLOBAL_THRESHOLD, minimum=1))
    controls.add("channel_threshold", gr.Number(2, label=wording.CHANNEL_THRESHOLD, minimum=1))
    controls.add(
        "templates", gr.Dropdown(list(TEMPLATES), value="imagenet80", label=wording.TEMPLATES)
    )
    controls.add("short_side", gr.Number(0, label=wording.SHORT_SIDE, precision=0), read=_whole)
    controls.add("window", gr.Number(0, label=wording.WINDOW, precision=0), read=_whole)
    controls.add("stride", gr.Number(112, label=wording.STRIDE, precision=0), read=_whole)
    controls.add("logit_scale", gr.Number(40, label=wording.SCALE, minimum=0.01))
    controls.add("threshold", gr.Slider(0, 1, 0, step=0.01, label=wording.THRESHOLD))


def fill(service: Service, controls: Controls, given: Given, settings: Settings) -> Answer:
    """Values of all controls and the image for these settings."""
    try:
        picture = None if settings.source == "upload" else service.sources.picture(settings)
    except GclipError:
        picture = None
    if picture and not settings.words:
        settings = settings.changed(words=picture.words)
    shown: Image.Image | None = picture.image if picture else None
    return {**controls.updates(settings), given.image: shown}


def wire(
    service: Service, controls: Controls, given: Given, filled: list[Component]
) -> list[Dependency]:
    """Events that change the input as a whole; after each the open tab is to be shown anew."""

    @in_words
    def choose(index: Any, *values: Any) -> Answer:
        old = controls.settings(values)
        chosen = read_raw(lambda index: _example(_whole(index), old), index, "example")
        return fill(service, controls, given, chosen)

    @in_words
    def compose(*values: Any) -> Answer:
        old = controls.settings(values)
        return fill(service, controls, given, old.changed(source="scene", example="", words=""))

    @in_words
    def another(*values: Any) -> Answer:
        old = controls.settings(values)
        new = old.changed(source="scene", example="", words="", seed=(old.seed + 1) % 2**31)
        return fill(service, controls, given, new)

    def look_up(name: str) -> tuple[Any, Any]:
        entry = BACKBONES[name]
        missing = not service.has(entry)
        return (
            gr.Button(visible=missing and service.downloads),
            gr.Markdown(
                wording.needs_fetch(entry, service.downloads) if missing else "", visible=missing
            ),
        )

    def fetch(name: str, progress: gr.Progress = gr.Progress(track_tqdm=True)) -> tuple[Any, Any]:  # noqa: B008
        try:
            said = wording.fetched(service.fetch(name).title)
        except GclipError as error:
            return gr.Button(), gr.Markdown(str(error), visible=True)
        return gr.Button(visible=False), gr.Markdown(said, visible=True)

    raw: dict[str, Any] = {"preprocess": False, **QUIET}
    events = [
        given.preset.input(
            fn=None, js=f"(title) => ({json.dumps(_presets())})[title]",
            inputs=given.preset, outputs=given.words, **QUIET,
        ),
        given.image.input(fn=None, js="() => 'upload'", outputs=given.source, **QUIET),
        given.examples.click(
            choose, [given.examples, *controls.components], filled, **raw
        ),
        given.new_scene.click(another, controls.components, filled, **raw),
        given.backbone.input(
            look_up, given.backbone, [given.fetch, given.fetch_note], **QUIET
        ),
        given.fetch.click(
            fetch, given.backbone, [given.fetch, given.fetch_note],
            api_visibility="private", concurrency_id="model",
        ),
    ]  # fmt: skip
    things, style, seed = given.scene
    events += [
        things.release(compose, controls.components, filled, **raw),
        style.input(compose, controls.components, filled, **raw),
        seed.submit(compose, controls.components, filled, **raw),
    ]
    return events


def _example(index: int, old: Settings) -> Settings:
    """The settings with the example at that place of the list chosen."""
    names = list(star_photos())
    if index < len(STARRED):
        return old.changed(source="scene", example="", seed=STARRED[index], things=0,
                           style="held-out", words="")  # fmt: skip
    return old.changed(source="example", example=names[index - len(STARRED)], words="")


def notice(service: Service, settings: Settings) -> str:
    """What to know about the backbone beside the result."""
    entry = BACKBONES[PHOTO_BACKBONE]
    return wording.model_notice(settings.backbone, entry, service.has(entry))


def path_of(image: Any) -> str:
    """Path of an uploaded file in a component's raw value; empty for none.

    Raises:
        ImageError: a path that no upload made.
    """
    if isinstance(image, list):
        image = image[0] if image else None
    if image is None:
        return ""
    path = str((image.get("path") if isinstance(image, dict) else image.path) or "")
    folder = Path(get_upload_folder()).resolve()
    if path and not Path(path).resolve().is_relative_to(folder):
        raise ImageError("An uploaded file was expected, but the path of another file came.")
    return path


def _whole(value: Any) -> int:
    if value is None or int(value) != value:
        raise GclipError(f"A whole number was expected, but {value!r} came.")
    return int(value)
