"""The page: its parts, what their events ask for, and what an answer changes."""

import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from demo import around, problems, widgets, wording
from demo.answer import Answer, Status, compute, log, resolve
from demo.controls import HEAVY, LIGHT, QUIET, RAW, Controls, Tab, Updates, in_browser, place_chosen
from demo.engine import Engine
from demo.host.blob_store import LazyBlob
from demo.host.files import path_of
from demo.inputs import Inputs
from demo.request import Question, Request
from demo.settings import Settings, from_query, key_of
from demo.source import NoPictureError
from demo.tabs import LANES, TABS, TabEntry, why
from demo.tabs.compare import TRUTH
from demo.variants import VARIANTS
from demo.widgets import values
from demo.widgets.values import Json
from evaluation.photos import shipped_photos
from gclip_core.errors import GclipError

logger = logging.getLogger(__name__)

HEAVY_SETTINGS = ("short_side", "window", "stride")
"""Settings that send the picture through the tower anew."""
ADDRESS = re.compile(r"[\w.:/\[\]~%-]{1,100}")
"""A host, with its port and a path."""


@dataclass(frozen=True)
class Section:
    """What an answer changes of the page: components by name, and how their values are made.

    ``compute`` makes a frozen content of an answer, ``view`` the values of the components of that
    content, by the names of ``parts``.
    """

    name: str
    parts: Mapping[str, Component]
    compute: Callable[[Engine, Answer], Any]
    view: Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Rendered:
    """What sections show of an answer, as it is cached, with what the browser may fetch of it.

    ``status`` is how the answer was made, ``link`` its query.
    """

    updates: Updates
    blobs: tuple[LazyBlob, ...]
    status: Status
    link: str


@dataclass(frozen=True)
class Outcome:
    """How a request went: the state of the tabs, the status lines, and the link to what is shown.

    ``state`` is "fresh", "old" (they show an earlier answer) or "none" (there is no picture).
    """

    state: Literal["fresh", "old", "none"]
    lines: Json = field(default_factory=values.lines)
    query: str = ""


