"""The page: its layout, and its one event."""

import html
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from gradio.components import Component
from PIL import Image

from demo import backbones, lessons, limits, views
from demo.answer import VIEWS, answer, available
from demo.backbones import DAMAGED
from demo.lessons import LESSONS, OPTIONS
from demo.scene import LOCK, OPENING, SHIPPED, Photo, Scene
from demo.settings import Settings
from evaluation import photos
from gclip_core import BACKBONES, METHODS, GclipError
from gclip_core.refine import REFINEMENTS
from gclip_core.registry import BUILT_IN
from gclip_core.text import TEMPLATES

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
LAUNCH = {"theme": THEME, "css_paths": WEB / "page.css"}
SCRIPTS = {
    "canvas": ("shared", "labels", "canvas"),
    "diagram": ("shared", "lines", "diagram"),
    "strip": ("shared", "strip"),
}
"""Of each component, in the order in which they run."""
DOWNLOAD = """file => {
    const link = document.createElement("a");
    Object.assign(link, { href: file.url, download: file.orig_name || "" });
    link.click();
}"""
COPY_TEXT = "Copy the link"
COPY = """async link => {
    if (navigator.clipboard) {
        await navigator.clipboard.writeText(link);
        return "Copied";
    }
    const text = document.querySelector("#link textarea");
    text.disabled = false;
    text.select();
    const copied = document.execCommand("copy");
    text.disabled = true;
    return copied ? "Copied" : "Copy it by hand";
}"""
"""On plain http a page has no clipboard, but it may copy what is selected."""
WHOLE_LINK = f"""link => [new URL(link, location.href.split("?")[0]).href, "{COPY_TEXT}"]"""
"""The server knows only the query; behind a proxy, the browser alone knows the address."""
KEEP = """link => {
    const theme = new URLSearchParams(location.search).get("__theme");
    history.replaceState(null, "", theme ? `${link}&__theme=${theme}` : link);
}"""
"""After a lost connection Gradio loads the page again: its address then has the settings."""
SWITCHES = (("amf", "AMF", "Attention map fusion"), ("cs", "CS", "Channel suppression"))
PRIVATE = {"api_visibility": "private"}
SETS_INPUTS = PRIVATE | {"show_progress": "hidden", "trigger_mode": "multiple"}
"""Options of events that only set inputs; :func:`respond` follows them."""
COMPUTES = PRIVATE | {"concurrency_limit": 1, "concurrency_id": "heavy"}
"""Options of events that compute: one at a time."""
REFUSALS = GclipError, MemoryError, OSError, torch.OutOfMemoryError
"""Errors that end in a sentence."""

logger = logging.getLogger(__name__)


def build() -> gr.Blocks:
    """The page of :data:`backbones.HOST`."""
    gr.set_static_paths(list(SHIPPED))
    with gr.Blocks(
        title="GCLIP", fill_width=True, analytics_enabled=False, delete_cache=limits.FILE_AGE
    ) as page:
        gr.Markdown("# GCLIP\nType words, get masks; switch two ideas on and off.", elem_id="head")
        with gr.Row(elem_id="columns"):
            with gr.Column(scale=0, min_width=284, elem_id="inputs"):
                parts, inputs = _inputs()
            with gr.Column(scale=1, min_width=320):
                parts |= _tabs(inputs)
        _connect(page, parts, {name: inputs[name] for name in Settings.model_fields})
    return page


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


# --- layout --------------------------------------------------------------------------------------


