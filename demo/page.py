"""The page: its layout, and its one event."""

import html
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from PIL import Image

from demo import backbones, compare, lessons, share, views
from demo.answer import EVERY_TAB, REFUSALS, VIEWS, Seen, answer, available, sentence
from demo.backbones import DAMAGED
from demo.files import item
from demo.gate.files import FILE_AGE
from demo.gate.numbers import MAX_CHARACTERS
from demo.gate.requests import log_place
from demo.lessons import LESSONS, OPTIONS
from demo.scene import LOCK, OPENING, SHIPPED, Photo, Scene
from demo.settings import Settings
from evaluation import photos
from gclip_core import BACKBONES, METHODS, GclipError
from gclip_core.backbones.registry import BUILT_IN
from gclip_core.pixels.refine import REFINEMENTS
from gclip_core.words.text import TEMPLATES

WEB = Path(__file__).parent / "web"
SHADES = "eef6fa d6e9f2 aed3e4 7db7d1 4b96b8 23789d 176585 14526c 134357 123848 0a2430"
ACCENT = gr.themes.colors.Color(*(f"#{shade}" for shade in SHADES.split()), name="lagoon")
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "DejaVu Sans Mono", "monospace")
THEME = gr.themes.Base(primary_hue=ACCENT, secondary_hue=ACCENT, font=FONTS, font_mono=MONO).set(
    color_accent="*primary_600",
    body_text_color_subdued="*neutral_600",
    block_info_text_color="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
)
SCRIPT = f"<script>{(WEB / 'page.js').read_text('utf-8')}</script>"
LAUNCH = {"theme": THEME, "css_paths": WEB / "page.css", "head": SCRIPT}
SCRIPTS = {
    "canvas": ("shared", "labels", "canvas"),
    "diagram": ("shared", "lines", "diagram"),
    "strip": ("shared", "strip"),
}
"""Of each component, in the order in which they run."""
COPY_LINK = "Copy the link"
PRIVATE = {"api_visibility": "private"}
SETS_INPUTS = PRIVATE | {"show_progress": "hidden", "trigger_mode": "multiple"}
"""Options of events that only set inputs; :func:`respond` follows them."""
COMPUTES = PRIVATE | {"concurrency_limit": 1, "concurrency_id": "heavy"}
"""Options of events that compute: one at a time."""

logger = logging.getLogger(__name__)


def build() -> gr.Blocks:
    """The page of :data:`backbones.HOST`."""
    gr.set_static_paths(list(SHIPPED))
    parts: dict[str, Any] = {}
    with gr.Blocks(
        title="GCLIP", fill_width=True, analytics_enabled=False, delete_cache=FILE_AGE
    ) as page:
        gr.Markdown("# GCLIP\nType words, get masks; switch two ideas on and off.", elem_id="head")
        with gr.Row(elem_id="columns"):
            with gr.Column(scale=0, min_width=284, elem_id="inputs"):
                _inputs(parts)
            with gr.Column(scale=1, min_width=320):
                _tabs(parts)
        for name, default in Settings(backbone=backbones.HOST.backbone):
            parts[name].value = default
        _connect(page, parts)
    return page


# --- layout: each puts its components into ``parts``, controls by the names of their settings -----


def drawn(name: str, elem_id: str, **props: Any) -> gr.HTML:
    """A component of ours: its scripts draw its value and its other properties."""
    return gr.HTML(
        html_template=(WEB / f"{name}.html").read_text("utf-8"),
        css_template=(WEB / f"{name}.css").read_text("utf-8"),
        js_on_load="".join((WEB / f"{part}.js").read_text("utf-8") for part in SCRIPTS[name]),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes=name,
        **props,
    )


def strip(elem_id: str) -> gr.HTML:
    return drawn("strip", elem_id, value={"items": []})


def number(name: str, label: str, info: str, precision: int | None = 0) -> gr.Number:
    """With the least value of a setting; whole without a ``precision`` of None."""
    least = Settings.model_json_schema()["properties"][name]["minimum"]
    return gr.Number(label=label, info=info, precision=precision, minimum=least)


