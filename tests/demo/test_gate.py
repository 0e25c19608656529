"""The gate in front of Gradio, on a small Gradio page that records what reaches it."""

import asyncio
import http.client
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr
import httpx
import pytest
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

from demo.gate import API, files, numbers, process, requests, sessions
from demo.gate.requests import JOIN, UPLOAD
from gclip_core import GclipError
from tests.demo.visitor import FILE, wait_for

PNG = b"\x89PNG\r\n\x1a\n a picture"
DATA = f"{API}/queue/data"


class Page:
    """Four events: ``look`` records the file that it gets, ``wait`` takes as long as the test says,
    ``repeat`` does not compute, and the fourth has no Python function."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.uploads, self.shipped = folder, folder / "uploads", folder / "shipped"
        self.uploads.mkdir()
        self.shipped.mkdir()
        (self.shipped / "photo.png").write_bytes(PNG)
        self.go, self.seen = threading.Event(), list[Any]()
        gr.set_static_paths([self.shipped])
        with gr.Blocks(analytics_enabled=False) as self.blocks:
            image, text = gr.Image(type="filepath"), gr.Textbox()
            gr.Button().click(self.look, image, text, preprocess=False, api_name="look")
            heavy = {"concurrency_id": sessions.HEAVY, "concurrency_limit": 1}
            gr.Button().click(self.wait, text, text, api_name="wait", **heavy)
            gr.Button().click(lambda text: text, text, text, api_name="repeat")
            gr.Button().click(None, text, text, js="text => text")

    def look(self, image: Any) -> str:
        self.seen.append(image)
        return "seen"

    def wait(self, text: str) -> str:
        self.seen.append(text)
        self.go.wait(60)
        return text * 2

    def launch(self, **options: Any) -> str:
        self.files = files.Files(self.blocks, self.uploads, [self.shipped])
        middleware = [Middleware(requests.Gate, page=self.blocks, files=self.files)]
        self.blocks.queue(max_size=sessions.MAX_QUEUE, api_open=False)
        _, url, _ = self.blocks.launch(
            prevent_thread_lock=True,
            quiet=True,
            max_file_size=files.MAX_FILE,
            app_kwargs={"middleware": middleware},
            **options,
        )
        return url.rstrip("/")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    made = Page(tmp_path_factory.mktemp("page"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(made.uploads))
        made.url = made.launch()
        yield made
        made.go.set()
        made.blocks.close()


@pytest.fixture
def web(small: Page) -> Iterator[httpx.Client]:
    small.go.set()
    small.seen.clear()
    with httpx.Client(base_url=small.url, timeout=60, verify=False) as client:  # HTTP
        yield client


def join(web: httpx.Client, event: int, value: Any, session: str = "one") -> httpx.Response:
    """Calls an event: 0 looks at a file, 1 waits, 2 repeats, 3 is JavaScript."""
    return web.post(JOIN, json={"fn_index": event, "data": [value], "session_hash": session})


def read(web: httpx.Client, session: str) -> list[dict[str, Any]]:
    """The answers of a session, until its stream ends."""
    lines = web.get(DATA, params={"session_hash": session}).text.splitlines()
    messages = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    return [message for message in messages if message["msg"] == "process_completed"]


def upload(web: httpx.Client, data: bytes = PNG, name: str = "a.png") -> httpx.Response:
    return web.post(UPLOAD, files={"files": (name, data)})


def stored(small: Page) -> list[Path]:
    return [file for file in small.uploads.rglob("*") if file.is_file()]


@pytest.mark.parametrize("way", [JOIN, f"{API}/call/look", f"{API}/cancel", "/login"])
def test_body(way: str, web: httpx.Client) -> None:
    """A body has at most 64 kB, whether its length is declared or not."""
    body = b'{"data": ["' + b"x" * 2**16 + b'"]}'
    for content in (body, iter([body[:9], body[9:]])):
        answer = web.post(way, content=content)
        assert answer.status_code == 413
        assert "65,536 bytes" in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"7",
        b"[]",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"data": [NaN]}',
        b'{"data": ["\\ud800"]}',
        b'{"data": [' + b"{}," * 2_000 + b"0]}",
        b'{"fn_index": 99, "data": [], "session_hash": "x"}',
        b'{"fn_index": "x", "data": [], "session_hash": "x"}',
        b'{"fn_index": 3, "data": ["x"], "session_hash": "x"}',
        b'{"fn_index": 0, "data": [], "session_hash": "x"}',
        b'{"fn_index": 0, "data": ["a.png"], "session_hash": "x"}',
        b'{"fn_index": 0, "data": [["a.png"]], "session_hash": "x"}',
        b'{"fn_index": 0, "data": [7], "session_hash": "x"}',
        b'{"fn_index": 0, "data": [{"size": []}], "session_hash": "x"}',
        b'{"fn_index": 0, "data": [1], "session_hash": [1]}',
        b'{"fn_index": 0, "data": [1], "session_hash": "' + b"x" * 100 + b'"}',
    ],
)
def test_json(body: bytes, web: httpx.Client, small: Page, capfd: Any) -> None:
    """A malformed request gets an error message, and reaches neither an event nor the log.

    An event without a function runs in JavaScript only: Gradio would fail with a traceback.
    """
    answer = web.post(JOIN, content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text + "".join(capfd.readouterr())
    assert not small.seen


def test_uploads(web: httpx.Client, small: Page) -> None:
    """A file is stored under its digest and served; HTML and SVG are served only as downloads."""
    (path,) = upload(web).json()
    assert files.DIGEST.fullmatch(Path(path).parent.name)
    assert web.get(f"{API}/file={path}").content == PNG
    for name in ("x.html", "x.svg", "x.js"):
        (path,) = upload(web, b"<svg/>", name).json()
        headers = web.get(f"{API}/file={path}").headers
        assert "attachment" in headers["content-disposition"], name
    assert web.get(f"{API}/file={small.shipped / 'photo.png'}").content == PNG


def test_owner_of_an_upload(web: httpx.Client, small: Page) -> None:
    """A client owns its file's folder; a name that looks like a folder's is nobody's."""
    (path,) = upload(web, bytes(999), f"{'f' * 64}.png").json()
    assert Path(path).parent.name in small.files.owners
    assert "f" * 64 not in small.files.owners


