"""The page's own JavaScript and CSS: one file each, under an address that names its content.

A widget's file is the body of a function of ``element, props, trigger, watch``, which the page
calls by its name; ``common.js`` and ``held.js`` are there for all of them, ``kit.js`` for each.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from demo.widgets import values

STATIC = Path(__file__).parent / "static"
WIDGETS = {
    "attention": ("attention",), "blocks": ("blocks",), "canvas": ("canvas",), "card": ("card",),
    "editor": ("editor_open",), "lines": ("lines",), "maps": ("maps",),
    "machine": (
        "lesson", "machine_read", "machine_pen", "machine_plan", "machine_draw", "machine_point",
        "machine_save", "machine",
    ), "norms": ("norms",), "why": ("why",),
}  # fmt: skip
"""The files of every widget's code, by its name."""
KEEP = {"cache-control": "public, max-age=31536000, immutable"}
_OPENED = """(element, props, trigger, watch) => {
const { root, source, share, hear, point, pointed, onPoint, simulation, onTheme, arrived, mount } =
  kit(element, props, trigger, watch);
{
"""


def call(name: str) -> str:
    """What a widget of that name does when it is there."""
    return f"gclip.{name}(element, props, trigger, watch)"


def body(*names: str) -> str:
    """A widget's function out of its files, which may give its own names another meaning."""
    return _OPENED + "".join(_read(f"{name}.js") for name in names) + "}}"


def head(words: dict[str, Any]) -> str:
    """Tags for the page's head that bring both files; ``words`` are what the page's script says."""
    style, script = _offer(_style(), "css"), _offer(_script(words), "js")
    return f'<link rel="stylesheet" href="page/{style}"><script defer src="page/{script}"></script>'


def routes() -> list[Route]:
    """Where both files are found."""

    def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _offered:
            return PlainTextResponse("This file is of an earlier page; reload it.", 404)
        return Response(_offered[name], media_type=_TYPES[name.split(".")[1]], headers=KEEP)

    return [Route("/page/{name}", file)]


_TYPES = {"css": "text/css", "js": "text/javascript"}
_offered: dict[str, bytes] = {}


def _offer(text: str, kind: str) -> str:
    data = text.encode()
    name = f"{hashlib.sha256(data).hexdigest()[:16]}.{kind}"
    _offered[name] = data
    return name


def _script(words: dict[str, Any]) -> str:
    lut = f"const LUT = {json.dumps(values.level_colours())}, LEVELS = {values.LEVELS};\n"
    shared = lut + "".join(_read(f"{name}.js") for name in ("common", "held", "kit"))
    functions = "".join(f"{name}: {body(*files)},\n" for name, files in WIDGETS.items())
    return (
        f"const PAGE = {json.dumps(words, ensure_ascii=False)};\n{shared}"
        f"const gclip = {{ kit,\n{functions}}};\n{_read('page.js')}"
    )


def _style() -> str:
    """The page's rules, then all widgets' under as strong a name, each within its own widget."""
    inside = _read("common.css") + _read("held.css")
    for name, files in WIDGETS.items():
        styles = (f"{file.removesuffix('_open')}.css" for file in files)
        rules = "".join(_read(style) for style in styles if (STATIC / style).exists())
        inside += f":where(.w-{name}) {{\n{rules}}}\n"
    strong = ".gradio-container" * 3
    return f"{_read('page.css')}{strong} {{\n{inside}}}\n"


@cache
def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
