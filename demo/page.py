"""The page: input on the left, the answers in tabs on the right. Wiring only."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component
from starlette.routing import Route

from demo import inputs, own_mask, widgets, wording
from demo.controls import HEAVY, LIGHT, QUIET, RAW, Answer, Controls, Tab, chosen, in_words
from demo.host.byte_cache import nbytes
from demo.host.files import path_of
from demo.look import Look, Request, Status, Studio, log_answer
from demo.settings import FIELDS, Settings, as_text, from_query, key_of
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
            "none": wording.NO_PICTURE,
            "edited": wording.EDITED,
            "old": wording.OLD,
            "done": wording.DONE,
            "camera": wording.CAMERA,
            "photo": wording.PHOTO,
            "terms": wording.TERMS,
            "examples": [[photo.name, photo.title] for photo in star_photos().values()],
            "keys": [key_of(name) for name in FIELDS],
            "tabs": [entry.name for entry in TABS],
            "heavy": [entry.name for entry in TABS if entry.heavy],
            "copied": [wording.COPIED, wording.COPY_LINK],
            "built": [
                "#title h1",
                "#photo .target",
                "#examples",
                "#words textarea",
                "#chips .gw",
                "#background input",
            ],  # fmt: skip
        }
    )


def routes() -> list[Route]:
    """What the page's server answers beside Gradio: its code, pictures and matrices by name."""
    return [STORE.route(), *code.routes()]


def build(studio: Studio, opening: Settings) -> gr.Blocks:
    """The whole page; ``opening`` is what a visitor without a link sees first."""
    controls = Controls(opening)
    with gr.Blocks(
        title="GCLIP", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=True
    ) as page:
        gr.HTML(f'<a id="skip" href="#tabs">{wording.SKIP}</a>', elem_id="skip-box")
        with gr.Row(elem_id="top"):
            gr.Markdown(f"# {wording.TITLE} <small>{wording.SUBTITLE}</small>", elem_id="title")
            stays = widgets.offers(elem_id="photo-stays")
            share = gr.Button(wording.COPY_LINK, size="sm", elem_id="copy-link", min_width=110)
        with gr.Row(elem_id="main"):
            with gr.Column(scale=2, min_width=320, elem_id="input"):
                given = inputs.build(studio, controls)
                own = own_mask.build()
            with gr.Column(scale=5, min_width=320, elem_id="result"):
                noted = widgets.lines("link-notes", "About the link")
                lines = widgets.lines("says", "Status")
                open_tab = controls.hidden("tab", elem_id="open-tab")
                turned = gr.Textbox("", visible=False)
                tabs: dict[str, Tab] = {}
                with gr.Tabs(elem_id="tabs") as strip:
                    for entry in TABS:
                        with gr.Tab(entry.label, id=entry.name) as opened:
                            tabs[entry.name] = entry.build(studio, controls)
                        opened.select(
                            fn=None, js=_TURN.format(entry.name), inputs=[open_tab, turned],
                            outputs=[open_tab, turned], **QUIET
                        )  # fmt: skip
        why = widgets.why(elem_id="why")
        controls.hide_the_rest()
        said = (noted, lines, stays, why)
        _wire(page, studio, controls, given, own, said, tabs, strip, turned, opening)
        copied = share.click(fn=None, js="() => gclip.page.copy()", outputs=share, **QUIET)
        copied.then(fn=None, js="() => gclip.page.copied()", outputs=share, **QUIET)
        stays.select(
            fn=None, js=_MAKE_CARD, inputs=turned,
            outputs=[controls["card"], strip, open_tab, turned], **QUIET
        )  # fmt: skip
    return page


