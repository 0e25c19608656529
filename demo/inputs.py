"""The input column: image, words, switches, backbone, examples, scenes and what is advanced."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any, NamedTuple

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency
from PIL import Image, ImageOps

from demo import widgets, wording
from demo.controls import QUIET, RAW, Answer, Controls, in_words
from demo.look import Studio
from demo.settings import MAX_WORDS, Settings, declared
from demo.source import Picture, layout, scene_size
from demo.widgets import editor
from demo.widgets.values import Json
from gclip_core import class_lists, scenes
from gclip_core.errors import GclipError
from gclip_core.photos import star_photos
from gclip_core.registry import BACKBONES, BackboneEntry

STARRED = (137, 186, 225)
PHOTO_BACKBONE = "openai-vit-b-16"


@dataclass(frozen=True)
class Given:
    """The components of the input column that others need."""

    image: gr.Image
    words: Component
    preset: gr.Dropdown
    segment: gr.Button
    examples: gr.Dataset
    new_scene: gr.Button
    scene: tuple[Component, ...]
    editor: gr.HTML
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
    examples = _examples(studio)
    typed = controls.make(
        "words", asks=False, placeholder=wording.WORDS_HINT, max_length=MAX_WORDS, max_lines=4,
        elem_id="words",
    )  # fmt: skip
    controls.make("rest", elem_id="rest")
    with gr.Row(elem_id="switches"):
        controls.make("amf", elem_id="amf")
        controls.make("cs", elem_id="cs")
        segment = gr.Button(wording.SEGMENT, variant="primary", elem_id="segment", min_width=90)
    picker = _picker(studio, controls, opening)
    with gr.Accordion(wording.SCENE, open=False, elem_id="scene"):
        drawn = widgets.scene_editor(_drawn(opening, picture), elem_id="editor")
        new_scene, scene = _scene(controls)
    controls.hidden("drawing")
    with gr.Accordion(wording.ADVANCED, open=False, elem_id="advanced"):
        preset = gr.Dropdown(
            list(_presets()), value=None, label=wording.PRESET, info=wording.PRESET_INFO,
            elem_id="preset",
        )  # fmt: skip
        _advanced(controls)
    return Given(image, typed, preset, segment, examples, new_scene, scene, drawn, picker)


_EVERYDAY = (
    "person, sky, tree, grass, road, building, wall, floor, water, car, dog, cat, horse, bird, "
    "boat, table, chair, flower, food"
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
    return {wording.PRESET_PHOTO: _EVERYDAY, wording.PRESET_KNOWN: known, **words}


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
    found = [layout(Settings(seed=seed)) for seed in STARRED]
    titles = [
        ", ".join({i.thing: 0 for i in one.items} | dict.fromkeys(one.ground)) for one in found
    ]
    return [f"Scene: {t}" for t in titles] + [f"Photo: {p.title}" for p in star_photos().values()]


def _thumbnails(studio: Studio) -> list[Image.Image]:
    """Small pictures: scenes first, then photos."""
    shown = [_example(index, Settings()) for index in range(len(example_names()))]
    pictures = [studio.sources.picture(settings).image for settings in shown]
    # Of an upright picture the upper part: there the heads are.
    return [ImageOps.fit(p, (160, 120), centering=(0.5, 0.15)) for p in pictures]


def _scene(controls: Controls) -> tuple[gr.Button, tuple[Component, ...]]:
    things = controls.make("things", asks=False)
    style = controls.make("style", asks=False, choices=["held-out", "seen", *scenes.styles()])
    with gr.Row():
        seed = controls.make("seed", asks=False, min_width=110)
        size = controls.make("scene_size", asks=False, min_width=110)
    return gr.Button(wording.NEW_SCENE, elem_id="new-scene"), (things, style, seed, size)


def _picker(studio: Studio, controls: Controls, opening: Settings) -> Picker:
    """The menu is no setting: one that is not here changes nothing but the card under it."""
    controls.hidden("backbone")
    choices = [(wording.automatic(studio.default.name, studio.default.title), "auto")]
    choices += [(wording.backbone_choice(e, studio.has(e)), e.name) for e in BACKBONES.values()]
    menu = gr.Dropdown(
        choices, value=opening.backbone, label=declared("backbone")["label"], elem_id="backbone"
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
    controls.make("opacity", asks=False, elem_id="opacity")
    for name in ADVANCED:
        controls.make(name, elem_id=name.replace("_", "-"))


def fill(studio: Studio, controls: Controls, given: Given, settings: Settings) -> Answer:
    """Values of all controls and the image for these settings."""
    settings, picture = with_words(studio, settings)
    entry = BACKBONES.get(settings.backbone)
    missing = entry if entry and not studio.has(entry) else None
    if missing:
        settings = settings.changed(backbone="auto")
    found = {**controls.updates(settings), given.image: picture and picture.image}
    drawn = _drawn(settings, picture)
    if drawn is not None:
        found[given.editor] = drawn
    menu = {given.picker.menu: settings.backbone}
    return {**found, **menu, **_offer(studio, given.picker, missing)}


def with_words(studio: Studio, settings: Settings) -> tuple[Settings, Picture | None]:
    """The settings, with their picture's words where they have none; and that picture."""
    try:
        picture = None if settings.source == "upload" else studio.sources.picture(settings)
    except GclipError:
        picture = None
    if picture and not settings.words:
        settings = settings.changed(words=picture.words)
    return settings, picture


