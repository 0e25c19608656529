"""Turns of simulated visitors; and the door, in front of a small server of two endpoints."""

import asyncio
import http.client
import json
import shutil
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import gradio as gr
import httpx
import pytest
from fastapi import Request
from gradio_client import Client, handle_file

from demo import door, limits, main, store
from demo.door import Door
from demo.limits import BusyError, Turns, address_of, check_cost
from demo.store import Store
from gclip_core import GclipError
from tests import free_port
from tests.demo.visitor import API, DATA, FILE, JOIN, UPLOAD, wait_for

PNG = b"\x89PNG\r\n\x1a\n a picture"


# --- turns ---------------------------------------------------------------------------------------


class Visits:
    """Requests that wait while another one runs; ``order`` is that in which they are served."""

    def __init__(self) -> None:
        self.turns, self.order = Turns(), list[str]()
        self.tasks, self.end = list[asyncio.Task[None]](), asyncio.Event()

    async def ask(self, name: str, session: str, address: str, pieces: int = 1) -> None:
        self.turns.readers.append(session)
        for piece in range(pieces):
            async with self.turns.turn(session, address, is_admitted=piece > 0):
                self.order.append(name)
                await self.end.wait()

    async def add(self, *request: Any, **options: Any) -> None:
        self.tasks.append(asyncio.create_task(self.ask(*request, **options)))
        await asyncio.sleep(0)  # it waits in line now
        await asyncio.sleep(0)

    async def outcome(self) -> list[str]:
        self.end.set()
        await asyncio.gather(*self.tasks)
        return self.order


def test_pages_are_served_in_turn() -> None:
    """Of one address: the only request of a page comes before the second of an earlier one."""

    async def visit() -> list[str]:
        visits = Visits()
        for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
            await visits.add(name, name[0], "here")
        return await visits.outcome()

    assert asyncio.run(visit()) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_addresses_are_served_in_turn() -> None:
    """One address with many pages has no more than its share while others wait."""

    async def visit() -> list[str]:
        visits = Visits()
        for number in range(20):
            await visits.add("many", f"page {number}", "there", pieces=2)
        await visits.add("one", "single", "here", pieces=5)
        return await visits.outcome()

    order = asyncio.run(visit())
    assert len(order) == 45
    assert [place for place, name in enumerate(order) if name == "one"] == [1, 3, 5, 7, 9]


def test_newcomers_do_not_starve_others() -> None:
    """Who was served before they came goes first, however many new addresses come."""

    async def visit() -> list[str]:
        visits = Visits()

        async def come(number: int) -> None:
            name = f"new {number}"
            visits.turns.readers.append(name)
            async with visits.turns.turn(name, name):
                visits.order.append(name)
                if number < 50:
                    visits.tasks.append(asyncio.create_task(come(number + 1)))
                    await asyncio.sleep(0.001)

        await visits.add("old", "old", "old", pieces=2)
        visits.tasks.append(asyncio.create_task(come(0)))
        await asyncio.sleep(0)
        while len(visits.order) < 50:
            await visits.outcome()
        return visits.order

    assert asyncio.run(visit()).index("old", 1) < 5


@pytest.mark.parametrize(
    ("waiting", "asks", "is_refused"),
    [
        ([("page", "here")] * 4, ("page", "here"), True),
        ([("page", "here")] * 4, ("other", "here"), False),
        ([(f"{n}", "here") for n in range(50)], ("other", "here"), True),
        ([(f"{n}", "here") for n in range(50)], ("other", "there"), False),
        ([(f"{n}", f"{n}") for n in range(200)], ("other", "there"), True),
    ],
)
def test_places(waiting: list[tuple[str, str]], asks: tuple[str, str], is_refused: bool) -> None:
    """Four of a page, a quarter of all 200 of an address; an answer that began is not refused."""

    async def visit() -> tuple[str, int]:
        visits = Visits()
        await visits.add("running", "running", "elsewhere", pieces=2)
        for place in waiting:
            await visits.add("waiting", *place)
        sentence = ""
        try:
            await asyncio.wait_for(visits.ask("asks", *asks), 0.05)
        except BusyError as error:
            sentence = str(error)
        except TimeoutError:
            pass
        return sentence, len(await visits.outcome())

    sentence, served = asyncio.run(visit())
    assert bool(sentence) == is_refused and served == 2 + len(waiting)
    assert not sentence or sentence.endswith("Try again soon.")