class Page:
    """The parts of the page, what their events ask for, and what an answer changes.

    ``opening`` is what a visitor without a link sees first. An answer changes the ``sections``.
    """

    def __init__(self, engine: Engine, opening: Settings) -> None:
        self._engine = engine
        with gr.Blocks(title="GCLIP", analytics_enabled=False, fill_width=True) as self.blocks:
            self._controls = Controls(opening)
            self._build()
            self._wire()

    def _build(self) -> None:
        gr.HTML('<a id="skip" href="#tabs">Skip to the answer</a>', elem_id="skip-box")
        with gr.Row(elem_id="top"):
            title = "# GCLIP <small>type words, get masks; see what two ideas do</small>"
            gr.Markdown(title, elem_id="title")
            self._share = widgets.share(elem_id="share")
        with gr.Row(elem_id="main"):
            with gr.Column(scale=2, min_width=320, elem_id="input"):
                self._inputs = Inputs(self._engine, self._controls)
            with gr.Column(scale=5, min_width=320, elem_id="result"):
                self._link_notes = widgets.lines("link-notes", "About the link")
                self._lines = widgets.lines("status", "Status")
                self._tab_opened = gr.Textbox("", visible=False)
                self._address = gr.Textbox("", visible=False)
                self._answers = gr.Textbox("0", visible=False)  # counts those at a pinned pixel
                self._tabs: dict[str, Tab] = {}
                with gr.Tabs(elem_id="tabs") as self._strip:
                    for entry in TABS:
                        with gr.Tab(entry.label, id=entry.name) as opened:
                            self._tabs[entry.name] = entry.build(self._engine, self._controls)
                        both = [self._controls["tab"], self._tab_opened]
                        js = _OPEN_TAB.format(entry.name)
                        opened.select(**in_browser(js, inputs=both, outputs=both))
        self._why = widgets.why(elem_id="why")
        parts = {**self._inputs.parts, "share": self._share}
        self.sections = {"around": Section("around", parts, around.compute, around.view)}
        for entry in TABS:
            parts = self._tabs[entry.name].parts
            self.sections[entry.name] = Section(entry.name, parts, entry.compute, entry.view)
        self._read = self._controls.reader()
        self._request_inputs = [self._inputs.image, self._address, *self._controls.components]

    def _wire(self) -> None:
        controls, column, tabs = self._controls, self._inputs, self._tabs.values()
        # A request goes to the open tab alone: gradio makes every output that an event skips anew,
        # on both sides. The browser makes it by a change of the hidden text of a lane.
        texts = [gr.Textbox("", visible=False) for _ in LANES]
        again = in_browser("(...a) => gclip.page.failed(...a)", [controls["tab"], *texts], texts)
        for text, (entry, heavy) in zip(texts, LANES, strict=True):
            self._wire_tab(text, entry, heavy).failure(**again)

        def ask(heavy: bool) -> dict[str, Any]:
            js = _ASK.format("true" if heavy else "false")
            return in_browser(js, [controls["tab"], *texts], texts)

        sizes = [controls[name] for name in HEAVY_SETTINGS]
        switches = [part.input for part in controls.asking if part not in sizes]
        now = [column.segment.click, column.words.submit, self._tab_opened.change]
        gr.on([size.input for size in sizes], **ask(heavy=True))
        gr.on([*switches, *now], **ask(heavy=False))
        for change in [change for tab in tabs for change in tab.changes]:
            change.then(**ask(heavy=False))
        for change in column.wire():
            change.then(**ask(heavy=True))
        self._wire_pixel()
        # Notes on a link are of no use once there is another picture.
        new_picture = [widgets.on(column.photo, "photo"), column.examples.click]
        gr.on(new_picture, **in_browser(_NO_LINES, outputs=self._link_notes))
        # Without a link the controls keep their opening values and the answer is asked for now.
        link = gr.Textbox("", visible=False)
        opened = [self._address, link, *texts]
        self.blocks.load(**in_browser(_OPEN, [controls["tab"], link, *texts], opened))
        outputs = [*controls.components, *column.picker, self._link_notes, self._strip]
        arrived = link.change(self._arrive, None, outputs, api_name="arrive", **QUIET)
        arrived.then(**in_browser(_SHOW_CARD))
        arrived.then(**ask(heavy=True))

    def _wire_pixel(self) -> None:
        """A press on a mask names the best words there; pixel and patch are in the address."""
        pixel = self._controls["pixel"]
        for mask in [mask for tab in self._tabs.values() for mask in tab.masks]:
            mask.select(place_chosen, None, pixel, **QUIET)
        options = {"trigger_mode": "always_last", **RAW}
        events = [pixel.change, self._answers.change]
        gr.on(events, self._explain, self._request_inputs, self._why, **options)
        widgets.on(self._why, "closeWhy")(**in_browser("() => ''", outputs=pixel))
        for name in ("pixel", "patch"):
            js = f"(text) => gclip.page.keep('{key_of(name)}', text)"
            self._controls[name].change(**in_browser(js, inputs=self._controls[name]))

    def _wire_tab(self, text: gr.Textbox, entry: TabEntry, heavy: bool) -> Dependency:
        """A change of ``text`` shows a tab anew."""
        column, tab = self._inputs, self.sections[entry.name]
        around_tabs = self.sections["around"]
        name = "show" if entry is TABS[0] else f"show_{entry.name}"
        outcome = gr.Textbox('{"at": 0}', visible=False)
        answer_event = text.change(
            partial(self._show, entry, outcome),
            self._request_inputs,
            [outcome, *around_tabs.parts.values(), *tab.parts.values()],
            preprocess=False,
            trigger_mode="always_last",
            show_progress="minimal",
            show_progress_on=[self._lines],
            api_name=name if heavy else f"{name}_light",
            api_visibility="private",
            **(HEAVY if heavy else LIGHT),
        )
        # The visitor may be in another tab by now: the browser decides what of it still counts.
        follow = in_browser(
            "(...a) => gclip.page.answered(...a)",
            [
                outcome,
                self._controls["tab"],
                self._controls["pixel"],
                column.suggested,
                self._lines,
                self._answers,
            ],
            [column.words, self._lines, self._answers],
        )
        answer_event.then(**follow)
        return answer_event

    def _request(self, raw: Sequence[Any]) -> Request:
        """What a browser asks for with the raw values of ``_request_inputs``.

        Raises:
            GclipError: a value is none that its component has.
        """
        upload, address, *values_of_settings = raw
        settings = self._read(values_of_settings)
        return Request(settings, path_of(upload), address=own_address(address))

    def _show(self, entry: TabEntry, outcome: Component, *raw: Any) -> Updates:
        """What a request changes of the page: the tab, and what is around the tabs."""
        around_tabs, tab = self.sections["around"], self.sections[entry.name]

        def request() -> Request:
            return self._request(raw)

        if entry.request is None:
            updates, result = self._attempt(request, around_tabs, tab)
        else:
            updates, _ = self._attempt(request, around_tabs)
            lesson, result = self._attempt(lambda: entry.request, tab)
            updates |= lesson
            if result.state == "fresh":
                result = Outcome("fresh")
                with suppress(GclipError):  # the address stays the visitor's
                    result = Outcome("fresh", query=request().settings.to_query())
        return {**updates, outcome: json.dumps(outcome_view(entry.name, result))}

    def _attempt(
        self, request: Callable[[], Request], *sections: Section
    ) -> tuple[Updates, Outcome]:
        """What sections show of a request, and how it went; one that fails shows nothing."""
        try:
            return self._answer(request(), sections)
        except NoPictureError:  # the place of the tabs asks for one
            return {}, Outcome("none")
        except GclipError as error:
            problem = str(error)
        except Exception as error:
            logger.exception("a request failed")
            problem = problems.sentence(error)
        return {}, Outcome("old", values.lines(problems=[problem, wording.OLD]))

    def _answer(self, request: Request, sections: Sequence[Section]) -> tuple[Updates, Outcome]:
        """What sections show, from the cache where they were shown before."""
        engine = self._engine
        question, names = resolve(engine, request), [section.name for section in sections]
        # An answer names backbones that are not here: it changes once one is fetched.
        key = ("rendered", *names, question.request, engine.fetched)
        rendered = engine.cache.get(key)
        is_cached = rendered is not None
        if rendered is None:
            rendered = self._rendered(question, sections)
            engine.cache.put(key, rendered)
        engine.blobs.put(rendered.blobs)
        milliseconds = (time.perf_counter() - question.started) * 1000
        was_encoded = is_cached or question.scene.was_encoded
        log(names[-1], rendered.status, was_encoded, milliseconds)
        took = "from the cache" if is_cached else f"{milliseconds:.0f} ms"
        lines = _lines_view(rendered.status, took)
        return rendered.updates, Outcome("fresh", lines, rendered.link)

    def _rendered(self, question: Question, sections: Sequence[Section]) -> Rendered:
        """What sections show, not from the cache."""
        engine = self._engine
        answer = compute(engine, question)
        contents = [section.compute(engine, answer) for section in sections]
        updates: Updates = {}
        blobs: dict[str, LazyBlob] = {}
        for section, content in zip(sections, contents, strict=True):
            for name, part in section.view(content).items():
                updates[section.parts[name]] = values.as_json(part, blobs)
        link = question.settings.to_query()
        return Rendered(updates, tuple(blobs.values()), answer.status, link)

    def _explain(self, *raw: Any) -> Any:
        """The best words at the pixel that was pressed."""
        try:
            request, engine = self._request(raw), self._engine
            pixel = request.settings.pixel
            if pixel is None:
                return None
            question = resolve(engine, request)
            return why.view(why.compute(engine, question, pixel))
        except GclipError:
            return None  # the open tab shows the reason

    def _arrive(self, request: gr.Request) -> Updates:
        """The settings of the link that was followed, in their controls."""
        query, opening = dict(request.query_params), self._controls.opening
        tabs, pairs = [entry.name for entry in TABS], (*VARIANTS, TRUTH)
        linked, notes = from_query(
            query, example=shipped_photos(), tab=tabs, left=pairs, right=pairs
        )
        if linked == Settings(tab=linked.tab):  # the link names a tab at most
            linked = opening.changed(tab=linked.tab)
        strip = gr.Tabs(selected=linked.tab)
        updates = self._inputs.fill(linked)
        return {**updates, self._link_notes: values.lines(notes=notes), self._strip: strip}


