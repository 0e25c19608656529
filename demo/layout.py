"""The layout of the page: its components, for the events of `page.py`."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from PIL import ImageOps

from demo import backbones, lessons, share
from demo.answer import Seen
from demo.files import item
from demo.gate.numbers import MAX_CHARACTERS
from demo.lessons import LESSONS, OPTIONS
from demo.settings import Settings
from demo.terms import explained
from evaluation import photos
from gclip_core import BACKBONES, METHODS
from gclip_core.pixels.refine import REFINEMENTS
from gclip_core.words.text import TEMPLATES

WEB = Path(__file__).parent / "web"

_SCRIPTS = b"".join(file.read_bytes() for file in sorted(WEB.glob("*.js")))
WEB_PATH = f"web/{sha256(_SCRIPTS).hexdigest()[:16]}"
"""Where the page serves the scripts; changed scripts get a new path, so no cache is stale."""
EXAMPLES = ("flower", "raccoon", "china", "panda", "teddy", "dog")
"""The shipped photos whose masks reach 60 % mIoU, best first."""
HEAD = (
    "# GCLIP\nName things in a photo and see each one outlined. "
    '<button class="link" type="button">Two-minute lesson</button> '
    "[Paper](https://arxiv.org/abs/2502.06818)"
)
COPY_LINK = "Copy the link"
LESSON_LINE = (
    '<p class="banner">Lesson, step <b></b> · '
    '<button class="link" type="button" data-tab="learn">back to the lesson</button> · '
    '<button class="link" type="button" data-tab="segment">back to my photo</button></p>'
)
"""Shown over the mask during a lesson; see address.js."""
RANGES = Settings.model_json_schema()["properties"]


@dataclass
class Card:
    """The components of one lesson."""

    row: gr.Row
    masks: gr.HTML
    guess: gr.Radio
    outcome: gr.Markdown
    show: gr.Button


@dataclass
class Parts:
    """The components that events read or write."""

    controls: dict[str, Component] = field(default_factory=dict)
    """By the name of a setting; those that no widget sets are states."""
    outputs: dict[str, Component] = field(default_factory=dict)
    """By the name of a view; see ``demo.answer.VIEWS``."""
    cards: dict[str, Card] = field(default_factory=dict)
    """By the name of a lesson."""
    downloads: dict[str, gr.Button] = field(default_factory=dict)
    """By the name of a file; see ``demo.share.DOWNLOADS``."""
    seen: gr.State = field(init=False)
    tab: gr.Textbox = field(init=False)
    """The name of the open tab."""
    tabs: gr.Tabs = field(init=False)
    learn: gr.Tab = field(init=False)
    photo: gr.Image = field(init=False)
    samples: gr.HTML = field(init=False)
    fetch: gr.Group = field(init=False)
    fetch_text: gr.Markdown = field(init=False)
    fetch_start: gr.Button = field(init=False)
    fetch_stop: gr.Button = field(init=False)
    sent: gr.Textbox = field(init=False)
    """What a script of the page sends: an address, or the guesses of the lesson."""
    open_address: gr.Button = field(init=False)
    filled: gr.Textbox = field(init=False)
    """Number and words of the answer, and whether these are the photo's own; the words are shown
    unless others were typed meanwhile."""
    shared_link: gr.Textbox = field(init=False)
    include_photo: gr.Checkbox = field(init=False)
    copy: gr.Button = field(init=False)
    file: gr.DownloadButton = field(init=False)

    @property
    def settings(self) -> list[Component]:
        """The controls in the order of the settings."""
        return [self.controls[name] for name in Settings.model_fields]

    @property
    def asked(self) -> list[Component]:
        """What an answer is computed from."""
        return [self.photo, *self.settings]


def lay_out(settings: Settings) -> Parts:
    """Adds the components to the page that is being built, with these values."""
    parts = Parts()
    parts.seen, parts.tab = gr.State(Seen()), gr.Textbox("segment", visible="hidden")
    gr.Markdown(HEAD, elem_id="head", sanitize_html=False)
    with gr.Row(elem_id="columns"):
        with gr.Column(scale=0, min_width=284, elem_id="inputs"):
            _inputs(parts)
        with gr.Column(scale=1, min_width=320):
            _tabs(parts)
    for name in ("nearest", "block", "head", "enlarged"):
        parts.controls[name] = gr.State()
    for name, value in settings:
        parts.controls[name].value = value
    return parts


def drawn(name: str, elem_id: str, **props: Any) -> gr.HTML:
    """A component of ours: its script draws its value and its other properties."""
    return gr.HTML(
        html_template=explained((WEB / f"{name}.html").read_text("utf-8")),
        css_template=(WEB / f"{name}.css").read_text("utf-8"),
        js_on_load=f"""
            const scripts = new URL("{WEB_PATH}/", `${{window.gradio_config.root}}/`);
            import(new URL("{name}.js", scripts))
              .then((script) => script.default({{ element, props, trigger, watch }}))
              .catch(() => element.replaceChildren("This part did not load. Reload the page."));""",
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes=name,
        **props,
    )


def strip(elem_id: str) -> gr.HTML:
    return drawn("strip", elem_id, value={"items": []})


def number(name: str, info: str, precision: int | None = 0) -> gr.Number:
    """A number input with a setting's range; whole numbers unless ``precision`` is None."""
    field = RANGES[name]
    least, most = field["minimum"], field["maximum"]
    return gr.Number(
        label=field["title"], info=info, precision=precision, minimum=least, maximum=most
    )