def test_large_upload(web: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the limit is refused."""
    monkeypatch.setattr(files, "MAX_FILE", 2**20)
    assert upload(web, bytes(2**20)).status_code == 200
    assert upload(web, bytes(2**20 + requests.MAX_BODY)).status_code == 413


def test_slow_upload(web: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-open uploads time out; meanwhile others are served."""
    monkeypatch.setattr(requests, "BODY_SECONDS", 1)

    def parts() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        time.sleep(2)

    kind = {"content-type": "multipart/form-data; boundary=x"}
    with ThreadPoolExecutor(30) as pool:
        slow = [pool.submit(web.post, UPLOAD, content=parts(), headers=kind) for _ in range(30)]
        assert upload(web).status_code == 200
        assert {one.result().status_code for one in slow} == {408}


def test_uploads_together(web: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """All uploads in progress share a limit, which is free again afterwards."""
    monkeypatch.setattr(files, "MAX_UPLOADING", 2**20)
    for status, size in ((503, 2**20), (200, 2**10), (503, 2**20), (200, 2**10)):
        assert upload(web, bytes(size)).status_code == status


def store(path: Path, age: float, size: int = 1) -> Path:
    """A file of ``size`` bytes that is ``age`` seconds old."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.fixture
def kept(small: Page, tmp_path: Path) -> files.Files:
    """An empty folder of a page that has run for long."""
    kept = files.Files(small.blocks, tmp_path)
    kept.started = 0
    return kept


def test_room(kept: files.Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the limit, the largest and oldest files go first, but none from before the start."""
    kept.started = time.time() - 100
    monkeypatch.setattr(files, "MAX_STORED", 4 * 2**20)  # at most 3.2 MB of 6.25 stay
    sizes = {200: 2**20, 90: 2**20, 40: 2**20, 50: 2**18, 9: 2**21, 30: 2**21}  # by age
    paths = {
        age: store(kept.uploads / f"{age:064}" / "a.png", age, size) for age, size in sizes.items()
    }
    assert kept.delete_old_and_excess() == 2.25 * 2**20
    assert {age for age, path in paths.items() if path.exists()} == {200, 50, 9}


def test_room_by_visitor(kept: files.Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with many small new files loses these, and others keep their old photos."""
    monkeypatch.setattr(files, "MAX_STORED", 4 * 2**20)
    for number in range(60):
        name, owner = f"{number:064}", f"visitor {number}" if number < 2 else "stranger"
        store(kept.uploads / name / "a.png", *((900, 2**20) if number < 2 else (1, 9)))
        kept.owners[name] = owner
    assert kept.delete_old_and_excess() <= 4 * 2**20
    assert all((kept.uploads / f"{number:064}" / "a.png").exists() for number in (0, 1))


def test_broken_uploads_and_old_files(kept: files.Files) -> None:
    """Remains of aborted uploads are deleted, empty folders of theirs, and files older than a day,
    but not the folder of all uploads."""
    os.utime(kept.uploads, (0, 0))
    assert kept.delete_old_and_excess() == 0
    assert kept.uploads.exists()
    for name, age, stays in (
        ("broken", 70, False),
        ("under way", 9, True),
        ("a" * 64 + "/new.png", 70, True),
        ("b" * 64 + "/old.png", 90_000, False),
    ):
        path = store(kept.uploads / name, age)
        kept.delete_old_and_excess()
        assert path.exists() == stays, name
    folder = kept.uploads / ("f" * 64)
    folder.mkdir()
    for age, stays in ((files.ABORTED_SECONDS - 9, True), (files.ABORTED_SECONDS + 9, False)):
        os.utime(folder, (time.time() - age,) * 2)
        kept.delete_old_and_excess()
        assert folder.exists() == stays


def test_uploads_under_way_are_counted(
    web: httpx.Client, small: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored files and uploads in progress together never exceed the limit."""
    monkeypatch.setattr(files, "MAX_STORED", 2**22)
    monkeypatch.setattr(files, "MAX_UPLOADING", 2**21)
    most = 0

    def send(number: int) -> None:
        upload(web, bytes([number]) * 2**20, f"{number}.png")

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(send, number) for number in range(12)]
        while not all(job.done() for job in jobs):
            with suppress(FileNotFoundError):  # it was deleted meanwhile
                most = max(most, sum(file.stat().st_size for file in stored(small)))
    assert 0 < most <= 2**22


def test_one_file_an_upload(web: httpx.Client, small: Page) -> None:
    """Several parts are refused, wherever a message ends; Gradio would open a file for each."""
    several = [("files", (f"{n}.png", bytes(9))) for n in range(1_000)]
    assert web.post(UPLOAD, files=several).status_code == 413
    body = b"".join(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _ in "ab")
    kind = {"content-type": "multipart/form-data; boundary=x"}
    parts = (bytes([byte]) for byte in body + b"--x--\r\n")
    assert web.post(UPLOAD, content=parts, headers=kind).status_code == 413


def test_idle_connections(web: httpx.Client, small: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a request is closed; one that waits for an answer is not."""
    monkeypatch.setattr(process, "IDLE_SECONDS", 1)
    small.go.clear()
    name, place = uuid4().hex, ("127.0.0.1", int(small.url.rpartition(":")[2]))
    join(web, 1, "x", name)
    wires = [socket.create_connection(place, timeout=30) for _ in range(50)]
    wires[0].sendall(b"GET / HTTP/1.1\r\nHost: x")  # nor with half a request
    with ThreadPoolExecutor(1) as pool:
        answers = pool.submit(read, web, name)
        assert [wire.recv(1) for wire in wires] == [b""] * 50
        small.go.set()
        assert len(answers.result()) == 1


def test_many_connections(small: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit, requests get a 503; below it, they are answered again."""

    def status() -> int:
        return httpx.get(f"{small.url}/config", verify=False).status_code

    monkeypatch.setattr(process, "MAX_CONNECTIONS", 1)
    wait_for(lambda: status() == 503)
    monkeypatch.undo()
    wait_for(lambda: status() == 200)


def test_progress(web: httpx.Client) -> None:
    """A browser that follows its upload is told that it is done; no name is stored."""
    answer = web.get(f"{API}/upload_progress", params={"upload_id": "x"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == 'data: {"msg": "done"}\n\n'


def test_full_disk(web: httpx.Client, small: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(small.uploads)._replace(free=files.MIN_FREE - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    answer = upload(web)
    assert (answer.status_code, answer.text[:17]) == (507, "The server’s disk")


def test_requests_of_a_session(web: httpx.Client, small: Page) -> None:
    """Of 60 simultaneous requests one runs and four wait; once they are read there is room."""
    small.go.clear()
    name, other = uuid4().hex, uuid4().hex
    assert join(web, 1, "x", name).status_code == 200
    wait_for(lambda: small.seen)
    with ThreadPoolExecutor(60) as pool:
        tries = [pool.submit(join, web, 1, "x", name) for _ in range(60)]
        statuses = [one.result().status_code for one in tries]
    assert sorted(statuses) == [200] * sessions.MAX_WAITING + [429] * (60 - sessions.MAX_WAITING)
    assert join(web, 1, "x", other).status_code == 200
    small.go.set()
    assert len(read(web, name)) == 1 + sessions.MAX_WAITING
    assert join(web, 1, "y", name).status_code == 200
    assert [message["output"]["data"] for message in read(web, name)] == [["yy"]]


def test_unread_answers_of_a_session(web: httpx.Client, small: Page) -> None:
    """Requests that do not compute are also limited, until their answers are read."""
    name = uuid4().hex
    with ThreadPoolExecutor(20) as pool:
        tries = [pool.submit(join, web, 2, "x", name) for _ in range(20)]
        statuses = [one.result().status_code for one in tries]
    assert sorted(statuses) == [200] * sessions.MAX_OF_SESSION + [429] * 12
    assert len(read(web, name)) == sessions.MAX_OF_SESSION


def test_turns(web: httpx.Client, small: Page) -> None:
    """A visitor's only request is served before the second request of an earlier visitor."""
    small.go.clear()
    names = uuid4().hex, uuid4().hex, uuid4().hex
    for text, name in (("a1", 0), ("a2", 0), ("a3", 0), ("b1", 1), ("c1", 2), ("b2", 1)):
        assert join(web, 1, text, names[name]).status_code == 200
        wait_for(lambda: small.seen == ["a1"])
    small.go.set()
    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(lambda name: read(web, name), names))
    assert small.seen == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_sessions_without_reader(
    web: httpx.Client, small: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting requests and unread answers are dropped from Gradio's record, unless read."""
    monkeypatch.setattr(sessions, "UNREAD_SECONDS", 1)
    small.go.clear()
    reading, names = uuid4().hex, [uuid4().hex for _ in range(20)]
    join(web, 1, "x", reading)
    with ThreadPoolExecutor(1) as pool:
        answers = pool.submit(read, web, reading)
        for name in names:
            assert join(web, 1, "x", name).status_code == 200
        assert sessions.waiting(small.blocks) >= len(names)
        wait_for(lambda: sessions.waiting(small.blocks) == 0)
        small.go.set()
        assert len(answers.result()) == 1
    names.append(uuid4().hex)
    join(web, 1, "answered, but never read", names[-1])
    queue = small.blocks._queue
    wait_for(lambda: not {*names} & queue.pending_messages_per_session.keys())
    assert not {*names} & queue.pending_event_ids_session.keys()
    assert not queue.event_ids_to_events


def test_programs(web: httpx.Client, small: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program calls without a session and reads by its request; many leave room for visitors."""
    monkeypatch.setattr(sessions, "MAX_OF_PROGRAMS", 3)
    small.go.clear()
    calls = [web.post(f"{API}/call/wait", json={"data": ["x"]}) for _ in range(5)]
    assert [call.status_code for call in calls] == [200] * 3 + [429] * 2
    assert join(web, 1, "x", uuid4().hex).status_code == 200
    with ThreadPoolExecutor(3) as pool:
        ways = [f"{API}/call/wait/{call.json()['event_id']}" for call in calls[:3]]
        answers = [pool.submit(web.get, way) for way in ways]
        small.go.set()
        assert all('data: ["xx"]' in answer.result().text for answer in answers)


def test_no_address_is_fetched(web: httpx.Client, small: Page) -> None:
    """Neither as a path, as a field ``url``, as a file to serve, nor under the page's own name."""
    (own,) = upload(web).json()
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0.2)
        address = f"http://127.0.0.1:{inner.getsockname()[1]}/a.png"
        for path in (address, address.replace("//", "/"), f"{address}{API}/file={own}x"):
            file = {"path": path} | FILE
            for value in (file, file | {"url": path}, [{"x": {"path": path}}]):
                answer = join(web, 0, value)
                assert answer.status_code == 422
                assert "Upload it again" in answer.json()["error"]
            assert web.get(f"{API}/file={path}").status_code == 404
            assert web.get(f"{API}/proxy={path}").status_code == 404
        name = uuid4().hex
        join(web, 0, {"path": own, "url": address} | FILE, name)
        (answer,) = read(web, name)
        assert answer["success"]
        with pytest.raises(TimeoutError):
            inner.accept()


def test_own_files(web: httpx.Client, small: Page) -> None:
    """An upload, its URL, and a file that ships are accepted."""
    (path,) = upload(web).json()
    for own in (path, f"{small.url}{API}/file={path}", str(small.shipped / "photo.png")):
        name = uuid4().hex
        assert join(web, 0, {"path": own} | FILE, name).status_code == 200
        assert read(web, name)[0]["success"]
    assert len(small.seen) == 3


UP = ("", "../" * 12, "..%2f" * 12, "%2e%2e/" * 12, "..%5c" * 12, "....//" * 12, "//", "file://")


@pytest.mark.parametrize("way", [f"{API}/file=", f"{API}/file/", "/static/", "/assets/", "/"])
def test_other_files(way: str, web: httpx.Client, small: Page) -> None:
    """No other file is served or opened, however it is named."""
    secret = small.folder / "secret.txt"
    secret.write_text("nobody may read this")
    (small.uploads / "loose.txt").write_text("nobody may read this")
    (small.uploads / ("a" * 64)).mkdir(exist_ok=True)
    for up in UP:
        for target in (str(secret), str(small.uploads / "loose.txt"), "/etc/passwd"):
            path = way + up + (target if up in ("", "file://") else target.lstrip("/"))
            connection = http.client.HTTPConnection(small.url.removeprefix("http://"), timeout=60)
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status in (400, 403, 404, 405), path
            assert b"nobody may" not in answer.read()
    for path in (str(secret), "\0", "", "a.png", str(small.uploads), 7, {"path": "/etc/passwd"}):
        assert join(web, 0, {"path": path}).status_code == 422
    assert not small.seen


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/monitoring/summary"),
        ("GET", "/svelte/../../app.py"),
        ("GET", f"{API}/proxy=https://example.org/"),
        ("GET", f"{API}/custom_component/a/client/b/c"),
        ("GET", f"{API}/dev/reload"),
        ("GET", f"{API}/stream/a/b/1/playlist.m3u8"),
        ("POST", f"{API}/run/look"),
        ("POST", f"{API}/component_server"),
        ("POST", f"{API}/vibe-edit"),
        ("POST", f"{API}/mcp/"),
        ("POST", "/"),
        ("PUT", JOIN),
    ],
)
def test_closed_routes(method: str, path: str, web: httpx.Client) -> None:
    assert web.request(method, path, json={}).status_code in (404, 405)


@pytest.mark.parametrize(
    ("path", "prefix", "status"),
    [
        ("/gclip/gradio_api/dev/reload", "/gclip", 404),
        ("/gradio_api/dev/reload", "/gclip", 404),
        ("//gradio_api/dev/reload", "/", 404),
        ("/gclip/gradio_api/info", "/gclip", 200),
    ],
)
def test_prefix(path: str, prefix: str, status: int, small: Page) -> None:
    """A path is checked as Gradio looks it up, with and without a proxy's prefix."""
    stored = files.Files(small.blocks, small.uploads)
    gate = requests.Gate(PlainTextResponse("reached"), small.blocks, stored)

    async def ask() -> int:
        proxied = httpx.ASGITransport(gate, root_path=prefix)
        async with httpx.AsyncClient(transport=proxied) as client:
            return (await client.get(f"http://page{path}")).status_code

    assert asyncio.run(ask()) == status


def test_cost() -> None:
    """The built-in at its own size is far below the limit, and OpenAI's largest is below it."""
    numbers.check_cost(1_036, 12 * 256, 16)
    numbers.check_cost(24 * 32, 24 * 1_024, 16)
    with pytest.raises(GclipError, match="smaller size"):
        numbers.check_cost(5_000, 12 * 256)