def _inputs() -> tuple[dict[str, Any], dict[str, Component]]:
    """The left column; controls are by the names of the settings."""
    parts: dict[str, Any] = {}
    inputs: dict[str, Component] = {}
    parts["photo"] = gr.Image(
        sources=["upload", "clipboard", "webcam"],
        height=190,
        show_label=False,
        buttons=[],
        elem_id="photo",
        placeholder="Drop a photo, or click",
    )
    items = [
        views.item(_thumbnail(photo), "", photo.title, "jpeg")
        for photo in photos.shipped_photos().values()
    ]
    parts["samples"] = drawn("strip", "samples", value={"items": items, "columns": 6})
    inputs["words"] = parts["words"] = gr.Textbox(
        label="Words",
        info="A comma starts the next class, a semicolon a synonym.",
        lines=1,
        max_lines=3,
        max_length=limits.MAX_CHARACTERS,
        submit_btn=True,
        elem_id="words",
    )
    parts["chips"] = drawn("strip", "chips", value={"items": []})
    with gr.Row(elem_id="switches"):
        for name, label, info in SWITCHES:
            with gr.Column(min_width=100):
                inputs[name] = parts[name] = gr.Checkbox(True, label=label, info=info, elem_id=name)
                parts[f"{name}_idle"] = gr.Markdown(elem_classes="tip")
    parts["address"] = gr.Textbox(visible="hidden")
    parts["cs_link"] = gr.Button("See what CS repairs", size="sm", elem_id="cs-link")
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        _settings(parts, inputs)
    for name in ("nearest", "block", "head", "patch", "row"):
        inputs[name] = gr.State(Settings.model_fields[name].default)
    return parts, inputs


def _settings(parts: dict[str, Any], inputs: dict[str, Component]) -> None:
    """What most visitors leave as it is."""
    titles = [
        (entry.title if backbones.is_here(name) else f"{entry.title} · {entry.download} MB", name)
        for name, entry in BACKBONES.items()
    ]
    inputs["backbone"] = gr.Dropdown(
        titles, value=backbones.HOST.backbone, label="Backbone", elem_id="backbone"
    )
    with gr.Group(visible=False, elem_id="fetch") as parts["fetch"]:
        parts["fetch_text"] = gr.Markdown()
        with gr.Row():
            parts["fetch_start"] = gr.Button("Fetch", variant="primary", size="sm")
            parts["fetch_stop"] = gr.Button("Cancel", size="sm")
    methods = [(method.title, name) for name, method in METHODS.items()]
    methods = [("GCLIP, as switched" if name == "gclip" else t, name) for t, name in methods]
    inputs["method"] = gr.Dropdown(methods, value="gclip", label="Method")
    edges = [(entry.title, name) for name, entry in REFINEMENTS.items()]
    inputs["edges"] = gr.Radio(edges, value="guided", label="Edges of the mask")
    inputs["threshold"] = gr.Slider(
        0, 1, 0, step=0.05, label="Threshold", info="A pixel whose best score is less has no class."
    )
    with gr.Accordion("Photo and words", open=False):
        inputs["size"] = _number("size", "Size", "Short side in pixels; 0 is the backbone’s own.")
        inputs["window"] = _number("window", "Window", "Pixels; 0 is the whole photo at once.")
        inputs["stride"] = _number("stride", "Stride", "Pixels between two windows.")
        inputs["templates"] = gr.Dropdown(
            list(TEMPLATES), value="imagenet80", label="Templates", info="Sentences for each word."
        )
        inputs["scale"] = _number("scale", "Logit scale", "What cosines are multiplied by.", None)
    with gr.Accordion("AMF and CS", open=False):
        choices = [("the backbone’s", "backbone"), ("measured", "auto"), "5 6", "6 7", "7 8", "6-9"]
        inputs["amf_blocks"] = gr.Dropdown(
            choices,
            value="backbone",
            label="Blocks that AMF fuses",
            info="Or numbers from 1, such as 6 7.",
            allow_custom_value=True,
        )
        inputs["fused"] = _number("fused", "How many", "Where they are measured.")
        text = "A global token receives so many times an equal share of the attention."
        inputs["tokens"] = _number("tokens", "Threshold of global tokens", text, None)
        inputs["cs_blocks"] = gr.Dropdown(
            [("the backbone’s", "backbone"), ("measured", "auto"), "7-11"],
            value="backbone",
            label="Blocks that CS changes",
            allow_custom_value=True,
        )
        inputs["target"] = gr.Radio(["mean", "median"], value="mean", label="CS scales to the")
        text = "From so many times the median norm on, a channel is an outlier."
        inputs["outlier"] = _number("outlier", "Threshold of outliers", text, None)


