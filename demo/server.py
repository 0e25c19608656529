"""The server: the page as static files, photos by name, and one queued endpoint that answers.

It keeps nothing of a visitor but a cache. A photo that it no longer has is sent again by the
browser, and an answer depends on nothing but its request.
"""

import asyncio
import inspect
import json
import logging
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import gradio as gr
from fastapi import Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles
from gradio import Server
from starlette.datastructures import UploadFile
from starlette.middleware.gzip import GZipMiddleware

from demo import api, backbones, lessons, limits, pictures, share
from demo.answer import PIECES, answered, steps
from demo.computing import in_turn, in_turns
from demo.door import Door
from demo.drawing import SHOWN_SIDE, jpeg
from demo.errors import GONE, GoneError, RefusedError, sentence
from demo.login import add_login
from demo.photo import CACHE, EXAMPLES, OPENING, Photo
from demo.routes import API
from demo.scene import Scene
from demo.settings import Settings
from demo.store import STORE
from demo.turns import TURNS, address_of
from evaluation import photos
from gclip_core import __version__

WEB = Path(__file__).parent / "web"
SLASH = "<script>if (!/(\\/|\\.html)$/.test(location.pathname)) location.pathname += '/'</script>"
"""Leads to the folder from an address without a slash, where a host does not."""
FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
NOT_KEPT = {"cache-control": "no-store"}
SIDES = {"preview": 480, "thumb": 176}
"""Longest sides in pixels of the small pictures of a photo."""
ADDING = ThreadPoolExecutor(1)
"""One photo is read from its file at a time: each may have MAX_FILE bytes."""

logger = logging.getLogger(__name__)


def make_app(login: tuple[str, str] | None = None) -> Server:
    """The application with its routes and endpoints; ``login`` is the name and password to ask."""
    app = Server()
    files = b"".join(file.read_bytes() for file in sorted(WEB.rglob("*.*")))
    web = f"web/{sha256(files).hexdigest()[:16]}"  # changed scripts get a new path
    app.mount(f"/{web}", Immutable(directory=WEB))
    page = index(web)

    @app.api_route("/", methods=["GET", "HEAD"])
    def home() -> HTMLResponse:
        return HTMLResponse(page, headers={"cache-control": "no-cache"})

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {
            "status": "ok",
            "version": __version__,
            "backbone": backbones.HOST.backbone,
            "device": backbones.HOST.device,
            "cached": len(CACHE),
            "waiting": len(TURNS.waiting),
        }

    add_photos(app)
    key = add_login(app, login)
    public, own = (api.segment, api.suggest, api.about), (answer, download, fetch)
    for function in public:
        app.api(api.endpoint(function), name=function.__name__, concurrency_limit=None)
    for function in own:
        name = function.__name__
        app.api(function, name=name, concurrency_limit=None, api_visibility="undocumented")
    app.add_middleware(GZipMiddleware, minimum_size=500, compresslevel=6)
    # Without the first parameter, which is the request.
    inputs = {f.__name__: len(inspect.signature(f).parameters) - 1 for f in (*public, *own)}
    app.add_middleware(Door, inputs=inputs, key=key)
    return app


def add_photos(app: Server) -> None:
    """The routes of photos: a page's, and those of programs."""

    @app.post("/photos")
    async def receive_photo(request: Request) -> dict[str, str]:
        """Receives a photo; its name is a digest that only this server can make."""
        with TemporaryFile() as file:  # many uploads at once would need much memory
            async for part in request.stream():
                file.write(part)
            return {"photo": await keep(file, request, "photo", pictures.stored)}

    @app.post(f"{API}/upload")
    async def receive_files(request: Request) -> list[str]:
        """Receives a program's files, and returns their paths, as Gradio's clients expect."""
        most = limits.MAX_FILES
        async with request.form(max_files=most, max_fields=most) as form:
            files = [one.file for one in form.getlist("files") if isinstance(one, UploadFile)]
            names = [await keep(file, request, "upload") for file in files]
        return [str(STORE.folder / name / "upload") for name in names]

    @app.get("/photos/{name}")
    async def send_photo(name: str, request: Request) -> Response:
        """A photo as a browser shows it; with a name of ``SIDES`` in the query, a small one."""
        photo = Photo.named(name)
        if photo is None:
            raise RefusedError(404, GONE)
        side = next((SIDES[one] for one in request.query_params if one in SIDES), None)
        if photo.example and side is None:
            return FileResponse(photo.path, headers=FOREVER)
        data = await asyncio.to_thread(jpeg, photo, side or 2 * SHOWN_SIDE)
        kept = FOREVER if photo.example else NOT_KEPT
        return Response(data, media_type="image/jpeg", headers=kept)

    @app.delete("/photos/{name}")
    def forget_photo(name: str) -> None:
        """Forgets a visitor's photo: who knows its name has it in the browser, or a link to it."""
        STORE.delete(name)


