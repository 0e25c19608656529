"""What goes over the wire is packed, once, and a stream of answers keeps flowing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import brotli
import httpx
import pytest

from demo import main
from demo.host import guard
from demo.host.wire import Packed, packs
from demo.look import Studio
from tests.visitor import API, free_port

WORDS = b'data: {"words": "cat, cat, cat, cat, cat, cat, cat, cat"}\n\n' * 20


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    demo = main.build(Studio())
    demo.queue()
    options = main.launch_settings(main.parser().parse_args([])) | {"server_port": free_port()}
    _, found, _ = demo.launch(
        **options, app_kwargs=guard.app_settings(demo), prevent_thread_lock=True, quiet=True
    )
    yield found.rstrip("/")
    demo.close()


@pytest.mark.parametrize("way", ["br", "gzip"])
@pytest.mark.parametrize("path", ["/", "/config"])
def test_the_page_travels_packed(url: str, path: str, way: str) -> None:
    plain = httpx.get(url + path, headers={"accept-encoding": "identity"})
    packed = httpx.get(url + path, headers={"accept-encoding": way})
    assert packed.headers["content-encoding"] == way
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    assert abs(len(packed.content) - len(plain.content)) < 200, "but for ids that change"


@pytest.mark.parametrize(
    ("path", "packed"),
    [
        ("/", True), ("/config", True), (f"{API}/queue/data", True), (f"{API}/info", True),
        ("/held/3f2a", False), (f"{API}/file=picture.png", False), ("/assets/index.js", False),
        ("/static/img/logo.png", False),
    ],
)  # fmt: skip
def test_what_is_packed_already_is_left_alone(path: str, packed: bool) -> None:
    assert packs(path) is packed


def _stream(accepted: bytes) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Bodies and headers that had been sent whenever the page sent one of two answers."""
    sent: list[dict[str, Any]] = []
    seen = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        kind = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        for more in (True, True, False):
            await send({"type": "http.response.body", "body": WORDS, "more_body": more})
            body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
            seen.append((body, dict(sent[0]["headers"])))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http", "method": "GET", "path": f"{API}/queue/data",
        "headers": [(b"accept-encoding", accepted)],
    }  # fmt: skip
    asyncio.run(Packed(page)(scope, receive, send))
    return seen


def test_each_answer_of_a_stream_can_be_read_as_soon_as_it_is_sent() -> None:
    for number, (body, headers) in enumerate(_stream(b"gzip, br"), 1):
        assert headers[b"content-encoding"] == b"br"
        assert brotli.Decompressor().process(body) == number * WORDS
        assert len(body) < number * len(WORDS) / 4


def test_a_browser_without_brotli_gets_the_stream_as_it_is() -> None:
    for number, (body, headers) in enumerate(_stream(b"gzip"), 1):
        assert b"content-encoding" not in headers
        assert body == number * WORDS