def _number(name: str, label: str, info: str, digits: int | None = 0) -> gr.Number:
    """A number with the range of a setting; whole without ``digits`` of None."""
    least = Settings.model_fields[name].metadata[0].ge
    value = Settings.model_fields[name].default
    return gr.Number(value, label=label, info=info, precision=digits, minimum=least)


def _tabs(inputs: dict[str, Component]) -> dict[str, Any]:
    """The outputs by their names in VIEWS, and the controls that stand among them."""
    parts: dict[str, Any] = {}
    with gr.Tabs(elem_id="tabs") as parts["tabs"]:
        with gr.Tab("Segment", id="segment"), gr.Row(elem_id="stage"):
            with gr.Column(scale=5, min_width=320):
                parts["canvas"] = drawn("canvas", "canvas", looks=None)
                with gr.Row(elem_id="background"):
                    inputs["background"] = gr.Checkbox(
                        True,
                        label="Background",
                        info="Pixels that fit none of the words stay without a class.",
                        min_width=120,
                    )
                    inputs["weight"] = gr.Slider(
                        0, 1, 0.5, step=0.05, label="Weight of the background", min_width=160
                    )
            with gr.Column(scale=2, min_width=256):
                with gr.Column(elem_classes="card"):
                    parts["attention_text"] = gr.Markdown()
                    parts["attention"] = drawn("strip", "attention", value={"items": []})
                with gr.Column(elem_classes="card"):
                    parts["norms_text"] = gr.Markdown()
                    parts["norms"] = gr.Plot(show_label=False, container=False, elem_id="norms")
        with gr.Tab("How it works", id="how", elem_id="how"):
            parts["diagram"] = drawn("diagram", "diagram", tower=None, closer=None)
        with gr.Tab("Compare", id="compare", elem_id="compare"):
            parts["compare_note"] = gr.Markdown()
            parts["large"] = drawn("canvas", "large", looks=None, visible=False)
            parts["masks"] = drawn("strip", "masks", value={"items": []})
            parts["table"] = gr.Dataframe(
                headers=views.COLUMNS,
                interactive=False,
                show_label=False,
                buttons=[],
                max_height=640,
                elem_id="table",
            )
        with gr.Tab("Learn", id="learn", elem_id="learn"):
            gr.Markdown("Two minutes, four steps: guess, then see.")
            for step, lesson in enumerate(LESSONS):
                with gr.Row(elem_classes="card"):
                    _lesson(parts, step, lesson)
        with gr.Tab("Share", id="share", elem_id="share"):
            with gr.Row():
                parts["link"] = gr.Textbox(
                    show_label=False,
                    container=False,
                    interactive=False,
                    elem_id="link",
                    scale=4,
                    min_width=320,
                )
                parts["copy"] = gr.Button(COPY_TEXT, variant="primary", min_width=140)
            parts["link_note"] = gr.Markdown()
            parts["shared"] = drawn("strip", "shared", value={"items": []})
            with gr.Row():
                for name, (text, _, _) in views.DOWNLOADS.items():
                    parts[f"download {name}"] = gr.Button(text, size="md", min_width=120)
            parts["python"] = gr.Markdown(elem_id="python")
            parts["file"] = gr.DownloadButton(visible="hidden")
    return parts


def _lesson(parts: dict[str, Any], step: int, lesson: lessons.Lesson) -> None:
    """The card of a step: its masks, and beside them the guess."""
    with gr.Column(min_width=300):
        parts[f"lesson {step}"] = drawn("strip", f"lesson-{step}", value={"items": []})
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