def _wire(
    page: gr.Blocks,
    studio: Studio,
    controls: Controls,
    given: inputs.InputWidgets,
    own: own_mask.OwnMask,
    said: tuple[Component, Component, Component, Component],
    tabs: dict[str, Tab],
    strip: gr.Tabs,
    turned: Component,
    opening: Settings,
) -> None:
    noted, lines, stays, why = said
    files = {"upload": (given.image, path_of), **own.inputs}
    sent = [*(part for part, _ in files.values()), *controls.components]

    def asked_for(raw: Sequence[Any]) -> Request:
        settings = controls.settings(raw[len(files) :])
        read = {key: read(one) for (key, (_, read)), one in zip(files.items(), raw, strict=False)}
        return Request(settings, **read)

    def around(look: Look) -> Answer:
        stay = [wording.PHOTO_STAYS] if look.settings.source == "upload" else []
        name, title = common.picture(look).name, look.picture.title
        return {
            **inputs.answered(given, look),
            given.photo: {"kind": "photo", "picture": name, "title": title},
            stays: widgets.offers_value(stay),
        }

    def shows(entry: TabEntry) -> Callable[..., Answer]:
        def show(*raw: Any) -> Answer:
            tab = tabs[entry.name]
            if tab.own is None:
                return answer(studio, entry.name, tab, around, lines, partial(asked_for, raw))
            shown = answer(studio, entry.name, tab, lambda _: {}, lines, lambda: tab.own)
            with suppress(GclipError):  # the address stays the visitor's
                query = asked_for(raw).settings.to_query()
                shown[lines] = values.lines(state="fresh", query=query)
            return shown

        return show

    def explain(*raw: Any) -> Any:
        try:
            asked = asked_for(raw)
            pixel = asked.settings.pixel
            return pixel and studio.answer(asked, lambda look: reasons.value(look, pixel))
        except GclipError:
            return None  # the open tab shows the reason

    @in_words
    def point(event: gr.SelectData) -> str:
        return as_text("pixel", chosen(event, 2))

    def arrive(request: gr.Request) -> Answer:
        settings, notes = read_link(dict(request.query_params), opening)
        found = inputs.fill(studio, controls, given, settings)
        return {**found, noted: values.lines(notes=notes), strip: gr.Tabs(selected=settings.tab)}

    # Only the open tab is asked: gradio makes every output that an event skips anew, on both sides.
    # A tab is asked in one of two queues, light ones first; a heavy tab always in the heavy one.
    asked = [gr.Textbox("", visible=False) for _ in (*TABS, *TABS)]
    for at, one in enumerate(asked):
        entry, heavy = TABS[at % len(TABS)], at >= len(TABS)
        if entry.heavy and not heavy:
            continue
        name = "show" if entry is TABS[0] else f"show_{entry.name}"
        one.change(
            shows(entry),
            sent,
            [lines, given.photo, *inputs.answers(given), stays, *tabs[entry.name].outputs],
            preprocess=False,
            trigger_mode="always_last",
            show_progress="minimal",
            show_progress_on=[lines],
            api_name=name if heavy else f"{name}_light",
            api_visibility="private",
            **(HEAVY if heavy else LIGHT),
        ).then(
            fn=None, js="(...a) => gclip.page.fillWords(...a)",
            inputs=given.suggested, outputs=given.words, **QUIET,
        )  # fmt: skip

    def ask(heavy: bool) -> dict[str, Any]:
        js = _ASK.format("true" if heavy else "false")
        inputs = [controls["tab"], *asked]
        return {"fn": None, "js": js, "inputs": inputs, "outputs": asked, **QUIET}

    sizes = [controls[name] for name in HEAVY_SETTINGS]
    switches = [part.input for part in controls.asking if part not in sizes]
    gr.on([size.input for size in sizes], **ask(heavy=True))
    gr.on([*switches, given.segment.click, given.words.submit, turned.change], **ask(heavy=False))
    filled = [*controls.components, *given.picker]
    for mask in [mask for tab in tabs.values() for mask in tab.masks]:
        mask.select(point, None, controls["pixel"], **QUIET)
    controls["pixel"].change(explain, sent, why, trigger_mode="always_last", **RAW)
    why.clear(fn=None, js="() => ''", outputs=controls["pixel"], **QUIET)
    for name in ("pixel", "patch"):
        js = f"(text) => gclip.page.keep('{key_of(name)}', text)"
        controls[name].change(fn=None, js=js, inputs=controls[name], **QUIET)
    for change in [change for tab in tabs.values() for change in tab.wire()]:
        change.then(**ask(heavy=False))
    new_picture = [given.photo.submit, given.examples.click]
    for change in [*inputs.wire(studio, controls, given), *own.wire(new_picture)]:
        change.then(**ask(heavy=True))
    # Without a link the controls keep their opening values, and the answer is asked for at once.
    link = gr.Textbox("", visible=False)
    page.load(
        fn=None, js=_OPEN, inputs=[controls["tab"], link, *asked], outputs=[link, *asked], **QUIET
    )
    arrived = link.change(arrive, None, [*filled, noted, strip], **QUIET)
    arrived.then(fn=None, js=_SHOW_CARD, **QUIET)
    arrived.then(**ask(heavy=True))


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


