"""Pictures of the Model Context Protocol (``--mcp``): base64 data becomes an upload.

Gradio's own server would fetch a picture's address, or keep its data in memory while the call
waits. Here the data of ``tools/call`` is stored first, and the upload's address takes its place.
"""

import base64
import binascii
from io import BytesIO
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.host.bodies import read_body, replayed
from demo.host.files import is_uploaded
from demo.host.judge import API, TOO_DEEP, check_files, local_path, read_object
from demo.host.uploads import Uploads

PATHS = (f"{API}/mcp", f"{API}/mcp/")
MAX_BODY_BYTES = 8 * 2**20
MAX_REST_BYTES = 64 * 2**10
"""Of a request without its picture: Gradio keeps it as long as the call waits."""
PICTURE = "image"
"""The argument of a tool that takes a picture."""
NO_PICTURE = (
    "“image” takes a picture as base64 data, or the address of one that was uploaded here; other "
    "addresses are not fetched."
)
_INVALID = -32602  # JSON-RPC: invalid params
_PROGRESS = b"notifications/progress"


class Pictures:
    """ASGI middleware on the protocol's route; other requests pass as they are."""

    def __init__(self, app: ASGIApp, uploads: Uploads) -> None:
        self.app = app
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].endswith(PATHS):
            await self.app(scope, receive, send)
            return
        if scope["method"] != "POST":
            streams = "text/event-stream" in Headers(scope=scope).get("accept", "")
            # The server has no messages of its own; a browser gets Gradio's page for people.
            app = PlainTextResponse("POST is taken here.", 405) if streams else self.app
            await app(scope, receive, send)
            return
        call: dict[str, Any] = {}
        try:
            async with self._uploads.place(MAX_BODY_BYTES):
                call = read_object(await read_body(scope, receive, MAX_BODY_BYTES))
                await self._store(call)
            quiet = _with_progress(call)
            data = _rest(call)
            check_files(call)
        except HTTPException as refused:
            # As an answer of the protocol, which its clients show; a status would end the session.
            error = {"code": _INVALID, "message": refused.detail}
            name = call.get("id")
            answer = {
                "jsonrpc": "2.0",
                "id": name if isinstance(name, str | int) else None,
                "error": error,
            }
            await JSONResponse(answer)(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if not (quiet and _PROGRESS in message.get("body", b"")):
                await send(message)

        await self.app(*replayed(data, scope, receive), answer)

    async def _store(self, call: dict[str, Any]) -> None:
        """Store the picture of a call, and put its address in its place."""
        params = call.get("params")
        arguments = params.get("arguments") if isinstance(params, dict) else None
        if not (isinstance(arguments, dict) and arguments.get(PICTURE)):
            return
        path = local_path(arguments[PICTURE])
        if not is_uploaded(path):
            data = _decoded(arguments[PICTURE])
            path = await run_in_threadpool(self._uploads.store, BytesIO(data), "")
        # Of an address only the path is read, and nothing is fetched.
        arguments[PICTURE] = f"http://localhost{API}/file={path}"


def _with_progress(call: dict[str, Any]) -> bool:
    """Ask for notes on the progress of a call that does not; whether that was so.

    Gradio gives the outputs of a tool one by one, with the mask as a picture, only where progress
    is asked for; elsewhere it writes all of them into one text.
    """
    params = call.get("params")
    if call.get("method") != "tools/call" or not isinstance(params, dict):
        return False
    meta = params.setdefault("_meta", {})
    if not isinstance(meta, dict) or "progressToken" in meta:
        return False
    meta["progressToken"] = "gclip"
    return True


def _rest(call: dict[str, Any]) -> bytes:
    """A call, whose picture was stored, as JSON; of any length it takes no time to measure."""
    try:
        data = orjson.dumps(call)
    except TypeError as error:
        raise HTTPException(400, TOO_DEEP) from error
    if len(data) > MAX_REST_BYTES:
        most = f"{MAX_REST_BYTES // 2**10} kB"
        raise HTTPException(413, f"At most {most} were expected beside the picture.")
    return data


def _decoded(text: Any) -> bytes:
    """The bytes of base64 data, with or without ``data:image/png;base64,`` before it."""
    if not isinstance(text, str) or text.startswith(("http:", "https:")):
        raise HTTPException(422, NO_PICTURE)
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise HTTPException(422, NO_PICTURE) from error