def _connect(page: gr.Blocks, parts: dict[str, Any], inputs: dict[str, Component]) -> None:
    """Any change of an input is one event: :func:`respond`. The others only set inputs."""
    tab, seen = gr.State("segment"), gr.State({})
    outputs = parts | {"seen": seen, "looks": parts["canvas"]}
    outputs |= {"tower": parts["diagram"], "closer": parts["diagram"]}
    asked = [parts["photo"], *inputs.values()]
    names = ("words", "seen", "fetch", "fetch_text", *VIEWS)
    answered: dict[str, Any] = {
        "fn": partial(respond, outputs),
        "inputs": [seen, tab, *asked],
        "outputs": list(dict.fromkeys(outputs[name] for name in names)),
        "api_name": "respond",
        "preprocess": False,  # Settings checks the values, and the library opens the photo
        "trigger_mode": "always_last",  # also of those that follow another event
        "show_progress": "minimal",
        "show_progress_on": [parts[name] for name in ("canvas", "diagram", "masks", "large")],
        **COMPUTES,
    }
    # Gradio also selects the first tab when the page opens: only a change of it is an event.
    triggers = [parts["photo"].input, tab.change]
    for control in inputs.values():
        if isinstance(control, gr.Number | gr.Textbox):
            triggers += [control.submit, control.blur]
        elif not isinstance(control, gr.State):
            triggers.append(control.input)
    gr.on(triggers, **answered)

    backbone, row = inputs["backbone"], inputs["row"]
    in_view = [inputs[name] for name in ("block", "head", "patch")]
    chips = [parts["chips"], inputs["words"]]
    for event in (
        page.load(open_link, None, [seen, *asked], **SETS_INPUTS),
        parts["samples"].select(choose_example, None, parts["photo"], **SETS_INPUTS),
        parts["chips"].select(press_chip, chips, list(inputs.values()), **SETS_INPUTS),
        parts["cs_link"].click(switch_model, backbone, backbone, **SETS_INPUTS),
        parts["diagram"].input(point, in_view, in_view, **SETS_INPUTS),
        parts["masks"].select(enlarge, None, row, **SETS_INPUTS),
        parts["table"].select(enlarge, None, row, **SETS_INPUTS),
        *(_show_lesson(parts, inputs, tab, step) for step in range(len(LESSONS))),
        _fetching(parts, backbone),
    ):
        event.then(**answered)
    for drawing in (parts["canvas"], parts["diagram"]):
        drawing.select(point, in_view, in_view, **SETS_INPUTS)  # a pin, which changes no answer
    for child in parts["tabs"].children:
        child.select(partial(str, child.id), None, tab, **SETS_INPUTS)
    for step in range(len(LESSONS)):
        outcome = [parts[f"{kind} {step}"] for kind in ("outcome", "lesson", "show")]
        guess = parts[f"guess {step}"]
        guess.input(partial(guess_outcome, step), guess, outcome, **COMPUTES)
    for name in views.DOWNLOADS:
        made = parts[f"download {name}"].click(
            partial(download, name), [seen, *asked], parts["file"], preprocess=False, **COMPUTES
        )
        made.success(None, parts["file"], None, js=DOWNLOAD)
    link, copy = parts["link"], parts["copy"]
    link.change(None, link, [link, copy], js=WHOLE_LINK)
    parts["address"].change(None, parts["address"], None, js=KEEP)
    copy.click(None, link, copy, js=COPY)


def respond(
    outputs: dict[str, Component],
    seen: dict,
    tab: str,
    photo: dict | None,
    *values: Any,
) -> Iterator[dict]:
    """Send the answer in the order in which it is made; see :func:`answer`."""
    started = time.perf_counter()
    if photo is None:
        gr.Info("There is no photo: choose one. What is shown is of the photo before.")
    try:
        for part in answer(seen, tab, photo and photo["path"], *values):
            seen = part.get("seen", seen)
            yield by_component(part, outputs)
    except REFUSALS as error:
        warn(error)
        yield {outputs["seen"]: seen}
    backbone, spent = seen.get("backbone", "-"), time.perf_counter() - started
    logger.info("answered tab=%s backbone=%s ms=%d", tab, backbone, 1000 * spent)


def by_component(part: dict[str, Any], outputs: dict[str, Component]) -> dict[Component, Any]:
    """Values of several properties of one component are one update."""
    values: dict[Component, Any] = {}
    for name, value in part.items():
        component = outputs[name]
        if component in values:
            first = values[component]
            is_update = isinstance(first, dict) and "__type__" in first
            value = (first if is_update else gr.update(value=first)) | value
        values[component] = value
    return values


