"""The page: its theme, and its events, one of which computes the answers."""

import html
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import gradio as gr
from gradio.components import Component
from pydantic import TypeAdapter

from demo import backbones, lessons, share
from demo.address import TABS, Address, restore
from demo.answer import REFUSALS, Seen, answer, available, sentence
from demo.gate.process import log_place
from demo.gate.sessions import HEAVY
from demo.layout import COPY_LINK, EXAMPLES, WEB, Parts, lay_out
from demo.scene import LOCK, SHIPPED, Photo, Scene
from demo.settings import Settings
from evaluation import photos
from gclip_core import GclipError, ImageError

SHADES = "eef6fa d6e9f2 aed3e4 7db7d1 4b96b8 23789d 176585 14526c 134357 123848 0a2430"
ACCENT = gr.themes.colors.Color(*(f"#{shade}" for shade in SHADES.split()), name="lagoon")
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "DejaVu Sans Mono", "monospace")
THEME = gr.themes.Base(primary_hue=ACCENT, secondary_hue=ACCENT, font=FONTS, font_mono=MONO).set(
    color_accent="*primary_600",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_text_color="white",
    body_text_color_subdued="*neutral_600",
    block_info_text_color="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
)
SCRIPT = "".join(
    f'<script type="module">{(WEB / name).read_text("utf-8")}</script>'
    for name in ("page.js", "address.js", "upload.js")
)
LAUNCH = {"theme": THEME, "css_paths": WEB / "page.css", "head": SCRIPT}
PRIVATE = {"api_visibility": "private"}
SETS_INPUTS = PRIVATE | {
    "show_progress": "hidden",
    "trigger_mode": "multiple",
    "preprocess": False,
}
"""Options of events that only set inputs; ``respond`` follows them."""
COMPUTES = PRIVATE | {
    "concurrency_limit": 1,
    "concurrency_id": HEAVY,
    "show_progress": "minimal",
}
"""Options of events that compute: one at a time."""

ANSWERED = "() => document.dispatchEvent(new Event('answered'))"
"""Tells the canvas that an answer is there, also after an error."""

logger = logging.getLogger(__name__)


def build() -> gr.Blocks:
    """The page of ``backbones.HOST``."""
    gr.set_static_paths(list(SHIPPED))
    with gr.Blocks(title="GCLIP", fill_width=True, analytics_enabled=False) as page:
        _connect(page, lay_out(Settings(backbone=backbones.HOST.backbone)))
    return page


def _connect(page: gr.Blocks, parts: Parts) -> None:
    """Every change of an input triggers one event, ``respond``. The others only set inputs."""
    outputs = parts.outputs
    shown: dict[str, Component] = outputs | {
        "photo": parts.photo,
        "filled": parts.filled,
        "fetch": parts.fetch,
        "fetch_text": parts.fetch_text,
    }
    answers: dict[str, Any] = {
        "fn": partial(respond, shown, parts.seen),
        "inputs": [parts.seen, parts.tab, *parts.asked],
        "outputs": [parts.seen, *dict.fromkeys(shown.values())],
        "js": "gclip.readInputs",
        "api_name": "respond",
        "preprocess": False,  # Settings checks the values, and the library opens the photo
        "trigger_mode": "always_last",  # also for events that follow another one
        "show_progress_on": [outputs[n] for n in ("canvas", "diagram", "masks", "large", "python")],
        **COMPUTES,
    }
    _connect_inputs(parts, answers)
    _connect_address(page, parts, answers)
    _connect_fetch(parts, answers)
    _connect_lessons(parts)
    _connect_share(parts)


