"""The input column: photo, examples, words, switches, backbone and the advanced settings."""

import functools
import json
from typing import Any

import gradio as gr
from gradio.events import Dependency
from PIL import Image, ImageOps

from demo import widgets, wording
from demo.answer import known_words
from demo.controls import HEAVY, RAW, Controls, Updates, in_browser, show_errors, simulate
from demo.engine import Engine
from demo.measured import measured
from demo.settings import MAX_WORDS, Settings, declaration
from demo.variants import ARGUMENTS
from evaluation import class_lists
from evaluation.photos import shipped_photos
from gclip_core.errors import GclipError
from gclip_core.registry import BACKBONES, BackboneEntry

ADVANCED = ("short_side", "window", "amf_blocks", "channels")
"""Advanced settings that people change; the others are folded once more."""
OF_SEGMENTER = ("templates", "stride", "logit_scale", "threshold")
FOLDED = ("method", *(name for name in ARGUMENTS if name not in ADVANCED), *OF_SEGMENTER)
OF_ONE_PICTURE = {"nearest": "1", "plant": False, "pixel": "", "patch": ""}
"""Settings that do not outlast a picture: their controls' values for the next one."""
THUMBNAIL = (160, 120)
EVERYDAY = (
    "person, sky, tree, grass, road, building, wall, floor, water, car, dog, cat, horse, bird, "
    "boat, table, chair, flower, food"
)
AMF_BLOCKS = [
    ("the backbone’s own", "backbone"),
    ("chosen on the picture", "auto"),
    ("6 7: the paper’s for ViT-B/16, counted from 1", "6-7"),
    ("7 8: the same, counted from 0", "7-8"),
]