def test_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work starts only for who reads: a request waits for its reader, for a while, in its place."""
    monkeypatch.setattr(limits, "UNREAD_SECONDS", 1)

    async def visit() -> tuple[list[str], int]:
        visits, outcome = Visits(), list[str]()
        turns = visits.turns
        await visits.add("running", "running", "elsewhere")

        async def ask(session: str) -> None:
            try:
                async with turns.turn(session, "here"):
                    outcome.append(session)
            except BusyError as error:
                outcome.append(f"{session}: {error}")

        late, gone, never = (asyncio.create_task(ask(name)) for name in ("late", "gone", "never"))
        turns.readers.append("gone")
        await asyncio.sleep(0.1)
        turns.readers.append("late")
        turns.readers.remove("gone")
        waiting = len(turns.waiting)
        await never
        await visits.outcome()
        await asyncio.gather(late, gone)
        return outcome, waiting

    nobody = "Nobody reads the answer of this request."
    wanted = [f"never: {nobody}", f"gone: {nobody}", "late"]
    outcome, waiting = asyncio.run(visit())
    assert (sorted(outcome), waiting) == (sorted(wanted), 3)


def test_cancelled_while_its_turn_comes() -> None:
    """Everybody else is still served."""

    async def visit() -> list[str]:
        visits = Visits()
        for name in ("first", "cancelled", "last"):
            await visits.add(name, name, name)
        visits.end.set()
        visits.tasks.pop(1).cancel()  # noticed only after the first has passed its turn on
        return await asyncio.wait_for(visits.outcome(), 5)

    assert asyncio.run(visit()) == ["first", "last"]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somebody", "somebody"),
        ("", ""),
    ],
)
def test_address(host: str, address: str) -> None:
    """An IPv6 network of 64 bits counts as one visitor."""
    assert address_of(host) == address


def test_cost() -> None:
    """The built-in at its own size is far below the limit, and OpenAI's largest is below it."""
    check_cost(1_036, 12 * 256, 16)
    check_cost(24 * 32, 24 * 1_024, 16)
    for patches, methods in ((5_000, 1), (1_036, 160)):
        with pytest.raises(GclipError, match="smaller size"):
            check_cost(patches, 12 * 256, methods)


# --- the door ------------------------------------------------------------------------------------


class Small:
    """A server of two endpoints: ``wait`` takes as long as the test says, in its turn, and ``look``
    tells what it gets."""

    def __init__(self) -> None:
        self.turns, self.go = Turns(), threading.Event()
        self.seen, self.refused = list[Any](), 0
        self.app = gr.Server(docs_url=None, redoc_url=None, openapi_url=None)

        @self.app.get("/")
        def _() -> str:
            return "page"

        @self.app.post("/photos")
        async def _(request: Request) -> dict[str, int]:
            size = 0
            async for part in request.stream():
                size += len(part)
            return {"size": size}

        self.app.api(self.wait, name="wait", concurrency_limit=None)
        self.app.api(self.look, name="look", concurrency_limit=None)
        self.app.add_middleware(Door, inputs={"wait": 1, "look": 2})

    async def wait(self, text: str, request: gr.Request) -> AsyncIterator[str]:
        """Yields the text twice, each time in its turn."""
        session, address = request.session_hash or "", address_of(request.client.host)
        try:
            for piece in range(2):
                async with self.turns.turn(session, address, is_admitted=piece > 0):
                    self.seen.append(text)
                    await asyncio.to_thread(self.go.wait, 60)
                yield text
        except BusyError as error:
            self.refused += 1
            yield str(error)

    async def look(self, image: dict[str, Any], text: str = "nothing") -> str:
        self.seen.append(image)
        return f"{Path(image['path']).read_bytes().decode('latin-1')} {text}"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    kept = Store()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(store.PARENT, str(tmp_path_factory.mktemp("store")))
        patch.setattr(door, "STORE", kept)
        patch.setenv(store.PARENT, str(kept.folder / "files"))
        made = Small()
        patch.setattr(door, "TURNS", made.turns)
        options = {"server_port": free_port(), "prevent_thread_lock": True, "quiet": True}
        _, url, _ = made.app.launch(**main.OFF, **options)
        made.url, made.store = url.rstrip("/"), kept
        yield made
        made.go.set()
        made.app.get_blocks().close(verbose=False)


