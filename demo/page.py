"""The page: its parts, what their events ask for, and what an answer changes."""

import logging
import time
import tomllib
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import Dependency
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from demo import answer, inputs, settings, widgets, wording
from demo.answer import Status
from demo.controls import HEAVY, LIGHT, QUIET, RAW, Controls, Shown, Tab, in_browser, place_chosen
from demo.engine import Engine
from demo.host.blob_store import Later
from demo.host.files import path_of
from demo.inputs import Inputs
from demo.request import Question, Request
from demo.settings import FIELDS, Settings, from_query, key_of
from demo.source import NoPictureError
from demo.tabs import TABS, TabEntry, why
from demo.tabs.compare import TRUTH
from demo.variants import VARIANTS
from demo.widgets import code, values
from demo.widgets.values import Json
from evaluation.photos import star_photos
from gclip_core.errors import GclipError

logger = logging.getLogger(__name__)

GLOSSARY = tomllib.loads(Path(__file__).with_name("glossary.toml").read_text("utf-8"))
BUILT = (
    "#title h1",
    "#copy-link",
    "#photo .target",
    "#examples",
    "#words textarea",
    "#chips .gw",
    "#background input",
)
"""Once these are there, the page is shown."""
HEAVY_SETTINGS = ("short_side", "window", "stride")
"""Settings that send the picture through the tower anew."""

FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
"""Headers of a blob, which its name alone decides."""

META = """<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="Open-vocabulary segmentation with CLIP, without training">
"""


def head() -> str:
    """What goes into the document's head: tags, the page's own style and script."""
    return META + code.head(
        {
            **wording.BROWSER,
            "terms": GLOSSARY,
            "examples": [[photo.name, photo.title] for photo in star_photos().values()],
            "keys": [key_of(name) for name in FIELDS],
            "tabs": [entry.name for entry in TABS],
            "heavy": [entry.name for entry in TABS if entry.heavy],
            "built": BUILT,
        }
    )


def routes(engine: Engine) -> list[Route]:
    """What the page's server answers beside Gradio: its code, pictures and matrices by name."""

    def blob(request: HttpRequest) -> Response:
        try:
            content = engine.blobs.get(request.path_params["name"])
        except GclipError as error:
            return PlainTextResponse(str(error), 410)
        if content is None:
            return PlainTextResponse("This is not kept any more.", 404)
        return Response(content.body, media_type=content.media_type, headers=FOREVER)

    return [Route("/blob/{name}", blob), *code.routes()]


@dataclass(frozen=True)
class Rendered:
    """A tab's answer as it is cached: what it shows, what the browser may fetch, how it was made.

    ``link`` is the query of what is shown.
    """

    shown: Shown
    later: tuple[Later, ...]
    status: Status
    link: str


AROUND = TabEntry("around", "", lambda *_: Tab(), lambda *_: None, lambda _: {})
"""What changes only what is beside the tabs."""