def _inputs(parts: dict[str, Any]) -> None:
    """The left column."""
    parts["photo"] = gr.Image(
        sources=["upload", "clipboard", "webcam"],
        height=190,
        show_label=False,
        buttons=[],
        elem_id="photo",
        placeholder="Drop a photo, or click",
    )
    shipped = photos.shipped_photos().values()
    samples = [item(_thumbnail(photo), "", photo.title, "jpeg") for photo in shipped]
    parts["samples"] = drawn("strip", "samples", value={"items": samples, "columns": 6})
    parts["words"] = gr.Textbox(
        label="Words",
        info="A comma starts the next class, a semicolon a synonym.",
        lines=1,
        max_lines=3,
        max_length=MAX_CHARACTERS,
        submit_btn=True,
        elem_id="words",
    )
    parts["chips"] = strip("chips")
    switches = (("amf", "AMF", "Attention map fusion"), ("cs", "CS", "Channel suppression"))
    with gr.Row(elem_id="switches"):
        for name, label, info in switches:
            with gr.Column(min_width=100):
                parts[name] = gr.Checkbox(label=label, info=info, elem_id=name)
                parts[f"{name}_idle"] = gr.Markdown(elem_classes="tip")
    parts["link"] = gr.Textbox(visible="hidden")
    parts["cs_link"] = gr.Button("See what CS repairs", size="sm", elem_id="cs-link")
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        _settings(parts)
    for name in ("nearest", "block", "head", "patch", "enlarged"):
        parts[name] = gr.State()


def _settings(parts: dict[str, Any]) -> None:
    """What most visitors leave as it is."""
    titles = [
        (f"{entry.title} · {entry.download} MB" if entry.download else entry.title, name)
        for name, entry in BACKBONES.items()
    ]
    parts["backbone"] = gr.Dropdown(titles, label="Backbone", elem_id="backbone")
    with gr.Group(visible=False, elem_id="fetch") as parts["fetch"]:
        parts["fetch_text"] = gr.Markdown()
        with gr.Row():
            can = backbones.HOST.downloads
            parts["fetch_start"] = gr.Button("Fetch", variant="primary", size="sm", visible=can)
            parts["fetch_stop"] = gr.Button("Cancel", size="sm", visible=can)
    methods = {method.title: name for name, method in METHODS.items() if name != "gclip"}
    methods = [("GCLIP, as switched", "gclip"), *methods.items()]
    parts["method"] = gr.Dropdown(methods, label="Method")
    edges = [(entry.title, name) for name, entry in REFINEMENTS.items()]
    parts["edges"] = gr.Radio(edges, label="Edges of the mask")
    text = "A pixel whose best score is less has no class."
    parts["threshold"] = gr.Slider(0, 1, step=0.05, label="Threshold", info=text)
    with gr.Accordion("Photo and words", open=False):
        parts["size"] = number("size", "Size", "Short side in pixels; 0 is the backbone’s own.")
        parts["window"] = number("window", "Window", "Pixels; 0 is the whole photo at once.")
        parts["stride"] = number("stride", "Stride", "Pixels between two windows.")
        text = "Sentences for each word."
        parts["templates"] = gr.Dropdown(list(TEMPLATES), label="Templates", info=text)
        parts["scale"] = number("scale", "Logit scale", "What cosines are multiplied by.", None)
    with gr.Accordion("AMF and CS", open=False):
        choices = [("the backbone’s", "backbone"), ("measured", "auto")]
        parts["amf_blocks"] = gr.Dropdown(
            [*choices, "5 6", "6 7", "7 8", "6-9"],
            label="Blocks that AMF fuses",
            info="Or numbers from 1, such as 6 7.",
            allow_custom_value=True,
        )
        parts["fused"] = number("fused", "How many", "Where they are measured.")
        text = "A global token receives so many times an equal share of the attention."
        parts["tokens"] = number("tokens", "Threshold of global tokens", text, None)
        parts["cs_blocks"] = gr.Dropdown(
            [*choices, "7-11"], label="Blocks that CS changes", allow_custom_value=True
        )
        parts["target"] = gr.Radio(["mean", "median"], label="CS scales to the")
        text = "From so many times the median norm on, a channel is an outlier."
        parts["outlier"] = number("outlier", "Threshold of outliers", text, None)