def _drawn(settings: Settings, picture: Picture | None) -> Json | None:
    """What the scene editor goes on from."""
    drawn = layout(settings) if picture else None
    return drawn and editor.value(drawn, scene_size(settings))


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

    @in_words
    def compose(*values: Any) -> Answer:
        old = controls.settings(values)
        return fill(studio, controls, given, old.changed(source="scene", example="", words=""))

    @in_words
    def another(*values: Any) -> Answer:
        old = controls.settings(values)
        new = old.changed(source="scene", example="", words="", seed=(old.seed + 1) % 2**31)
        return fill(studio, controls, given, new)

    def pick(name: Any, current: Any) -> Answer:
        if not isinstance(name, str) or name not in ("auto", *BACKBONES):
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

    @in_words
    def preview(*values: Any) -> Image.Image:
        return studio.sources.picture(controls.settings(values)).image

    drawn = given.editor.input(
        fn=None, js=_DRAWN, inputs=[given.editor, given.words],
        outputs=[source, controls["drawing"], given.words], **QUIET,
    )  # fmt: skip
    # The field's own picture of a scene that is drawn follows once its mask is there.
    rested = gr.Textbox("", visible=False)
    drawn.then(fn=None, js=_RESTED, inputs=rested, outputs=rested, **QUIET)
    rested.change(preview, controls.components, given.image, trigger_mode="always_last", **RAW)
    events = [
        given.preset.input(
            fn=None, js=f"(title) => ({json.dumps(_presets())})[title]",
            inputs=given.preset, outputs=given.words, **QUIET,
        ),
        drawn,
        # A picture of one's own is seen by the model as it is, not by a simulation of a fault.
        given.image.input(
            fn=None, js="() => ['upload', false]", outputs=[source, controls["plant"]], **QUIET
        ),
        given.examples.click(
            choose, [given.examples, *controls.components], filled, **RAW
        ),
        given.new_scene.click(another, controls.components, filled, **RAW),
        picker.menu.input(
            pick, [picker.menu, controls["backbone"]],
            [controls["backbone"], *picker],
            **RAW,
        ),
        picker.fetch.click(
            fetch, picker.wanted,
            [picker.note, picker.fetch, picker.menu, controls["backbone"]],
            api_visibility="private", concurrency_id="model",
        ),
    ]  # fmt: skip
    things, style, seed, size = given.scene
    events += [
        things.release(compose, controls.components, filled, **RAW),
        style.input(compose, controls.components, filled, **RAW),
        seed.submit(compose, controls.components, filled, **RAW),
        size.submit(compose, controls.components, filled, **RAW),
    ]
    return events


# Words follow what is drawn until a visitor types others.
_DRAWN = """(drawn, words) => ["drawing", drawn.layout,
  !words.trim() || words === drawn.was ? drawn.words : words]"""


_RESTED = """async (was) => { const mine = (window.gclipDrawn = {});
  await new Promise((done) => setTimeout(done, 1000));
  return mine === window.gclipDrawn ? was + "." : was; }"""


def _example(index: Any, old: Settings) -> Settings:
    """The settings with the example at that place of the list chosen."""
    names = list(star_photos())
    if index not in range(len(STARRED) + len(names)):
        raise GclipError(f"The number of an example was expected, but “{str(index)[:40]}” came.")
    if index < len(STARRED):
        return old.changed(source="scene", example="", seed=STARRED[index], things=0,
                           style="held-out", words="")  # fmt: skip
    name = names[index - len(STARRED)]
    return old.changed(source="example", example=name, words="", plant=False)


def old_words(studio: Studio, settings: Settings) -> str:
    """Said where an upload is asked for the words of the picture that it took the place of."""
    source = "drawing" if settings.drawing else "example" if settings.example else "scene"
    before = studio.sources.kept(settings.changed(source=source))
    return wording.OLD_WORDS if before and before.words == settings.words else ""


def notice(studio: Studio, name: str) -> str:
    """What to know about the backbone beside the result."""
    entry = BACKBONES[PHOTO_BACKBONE]
    return wording.model_notice(name, entry, studio.has(entry))
