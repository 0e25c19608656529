"""A request's body: read within a bound, and handed on."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body of a request, at most ``most`` bytes.

    Raises:
        HTTPException: it is too large.
    """
    data = bytearray()
    async for part in Request(scope, receive).stream():
        data += part
        if len(data) > most:
            raise HTTPException(413, f"A request of at most {most // 2**10} kB was expected.")
    return bytes(data)


def replayed(data: bytes, scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """A request with this body, then the messages of its connection."""
    messages = [{"type": "http.request", "body": data, "more_body": False}]
    headers = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
    length = (b"content-length", str(len(data)).encode())

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return {**scope, "headers": [*headers, length]}, replay