def _connect_inputs(parts: Parts, answers: dict[str, Any]) -> None:
    """Changes of inputs, and presses that set inputs; both are then answered."""
    outputs, settings = parts.outputs, parts.settings
    # Gradio also selects the first tab when the page opens, so only a change triggers an event.
    triggers = [parts.photo.input, parts.tab.change]
    for control in settings:
        if isinstance(control, gr.Number | gr.Textbox):
            triggers += [control.submit, control.blur]
        elif not isinstance(control, gr.State):
            triggers.append(control.input)
    gr.on(triggers, **answers).then(None, js=ANSWERED)
    parts.filled.change(None, parts.filled, parts.controls["words"], js="gclip.fillWords")

    scroll = "() => document.querySelector('#large').scrollIntoView()"
    for event, function, changed, script in (
        (parts.samples.select, choose_example, [parts.photo, parts.controls["words"]], ANSWERED),
        (outputs["chips"].select, press, settings, ANSWERED),
        (outputs["undo"].select, press, settings, ANSWERED),
        (outputs["canvas"].input, press, settings, ANSWERED),
        (outputs["diagram"].input, press, settings, ANSWERED),
        (outputs["large"].input, press, settings, ANSWERED),
        (outputs["masks"].select, press, settings, scroll),
    ):
        event(function, None, changed, **SETS_INPUTS).then(**answers).then(None, js=script)


def _connect_address(page: gr.Blocks, parts: Parts, answers: dict[str, Any]) -> None:
    """The address is restored when the page opens, on Back, and in a lesson; answers write it."""
    opened = [parts.seen, parts.tabs, parts.tab, *parts.asked]
    for event in (page.load, parts.open_address.click):
        script = "seen => [seen, gclip.readAddress()]"
        done = event(open_address, [parts.seen, parts.sent], opened, js=script, **SETS_INPUTS)
        done.then(**answers).then(None, js="gclip.settleAddress")
    link, include, copy = parts.shared_link, parts.include_photo, parts.copy
    for child in parts.tabs.children:
        turn = f"isIncluded => gclip.turnTo('{child.id}', isIncluded)"
        child.select(None, include, [parts.tab, link], js=turn)
    address = parts.outputs["address"]
    record = f"(...values) => [...gclip.recordAnswer(...values), '{COPY_LINK}']"
    address.change(None, [address, include], [link, include, copy], js=record)
    include.input(None, include, [link, copy], js=f"isOn => [gclip.shareLink(isOn), '{COPY_LINK}']")
    copy.click(None, link, copy, js="copyLink")


def _connect_fetch(parts: Parts, answers: dict[str, Any]) -> None:
    """The download of a backbone."""
    backbone = parts.controls["backbone"]
    fetched = parts.fetch_start.click(
        fetch,
        backbone,
        parts.fetch_text,
        preprocess=False,
        concurrency_limit=4,
        show_progress="hidden",
        **PRIVATE,
    )
    fetched.then(**answers)
    parts.fetch_stop.click(
        refuse()(backbones.offer), backbone, parts.fetch_text, cancels=fetched, **SETS_INPUTS
    )


def _connect_lessons(parts: Parts) -> None:
    """Guesses, which are also restored when Learn opens, and what a step shows on the page."""
    revealed, cards = gr.State(-1), parts.cards.values()
    revealing: dict[str, Any] = {
        "fn": reveal,
        "outputs": [revealed, *(part for card in cards for part in vars(card).values())],
        "preprocess": False,
        **COMPUTES,
    }
    script = "shown => [shown, gclip.readGuesses()]"
    first = next(iter(cards)).masks
    parts.learn.select(
        inputs=[revealed, parts.sent], js=script, show_progress_on=first, **revealing
    )
    for step, (name, card) in enumerate(parts.cards.items()):
        script = f"(shown, guess) => [shown, gclip.addGuess({step}, guess)]"
        guessed = card.guess.input(
            inputs=[revealed, card.guess], js=script, show_progress_on=card.masks, **revealing
        )
        guessed.then(None, js=f"() => showOutcome('{name}')")
        place = json.dumps((step + 1, lessons.link(name), lessons.is_switch(name)))
        card.show.click(None, js=f"() => gclip.lendPage(...{place})")


def _connect_share(parts: Parts) -> None:
    """The files to download."""
    for name, button in parts.downloads.items():
        made = button.click(
            partial(download, name),
            [parts.seen, *parts.asked],
            parts.file,
            preprocess=False,
            **COMPUTES | {"show_progress": "hidden"},
        )
        made.success(None, parts.file, None, js=f"file => saveFile(file, '{name}')")
        made.then(None, js=f"() => endSaving('{name}')")