@dataclass(frozen=True)
class Answered:
    """A tab's answer as it is cached: what it shows, what the browser may fetch, how it went."""

    shown: Answer
    offers: Offers
    status: Status
    settings: Settings


def answer(
    studio: Studio,
    name: str,
    tab: Tab,
    around: Callable[[Look], Answer],
    lines: Component,
    asked_for: Callable[[], Request],
) -> Answer:
    """What ``tab`` shows of a request; one that fails changes the status lines alone."""
    started = time.perf_counter()
    try:
        request = asked_for()
        # An answer names backbones that are not here: it changes once one is fetched.
        key = ("answer", name, stamp(request.settings, request.upload), request, studio.fetched)
        made = studio.cache.get(key) if tab.keep else None
        if made is None:
            made = _make(studio, name, tab, around, request)
            studio.cache.put(key, made)
        else:
            STORE.renew(made.offers)
            milliseconds = 1000 * (time.perf_counter() - started)
            status = replace(made.status, milliseconds=milliseconds, kept=True)
            made = replace(made, status=status)
            log_answer(name, status)
    except NoPictureError as error:
        return {lines: values.lines(problems=[str(error)], state="none")}
    except GclipError as error:
        return {lines: values.lines(problems=[str(error), wording.OLD], state="old")}
    except Exception as error:
        logger.exception("a request failed")
        said = [wording.failed(error), wording.OLD]
        return {lines: values.lines(problems=said, state="old")}
    status, settings = made.status, made.settings
    notes = [
        wording.unknown(status.unknown) if status.unknown else "",
        wording.NO_GPU if status.no_gpu else "",
        *status.notes,
    ]
    said = wording.status(status.backbone, status.grid, status.milliseconds, status.scaled)
    query = settings.to_query()
    return {**made.shown, lines: values.lines(said, notes, state="fresh", query=query)}


def _make(
    studio: Studio, name: str, tab: Tab, around: Callable[[Look], Answer], request: Request
) -> Answered:
    """The answer of a tab, not from the cache."""

    def make(look: Look) -> Answered:
        with STORE.offers(nbytes(request)) as offers:
            every = {**around(look), **tab.show(look)}
            shown = {part: values.packed(one) for part, one in every.items()}
        return Answered(shown, offers, look.done(name), look.settings)

    if name == "compare":  # long: others have their turn between its methods
        return make(studio.look(request))
    return studio.answer(request, make)


def read_link(query: dict[str, str], opening: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Settings of a link, or the opening ones where the link names a tab at most."""
    tabs, pairs = [entry.name for entry in TABS], (*VARIANTS, TRUTH)
    settings, notes = from_query(query, example=star_photos(), tab=tabs, left=pairs, right=pairs)
    if settings == Settings(tab=settings.tab):
        return opening.changed(tab=settings.tab), notes
    return settings, notes
