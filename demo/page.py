"""The page: input on the left, the answers in tabs on the right. Wiring only."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component
from starlette.routing import Route

from demo import inputs, own_mask, panel, says, widgets, wording
from demo.controls import QUIET, RAW, Answer, Controls, Tab
from demo.host.files import path_of
from demo.look import Look, Request, Studio
from demo.settings import Settings, as_text, from_query
from demo.tabs import TABS, TabEntry, attention, channels, compare, drawn, export, side
from demo.variants import VARIANTS
from demo.views.compare import TRUTH
from demo.widgets.held import STORE
from gclip_core import scenes
from gclip_core.errors import GclipError
from gclip_core.photos import star_photos

logger = logging.getLogger(__name__)

MODEL = {"concurrency_id": "model", "concurrency_limit": 2}

TOP_CSS = """
#top { align-items: center; flex-wrap: nowrap; gap: 12px; }
#title { flex: 1 1 auto; min-width: 0 !important; }
#title h1 { margin: 0; font-size: 20px; line-height: 1.3; }
#title small { font-size: 14px; font-weight: 400; }
#copy-link { flex: 0 0 auto; }
#says { min-height: 74px; }
.gradio-container > .main { box-sizing: border-box; padding: 12px 24px; }
@media (max-width: 640px) { .gradio-container > .main { padding: 8px; }
  #main { flex-direction: column; flex-wrap: nowrap; }
  #input, #result { min-width: 0 !important; max-width: calc(100vw - 16px); width: 100%; }
  .gradio-container, .gradio-container > .main { max-width: 100vw !important; }
  #title small { display: block; } }
@media (max-width: 1000px) {
  #main { flex-direction: column; flex-wrap: nowrap; }
  #input, #result { min-width: 0 !important; width: 100%; } }
@media (min-width: 641px) and (max-width: 1000px) {
  #input { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 8px 12px;
    align-items: start; }
  #image { grid-row: span 3; height: 252px !important; } }
@media (max-width: 640px) {
  #input { display: contents; }
  #input > * { width: 100%; min-width: 0 !important; max-width: 100%; }
  #examples { contain: inline-size; }
  #switches .block { padding: 6px 8px; }
  #result { order: 1; }
  #examples, #scene, #own-mask, #advanced, #fetch, #fetch-note, .form:has(#backbone) {
    order: 2; }
  #says { min-height: 0; }
  #image { height: 82px !important; }
  #words [data-testid="block-info"] + * { display: none; }
  #title small { font-size: 12.5px; }
  #says .says { font-size: 12px; }
  #examples .gallery { grid-auto-flow: column; grid-template-columns: none !important;
    grid-auto-columns: 62px; overflow-x: auto; padding-bottom: 4px; }
  #tabs > .tab-wrapper button { padding: 4px 9px; font-size: 14px; }
  .gradio-container footer .divider { display: none; } }
#tabs .tabitem { padding: 8px 0 0; gap: 8px; }
#result, #main { gap: 10px; }
"""
PARTS = (panel, says, inputs, side, compare, attention, channels, export)
CSS = TOP_CSS + "".join(part.CSS for part in PARTS)

HEAD = """
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="Open-vocabulary segmentation with CLIP, without training">
"""


def routes() -> list[Route]:
    """What the page's server answers beside Gradio: pictures and matrices by name."""
    return [STORE.route()]


def build(studio: Studio, opening: Settings) -> gr.Blocks:
    """The whole page; ``opening`` is what a visitor without a link sees first."""
    controls = Controls()
    with gr.Blocks(
        title="GCLIP", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=True
    ) as page:
        with gr.Row(elem_id="top"):
            gr.Markdown(f"# {wording.TITLE} <small>{wording.SUBTITLE}</small>", elem_id="title")
            share = gr.Button(wording.COPY_LINK, size="sm", elem_id="copy-link", min_width=110)
        with gr.Row(elem_id="main"):
            with gr.Column(scale=2, min_width=320, elem_id="input"):
                given = inputs.build(studio, controls, opening)
                own = own_mask.build()
            with gr.Column(scale=5, min_width=320, elem_id="result"):
                noted = says.build("link-notes", "About the link")
                lines = says.build("says", "Status")
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
        _wire(page, studio, controls, given, own, (noted, lines, why), tabs, strip, turned, opening)
        _share(share, controls)
    return page