def open_link(request: gr.Request) -> list[Any]:
    """What the page has, which is nothing yet; the photo and every setting of a link."""
    query = dict(request.query_params)
    shipped = photos.shipped_photos()
    example = query.pop("example", OPENING)
    if example not in shipped:
        warn(f"There is no photo “{example[:20]}” here: {OPENING} is shown.")
    photo = shipped.get(example, shipped[OPENING])
    query.pop("__theme", None)  # Gradio's own
    settings, note = Settings.from_query({"backbone": backbones.HOST.backbone} | query)
    if note:
        warn(note)
    return [{"opened": True}, str(photo.path), *(value for _, value in settings)]


@contextmanager
def refuse_forged() -> Iterator[None]:
    """A press that no control of the page sends ends in a sentence, without a trace in the log."""
    try:
        yield
    except (AttributeError, LookupError, TypeError) as error:
        raise gr.Error("The page has no such button: reload it.", print_exception=False) from error


@refuse_forged()
def choose_example(event: gr.SelectData) -> str:
    return str(list(photos.shipped_photos().values())[event.index].path)


@refuse_forged()
def press_chip(event: gr.SelectData, chips: dict, words: str) -> list[Any]:
    settings = views.pressed(chips["items"][event.index], words)
    return [settings.get(name, gr.skip()) for name in Settings.model_fields]


def switch_model(backbone: str) -> str:
    """To the model that is damaged on purpose, and back."""
    return BUILT_IN if backbone == DAMAGED else DAMAGED


@refuse_forged()
def point(event: gr.SelectData, block: int, head: int, patch: int) -> tuple[int, ...]:
    """What is in view, of which the event names one; it counts from 0."""
    in_view = {"block": block, "head": head, "patch": patch} | {event.value: event.index + 1}
    return in_view["block"], in_view["head"], in_view["patch"]


@refuse_forged()
def enlarge(event: gr.SelectData) -> int:
    """The row of the table or the mask that was pressed."""
    return 1 + (event.index[0] if isinstance(event.index, list) else event.index)


def _show_lesson(
    parts: dict[str, Any], inputs: dict[str, Component], tab: gr.State, step: int
) -> gr.events.Dependency:
    """A lesson's button sets its photo and every setting, and opens the tab Segment."""
    settings = Settings(**LESSONS[step].after)
    targets = [parts["tabs"], tab, parts["photo"], *inputs.values()]
    values = [gr.update(selected="segment"), "segment", lessons.photo_path()]
    values += [value for _, value in settings]
    return parts[f"show {step}"].click(lambda: values, None, targets, **SETS_INPUTS)


def guess_outcome(step: int, guess: int) -> tuple[str, dict, dict]:
    with LOCK:
        return *lessons.guessed(step, guess), gr.update(visible=True)


def download(name: str, seen: dict, photo: dict | None, *values: Any) -> str:
    """The path of a file to download."""
    try:
        if photo is None:
            raise GclipError("There is no photo: choose one, then download its mask.")
        with LOCK:
            settings = available(seen, Settings.read(values))
            return views.download(Scene(Photo.of(photo["path"]), settings).with_words(), name)
    except REFUSALS as error:
        raise gr.Error(html.escape(sentence(error)), print_exception=False) from error


def _fetching(parts: dict[str, Any], backbone: gr.Dropdown) -> gr.events.Dependency:
    """The button that fetches a backbone, and the one that cancels it."""
    text, options = parts["fetch_text"], PRIVATE | {"show_progress": "hidden"}
    fetched = parts["fetch_start"].click(fetch, backbone, text, concurrency_limit=4, **options)
    parts["fetch_stop"].click(backbones.offer, backbone, text, cancels=fetched, **options)
    return fetched


def fetch(name: str) -> Iterator[str]:
    try:
        yield from backbones.fetch(name)
    except GclipError as error:
        warn(error)
        yield backbones.offer(name)


def warn(error: Exception | str) -> None:
    """A sentence in the corner of the page, which Gradio shows as HTML."""
    gr.Warning(html.escape(sentence(error)), title="Not possible")


def sentence(error: Exception | str) -> str:
    """What a person reads of one of REFUSALS."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        error = "This machine has no memory left for that. Try a smaller photo, or later."
    elif isinstance(error, OSError):
        why = "has no disk space left" if error.errno == ENOSPC else "could not store that"
        error = f"This machine {why}. Try later."
    return str(error)
