"""The door, in front of a small server of one endpoint and of an upload."""

import asyncio
import http.client
import json
import shutil
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import gradio as gr
import httpx
import pytest
from fastapi import Request

from demo import door, limits, main, store
from demo.door import Door
from demo.store import Store
from demo.turns import BusyError, Turns, address_of
from tests import free_port
from tests.demo.visitor import API, DATA, FILE, JOIN, UPLOAD, wait_for


class Small:
    """``wait`` takes as long as the test says, in its turn; a body is counted."""

    def __init__(self) -> None:
        self.turns, self.go = Turns(), threading.Event()
        self.seen, self.refused = list[Any](), 0
        self.app = gr.Server()
        for path in ("/photos", UPLOAD):
            self.app.post(path)(self.receive)
        self.app.api(self.wait, name="wait", concurrency_limit=None)
        self.app.add_middleware(Door, inputs={"wait": 1})

    @staticmethod
    async def receive(request: Request) -> dict[str, int]:
        return {"size": len(await request.body())}

    async def wait(self, text: Any, request: gr.Request) -> AsyncIterator[str]:
        """Yields the text twice, each time in its turn."""
        session, address = request.session_hash or "", address_of(request)
        try:
            for piece in range(2):
                async with self.turns.turn(session, address, is_admitted=piece > 0):
                    self.seen.append(text)
                    await asyncio.to_thread(self.go.wait, 60)
                yield str(text)
        except BusyError as error:
            self.refused += 1
            yield str(error)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(store.PARENT, str(tmp_path_factory.mktemp("store")))
        patch.setattr(door, "STORE", Store())
        made = Small()
        patch.setattr(door, "TURNS", made.turns)
        options = {"server_port": free_port(), "prevent_thread_lock": True, "quiet": True}
        _, url, _ = made.app.launch(**main.OFF, **options)
        made.url = url.rstrip("/")
        yield made
        made.go.set()
        made.app.get_blocks().close(verbose=False)


@pytest.fixture
def web(small: Small, capfd: pytest.CaptureFixture[str]) -> Iterator[httpx.Client]:
    small.go.set()
    small.seen.clear()
    small.refused = 0
    with from_address(small, "127.0.0.1") as client:
        yield client
    assert "Traceback" not in "".join(capfd.readouterr())


def from_address(small: Small, address: str) -> httpx.Client:
    wires = httpx.HTTPTransport(verify=False, local_address=address)
    return httpx.Client(base_url=small.url, timeout=30, transport=wires)


def join(web: httpx.Client, text: str, session: str) -> httpx.Response:
    return web.post(JOIN, json={"fn_index": 0, "data": [text], "session_hash": session})


def read(web: httpx.Client, session: str) -> str:
    """The answers of a page, until its stream ends."""
    return web.get(DATA, params={"session_hash": session}).text


def upload(web: httpx.Client, data: bytes) -> httpx.Response:
    return web.post(UPLOAD, files={"files": ("a.png", data)})


# --- bodies and routes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"7",
        b"[]",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"data": ' + b"[" * 60_000,
        b'{"data": ["\\ud800"]}',
        b'{"fn_index": 99, "data": ["x"], "session_hash": "x"}',
        b'{"fn_index": -1, "data": ["x"], "session_hash": "x"}',
        b'{"fn_index": "x", "data": ["x"], "session_hash": "x"}',
        b'{"data": ["x"], "session_hash": "x"}',
        b'{"fn_index": 0, "data": [], "session_hash": "x"}',
        b'{"fn_index": 0, "data": ["x"]}',
        b'{"fn_index": 0, "data": ["x"], "session_hash": [1]}',
        b'{"fn_index": 0, "data": ["x"], "session_hash": "' + b"x" * 100 + b'"}',
    ],
)
def test_wrong_bodies(body: bytes, small: Small, web: httpx.Client) -> None:
    """They reach neither an endpoint nor the log, whether a page or a program sends them."""
    for way in (JOIN, f"{API}/call/none"):
        answer = web.post(way, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 404)
        assert answer.json()["error"].endswith((".", "/info."))
    assert not small.seen


@pytest.mark.parametrize("way", [JOIN, f"{API}/call/wait"])
def test_large_body(way: str, web: httpx.Client) -> None:
    """64 kB at most, whether its length is declared or not."""
    body = b'{"data": ["' + b"x" * 2**16 + b'"]}'
    for content in (body, iter([body[:9], body[9:]])):
        answer = web.post(way, content=content)
        assert answer.status_code == 413 and "64 kB" in answer.json()["error"]


def test_files_are_only_data(small: Small, web: httpx.Client) -> None:
    """Gradio opens none that a request names, and fetches no address."""
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0.2)
        address = f"http://127.0.0.1:{inner.getsockname()[1]}/a.png"
        for path in ("/etc/passwd", address):
            file = {"path": path, "url": path} | FILE
            for value in (file, [{"x": file}]):
                sent = web.post(f"{API}/call/wait", json={"data": [value]}).json()
                assert "complete" in web.get(f"{API}/call/wait/{sent['event_id']}").text
        with pytest.raises(TimeoutError):
            inner.accept()
    assert len(small.seen) == 8 and "meta" not in str(small.seen)


UP = ("", "../" * 12, "..%2f" * 12, "%2e%2e/" * 12, "..%5c" * 12, "....//" * 12, "//", "file://")