def _wire(
    page: gr.Blocks,
    studio: Studio,
    controls: Controls,
    given: inputs.Given,
    own: own_mask.OwnMask,
    said: tuple[Component, Component, Component],
    tabs: dict[str, Tab],
    strip: gr.Tabs,
    turned: Component,
    opening: Settings,
) -> None:
    noted, lines, why = said
    files = {"upload": (given.image, path_of), **own.inputs}
    sent = [*(part for part, _ in files.values()), *controls.components]

    def look_of(raw: tuple[Any, ...]) -> Look:
        settings = controls.settings(raw[len(files) :])
        read = {key: read(one) for (key, (_, read)), one in zip(files.items(), raw, strict=False)}
        return studio.look(Request(settings, **read))

    def shows(entry: TabEntry) -> Callable[..., Answer]:
        tab = tabs[entry.name]
        return lambda *raw: answer(studio, entry.name, tab, lines, partial(look_of, raw))

    def explain(*raw: Any) -> Any:
        try:
            with studio.room.entered():
                look = look_of(raw)
                pixel = look.settings.pixel
                return pixel and drawn.why(look, pixel)
        except GclipError:
            return None  # the open tab says why

    def point(event: gr.SelectData) -> str:
        return as_text("pixel", (int(event.index[0]), int(event.index[1])))

    def arrive(request: gr.Request) -> Answer:
        settings, notes = read_link(dict(request.query_params), opening)
        found = inputs.fill(studio, controls, given, settings)
        return {**found, noted: says.value(notes=notes), strip: gr.Tabs(selected=settings.tab)}

    # Only the open tab is asked: gradio makes every output that an event skips anew, on both sides.
    asked = [gr.Textbox("", visible=False) for _ in TABS]
    for entry, one in zip(TABS, asked, strict=True):
        one.change(
            shows(entry),
            sent,
            [lines, *tabs[entry.name].outputs],
            preprocess=False,
            trigger_mode="always_last",
            show_progress="minimal",
            show_progress_on=[lines],
            api_name="show" if entry is TABS[0] else f"show_{entry.name}",
            api_visibility="private",
            **MODEL,
        )
    ask: dict[str, Any] = {
        "fn": None, "js": _ASK, "inputs": [controls["tab"], *asked], "outputs": asked,
        **QUIET,
    }  # fmt: skip
    triggers = [part.input for part in controls.asking]
    gr.on([*triggers, given.segment.click, given.words.submit, turned.change], **ask)
    filled = [given.image, *controls.components]
    opacity = controls["opacity"]
    opacity.input(fn=None, js=_SLIDE, inputs=opacity, **QUIET)
    changes = [change for tab in tabs.values() for change in tab.wire()]
    changes += own.wire(given.image)
    for mask in [mask for tab in tabs.values() for mask in tab.masks]:
        mask.select(point, None, controls["pixel"], **QUIET)
    controls["pixel"].change(explain, sent, why, trigger_mode="always_last", **RAW, **MODEL)
    why.clear(fn=None, js="() => ''", outputs=controls["pixel"], **QUIET)
    for change in [*inputs.wire(studio, controls, given, filled), *changes]:
        change.then(**ask)
    page.load(arrive, None, [*filled, noted, strip], **QUIET).then(**ask)
    page.load(fn=None, js=_NAME_EXAMPLES, **QUIET)


_ASK = "(tab, ...asked) => asked.map((n, i) => (i === %s.indexOf(tab) ? `${+n + 1}` : n))" % (
    [entry.name for entry in TABS]
)
# Gradio's gallery gives its buttons no name to read out.
_NAME_EXAMPLES = f"""() => document.querySelectorAll('#examples .gallery-item').forEach(
  (button, i) => button.setAttribute('aria-label', {json.dumps(inputs.example_names())}[i]))"""
# A link opens its tab too; only a visitor's own turn changes `turned`, which asks for an answer.
_TURN = "(old, turned) => old === '{0}' ? [old, turned] : ['{0}', turned + '.']"
_SLIDE = "(o) => document.dispatchEvent(new CustomEvent('gclip-opacity', { detail: o }))"
_COPY = """(query) => {
  const link = location.origin + location.pathname + query;
  if (navigator.clipboard) navigator.clipboard.writeText(link).catch(() => prompt('', link));
  else prompt('', link);
}"""


def _share(share: gr.Button, controls: Controls) -> None:
    """Put a link to the page as it stands on the visitor's clipboard, or show it to wording."""

    def query(*values: Any) -> tuple[str, Any]:
        try:
            return "?" + controls.settings(values).to_query(), wording.COPIED
        except GclipError:
            return "", wording.COPY_LINK

    held = gr.Textbox("", visible=False)
    made = share.click(query, controls.components, [held, share], preprocess=False, **QUIET)
    made.then(fn=None, js=_COPY, inputs=held, **QUIET)


def answer(
    studio: Studio, name: str, tab: Tab, lines: Component, opened: Callable[[], Look]
) -> Answer:
    """What ``tab`` shows of a look; one that cannot be had changes nothing but the lines."""
    if not tab.looks:
        return {lines: says.value()}
    try:
        with studio.room.entered():
            look = opened()
            shown, status, settings = tab.show(look), look.done(name), look.settings
            del look  # what it held is given back here
    except GclipError as error:
        return {lines: says.value(problems=[str(error)])}
    except Exception as error:
        logger.exception("a request failed")
        return {lines: says.value(problems=[wording.failed(error)])}
    notes = [*status.notes, inputs.notice(studio, settings)]
    if settings.plant:
        notes.insert(0, wording.SIMULATION)
    if status.unknown:
        notes.insert(0, wording.unknown(status.unknown))
    said = wording.status(status.backbone, status.milliseconds, status.kept, status.grid)
    return {**shown, lines: says.value(said, notes)}


def read_link(query: dict[str, str], opening: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Settings of a link, or the opening ones where the link names a tab at most."""
    styles = ("seen", "held-out", *scenes.styles())
    tabs, pairs = [entry.name for entry in TABS], (*VARIANTS, TRUTH)
    settings, notes = from_query(
        query, example=star_photos(), style=styles, tab=tabs, left=pairs, right=pairs
    )
    if settings == Settings(tab=settings.tab):
        return opening.changed(tab=settings.tab), notes
    return settings, notes
