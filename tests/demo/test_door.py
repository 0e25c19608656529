"""The door: what is closed, large, slow or never read gets a sentence, and stops nobody else."""

import http.client
import json
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from errno import ENOSPC

import httpx
import pytest

from demo import limits, pictures, server
from demo.answer import PIECES, Piece
from demo.scene import SWITCHES, Scene
from demo.turns import TURNS
from tests.demo.visitor import API, DATA, FILE, JOIN, UPLOAD, FailedError, Visitor, wait_for
from tests.pictures import encoded, noise

pytestmark = pytest.mark.usefixtures("no_trace")


@pytest.fixture
def other(url: str) -> Visitor:
    """A visitor at another address."""
    return Visitor(url, address="127.0.0.2")


# --- bodies and routes ---------------------------------------------------------------------------

RIGHT = {"fn_index": 2, "data": [], "session_hash": "x"}
"""A request for ``about``, which needs no value."""
CHANGES = [{"fn_index": wrong} for wrong in (99, -1, "x")] + [{"data": ["x"]}]
CHANGES += [{"session_hash": wrong} for wrong in ([1], "", 100 * "x")]
BODIES = [b"", b"7", b"[]", b"\xff\xfe", b"[" * 60_000, b'{"data": ' + b"[" * 60_000]
BODIES += [b'{"data": ["\\ud800"]}', *(json.dumps(RIGHT | one).encode() for one in CHANGES)]
BODIES += [json.dumps({k: v for k, v in RIGHT.items() if k != gone}).encode() for gone in RIGHT]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_wrong_bodies(body: bytes, visitor: Visitor) -> None:
    """They reach no endpoint, whether a page or a program sends them."""
    for way in (JOIN, f"{API}/call/none"):
        answer = visitor.web.post(way, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 404)
        assert answer.json()["error"].endswith(".")


@pytest.mark.parametrize("way", [JOIN, f"{API}/call/about"])
def test_large_body(way: str, visitor: Visitor) -> None:
    """64 kB at most, whether its length is declared or not."""
    body = b'{"data": ["' + b"x" * 2**16 + b'"]}'
    for content in (body, iter([body[:9], body[9:]])):
        answer = visitor.web.post(way, content=content)
        assert answer.status_code == 413 and "64 kB" in answer.json()["error"]