# --- the left column -----------------------------------------------------------------------------


def _inputs(parts: Parts) -> None:
    controls, outputs = parts.controls, parts.outputs
    gr.HTML(lessons.INTRO, elem_id="intro")
    parts.photo = gr.Image(
        sources=["upload", "clipboard"],
        height=160,
        show_label=False,
        buttons=[],
        elem_id="photo",
        placeholder="Choose or drop a photo",
    )
    shipped = [photos.shipped_photos()[name] for name in EXAMPLES]
    samples = [
        item(ImageOps.contain(photo.image(), (176, 132)), photo.title, kind="jpeg")
        for photo in shipped
    ]
    parts.samples = drawn("strip", "samples", value={"items": samples, "columns": 3})
    controls["words"] = gr.Textbox(
        label="Words",
        info="Separate things with commas; join synonyms with semicolons (cat, sofa; couch)",
        placeholder="cat, sofa; couch",
        lines=1,
        max_lines=8,
        max_length=MAX_CHARACTERS,
        submit_btn=True,
        elem_id="words",
    )
    with gr.Row(elem_id="suggested"):
        outputs["undo"] = strip("undo")
        outputs["chips"] = strip("chips")
    for name in ("amf", "cs"):  # the switches at each mask click these: ideas.js
        controls[name] = gr.Checkbox(label=name.upper(), visible="hidden", elem_id=name)
    outputs["address"] = gr.Textbox(visible="hidden")
    parts.sent = gr.Textbox(visible="hidden")
    parts.filled = gr.Textbox(visible="hidden")
    parts.open_address = gr.Button(visible="hidden", elem_id="open-address")
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        _settings(parts)


def _settings(parts: Parts) -> None:
    """Settings that most visitors leave alone."""
    controls = parts.controls
    titles = [
        (f"{entry.title} · {entry.download} MB" if entry.download else entry.title, name)
        for name, entry in BACKBONES.items()
    ]
    controls["backbone"] = gr.Dropdown(titles, label="Backbone", elem_id="backbone")
    with gr.Group(visible=False, elem_id="fetch") as parts.fetch:
        parts.fetch_text = gr.Markdown()
        with gr.Row():
            can = backbones.HOST.downloads
            parts.fetch_start = gr.Button("Download", variant="primary", size="sm", visible=can)
            parts.fetch_stop = gr.Button("Cancel", size="sm", visible=can)
    methods = {method.title: name for name, method in METHODS.items() if name != "gclip"}
    methods = [("GCLIP", "gclip"), *methods.items()]
    text = "How the last block is computed; Compare shows all of them on this photo."
    controls["method"] = gr.Dropdown(methods, label="Method", info=text)
    edges = ["none", *((entry.title, name) for name, entry in REFINEMENTS.items())]
    controls["refine"] = gr.Radio(edges, label="Mask edges")
    text = "With a lower weight, the typed words get more pixels."
    controls["background_weight"] = gr.Slider(0, 1, step=0.05, label="Background weight", info=text)
    text = "Pixels whose best score is lower get no class."
    controls["threshold"] = gr.Slider(0, 1, step=0.05, label="Threshold", info=text)
    with gr.Accordion("Photo and words", open=False):
        text = "Shorter side in pixels; 0 uses the backbone’s default."
        controls["short_side"] = number("short_side", text)
        text = "Sentences into which each word is inserted."
        controls["templates"] = gr.Dropdown(list(TEMPLATES), label="Templates", info=text)
        text = "Factor of the cosines before the softmax."
        controls["logit_scale"] = number("logit_scale", text, None)
    with gr.Accordion("AMF and CS", open=False):
        choices = [("Default", "backbone"), ("Measured", "auto")]
        controls["amf_blocks"] = gr.Dropdown(
            [*choices, "5 6", "6 7", "7 8", "6-9"],
            label=RANGES["amf_blocks"]["title"],
            info="Or block numbers, such as 6 7.",
            allow_custom_value=True,
        )
        text = "Not used if the blocks are given by number, as OpenAI ViT-B/16’s default is."
        controls["n_fused"] = number("n_fused", text)
        text = "A global token receives at least this multiple of an equal share of the attention."
        controls["global_threshold"] = number("global_threshold", text, None)
        controls["cs_blocks"] = gr.Dropdown(
            [*choices, "7-11"], label=RANGES["cs_blocks"]["title"], allow_custom_value=True
        )
        text = "A channel is an outlier from this multiple of the median norm upwards."
        controls["channel_threshold"] = number("channel_threshold", text, None)