def _tabs(parts: dict[str, Any]) -> None:
    """The outputs, and the controls among them."""
    with gr.Tabs(elem_id="tabs") as parts["tabs"]:
        with gr.Tab("Segment", id="segment"), gr.Row(elem_id="stage"):
            with gr.Column(scale=5, min_width=320):
                parts["canvas"] = drawn("canvas", "canvas", looks=None)
                with gr.Row(elem_id="background"):
                    parts["background"] = gr.Checkbox(
                        label="Background",
                        info="Pixels that fit none of the words stay without a class.",
                        min_width=120,
                    )
                    parts["weight"] = gr.Slider(
                        0, 1, step=0.05, label="Weight of the background", min_width=160
                    )
            with gr.Column(scale=2, min_width=256):
                with gr.Column(elem_classes="card"):
                    parts["attention_text"] = gr.Markdown()
                    parts["attention"] = strip("attention")
                with gr.Column(elem_classes="card"):
                    parts["norms_text"] = gr.Markdown()
                    parts["norms"] = gr.Plot(show_label=False, container=False, elem_id="norms")
        with gr.Tab("How it works", id="how", elem_id="how"):
            parts["diagram"] = drawn("diagram", "diagram", tower=None, closer=None)
        with gr.Tab("Compare", id="compare", elem_id="compare"):
            parts["compare_note"] = gr.Markdown()
            parts["large"] = drawn("canvas", "large", looks=None, visible=False)
            parts["masks"] = strip("masks")
            parts["table"] = gr.Dataframe(
                headers=list(compare.COLUMNS),
                interactive=False,
                show_label=False,
                buttons=[],
                max_height=640,
                elem_id="table",
            )
        with gr.Tab("Learn", id="learn", elem_id="learn"):
            gr.HTML(lessons.intro())
            for step, lesson in enumerate(LESSONS):
                with gr.Row(elem_classes="card"):
                    _lesson(parts, step, lesson)
        with gr.Tab("Share", id="share", elem_id="share"):
            with gr.Row():
                parts["whole_link"] = gr.Textbox(
                    show_label=False,
                    container=False,
                    interactive=False,
                    elem_id="link",
                    scale=4,
                    min_width=320,
                )
                parts["copy"] = gr.Button(COPY_LINK, variant="primary", min_width=140)
            parts["link_note"] = gr.Markdown()
            parts["shared"] = strip("shared")
            with gr.Row():
                for name, (text, _, _) in share.DOWNLOADS.items():
                    parts[f"download {name}"] = gr.Button(text, size="md", min_width=120)
            parts["python"] = gr.Markdown(elem_id="python")
            parts["file"] = gr.DownloadButton(visible="hidden")


def _lesson(parts: dict[str, Any], step: int, lesson: lessons.Lesson) -> None:
    """The card of a step: its masks, and beside them the guess."""
    with gr.Column(min_width=300):
        parts[f"lesson {step}"] = strip(f"lesson-{step}")
    with gr.Column(min_width=300):
        gr.Markdown(f"### {lesson.title}\n{lesson.text}\n\n{lesson.question}")
        choices = [(text, number) for number, text in enumerate(OPTIONS)]
        parts[f"guess {step}"] = gr.Radio(
            choices, show_label=False, container=False, elem_classes="guess"
        )
        parts[f"outcome {step}"] = gr.Markdown()
        parts[f"show {step}"] = gr.Button("Show me", variant="primary", size="sm", visible=False)


def _thumbnail(photo: photos.Photo) -> Image.Image:
    image = photo.image()
    image.thumbnail((176, 132))
    return image


# --- events --------------------------------------------------------------------------------------


