"""What goes over the wire is packed, once, and a stream of answers keeps flowing."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import brotli
import httpx
import pytest

from demo import launch, main, page
from demo.host import guard
from demo.host.wire import Packed, light, packs
from demo.look import Studio
from tests.visitor import API, free_port

WORDS = b'data: {"words": "cat, cat, cat, cat, cat, cat, cat, cat"}\n\n' * 20


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    demo = launch.build(Studio())
    demo.queue()
    options = launch.launch_settings(main.parser().parse_args([])) | {"server_port": free_port()}
    _, found, _ = demo.launch(
        **options,
        app_kwargs=guard.app_settings(demo, page.head()) | {"routes": page.routes()},
        prevent_thread_lock=True, quiet=True,
    )  # fmt: skip
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


def config_in(document: str) -> dict[str, Any]:
    return json.loads(document.split("window.gradio_config = ")[1].split(";</script>")[0])


def test_the_document_is_light_and_names_its_code_once(url: str) -> None:
    whole = httpx.get(url, headers={"accept-encoding": "identity"}).text
    assert len(whole) <= 250_000
    assert int(httpx.get(url, headers={"accept-encoding": "br"}).headers["content-length"]) < 60_000
    calls = [one["props"].get("js_on_load") or "" for one in config_in(whole)["components"]]
    own = [call for call in calls if call.startswith("gclip.")]
    assert len(own) > 20
    assert max(map(len, own)) < 80
    assert not any(one["props"].get("css_template") for one in config_in(whole)["components"])
    for kind, name in (("css", "href"), ("javascript", "src")):
        (address,) = re.findall(
            rf'{name}="(page/\w+\.{kind[-3:] if kind == "css" else "js"})"', whole
        )
        answer = httpx.get(f"{url}/{address}")
        assert kind in answer.headers["content-type"]
        assert "immutable" in answer.headers["cache-control"]
    assert httpx.get(f"{url}/page/0123456789abcdef.js").status_code == 404


def test_no_script_and_no_font_holds_the_first_picture_up(url: str) -> None:
    head = httpx.get(url).text.partition("</head>")[0]
    scripts = re.findall(r"<script[^>]*\ssrc=[^>]*>", head)
    assert scripts
    waits = [one for one in scripts if not re.search(r'\b(defer|async)\b|type="module"', one)]
    assert waits == []
    sheets = re.findall(r'<link[^>]*rel="stylesheet"[^>]*href="([^"]+)"', head)
    assert not [one for one in sheets if "//" in one], "fonts are the system's, and none is fetched"


def test_what_the_document_leaves_out_is_what_it_means_without(url: str) -> None:
    """Programs get the whole configuration; the page's differs by what Gradio takes for granted."""
    whole = httpx.get(f"{url}/config").json()
    page_s = config_in(httpx.get(url).text)
    assert len(page_s["dependencies"]) == len(whole["dependencies"]) > 50
    dropped: dict[str, Any] = {}
    for short, long in zip(page_s["dependencies"], whole["dependencies"], strict=True):
        left_out = {name: value for name, value in long.items() if name not in short}
        assert {**left_out, **short} == long
        for name, value in left_out.items():
            assert dropped.setdefault(name, value) == value, "one meaning for what is not said"
    for short, long in zip(page_s["components"], whole["components"], strict=True):
        assert {name for name in long if name not in short} <= {
            "api_info", "api_info_as_input", "api_info_as_output",
        }  # fmt: skip


def test_a_document_that_is_otherwise_goes_as_it_came() -> None:
    for document in (
        b"<head></head> no configuration", b"<head>window.gradio_config = {};</script>",
        b"<head>window.gradio_config = not json;</script>",
    ):  # fmt: skip
        assert light(document, b"").removeprefix(b"<head>") == document.removeprefix(b"<head>")
    config = b'{"components": [], "dependencies": [], "t": "\\u003c/script\\u003e"}'
    hostile = b"<head>window.gradio_config = " + config + b";</script>"
    made = light(hostile, b"<link>")
    assert made.startswith(b"<head><link>")
    assert made.count(b"</script>") == 1
    assert json.loads(made.split(b" = ")[1].split(b";</script>")[0])["t"] == "</script>"


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