class Page:
    """The parts of the page, what their events ask for, and what an answer changes.

    ``opening`` is what a visitor without a link sees first.
    """

    def __init__(self, engine: Engine, opening: Settings) -> None:
        self._engine = engine
        with gr.Blocks(
            title="GCLIP", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=True
        ) as self.blocks:
            self._controls = Controls(opening)
            self._build()
            self._wire()

    def _build(self) -> None:
        gr.HTML('<a id="skip" href="#tabs">Skip to the answer</a>', elem_id="skip-box")
        with gr.Row(elem_id="top"):
            title = "# GCLIP <small>type words, get masks; see what two ideas do</small>"
            gr.Markdown(title, elem_id="title")
            self._stays = widgets.offers(elem_id="photo-stays")
            self._share = gr.Button(
                wording.COPY_LINK, size="sm", elem_id="copy-link", min_width=110
            )
        with gr.Row(elem_id="main"):
            with gr.Column(scale=2, min_width=320, elem_id="input"):
                self._inputs = Inputs(self._engine, self._controls)
            with gr.Column(scale=5, min_width=320, elem_id="result"):
                self._noted = widgets.lines("link-notes", "About the link")
                self._lines = widgets.lines("says", "Status")
                self._turned = gr.Textbox("", visible=False)
                self._tabs = {AROUND.name: Tab()}
                with gr.Tabs(elem_id="tabs") as self._strip:
                    for entry in TABS:
                        with gr.Tab(entry.label, id=entry.name) as opened:
                            self._tabs[entry.name] = entry.build(self._engine, self._controls)
                        both = [self._controls["tab"], self._turned]
                        turn = _TURN.format(entry.name)
                        opened.select(**in_browser(turn, inputs=both, outputs=both))
        self._why = widgets.why(elem_id="why")
        self._around = {**self._inputs.parts, "stays": self._stays}
        self._names = tuple(self._controls.parts)
        self._sent = [self._inputs.image, *self._controls.components]

    def _wire(self) -> None:
        controls, column, tabs = self._controls, self._inputs, self._tabs.values()
        # Only the open tab is asked: gradio makes every output that an event skips anew, on both
        # sides. It is asked in one of two queues, a heavy tab always in the heavy one.
        asked = [gr.Textbox("", visible=False) for _ in (*TABS, *TABS)]
        again = in_browser("(...a) => gclip.page.failed(...a)", [controls["tab"], *asked], asked)
        for light, heavy, entry in zip(asked, asked[len(TABS) :], TABS, strict=False):
            name = "show" if entry is TABS[0] else f"show_{entry.name}"
            self._wire_tab(heavy, entry, name, HEAVY).failure(**again)
            if not entry.heavy:
                self._wire_tab(light, entry, f"{name}_light", LIGHT).failure(**again)

        def ask(heavy: bool) -> dict[str, Any]:
            js = _ASK.format("true" if heavy else "false")
            return in_browser(js, [controls["tab"], *asked], asked)

        sizes = [controls[name] for name in HEAVY_SETTINGS]
        switches = [part.input for part in controls.asking if part not in sizes]
        now = [column.segment.click, column.words.submit, self._turned.change]
        gr.on([size.input for size in sizes], **ask(heavy=True))
        gr.on([*switches, *now], **ask(heavy=False))
        for change in [change for tab in tabs for change in tab.changes]:
            change.then(**ask(heavy=False))
        for change in column.wire():
            change.then(**ask(heavy=True))
        self._wire_pixel()
        self._wire_link()
        # Without a link the controls keep their opening values and the answer is asked for now.
        link = gr.Textbox("", visible=False)
        self.blocks.load(**in_browser(_OPEN, [controls["tab"], link, *asked], [link, *asked]))
        filled = [*controls.components, *column.picker, self._noted, self._strip]
        arrived = link.change(self._arrive, None, filled, api_name="arrive", **QUIET)
        arrived.then(**in_browser(_SHOW_CARD))
        arrived.then(**ask(heavy=True))

    def _wire_pixel(self) -> None:
        """A press on a mask names the best words there; pixel and patch are in the address."""
        pixel = self._controls["pixel"]
        for mask in [mask for tab in self._tabs.values() for mask in tab.masks]:
            mask.select(place_chosen, None, pixel, **QUIET)
        pixel.change(self._explain, self._sent, self._why, trigger_mode="always_last", **RAW)
        self._why.clear(**in_browser("() => ''", outputs=pixel))
        for name in ("pixel", "patch"):
            js = f"(text) => gclip.page.keep('{key_of(name)}', text)"
            self._controls[name].change(**in_browser(js, inputs=self._controls[name]))

    def _wire_link(self) -> None:
        """The link is copied; a photo of one's own, which is not in it, becomes a card."""
        copied = self._share.click(**in_browser("() => gclip.page.copy()", outputs=self._share))
        copied.then(**in_browser("() => gclip.page.copied()", outputs=self._share))
        opened = [self._controls["card"], self._strip, self._controls["tab"], self._turned]
        self._stays.select(**in_browser(_MAKE_CARD, self._turned, opened))

    def _wire_tab(
        self, asked: gr.Textbox, entry: TabEntry, name: str, queue: dict[str, Any]
    ) -> Dependency:
        """A change of ``asked`` shows a tab anew."""
        column, tab = self._inputs, self._tabs[entry.name]
        shown = asked.change(
            partial(self._show, entry),
            self._sent,
            [self._lines, *self._around.values(), *tab.parts.values()],
            preprocess=False,
            trigger_mode="always_last",
            show_progress="minimal",
            show_progress_on=[self._lines],
            api_name=name,
            api_visibility="private",
            **queue,
        )
        taken = "(...a) => gclip.page.answered(...a)"
        shown.then(**in_browser(taken, [self._lines, column.suggested], column.words))
        return shown

    def _request(self, raw: Sequence[Any]) -> Request:
        """What a browser asks for with the raw values of ``_sent``.

        Raises:
            GclipError: a value is none that its component has.
        """
        upload, *values_of_settings = raw
        given = dict(zip(self._names, values_of_settings, strict=True))
        return Request(settings.read(given), path_of(upload))

    def _show(self, entry: TabEntry, *raw: Any) -> Shown:
        """What a tab shows of a request."""
        if entry.request is None:
            return self._attempt(entry, lambda: self._request(raw))
        shown = self._attempt(AROUND, lambda: self._request(raw))
        shown |= self._attempt(entry, lambda: entry.request)
        with suppress(GclipError):  # the address stays the visitor's
            query = self._request(raw).settings.to_query()
            shown[self._lines] = values.lines(state="fresh", query=query)
        return shown

    def _attempt(self, entry: TabEntry, request: Callable[[], Request]) -> Shown:
        """What a tab shows of a request; one that fails changes the status lines alone."""
        try:
            return self._answer(entry, request())
        except NoPictureError:  # the place of the tabs asks for one
            return {self._lines: values.lines(state="none")}
        except GclipError as error:
            problem = str(error)
        except Exception as error:
            logger.exception("a request failed")
            problem = wording.failed(error)
        return {self._lines: values.lines(problems=[problem, wording.OLD], state="old")}

    def _answer(self, entry: TabEntry, request: Request) -> Shown:
        """What a tab shows, from the cache where it was shown before."""
        engine = self._engine
        question = answer.resolve(engine, request)
        # An answer names backbones that are not here: it changes once one is fetched.
        key = ("answer", entry.name, question.request, engine.fetched)
        rendered = engine.cache.get(key) if entry.keep else None
        is_cached = rendered is not None
        if rendered is None:
            rendered = self._rendered(entry, question)
            if entry.keep:
                engine.cache.put(key, rendered)
        engine.blobs.put(rendered.later)
        milliseconds = (time.perf_counter() - question.started) * 1000
        was_encoded = is_cached or question.scene.was_encoded
        answer.log(entry.name, rendered.status, was_encoded, milliseconds)
        took = "from the cache" if is_cached else f"{milliseconds:.0f} ms"
        return {**rendered.shown, self._lines: _lines_view(rendered, took)}

    def _rendered(self, entry: TabEntry, question: Question) -> Rendered:
        """The answer of a tab, not from the cache."""
        engine = self._engine
        with nullcontext() if entry.alternates else engine.turn(question.scene):
            made = answer.compute(engine, question)
            value = entry.compute(engine, made)
            around = inputs.compute(engine, made) if entry.request is None else None
        parts, view = dict(self._tabs[entry.name].parts), entry.view(value)
        if around is not None:
            parts, view = parts | self._around, view | inputs.view(around)
        later: dict[str, Later] = {}
        packed = {parts[name]: values.packed(part, later) for name, part in view.items()}
        link = question.settings.to_query()
        return Rendered(packed, tuple(later.values()), made.status, link)

    def _explain(self, *raw: Any) -> Any:
        """The best words at the pixel that was pressed."""
        try:
            request, engine = self._request(raw), self._engine
            pixel = request.settings.pixel
            if pixel is None:
                return None
            question = answer.resolve(engine, request)
            with engine.turn(question.scene):
                return why.view(why.compute(engine, question, pixel))
        except GclipError:
            return None  # the open tab shows the reason

    def _arrive(self, request: gr.Request) -> Shown:
        """The settings of the link that was followed, in their controls."""
        query, opening = dict(request.query_params), self._controls.opening
        tabs, pairs = [entry.name for entry in TABS], (*VARIANTS, TRUTH)
        linked, notes = from_query(query, example=star_photos(), tab=tabs, left=pairs, right=pairs)
        if linked == Settings(tab=linked.tab):  # the link names a tab at most
            linked = opening.changed(tab=linked.tab)
        strip = gr.Tabs(selected=linked.tab)
        filled = self._inputs.fill(linked)
        return {**filled, self._noted: values.lines(notes=notes), self._strip: strip}


