"""The page: input on the left, the answers in tabs on the right. Wiring only."""

import logging
import tomllib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.routing import Route

from demo import widgets, wording
from demo.controls import HEAVY, LIGHT, QUIET, RAW, Answer, Controls, Tab, in_browser, place_chosen
from demo.host.byte_cache import nbytes
from demo.host.files import path_of
from demo.inputs import Inputs
from demo.look import Look, Request, Status, Studio, log_answer
from demo.settings import FIELDS, Settings, from_query, key_of
from demo.source import NoPictureError, stamp
from demo.tabs import TABS, TabEntry, common
from demo.tabs import why as reasons
from demo.tabs.compare import TRUTH
from demo.variants import VARIANTS
from demo.widgets import code, values
from demo.widgets.blobs import STORE, Offers
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


def routes() -> list[Route]:
    """What the page's server answers beside Gradio: its code, pictures and matrices by name."""
    return [STORE.route(), *code.routes()]


@dataclass(frozen=True)
class Answered:
    """A tab's answer as it is cached: what it shows, what the browser may fetch, how it went."""

    shown: Answer
    offers: Offers
    status: Status
    query: str


class Page:
    """The parts of the page, what their events ask for, and what an answer changes.

    ``opening`` is what a visitor without a link sees first.
    """

    def __init__(self, studio: Studio, opening: Settings) -> None:
        self._studio = studio
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
                self._inputs = Inputs(self._studio, self._controls)
            with gr.Column(scale=5, min_width=320, elem_id="result"):
                self._noted = widgets.lines("link-notes", "About the link")
                self._lines = widgets.lines("says", "Status")
                self._turned = gr.Textbox("", visible=False)
                self._tabs = {"around": Tab()}  # changes only what is beside the tabs
                with gr.Tabs(elem_id="tabs") as self._strip:
                    for entry in TABS:
                        with gr.Tab(entry.label, id=entry.name) as opened:
                            self._tabs[entry.name] = entry.build(self._studio, self._controls)
                        both = [self._controls["tab"], self._turned]
                        turn = _TURN.format(entry.name)
                        opened.select(**in_browser(turn, inputs=both, outputs=both))
        self._why = widgets.why(elem_id="why")
        self._sent = [self._inputs.image, *self._controls.components]

    def _wire(self) -> None:
        controls, inputs, tabs = self._controls, self._inputs, self._tabs.values()
        # Only the open tab is asked: gradio makes every output that an event skips anew, on both
        # sides. It is asked in one of two queues, a heavy tab always in the heavy one.
        asked = [gr.Textbox("", visible=False) for _ in (*TABS, *TABS)]
        for light, heavy, entry in zip(asked, asked[len(TABS) :], TABS, strict=False):
            name = "show" if entry is TABS[0] else f"show_{entry.name}"
            self._wire_tab(heavy, entry, name, HEAVY)
            if not entry.heavy:
                self._wire_tab(light, entry, f"{name}_light", LIGHT)

        def ask(heavy: bool) -> dict[str, Any]:
            js = _ASK.format("true" if heavy else "false")
            return in_browser(js, [controls["tab"], *asked], asked)

        sizes = [controls[name] for name in HEAVY_SETTINGS]
        switches = [part.input for part in controls.asking if part not in sizes]
        now = [inputs.segment.click, inputs.words.submit, self._turned.change]
        gr.on([size.input for size in sizes], **ask(heavy=True))
        gr.on([*switches, *now], **ask(heavy=False))
        for change in [change for tab in tabs for change in tab.changes]:
            change.then(**ask(heavy=False))
        for change in inputs.wire():
            change.then(**ask(heavy=True))
        for mask in [mask for tab in tabs for mask in tab.masks]:
            mask.select(place_chosen, None, controls["pixel"], **QUIET)
        controls["pixel"].change(
            self._explain, self._sent, self._why, trigger_mode="always_last", **RAW
        )
        self._why.clear(**in_browser("() => ''", outputs=controls["pixel"]))
        for name in ("pixel", "patch"):
            js = f"(text) => gclip.page.keep('{key_of(name)}', text)"
            controls[name].change(**in_browser(js, inputs=controls[name]))
        copied = self._share.click(**in_browser("() => gclip.page.copy()", outputs=self._share))
        copied.then(**in_browser("() => gclip.page.copied()", outputs=self._share))
        opened = [controls["card"], self._strip, controls["tab"], self._turned]
        self._stays.select(**in_browser(_MAKE_CARD, self._turned, opened))
        # Without a link the controls keep their opening values and the answer is asked for now.
        link = gr.Textbox("", visible=False)
        self.blocks.load(**in_browser(_OPEN, [controls["tab"], link, *asked], [link, *asked]))
        filled = [*controls.components, *inputs.picker, self._noted, self._strip]
        arrived = link.change(self._arrive, None, filled, api_name="arrive", **QUIET)
        arrived.then(**in_browser(_SHOW_CARD))
        arrived.then(**ask(heavy=True))

    def _wire_tab(
        self, asked: gr.Textbox, entry: TabEntry, name: str, queue: dict[str, Any]
    ) -> None:
        """A change of ``asked`` shows a tab anew."""
        inputs, tab = self._inputs, self._tabs[entry.name]
        asked.change(
            partial(self._show, entry.name),
            self._sent,
            [self._lines, inputs.photo, *inputs.answers, self._stays, *tab.outputs],
            preprocess=False,
            trigger_mode="always_last",
            show_progress="minimal",
            show_progress_on=[self._lines],
            api_name=name,
            api_visibility="private",
            **queue,
        ).then(**in_browser("(...a) => gclip.page.fillWords(...a)", inputs.suggested, inputs.words))

    def _asked_for(self, raw: Sequence[Any]) -> Request:
        """What a browser asks for with the raw values of ``_sent``.

        Raises:
            GclipError: a value is none that its component has.
        """
        upload, *settings = raw
        read = self._controls.settings(settings)
        return Request(read, path_of(upload))

    def _show(self, name: str, *raw: Any) -> Answer:
        own = self._tabs[name].own
        found = self._answer("around" if own else name, lambda: self._asked_for(raw))
        if own is None:
            return found
        shown = found | self._answer(name, lambda: own)
        with suppress(GclipError):  # the address stays the visitor's
            query = self._asked_for(raw).settings.to_query()
            shown[self._lines] = values.lines(state="fresh", query=query)
        return shown

    def _explain(self, *raw: Any) -> Any:
        try:
            asked = self._asked_for(raw)
            pixel = asked.settings.pixel
            return pixel and self._studio.answer(asked, lambda look: reasons.value(look, pixel))
        except GclipError:
            return None  # the open tab shows the reason

    def _arrive(self, request: gr.Request) -> Answer:
        query, opening = dict(request.query_params), self._controls.opening
        tabs, pairs = [entry.name for entry in TABS], (*VARIANTS, TRUTH)
        settings, notes = from_query(
            query, example=star_photos(), tab=tabs, left=pairs, right=pairs
        )
        if settings == Settings(tab=settings.tab):  # the link names a tab at most
            settings = opening.changed(tab=settings.tab)
        found = self._inputs.fill(settings)
        strip = gr.Tabs(selected=settings.tab)
        return {**found, self._noted: values.lines(notes=notes), self._strip: strip}

    def _answer(self, name: str, asked_for: Callable[[], Request]) -> Answer:
        """What a tab shows of a request; one that fails changes the status lines alone."""
        studio = self._studio
        try:
            request = asked_for()
            # An answer names backbones that are not here: it changes once one is fetched.
            picture = stamp(request.settings, request.upload)
            key = ("answer", name, picture, request, studio.fetched)
            made = studio.cache.get(key) if self._tabs[name].keep else None
            if made is None:
                made = self._make(name, request)
                studio.cache.put(key, made)
            else:
                STORE.renew(made.offers)
                status = replace(made.status, milliseconds=0.0, kept=True)
                made = replace(made, status=status)
                log_answer(name, status)
        except NoPictureError:  # the place of the tabs asks for one
            return {self._lines: values.lines(state="none")}
        except GclipError as error:
            return {self._lines: values.lines(problems=[str(error), wording.OLD], state="old")}
        except Exception as error:
            logger.exception("a request failed")
            said = [wording.failed(error), wording.OLD]
            return {self._lines: values.lines(problems=said, state="old")}
        status = made.status
        unknown = wording.unknown(status.unknown) if status.unknown else ""
        notes = [unknown, wording.NO_GPU * status.no_gpu, *status.notes]
        said = wording.status(status.backbone, status.grid, status.milliseconds, status.scaled)
        lines = values.lines(said, notes, state="fresh", query=made.query)
        return {**made.shown, self._lines: lines}

    def _make(self, name: str, request: Request) -> Answered:
        """The answer of a tab, not from the cache."""
        tab = self._tabs[name]

        def make(look: Look) -> Answered:
            with STORE.offers(nbytes(request)) as offers:
                every = tab.show(look) | ({} if tab.own else self._around(look))
                shown = {part: values.packed(one) for part, one in every.items()}
            return Answered(shown, offers, look.done(name), look.settings.to_query())

        if name == "compare":  # long: others have their turn between its methods
            return make(self._studio.look(request))
        return self._studio.answer(request, make)

    def _around(self, look: Look) -> Answer:
        """What every tab's answer changes beside the tab."""
        stays = [(wording.PHOTO_STAYS, [{"label": "Make a share card"}])]
        name, title = common.picture(look)["picture"], look.picture.title
        return {
            **self._inputs.answered(look),
            self._inputs.photo: {"kind": "photo", "picture": name, "title": title},
            self._stays: values.offers(stays if look.settings.source == "upload" else []),
        }


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