class Immutable(StaticFiles):
    """Files whose path changes with their content."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        response.headers.update(FOREVER)
        return response


async def keep(
    file: BinaryIO, request: Request, name: str, convert: Callable[[bytes], bytes] = bytes
) -> str:
    """Stores a file of the request's address, as ``Store.add`` does; returns its digest."""

    def add() -> str:
        file.seek(0)
        return STORE.add(file.read(), address_of(request), name, convert)

    return await asyncio.get_running_loop().run_in_executor(ADDING, add)


def index(web: str, copy: dict[str, Any] | None = None, notice: str = "") -> str:
    """The page with the address of its files, and what its scripts know.

    A ``copy`` without a server knows other things, has a ``notice``, and asks files.js.
    """
    shipped, host = photos.shipped_photos(), backbones.HOST.backbone
    facts = {
        "schema": Settings.model_json_schema()["properties"],
        "settings": Settings(backbone=host).model_dump(),
        "opening": OPENING,
        "damaged": backbones.DAMAGED,
        "undamaged": backbones.undamaged(host),
        "pieces": {
            name: {"tabs": one.tabs, "uses": one.uses, "switches": one.switches}
            for name, one in PIECES.items()
        },
        "examples": [
            {"name": name, "url": f"photos/{name}?thumb", "caption": shipped[name].title}
            for name in EXAMPLES
        ],
        "photos": list(shipped),
        "lessons": lessons.offers(),
        "lessonPhoto": lessons.PHOTO.name,
        "lists": {},
        "files": {},
        "takesInput": True,
    }
    asked, unused = ("files", {"server", "gradio-client"}) if copy else ("server", {"files"})
    # A script ends where "</script" stands, even in a string.
    data = json.dumps(facts | (copy or {}), separators=(",", ":")).replace("</", "<\\/")
    # All scripts at once: else each wave would name the next.
    links = [
        f'<link rel="modulepreload" href="WEB/{file.relative_to(WEB).as_posix()}">'
        for file in sorted(WEB.rglob("*.js"))
        if file.stem not in {"types", *unused}
    ]
    html = (WEB / "index.html").read_text("utf-8").replace("PRELOADS", "".join(links))
    html = html.replace("ASKED", asked).replace("NOTICE", notice)
    html = html.replace("SLASH", SLASH if copy else "")
    return html.replace("WEB/", f"{web}/").replace("FACTS", data)


async def answer(
    request: gr.Request, photo: str, settings: dict[str, Any], pieces: list[str]
) -> AsyncIterator[dict[str, Any]]:
    """Yields the named pieces of what the page shows of a photo: ``answered``.

    A newer request of the same page ends it: its visitor wants something else now.
    """
    started = time.perf_counter()
    try:
        scene = Scene.of(photo, settings)
        if needed := backbones.offer(scene.settings.backbone):
            yield {"offer": needed}
            return
        asked = answered(scene, pieces if isinstance(pieces, list) else ())
        async with aclosing(in_turns(request, asked)) as parts:
            async for part in parts:
                yield part
    except Exception as error:
        yield told(error, photo)
    finally:
        logger.info("answered page ms=%d", 1000 * (time.perf_counter() - started))


async def download(
    request: gr.Request, photo: str, settings: dict[str, Any], file: str, label: int
) -> dict[str, Any]:
    """A file of ``share.made``, as base64."""
    try:
        scene = Scene.of(photo, settings)
        before = steps(scene, ["methods"] if file == "grid" else [])
        name, data = await in_turn(request, partial(share.made, scene, file, label), before)
    except Exception as error:
        return told(error, photo)
    return {"name": name, "data": b64encode(data).decode()}


def fetch(_: gr.Request, backbone: str) -> Iterator[dict[str, Any]]:
    """Downloads the weights of a backbone; yields the progress. Closing it cancels the download."""
    try:
        for text in backbones.fetch(backbone):
            yield {"text": text}
        yield {"isHere": True}
    except Exception as error:
        yield {"error": sentence(error)}


def told(error: Exception, photo: str) -> dict[str, Any]:
    """What the page is told of an error; it sends a photo again that is gone."""
    return {"gone": photo} if isinstance(error, GoneError) else {"error": sentence(error)}