@pytest.fixture
def web(small: Small, capfd: pytest.CaptureFixture[str]) -> Iterator[httpx.Client]:
    small.go.set()
    small.seen.clear()
    small.refused = 0
    with httpx.Client(base_url=small.url, timeout=30, verify=False) as client:  # HTTP
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


def program(web: httpx.Client, name: str, body: Any) -> str:
    """The answer to a program, or the sentence of a refusal."""
    sent = web.post(f"{API}/call/{name}", json=body)
    if sent.status_code != 200:
        return sent.json()["error"]
    return web.get(f"{API}/call/{name}/{sent.json()['event_id']}").text


def upload(web: httpx.Client, data: bytes = PNG, name: str = "a.png") -> httpx.Response:
    return web.post(UPLOAD, files={"files": (name, data)})


def test_programs(small: Small, web: httpx.Client, tmp_path: Path) -> None:
    """Gradio's client, and HTTP by place and by name, with an upload."""
    (tmp_path / "a.png").write_bytes(PNG)
    client = Client(small.url, verbose=False)
    wanted = f"{PNG.decode('latin-1')} nothing"
    assert client.predict(handle_file(tmp_path / "a.png"), api_name="/look") == wanted
    assert client.predict("text", api_name="/wait") == "text"
    image = {"path": upload(web).json()[0]} | FILE
    assert "a picture twice" in program(web, "look", {"data": [image, "twice"]})
    url = {"path": f"{small.url}{API}/file={image['path']}"} | FILE
    assert "a picture again" in program(web, "look", {"data": [url, "again"]})
    served = web.get(f"{API}/file={image['path']}")
    assert served.content == PNG
    with_session = {"data": ["text"], "session_hash": "mine"}
    assert "complete" in program(web, "wait", with_session) and small.seen[-1] == "text"


@pytest.mark.parametrize("way", ["call/wait", "call/look"])
@pytest.mark.parametrize(
    "body", [{}, {"data": []}, {"data": 7}, {"data": [1] * 9}, {"text": None, "planted": 1}, [], 7]
)
def test_wrong_inputs(way: str, body: Any, small: Small, web: httpx.Client) -> None:
    """Missing or unknown: a sentence."""
    sent = web.post(f"{API}/{way}", json=body)
    assert sent.status_code == 400 and sent.json()["error"].endswith((".", "/info."))
    assert not small.seen


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"7",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"data": [NaN]}',
        b'{"data": ["\\ud800"]}',
        b'{"data": [' + b"{}," * 2_000 + b"0]}",
        b'{"fn_index": 99, "data": [], "session_hash": "x"}',
        b'{"fn_index": -1, "data": ["x"], "session_hash": "x"}',
        b'{"fn_index": "x", "data": [], "session_hash": "x"}',
        b'{"data": ["x"], "session_hash": "x"}',
        b'{"fn_index": 0, "data": [], "session_hash": "x"}',
        b'{"fn_index": 1, "data": [{}], "session_hash": "x"}',
        b'{"fn_index": 0, "data": ["x"]}',
        b'{"fn_index": 0, "data": ["x"], "session_hash": [1]}',
        b'{"fn_index": 0, "data": ["x"], "session_hash": "' + b"x" * 100 + b'"}',
    ],
)
def test_wrong_json(body: bytes, small: Small, web: httpx.Client) -> None:
    """It reaches neither an endpoint nor the log."""
    answer = web.post(JOIN, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 404, 422) and answer.json()["error"]
    assert not small.seen


