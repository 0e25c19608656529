"""What "Draw a scene" fetches when it is opened: code, names, thumbnails, sprites, grounds.

All of it hangs under one address that names its content, so a browser fetches each part once.
"""

import hashlib
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from demo.drawing import render
from demo.widgets import code
from gclip_core import assets, scenes
from gclip_core.errors import GclipError

CELL, COLUMNS, SWATCH = 48, 12, 64
LARGEST = 2048
_USES = {"held-out": "Never trained on", "seen": "Trained on"}


@cache
def key() -> str:
    """Digest of everything that is fetched: the drawings, and the code that draws."""
    drawings = [assets.path("emoji", "index.json"), Path(scenes.__file__), Path(__file__)]
    parts = [*(path.read_bytes() for path in drawings), _code()]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def value(layout: scenes.Layout, size: tuple[int, int]) -> dict[str, Any]:
    """Value of the editor: a layout, the (height, width) of the scene, and where to fetch from."""
    start = {"kind": "editor", "from": f"draw/{key()}"}
    return {**start, "layout": layout.to_json(), "size": list(size)}


def routes() -> list[Route]:
    """Where the editor fetches from, for the web server."""

    def module(_: Request) -> Response:
        return Response(_code(), media_type="text/javascript", headers=code.KEEP)

    def catalogue(_: Request) -> Response:
        return JSONResponse(_catalogue(), headers=code.KEEP)

    def picture(request: Request) -> Response:
        names = {**request.path_params, **request.query_params}
        try:
            body = _PICTURES[names["what"]](names)
        except (GclipError, KeyError, ValueError) as error:
            return PlainTextResponse(f"There is no such picture. {error}", 404)
        return Response(body, media_type="image/webp", headers=code.KEEP)

    return [
        Route("/draw/{key}/editor.js", module),
        Route("/draw/{key}/catalogue.json", catalogue),
        Route("/draw/{key}/{what}.webp", picture),
        Route("/draw/{key}/{what}/{style}.webp", picture),
        Route("/draw/{key}/{what}/{style}/{thing}.webp", picture),
    ]


@cache
def _code() -> bytes:
    """The widget's code as a module; what it shares with the others is on the page already."""
    return f"export default {code.body('editor')};\n".encode()


def _catalogue() -> dict[str, Any]:
    shown = [style for style in scenes.styles().values() if style.use in _USES]
    shown.sort(key=lambda style: list(_USES).index(style.use))
    return {
        "things": [[thing.name, thing.synonyms] for thing in scenes.things()],
        "grounds": [[ground.word.name, ground.below] for ground in scenes.BACKGROUNDS],
        "styles": [[style.name, _USES[style.use], style.things] for style in shown],
        "columns": COLUMNS,
    }


@cache
def _thumbnails(style: str) -> bytes:
    drawn = scenes.styles()[style].things
    sheet = Image.new("RGBA", (COLUMNS * CELL, -(-len(drawn) // COLUMNS) * CELL))
    for index, thing in enumerate(drawn):
        picture = Image.fromarray(scenes.sprite(style, thing)).convert("RGBa")
        scale = (CELL - 4) / max(picture.size)
        w, h = (max(1, round(side * scale)) for side in picture.size)
        row, column = divmod(index, COLUMNS)
        corner = (column * CELL + (CELL - w) // 2, row * CELL + (CELL - h) // 2)
        sheet.paste(picture.resize((w, h), Image.Resampling.BICUBIC).convert("RGBA"), corner)
    return render.saved(sheet, "WEBP", quality=75)


@lru_cache(512)
def _sprite(style: str, thing: int) -> bytes:
    return render.saved(Image.fromarray(scenes.sprite(style, thing)), "WEBP", lossless=True)


@cache
def _swatches() -> bytes:
    sheet = Image.new("RGB", (SWATCH * len(scenes.BACKGROUNDS), SWATCH))
    for index, ground in enumerate(scenes.BACKGROUNDS):
        painted = scenes.render(scenes.Layout((ground.word.name,)), (SWATCH, SWATCH)).image
        sheet.paste(painted, (SWATCH * index, 0))
    return render.saved(sheet, "WEBP", quality=80)


@lru_cache(256)
def _ground(layout: str, size: str) -> bytes:
    h, w = (int(side) for side in size[:9].split("x"))
    if not 1 <= min(h, w) <= max(h, w) <= LARGEST:
        raise GclipError(f"Sides of 1 to {LARGEST} pixels were expected, not {h} x {w}.")
    drawn = scenes.render(scenes.Layout.from_json(layout), (h, w)).image
    return render.saved(drawn, "WEBP", quality=85)


_PICTURES: dict[str, Callable[[dict[str, str]], bytes]] = {
    "things": lambda names: _thumbnails(names["style"]),
    "sprite": lambda names: _sprite(names["style"], int(names["thing"])),
    "grounds": lambda names: _swatches(),
    "ground": lambda names: _ground(names["layout"], names["size"]),
}