def own_address(text: Any) -> str:
    """The page's own address, as a browser sent it; empty where it is none."""
    return text if isinstance(text, str) and ADDRESS.fullmatch(text) else ""


def _lines_view(status: Status, took: str) -> Json:
    """The status lines of an answer."""
    notes = list(status.notes)
    if status.no_gpu:
        notes.insert(0, wording.NO_GPU)
    if status.unknown:
        notes.insert(0, wording.unknown(status.unknown))
    return values.lines(wording.status(status.title, status.grid, took, status.scaled), notes)


def outcome_view(tab: str, outcome: Outcome) -> Json:
    """The outcome as the browser reads it; the time tells it from an earlier one that is equal."""
    return {"tab": tab, "at": time.monotonic_ns(), **vars(outcome)}


# A link to a backbone that is not here opens its card, which may lie below the first screen.
_SHOW_CARD = "() => { document.querySelector('#fetch')?.scrollIntoView({ block: 'center' }) }"
# Keys that begin with two underscores are the host's.
_OPEN = """(tab, link, ...texts) => gclip.ready.then(() =>
  [...new URLSearchParams(location.search).keys()].every((key) => key.startsWith("__"))
    ? [gclip.page.address(), link, ...gclip.page.ask(true, tab, ...texts)]
    : [gclip.page.address(), location.search, ...texts])"""
_NO_LINES = f"() => ({json.dumps(values.lines())})"
_ASK = "(...a) => gclip.page.ask({}, ...a)"
# A link opens its tab, too. A visitor who opens one also changes `_tab_opened`: it asks for it.
_OPEN_TAB = "(...a) => gclip.page.turn('{}', ...a)"