def test_many_calls(url: str, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one address are refused before Gradio keeps a session of each; others are served."""
    monkeypatch.setattr(limits, "MAX_CALLS", 5)
    many = Visitor(url, address="127.0.0.3")
    body = many.body("about")
    answers = [many.web.post(JOIN, json=body | {"session_hash": f"{n}"}) for n in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].json()["error"].endswith("Try again soon.")
    monkeypatch.setattr(limits, "MAX_CALLS", 600)
    assert visitor.program("about")


def test_files_are_only_data(visitor: Visitor) -> None:
    """Gradio opens none that a request names, and fetches no address."""
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0.2)
        for path in ("/etc/passwd", f"http://127.0.0.1:{inner.getsockname()[1]}/a.png"):
            file = {"path": path, "url": path} | FILE
            for value in (file, [{"x": file}]):
                assert "meta" not in str(visitor.pieces(value, {}, [])["gone"])
                with pytest.raises(FailedError, match="no longer on the server|“image” cannot be"):
                    visitor.program("suggest", value, 5, "default")
        with pytest.raises(TimeoutError):
            inner.accept()


UP = ("", "../" * 12, "..%2f" * 12, "%2e%2e/" * 12, "..%5c" * 12, "....//" * 12, "//", "file://")


def test_other_paths(url: str) -> None:
    """However they are named."""
    for way in (f"{API}/file=", f"{API}/file/", "/web/", "/photos/", "/"):
        for up in UP:
            wire = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
            wire.request("GET", f"{way}{up}etc/passwd")
            answer = wire.getresponse()
            assert answer.status in (400, 403, 404, 405), way + up
            assert b"root:" not in answer.read()


CLOSED = {
    "GET": f"/docs /monitoring/summary {API}/proxy=https://example.org/ {API}/runs /x/..{API}/runs"
    f" {API}/custom_component/a/client/b/c {API}/stream/a/b/1/playlist.m3u8"
    f" {API}/deep_link?session_hash=x",
    "POST": f"/ {API}/run/about {API}/component_server",
    "PUT": JOIN,
    "DELETE": "/health",
}


def test_closed_routes(visitor: Visitor) -> None:
    for method, paths in CLOSED.items():
        for path in paths.split():
            answer = visitor.web.request(method, path, json={})
            assert answer.status_code == 404 and "error" in answer.json(), path


def test_forged_host(visitor: Visitor) -> None:
    """Only a proxy names the page's address, since Gradio would give it to other visitors, too."""
    visitor.web.get(f"{API}/info", headers={"host": "evil.example"})
    forged = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    for path in ("/config", f"{API}/info", "/"):
        assert "evil.example" not in visitor.web.get(path, headers=forged).text
    proxied = forged | {"x-forwarded-for": "203.0.113.9"}
    assert "https://evil.example" in visitor.web.get("/config", headers=proxied).text


# --- readers -------------------------------------------------------------------------------------


class Slow:
    """Two pieces of an answer that take as long as the test says."""

    def __init__(self) -> None:
        self.seen, self.go = list[str](), threading.Event()

    def __call__(self, scene: Scene) -> None:
        self.seen.append(scene.settings.words)
        assert self.go.wait(60)

    def asked(self, visitor: Visitor, words: str) -> None:
        """Asks for both without reading them."""
        body = visitor.body("answer", "dog", {"words": words}, ["words", "chips"])
        visitor.web.post(JOIN, json=body).raise_for_status()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow()
    for name in ("words", "chips"):
        monkeypatch.setitem(PIECES, name, Piece((), slow, SWITCHES))
    monkeypatch.setattr(limits, "UNREAD_SECONDS", 1)
    return slow


def test_unread_requests_stop_nobody(slow: Slow, url: str) -> None:
    """Sixty pages of one address that never read: another visitor is served at once."""
    slow.go.set()
    pages, visitor = Visitor(url, address="127.0.0.2"), Visitor(url)
    for number in range(60):
        pages.session = f"unread {number}"
        slow.asked(pages, "unread")
    began = time.monotonic()
    visitor.pieces("dog", {"words": "mine"}, ["words"])
    assert time.monotonic() - began < 0.8
    wait_for(lambda: not TURNS.waiting)
    assert slow.seen == ["mine"]


def test_reader_leaves(slow: Slow, url: str) -> None:
    """The rest of its answer is not computed."""
    visitor = Visitor(url)
    slow.asked(visitor, "first")
    with visitor.web.stream("GET", DATA, params={"session_hash": visitor.session}):
        wait_for(lambda: slow.seen == ["first"])
        slow.asked(visitor, "second")
        wait_for(lambda: len(TURNS.waiting) == 1)
    wait_for(lambda: not TURNS.readers)
    slow.go.set()
    wait_for(lambda: not TURNS.waiting and not TURNS.running)
    assert slow.seen == ["first"]


def test_newer_request(slow: Slow, url: str) -> None:
    """It ends the older one of its page, whose visitor wants something else now."""
    visitor = Visitor(url)
    slow.asked(visitor, "older")
    with ThreadPoolExecutor(1) as pool:
        answers = pool.submit(visitor.web.get, DATA, params={"session_hash": visitor.session})
        wait_for(lambda: slow.seen == ["older"])
        slow.asked(visitor, "newer")
        wait_for(lambda: len(TURNS.waiting) == 1)
        slow.go.set()
        answers.result()
    assert slow.seen == ["older", "newer", "newer"]


# --- uploads -------------------------------------------------------------------------------------


def half(url: str, way: str) -> socket.socket:
    """A body that stops before its end."""
    place = "127.0.0.1", httpx.URL(url).port
    wire = socket.create_connection(place, timeout=30, source_address=("127.0.0.2", 0))
    wire.sendall(f"POST {way} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx".encode())
    return wire


def small(seed: int) -> bytes:
    return encoded(noise(4, 4, seed), "PNG")


@pytest.mark.parametrize("way", ["/photos", UPLOAD])
def test_large_upload(way: str, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FILE", 2**20)
    for size, status in ((2**19, 200), (2**20 + 2**17, 413)):
        data = small(0) + bytes(size)
        form = {"files": {"files": ("a.png", data)}} if way == UPLOAD else {"content": data}
        assert visitor.web.post(way, **form).status_code == status


@pytest.mark.parametrize("way", ["/photos", JOIN])
def test_stalled_upload(
    way: str, url: str, visitor: Visitor, other: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds without a byte end it; meanwhile other addresses are served, and two uploads of
    one address at once; a third one waits."""
    monkeypatch.setattr(limits, "IDLE_SECONDS", 1)
    wires = [half(url, way) for _ in range(4)]
    time.sleep(0.1)
    began = time.monotonic()
    assert visitor.uploaded(small(0))
    assert time.monotonic() - began < 0.8
    for wire in wires:
        with wire:
            answer = http.client.HTTPResponse(wire)
            answer.begin()
            assert answer.status == 408 and "Try again" in json.loads(answer.read())["error"]
    assert (1.8 if way == "/photos" else 0.8) < time.monotonic() - began < 10
    assert other.uploaded(small(1))


def test_many_files(visitor: Visitor) -> None:
    """Of one upload are refused: small ones stay in memory until all are here."""
    files = [("files", (f"{number}.png", b"x")) for number in range(limits.MAX_FILES + 1)]
    assert visitor.web.post(UPLOAD, files=files[1:]).status_code == 200
    assert visitor.web.post(UPLOAD, files=files).status_code == 400


def test_previews_beside_uploads(
    url: str, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are sent while the pictures of several addresses are decoded."""
    go = threading.Event()
    monkeypatch.setattr(pictures, "stored", lambda data: go.wait(60) and data)

    def upload(number: int) -> int:
        return Visitor(url, address=f"127.0.0.{11 + number // 2}").upload(small(number)).status_code

    with ThreadPoolExecutor(8) as pool:
        sent = pool.map(upload, range(100, 108))
        time.sleep(1)
        try:
            assert visitor.web.get("/photos/panda-part?thumb", timeout=20).status_code == 200
        finally:
            go.set()
        assert {*sent} == {200}


def test_full_disk(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=limits.MIN_FREE - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    sent = visitor.upload(small(0))
    assert (sent.status_code, sent.json()["error"][:17]) == (507, "The server’s disk")


def test_disk_that_fills(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a photo is received."""

    def fill() -> None:
        raise OSError(ENOSPC, "full")

    monkeypatch.setattr(server, "TemporaryFile", fill)
    sent = visitor.upload(small(0))
    assert (sent.status_code, sent.json()["error"][:16]) == (500, "The disk is full")


def test_class_uploads_at_once(url: str, other: Visitor) -> None:
    """Thirty pupils share an address: all are served; who leaves early frees its place."""
    for _ in range(6):
        half(url, "/photos").close()
    with ThreadPoolExecutor(30) as pool:
        names = list(pool.map(lambda number: other.uploaded(small(number)), range(30)))
    assert len({*names}) == 30
