"""A request's body: read within bounds of bytes and time, and handed on."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

SECONDS = 30


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body of a request, at most ``most`` bytes.

    Raises:
        HTTPException: it is too large, or comes too slowly.
    """
    data = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for part in Request(scope, receive).stream():
                data += part
                if len(data) > most:
                    wanted = f"A request of at most {most // 2**10} kB was expected."
                    raise HTTPException(413, wanted)
    except TimeoutError as error:
        raise HTTPException(408, f"A request may take {SECONDS} s.") from error
    return bytes(data)


def replayed(data: bytes, scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """A request with this body, then the messages of its connection."""
    messages = [{"type": "http.request", "body": data, "more_body": False}]
    headers = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
    length = (b"content-length", str(len(data)).encode())

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return {**scope, "headers": [*headers, length]}, replay
