"""Serves ``demo/web``: ES modules without a build, all style as one file.

Every address contains a digest of all files, so that a browser may keep them for ever.
"""

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

WEB = Path(__file__).parents[1] / "web"
KEEP = {"cache-control": "public, max-age=31536000, immutable"}
LATER = ("attention/", "lesson/", "machine/", "methods/")
"""Folders of modules that are fetched with the tab that needs them."""
HIDDEN = """.main { visibility: hidden } .main > .wrap:not(.default) { content-visibility: hidden }
.main > .wrap.default { visibility: visible; position: fixed !important; inset: 0 !important }"""
"""Only "Loading" is seen until ``page.css`` shows the page: nothing is seen to move."""
STRONG = ".gradio-container" * 3
"""Gradio's own rules name this class, at most twice."""
VENDOR = json.loads((WEB / "vendor" / "vendor.json").read_text("utf-8"))
"""By the name that modules import: another project's file, its version, licence and SHA-256."""
IMPORT = re.compile(rf'(\b(?:from|import)\s*\(?)"({"|".join(map(re.escape, VENDOR))})"')
"""An import of one of them."""
COMMENT = re.compile(r"^ *(?:/\*\*(?:(?!\*/).)*\*/|//[^\n]*) *$", re.MULTILINE | re.DOTALL)
"""A comment with lines of its own."""


def head(words: dict[str, Any]) -> str:
    """Tags of the document's head; ``words`` are what ``page/words.js`` reads.

    Gradio adds them while it fetches its own code, so either may run first: what calls ``gclip``
    while the page is built waits for ``gclip.ready``.
    """
    text = json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")
    at = f"web/{digest()}"
    early = (name for name in modules() if not name.startswith(LATER))
    return (
        f'<style>{HIDDEN}</style><link rel="stylesheet" href="{at}/style.css">'
        f'<script type="application/json" id="page-words">{text}</script>'
        f'<script>window.gclip = {{ ready: import("./{at}/main.js") }}</script>'
        + "".join(f'<link rel="modulepreload" href="{at}/{name}">' for name in early)
    )


def routes() -> list[Route]:
    """Where the files are found."""

    def file(request: Request) -> Response:
        name = request.path_params["name"]
        if request.path_params["digest"] != digest() or name not in _files():
            return PlainTextResponse("This file belongs to an earlier page; reload the page.", 404)
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        return Response(_files()[name], media_type=kind, headers=KEEP)

    return [Route("/web/{digest}/{name:path}", file)]


def modules() -> list[str]:
    """Paths of all modules within ``demo/web``."""
    return sorted(path.relative_to(WEB).as_posix() for path in WEB.rglob("*.*js"))


def as_served(name: str, text: str) -> str:
    """A module's text without its comments, and with addresses of VENDOR where it imports names.

    This is what an import map does; but a browser may read one only before its first module, which
    is Gradio's. Lines keep their numbers.
    """
    text = COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)
    up = "../" * name.count("/") or "./"
    return IMPORT.sub(lambda match: f'{match[1]}"{up}vendor/{VENDOR[match[2]]["file"]}"', text)


@cache
def digest() -> str:
    """Names the content of all files."""
    return hashlib.sha256(json.dumps(sorted(_files().items())).encode()).hexdigest()[:16]


@cache
def _files() -> dict[str, str]:
    texts = {name: (WEB / name).read_text(encoding="utf-8") for name in modules()}
    return {name: as_served(name, text) for name, text in texts.items()} | {"style.css": style()}


def style() -> str:
    """The page's rules, then every other file's: a widget's apply within that widget alone.

    ``dom.css`` is for all widgets, ``NAME.css`` for the widget of that name; a folder of files
    belongs to one widget.
    """
    rules = {path: path.read_text(encoding="utf-8") for path in sorted(WEB.rglob("*.css"))}
    page, shared = (rules.pop(WEB / f"{name}.css") for name in ("page", "dom"))
    own = "".join(
        f":where(.w-{path.stem if path.parent == WEB else path.parent.name}) {{\n{text}}}\n"
        for path, text in rules.items()
    )
    return f"{page}{STRONG} {{\n{shared}{own}}}\n"