@pytest.mark.parametrize("way", [JOIN, f"{API}/call/look", f"{API}/cancel", f"{API}/reset"])
def test_large_body(way: str, web: httpx.Client) -> None:
    """64 kB at most, whether its length is declared or not."""
    body = b'{"data": ["' + b"x" * 2**16 + b'"]}'
    for content in (body, iter([body[:9], body[9:]])):
        answer = web.post(way, content=content)
        assert answer.status_code == 413 and "64 kB" in answer.json()["error"]


def test_forged_files(small: Small, web: httpx.Client, tmp_path: Path) -> None:
    """No other file is opened or served, and no address is fetched."""
    (own,) = upload(web).json()
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0.2)
        address = f"http://127.0.0.1:{inner.getsockname()[1]}/a.png"
        paths = [str(secret), "/etc/passwd", f"{own}/../../../{secret}", str(small.store.files)]
        paths += ["\0", "", "a.png", 7, None, {"path": own}, address, address.replace("//", "/")]
        paths += [f"{address}{API}/file={own}x", f"{own}x"]
        for path in paths:
            for file in (
                {"path": path} | FILE,
                [{"x": {"path": path}}],
                {"path": path, "url": own},
            ):
                sent = web.post(f"{API}/call/look", json={"data": [file, ""]})
                assert sent.status_code == 404, path
                assert sent.json()["error"].endswith("Upload it.")
            answer = web.get(f"{API}/file={quote(str(path))}")
            assert answer.status_code == 404, path
        assert (
            web.post(f"{API}/call/look", json={"data": [{"url": address}, ""]}).status_code == 404
        )
        file = {"path": own, "url": address} | FILE
        assert "a picture" in program(web, "look", {"data": [file, ""]})
        with pytest.raises(TimeoutError):
            inner.accept()
    assert len(small.seen) == 1


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
        ("GET", f"{API}/dev/reload"),
        ("GET", f"{API}/stream/a/b/1/playlist.m3u8"),
        ("GET", f"{API}/runs"),
        ("GET", f"{API}/deep_link?session_hash=x"),
        ("GET", f"/x/..{API}/runs"),
        ("POST", f"{API}/run/look"),
        ("POST", f"{API}/api/look"),
        ("POST", f"{API}/component_server"),
        ("POST", f"{API}/stream/x"),
        ("POST", "/"),
        ("PUT", JOIN),
        ("DELETE", "/health"),
    ],
)
def test_closed_routes(method: str, path: str, web: httpx.Client) -> None:
    answer = web.request(method, path, json={})
    assert answer.status_code == 404 and "error" in answer.json()


def test_websocket(small: Small) -> None:
    with socket.create_connection(("127.0.0.1", int(small.url.rpartition(":")[2]))) as wire:
        wire.settimeout(10)
        head = f"GET {JOIN} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        wire.sendall(head.encode())
        assert wire.recv(15).split()[1] in (b"403", b"404")


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


def test_reader_leaves(small: Small, web: httpx.Client) -> None:
    """The rest of its answer is not computed."""
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
    time.sleep(0.2)
    assert small.seen == ["first"]