def _connect(page: gr.Blocks, parts: dict[str, Any]) -> None:
    """Any change of an input is one event: :func:`respond`. The others only set inputs."""
    tab, seen = gr.Textbox("segment", visible="hidden"), gr.State(Seen())
    settings = [parts[name] for name in Settings.model_fields]
    asked = [parts["photo"], *settings]
    names = ("words", "patch", "fetch", "fetch_text", *(name.partition(".")[0] for name in VIEWS))
    answered: dict[str, Any] = {
        "fn": partial(respond, parts, seen),
        "inputs": [seen, tab, *asked],
        "outputs": [seen, *(parts[name] for name in dict.fromkeys(names))],
        "api_name": "respond",
        "preprocess": False,  # Settings checks the values, and the library opens the photo
        "trigger_mode": "always_last",  # also of those that follow another event
        "show_progress": "minimal",
        "show_progress_on": [parts[name] for name in ("canvas", "diagram", "masks", "large")],
        **COMPUTES,
    }
    # Gradio also selects the first tab when the page opens: only a change of it is an event.
    triggers = [parts["photo"].input, tab.change]
    for control in settings:
        if isinstance(control, gr.Number | gr.Textbox):
            triggers += [control.submit, control.blur]
        elif not isinstance(control, gr.State):
            triggers.append(control.input)
    gr.on(triggers, **answered)

    backbone, masks, enlarged = parts["backbone"], parts["masks"], parts["enlarged"]
    in_view = [parts[name] for name in ("block", "head", "patch")]
    chips = [parts["chips"], parts["words"]]
    shown_by_lessons = [parts["tabs"], tab, *asked]
    fetched = parts["fetch_start"].click(
        fetch,
        backbone,
        parts["fetch_text"],
        preprocess=False,
        concurrency_limit=4,
        show_progress="hidden",
        **PRIVATE,
    )
    for event in (
        page.load(open_link, None, asked, **SETS_INPUTS),
        parts["samples"].select(choose_example, None, parts["photo"], **SETS_INPUTS),
        parts["chips"].select(press_chips, chips, settings, **SETS_INPUTS),
        parts["cs_link"].click(switch_model, backbone, backbone, preprocess=False, **SETS_INPUTS),
        parts["diagram"].input(point, in_view, in_view, **SETS_INPUTS),
        fetched,
    ):
        event.then(**answered)
    for part in (masks, parts["table"]):
        pressed = part.select(enlarge, masks, enlarged, **SETS_INPUTS)
        pressed.then(**answered).then(None, js="() => reveal('large')")
    for step in range(len(LESSONS)):
        lesson = partial(show_lesson, step)
        pressed = parts[f"show {step}"].click(lesson, None, shown_by_lessons, **SETS_INPUTS)
        pressed.then(**answered).then(None, js="() => reveal('canvas')")
    parts["fetch_stop"].click(
        refuse()(backbones.offer),
        backbone,
        parts["fetch_text"],
        preprocess=False,
        cancels=fetched,
        **SETS_INPUTS,
    )
    for drawing in ("canvas", "diagram", "large"):  # a pin, which changes no answer
        parts[drawing].select(point, in_view, in_view, **SETS_INPUTS)
    for child in parts["tabs"].children:
        child.select(None, None, tab, js=f"() => '{child.id}'")
    for step in range(len(LESSONS)):
        outcome = [parts[f"{kind} {step}"] for kind in ("outcome", "lesson", "show")]
        guess = parts[f"guess {step}"]
        guess.input(partial(guess_outcome, step), guess, outcome, preprocess=False, **COMPUTES)
    for name in share.DOWNLOADS:
        made = parts[f"download {name}"].click(
            partial(download, name), [seen, *asked], parts["file"], preprocess=False, **COMPUTES
        )
        made.success(None, parts["file"], None, js="saveFile")
    link, copy = parts["whole_link"], parts["copy"]
    parts["link"].change(
        None, parts["link"], [link, copy], js=f"link => [showLink(link), '{COPY_LINK}']"
    )
    copy.click(None, link, copy, js="copyLink")


def respond(
    parts: dict[str, Component],
    state: gr.State,
    seen: Seen,
    tab: str,
    photo: dict | None,
    *values: Any,
) -> Iterator[dict]:
    """Send the answer in the order in which it is made; see :func:`answer`."""
    started = time.perf_counter()
    if tab not in EVERY_TAB:  # forged: nobody writes into the log
        tab = "segment"
    if photo is None and seen.photo:
        gr.Info("There is no photo: choose one. What is shown is of the photo before.")
    try:
        for outputs in answer(seen, tab, photo and photo.get("path"), *values):
            seen = outputs.pop("seen", seen)
            yield updates(parts, outputs) | {state: seen}
    except REFUSALS as error:
        warn(error)
        yield {state: seen}
    spent = time.perf_counter() - started
    logger.info("answered tab=%s backbone=%s ms=%d", tab, seen.backbone or "-", 1000 * spent)