def _lines_view(rendered: Rendered, took: str) -> Json:
    """The status lines of an answer."""
    status = rendered.status
    notes = list(status.notes)
    if status.no_gpu:
        notes.insert(0, wording.NO_GPU)
    if status.unknown:
        notes.insert(0, wording.unknown(status.unknown))
    line = wording.status(status.title, status.grid, took, status.scaled)
    return values.lines(line, notes, state="fresh", query=rendered.link)


# A link to a backbone that is not here opens its card, which may lie below the first screen.
_SHOW_CARD = "() => { document.querySelector('#fetch')?.scrollIntoView({ block: 'center' }) }"
# Keys that begin with two underscores are the host's.
_OPEN = """(tab, link, ...asked) => gclip.ready.then(() =>
  [...new URLSearchParams(location.search).keys()].every((key) => key.startsWith("__"))
    ? [link, ...gclip.page.ask(true, tab, ...asked)] : [location.search, ...asked])"""
_ASK = "(...a) => gclip.page.ask({}, ...a)"
# A link opens its tab too; only a visitor's own turn changes `turned`, which asks for an answer.
_TURN = "(...a) => gclip.page.turn('{}', ...a)"

# Export may be behind the strip's menu, where no tab could be pressed.
_MAKE_CARD = """(turned) => {
  document.querySelector("#tabs").scrollIntoView({ block: "nearest" });
  return ["1", { __type__: "update", selected: "export" }, "export", `${turned}.`];
}"""