class Inputs:
    """The input column: its components and their events; an answer changes its ``parts``.

    ``image`` has a visitor's file and is never seen; ``photo`` is the target for dropping one.
    ``suggested`` are words for a field that is empty, ``chips`` words to add, ``reasons`` why a
    switch does nothing. ``menu`` are backbones and ``card`` is for one that is not on this machine.
    """

    def __init__(self, engine: Engine, controls: Controls) -> None:
        self._engine, self._controls = engine, controls
        self._build_picture()
        self._build_words()
        self._build_picker()
        with gr.Accordion("Advanced", open=False, elem_id="advanced"):
            self._build_advanced(ADVANCED)
            with gr.Accordion("All settings", open=False, elem_id="all-settings"):
                self.preset = gr.Dropdown(
                    list(_presets()),
                    value=None,
                    label="Start from a list of words",
                    info="Replaces the words above; edit them as you like",
                    elem_id="preset",
                )
                self._build_advanced(FOLDED)
        self.parts = {
            "photo": self.photo,
            "suggested": self.suggested,
            "chips": self.chips,
            "reasons": self.reasons,
        }

    def _build_picture(self) -> None:
        self.image = gr.Image(None, type="filepath", visible=False)
        self.photo = widgets.photo(elem_id="photo")
        self.examples = gr.Dataset(
            components=[gr.Image(visible=False, type="pil")],
            samples=[[thumbnail] for thumbnail in _thumbnails()],
            label="Examples, all with known truth",
            type="index",
            layout="gallery",
            samples_per_page=len(shipped_photos()),
            elem_id="examples",
        )

    def _build_words(self) -> None:
        controls, hint = self._controls, "cat; kitten, sofa, wall"
        self.words = controls.make(
            "words", asks=False, placeholder=hint, max_length=MAX_WORDS, max_lines=4
        )
        self.suggested = gr.Textbox("", visible=False)
        self.chips = widgets.offers(elem_id="chips")
        with gr.Row(elem_id="switches"):
            controls.make("amf")
            controls.make("cs")
            self.segment = gr.Button("Segment", variant="primary", elem_id="segment", min_width=90)
        self.reasons = widgets.offers(elem_id="reasons")
        with gr.Column(elem_id="rest"):
            controls.make("background")
            controls.make("rest_weight", step=0.05, buttons=[])

    def _build_picker(self) -> None:
        """The menu is no setting: choosing a backbone that is not here opens the card under it."""
        engine = self._engine
        choices = [(f"{engine.default.title} · here", "default")]
        for entry in BACKBONES.values():
            missing = f"{entry.download} MB to fetch" if engine.downloads else "not on this machine"
            if entry.name != engine.default.name:
                where = "here" if engine.has(entry) else missing
                choices.append((f"{entry.title} · {where}", entry.name))
        self.menu = gr.Dropdown(
            choices,
            value=self._controls.opening.backbone,
            label=declaration("backbone")["label"],
            info=_strengths(),
            elem_id="backbone",
        )
        self.fetch_name = gr.Textbox("", visible=False)
        with gr.Column(visible=False, elem_id="fetch-card") as self.card:
            self.fetch = gr.Button(
                "Fetch the weights", visible=engine.downloads, elem_id="fetch", size="sm"
            )
            self.note = gr.Markdown("", elem_id="fetch-note")
        self.picker = [self.menu, self.fetch_name, self.card, self.note, self.fetch]

    def _build_advanced(self, names: tuple[str, ...]) -> None:
        more: dict[str, dict[str, Any]] = {
            "amf_blocks": {"choices": AMF_BLOCKS, "allow_custom_value": True},
            "channels": {"asks": False, "max_lines": 1},
        }
        for name in names:
            self._controls.make(name, **more.get(name, {}))

    def fill(self, settings: Settings) -> Updates:
        """Values of all controls for these settings."""
        entry = BACKBONES.get(settings.backbone)
        missing = entry if entry and not self._engine.has(entry) else None
        if missing or settings.backbone == self._engine.default.name:
            settings = settings.changed(backbone="default")
        filled = {**self._controls.updates(settings), self.menu: settings.backbone}
        return {**filled, **self._offer_fetch(missing)}

    def _offer_fetch(self, entry: BackboneEntry | None) -> Updates:
        """The card that fetches a backbone's weights; none closes it."""
        if entry is None:
            return {self.card: gr.Column(visible=False)}
        downloads = self._engine.downloads
        return {
            self.fetch_name: entry.name,
            self.note: wording.needs_fetch(entry, downloads),
            self.card: gr.Column(visible=True),
            self.fetch: gr.Button(visible=downloads),
        }

    def wire(self) -> list[Dependency]:
        """Events that change the input as a whole; the open tab is shown anew after each."""
        words, controls = self.words, self._controls
        chosen = [self.image, controls["source"], controls["example"], words]
        picture = [*chosen, *(controls[name] for name in OF_ONE_PICTURE)]
        reset = json.dumps(list(OF_ONE_PICTURE.values()))
        # A new picture clears the words: the answer fills in those that fit it.
        upload = f"""(words) =>
          [gclip.page.photo, 'upload', '', gclip.page.clearWords(words), ...{reset}]"""
        shipped = f"(index) => [null, 'example', gclip.page.example(index), '', ...{reset}]"
        take, taken = "(...a) => gclip.page.takeOffer(...a)", [words, self._controls["nearest"]]
        return [
            widgets.on(self.photo, "photo")(**in_browser(upload, inputs=words, outputs=picture)),
            self.examples.click(**in_browser(shipped, inputs=self.examples, outputs=picture)),
            self.chips.select(**in_browser(take, inputs=taken, outputs=taken)),
            self.reasons.select(**simulate(controls)),
            self._wire_preset(),
            *self._wire_picker(),
        ]

    def _wire_preset(self) -> Dependency:
        """A list of words takes the place of the words, without those that are unknown."""
        engine, controls, read = self._engine, self._controls, self._controls.reader()

        @show_errors
        def preset(title: Any, *raw: Any) -> str:
            backbone = engine.backbone(read(raw).backbone)
            return known_words(backbone, _presets().get(title, ""))

        return self.preset.input(preset, [self.preset, *controls.components], self.words, **RAW)

    def _wire_picker(self) -> list[Dependency]:
        """A backbone is chosen where it is here, else its card opens; the card fetches it."""
        engine, backbone = self._engine, self._controls["backbone"]
        picked = [backbone, *self.picker]

        def pick(name: Any, current: Any) -> Updates:
            if not isinstance(name, str) or name not in ("default", *BACKBONES):
                return {self.menu: current}
            entry = BACKBONES.get(name)
            if entry is None or engine.has(entry):
                return {backbone: name, **self._offer_fetch(None)}
            return {self.menu: current, **self._offer_fetch(entry)}

        bar = gr.Progress(track_tqdm=True)

        def fetch(name: str, progress: gr.Progress = bar) -> Updates:
            try:
                note = f"{engine.fetch(name).title} is ready."
            except GclipError as error:
                return {self.note: str(error)}
            hidden = gr.Button(visible=False)
            return {self.note: note, self.fetch: hidden, self.menu: name, backbone: name}

        return [
            self.menu.input(pick, [self.menu, backbone], picked, **RAW),
            self.fetch.click(fetch, self.fetch_name, picked, api_visibility="private", **HEAVY),
        ]


def _strengths() -> str:
    """What the built-in model is good and poor at."""
    return wording.strengths(measured().photos, measured().words)


@functools.cache
def _presets() -> dict[str, str]:
    """Lists of words to start from, as a person would type them."""
    lists = {
        "VOC 20": "voc20",
        "Context 59": "context59",
        "COCO-Object 80": "coco_object",
        "COCO-Stuff 171": "coco_stuff",
        "ADE20K 150": "ade20k",
        "Cityscapes 19": "cityscapes",
    }
    words = {
        title: ", ".join("; ".join(entry.phrases) for entry in class_lists.read(name))
        for title, name in lists.items()
    }
    return {"An everyday photo": EVERYDAY, **words}


def _thumbnails() -> list[Image.Image]:
    thumbnails = []
    for photo in shipped_photos().values():
        with Image.open(photo.path) as image:
            image.draft("RGB", (2 * THUMBNAIL[0], 2 * THUMBNAIL[1]))
            # The upper part of an upright picture: heads are there.
            thumbnails.append(ImageOps.fit(image.convert("RGB"), THUMBNAIL, centering=(0.5, 0.15)))
    return thumbnails