def test_busy(small: Small, web: httpx.Client) -> None:
    """The fifth request of a page that waits gets a sentence, and the others their answers."""
    small.go.clear()
    name = uuid4().hex
    with ThreadPoolExecutor(1) as pool:
        join(web, "running", name)
        answers = pool.submit(read, web, name)
        wait_for(lambda: small.seen == ["running"])
        with from_address(small, "127.0.0.1") as second:
            for number in range(6):
                join(second, f"text {number}", name)
        wait_for(lambda: small.refused == 2 and len(small.turns.waiting) == limits.MAX_WAITING)
        small.go.set()
        text = answers.result()
    assert text.count("already has requests waiting") >= 2
    assert len({*small.seen}) == 1 + limits.MAX_WAITING


# --- uploads -------------------------------------------------------------------------------------


def half(small: Small, address: str, way: str = "/photos", size: int = 9) -> socket.socket:
    """An upload that stops before its end."""
    place = "127.0.0.1", int(small.url.rpartition(":")[2])
    wire = socket.create_connection(place, timeout=30, source_address=(address, 0))
    kind = "Content-Type: multipart/form-data; boundary=x\r\n" if way == UPLOAD else ""
    wire.sendall(
        f"POST {way} HTTP/1.1\r\nHost: x\r\nContent-Length: {size + 1}\r\n{kind}\r\n".encode()
    )
    start = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    wire.sendall(start[:size] if way == UPLOAD else bytes(size))
    return wire


def answer_of(wire: socket.socket) -> tuple[int, str]:
    with wire:
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        return answer.status, json.loads(answer.read())["error"]


@pytest.mark.parametrize("way", ["/photos", UPLOAD])
def test_large_upload(
    way: str, small: Small, web: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAX_FILE", 2**20)
    for size, status in ((2**19, 200), (2**20 + 2**17, 413)):
        sent = upload(web, bytes(size)) if way == UPLOAD else web.post(way, content=bytes(size))
        assert sent.status_code == status
    assert "Send at most" in sent.json()["error"]


@pytest.mark.parametrize("way", ["/photos", UPLOAD, JOIN])
def test_stalled_upload(
    way: str, small: Small, web: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds without a byte end it; meanwhile other addresses are served, and two uploads of
    one address at once; a third one waits."""
    monkeypatch.setattr(door, "IDLE_SECONDS", 1)
    wires = [half(small, "127.0.0.2", way) for _ in range(4)]
    time.sleep(0.1)
    began = time.monotonic()
    assert web.post("/photos", content=b"x").json() == {"size": 1}
    assert upload(web).status_code == 200
    assert time.monotonic() - began < 0.8
    for status, sentence in map(answer_of, wires):
        assert status == 408 and "Try again" in sentence
    with from_address(small, "127.0.0.2") as same:
        assert same.post("/photos", content=b"x").json() == {"size": 1}


def test_full_disk(web: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=limits.MIN_FREE - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    for sent in (upload(web), web.post("/photos", content=b"x")):
        assert (sent.status_code, sent.json()["error"][:17]) == (507, "The server’s disk")


def test_class_uploads_at_once(web: httpx.Client) -> None:
    """Thirty pupils share an address: all are served."""
    with ThreadPoolExecutor(30) as pool:
        sent = list(pool.map(lambda n: web.post("/photos", content=bytes(n)).json(), range(30)))
    assert sent == [{"size": number} for number in range(30)]


def test_upload_that_ends_early(small: Small, web: httpx.Client) -> None:
    """It leaves nothing behind and frees its place."""
    for way in ("/photos", UPLOAD) * 3:
        half(small, "127.0.0.1", way, 50).close()
    assert web.post("/photos", content=b"x").json() == {"size": 1}
    assert upload(web).status_code == 200


@pytest.mark.parametrize("name", ["x.html", "x.svg", "x.js"])
def test_uploads_run_nothing(name: str, web: httpx.Client) -> None:
    """A browser does not open what a stranger uploaded as a page of this server."""
    (path,) = upload(web, b"<svg/>", name).json()
    assert "attachment" in web.get(f"{API}/file={path}").headers["content-disposition"]