# --- the tabs ------------------------------------------------------------------------------------


def _tabs(parts: Parts) -> None:
    controls, outputs = parts.controls, parts.outputs
    with gr.Tabs(elem_id="tabs") as parts.tabs:
        with gr.Tab("Segment", id="segment"), gr.Row(elem_id="stage"):
            with gr.Column(scale=5, min_width=320):
                gr.HTML(LESSON_LINE, elem_id="lesson", apply_default_css=False)
                outputs["canvas"] = drawn("canvas", "canvas", looks=None)
                with gr.Row(elem_id="background"):
                    controls["background"] = gr.Checkbox(label="Background", min_width=100)
                    gr.HTML(explained('<dfn title="background"></dfn>'), apply_default_css=False)
            with gr.Column(scale=2, min_width=256):
                with gr.Column(elem_classes="card"):
                    outputs["attention_text"] = gr.Markdown(sanitize_html=False)
                    outputs["attention"] = strip("attention")
                with gr.Column(elem_classes="card"):
                    outputs["norms_text"] = gr.Markdown(sanitize_html=False)
                    outputs["norms"] = gr.Plot(show_label=False, container=False, elem_id="norms")
        with gr.Tab("How it works", id="how", elem_id="how"):
            outputs["diagram"] = drawn("diagram", "diagram", tower=None, closer=None)
        with gr.Tab("Compare", id="compare", elem_id="compare"):
            with gr.Row(elem_id="compare-head"):
                outputs["compare_note"] = gr.Markdown(sanitize_html=False)
                text = share.DOWNLOADS["grid"].button
                parts.downloads["grid"] = gr.Button(
                    text, size="md", scale=0, min_width=190, elem_id="grid"
                )
            outputs["large"] = drawn("canvas", "large", looks=None, visible=False)
            outputs["masks"] = strip("masks")
            outputs["table"] = gr.Markdown(elem_id="table")
        with gr.Tab("Learn", id="learn", elem_id="learn") as parts.learn:
            for step, (name, lesson) in enumerate(LESSONS.items()):
                parts.cards[name] = _card(name, lesson, step)
        with gr.Tab("Share", id="share", elem_id="share"):
            _share(parts)


def _card(name: str, lesson: lessons.Lesson, step: int) -> Card:
    """A step: its masks, and beside them the guess, which reveals the next step."""
    with gr.Row(elem_classes="card", visible=step == 0) as row:
        with gr.Column(scale=3, min_width=300):
            masks = strip(f"lesson-{name}")
        with gr.Column(scale=2, min_width=300):
            title = f"{step + 1} of {len(LESSONS)} · {lesson.title}"
            gr.Markdown(f"### {title}\n{lesson.text}\n\n{lesson.question}")
            choices = [(text, number) for number, text in enumerate(OPTIONS)]
            guess = gr.Radio(choices, show_label=False, container=False)
            outcome = gr.Markdown(elem_id=f"outcome-{name}", sanitize_html=False)
            show = gr.Button("Try it on the photo", size="sm", visible=False)
    return Card(row, masks, guess, outcome, show)


def _share(parts: Parts) -> None:
    gr.Markdown("### Link")
    with gr.Row():
        parts.shared_link = gr.Textbox(
            show_label=False,
            container=False,
            interactive=False,
            elem_id="link",
            scale=4,
            min_width=320,
        )
        parts.copy = gr.Button(COPY_LINK, variant="primary", size="md", min_width=140)
    parts.include_photo = gr.Checkbox(
        label="Include my photo (the server keeps it for at most a day)",
        container=False,
        elem_id="include-photo",
    )
    parts.outputs["include_photo"] = parts.include_photo
    parts.outputs["link_note"] = gr.Markdown()
    gr.Markdown("### Files")
    with gr.Row():
        for name in ("mask", "cutouts", "png", "pdf"):
            text = share.DOWNLOADS[name].button
            parts.downloads[name] = gr.Button(text, size="md", min_width=120, elem_id=name)
    gr.Markdown("### Python")
    parts.outputs["python"] = gr.Markdown(elem_id="python")
    parts.file = gr.DownloadButton(visible="hidden")