def respond(
    shown: dict[str, Component],
    state: gr.State,
    seen: Seen,
    tab: str,
    photo: dict | None,
    *values: Any,
) -> Iterator[dict]:
    """Sends the outputs in the order in which they are computed; see ``answer``."""
    started = time.perf_counter()
    if tab not in TABS:  # forged: it must not reach the log
        tab = "segment"
    path = photo and photo.get("path")
    if path is None and seen.photo:
        gr.Info("There is no photo, so the previous one is still shown. Choose another.")
    try:
        for outputs in answer(seen, tab, path, *values):
            seen = outputs.pop("seen", seen)
            yield updates(shown, outputs) | {state: seen}
    except REFUSALS as error:
        warn(error)
        before = {shown["photo"]: seen.photo and seen.photo.path}
        yield {state: seen} | (before if isinstance(error, ImageError) else {})
    spent = time.perf_counter() - started
    logger.info("answered tab=%s backbone=%s ms=%d", tab, seen.backbone or "-", 1000 * spent)


def updates(shown: dict[str, Component], outputs: dict[str, Any]) -> dict[Component, Any]:
    """Outputs as Gradio sends them; each is named after a component or one of its properties."""
    properties: dict[Component, dict[str, Any]] = {}
    for name, value in outputs.items():
        part, _, name = name.partition(".")
        properties.setdefault(shown[part], {})[name or "value"] = value
    return {
        component: values["value"] if values.keys() == {"value"} else gr.update(**values)
        for component, values in properties.items()
    }


@contextmanager
def refuse() -> Iterator[None]:
    """Shows the errors of a press as messages. The location of a Python error is logged: no control
    of the page sent the press, or a function is wrong."""
    try:
        yield
    except REFUSALS as error:
        raise gr.Error(html.escape(sentence(error)), print_exception=False) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        log_place(error)
        text = "This request failed. Reload the page, and try again."
        raise gr.Error(text, print_exception=False) from error


@refuse()
def open_address(seen: Seen, sent: str) -> list[Any]:
    """The tab, the photo and every setting of an address. Its photo is not treated as a new one, so
    its words are kept."""
    opened = restore(Address.model_validate_json(sent))
    for note in opened.notes:
        gr.Info(html.escape(note))
    tab = gr.update(selected=opened.tab)
    seen = replace(seen, photo=None, lost=opened.lost, words=opened.settings.words.strip())
    return [seen, tab, opened.tab, opened.photo, *(value for _, value in opened.settings)]


@refuse()
def choose_example(event: gr.EventData) -> list[str]:
    """An example with its own words, which an answer fills in."""
    return [str(photos.shipped_photos()[EXAMPLES[event.index]].path), ""]


@refuse()
def press(event: gr.EventData) -> list[Any]:
    """The settings that a press changes; all others are skipped."""
    changed = Settings.read(event.settings)
    return [value if name in changed.model_fields_set else gr.skip() for name, value in changed]


@refuse()
def reveal(shown: int, sent: str) -> list[Any]:
    """The outcomes of all guesses but those of the ``shown`` steps, and then the next step, which
    would give away the last answer. Before anything is shown, ``shown`` is -1."""
    names = [*lessons.LESSONS]
    guesses = TypeAdapter(list[int]).validate_json(sent)[: len(names)]
    outputs = [[gr.skip()] * 5 for _ in names]  # in the order of a Card
    on = gr.update(visible=True)
    with LOCK:
        for step in range(max(shown, 0), len(guesses)):
            text, masks = lessons.guessed(names[step], guesses[step])
            guess = gr.update(value=guesses[step], interactive=False)
            outputs[step] = [on, masks, guess, text, on]
        step = len(guesses)
        if shown < step < len(names):
            outputs[step][:2] = on, lessons.before(names[step])
    return [max(shown, step), *chain(*outputs)]


@refuse()
def download(name: str, seen: Seen, photo: dict | None, *values: Any) -> str:
    """The path of a file to download."""
    path = photo and photo.get("path")
    if path is None:
        raise GclipError("There is no photo. Choose one, then download its mask.")
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
    """Shows a message in the corner of the page; Gradio renders it as HTML."""
    gr.Warning(html.escape(sentence(error)), title="That did not work")