def test_other_paths(small: Small, web: httpx.Client) -> None:
    """However they are named."""
    for way in (f"{API}/file=", f"{API}/file/", "/web/", "/photos/", "/"):
        for up in UP:
            wire = http.client.HTTPConnection(small.url.removeprefix("http://"), timeout=30)
            wire.request("GET", f"{way}{up}etc/passwd")
            answer = wire.getresponse()
            assert answer.status in (400, 403, 404, 405), way + up
            assert b"root:" not in answer.read()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/docs"),
        ("GET", "/monitoring/summary"),
        ("GET", f"{API}/proxy=https://example.org/"),
        ("GET", f"{API}/custom_component/a/client/b/c"),
        ("GET", f"{API}/stream/a/b/1/playlist.m3u8"),
        ("GET", f"{API}/runs"),
        ("GET", f"{API}/deep_link?session_hash=x"),
        ("GET", f"/x/..{API}/runs"),
        ("POST", f"{API}/run/wait"),
        ("POST", f"{API}/component_server"),
        ("POST", "/"),
        ("PUT", JOIN),
        ("DELETE", "/health"),
    ],
)
def test_closed_routes(method: str, path: str, web: httpx.Client) -> None:
    answer = web.request(method, path, json={})
    assert answer.status_code == 404 and "error" in answer.json()


def test_host(web: httpx.Client) -> None:
    """Gradio does not give one client's host to the next."""
    web.get(f"{API}/info", headers={"host": "evil.example"})
    assert "evil.example" not in web.get(f"{API}/info").text


# --- answers -------------------------------------------------------------------------------------


def test_unread_requests_stop_nobody(
    small: Small, web: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty pages of one address that never read: another visitor is served at once."""
    monkeypatch.setattr(limits, "UNREAD_SECONDS", 1)
    with from_address(small, "127.0.0.2") as other:
        for number in range(60):
            assert join(other, "unread", f"unread {number}").status_code == 200
    began = time.monotonic()
    join(web, "mine", "me")
    assert '"mine"' in read(web, "me")
    assert time.monotonic() - began < 0.8
    wait_for(lambda: len(small.turns.waiting) == 0)
    assert "unread" not in small.seen


def test_reader_leaves(small: Small, web: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of its answer is not computed."""
    monkeypatch.setattr(limits, "UNREAD_SECONDS", 1)
    small.go.clear()
    name = uuid4().hex
    join(web, "first", name)
    with web.stream("GET", DATA, params={"session_hash": name}):
        wait_for(lambda: "first" in small.seen)
        join(web, "second", name)
        wait_for(lambda: len(small.turns.waiting) == 1)
    wait_for(lambda: not small.turns.readers)
    small.go.set()
    wait_for(lambda: len(small.turns.waiting) == 0 and not small.turns.running)
    assert small.seen == ["first"]


def test_busy(small: Small, web: httpx.Client) -> None:
    """The fifth request of a page that waits gets a sentence, and the others their answers."""
    small.go.clear()
    name = uuid4().hex
    with ThreadPoolExecutor(1) as pool, from_address(small, "127.0.0.1") as second:
        join(web, "running", name)
        answers = pool.submit(read, web, name)
        wait_for(lambda: small.seen == ["running"])
        for number in range(6):
            join(second, f"text {number}", name)
        wait_for(lambda: small.refused == 2 and len(small.turns.waiting) == limits.MAX_WAITING)
        small.go.set()
        assert answers.result().count("already has requests waiting") >= 2
    assert len({*small.seen}) == 1 + limits.MAX_WAITING


# --- uploads -------------------------------------------------------------------------------------


def half(small: Small, address: str, way: str) -> socket.socket:
    """A body that stops before its end."""
    place = "127.0.0.1", int(small.url.rpartition(":")[2])
    wire = socket.create_connection(place, timeout=30, source_address=(address, 0))
    wire.sendall(f"POST {way} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx".encode())
    return wire


def answer_of(wire: socket.socket) -> tuple[int, str]:
    with wire:
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        return answer.status, json.loads(answer.read())["error"]


@pytest.mark.parametrize("way", ["/photos", UPLOAD])
def test_large_upload(way: str, web: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FILE", 2**20)
    assert web.post(way, content=bytes(2**19)).json() == {"size": 2**19}
    sent = web.post(way, content=bytes(2**20 + 2**17))
    assert sent.status_code == 413 and "Send at most" in sent.json()["error"]


@pytest.mark.parametrize("way", ["/photos", JOIN])
def test_stalled_upload(
    way: str, small: Small, web: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds without a byte end it; meanwhile other addresses are served, and two uploads of
    one address at once; a third one waits."""
    monkeypatch.setattr(limits, "IDLE_SECONDS", 1)
    wires = [half(small, "127.0.0.2", way) for _ in range(4)]
    time.sleep(0.1)
    began = time.monotonic()
    assert web.post("/photos", content=b"x").json() == {"size": 1}
    assert time.monotonic() - began < 0.8
    for status, sentence in map(answer_of, wires):
        assert status == 408 and "Try again" in sentence
    with from_address(small, "127.0.0.2") as same:
        assert same.post("/photos", content=b"x").json() == {"size": 1}


def test_full_disk(web: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=limits.MIN_FREE - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    sent = web.post("/photos", content=b"x")
    assert (sent.status_code, sent.json()["error"][:17]) == (507, "The server’s disk")


def test_class_uploads_at_once(small: Small, web: httpx.Client) -> None:
    """Thirty pupils share an address: all are served; who leaves early frees its place."""
    for _ in range(6):
        half(small, "127.0.0.1", "/photos").close()
    with ThreadPoolExecutor(30) as pool:
        sent = list(pool.map(lambda n: web.post("/photos", content=bytes(n)).json(), range(30)))
    assert sent == [{"size": number} for number in range(30)]