def updates(parts: dict[str, Component], outputs: dict[str, Any]) -> dict[Component, Any]:
    """What Gradio sends for outputs, which are named after a part or one of its properties."""
    properties: dict[Component, dict[str, Any]] = {}
    for name, value in outputs.items():
        part, _, name = name.partition(".")
        properties.setdefault(parts[part], {})[name or "value"] = value
    return {
        component: values["value"] if values.keys() == {"value"} else gr.update(**values)
        for component, values in properties.items()
    }


def open_link(request: gr.Request) -> list[Any]:
    """The photo and every setting of a link."""
    query = dict(request.query_params)
    shipped = photos.shipped_photos()
    example = query.pop("example", OPENING)
    if example == share.OWN:
        warn("The photo of this link stayed with its sender: add it, or another one.")
    elif example not in shipped:
        warn(f"There is no photo “{example[:20]}” here: {OPENING} is shown.")
        example = OPENING
    photo = shipped.get(example)
    for name in [name for name in query if name == "view" or name.startswith("__")]:
        del query[name]  # Gradio's own
    settings, note = Settings.from_query(query, backbones.HOST.backbone)
    if note:
        warn(note)
    return [photo and str(photo.path), *(value for _, value in settings)]


@contextmanager
def refuse() -> Iterator[None]:
    """Errors of a press end in a sentence. One that no control of the page sends is an error of
    Python's, of which the log gets the place."""
    try:
        yield
    except REFUSALS as error:
        raise gr.Error(html.escape(sentence(error)), print_exception=False) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        log_place(error)
        raise gr.Error("The page has no such button: reload it.", print_exception=False) from error


@refuse()
def choose_example(event: gr.EventData) -> str:
    return str(list(photos.shipped_photos().values())[event.index].path)


@refuse()
def press_chips(event: gr.EventData, chips: dict, words: str) -> list[Any]:
    """Of all chips that were pressed since they were drawn: the words may not have them yet."""
    settings = views.pressed([chips["items"][index] for index in event.pressed], words)
    return [settings.get(name, gr.skip()) for name in Settings.model_fields]


def switch_model(backbone: str) -> str:
    """To the model that is damaged on purpose, and back."""
    return BUILT_IN if backbone == DAMAGED else DAMAGED


@refuse()
def point(event: gr.EventData, block: int, head: int, patch: int) -> tuple[int, ...]:
    """What is in view, of which the event names one; it counts from 0."""
    in_view = {"block": block, "head": head, "patch": patch} | {event.value: event.index + 1}
    return in_view["block"], in_view["head"], in_view["patch"]


@refuse()
def enlarge(event: gr.EventData, masks: dict) -> str:
    """The method whose mask, or row of the table, was pressed."""
    index = event.index[0] if isinstance(event.index, list) else event.index
    return masks["items"][index]["method"]


def show_lesson(step: int) -> list[Any]:
    """The tab Segment with the photo of a step and all of its settings."""
    settings = (value for _, value in Settings(**LESSONS[step].after))
    return [gr.update(selected="segment"), "segment", str(lessons.PHOTO.path), *settings]


@refuse()
def guess_outcome(step: int, guess: int) -> tuple[str, dict, dict]:
    with LOCK:
        return *lessons.guessed(step, guess), gr.update(visible=True)


@refuse()
def download(name: str, seen: Seen, photo: dict | None, *values: Any) -> str:
    """The path of a file to download."""
    path = photo and photo.get("path")
    if path is None:
        raise GclipError("There is no photo: choose one, then download its mask.")
    with LOCK:
        settings = available(seen, Settings.read(values))
        return share.download(Scene(Photo.of(path), settings).with_words(), name)


def fetch(name: str) -> Iterator[str]:
    with refuse():
        try:
            yield from backbones.fetch(name)
        except GclipError as error:
            warn(error)
            yield backbones.offer(name)


def warn(error: Exception | str) -> None:
    """A sentence in the corner of the page, which Gradio shows as HTML."""
    gr.Warning(html.escape(sentence(error)), title="Not possible")
