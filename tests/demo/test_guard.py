"""The guard at the edge, before an application that must not be reached by what it refuses."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import gradio as gr
import httpx
import pytest
from gradio.utils import get_upload_folder

from demo.host import guard, pending, serve
from demo.host.guard import Guard
from demo.host.judge import API, JOIN

DATA = f"{API}/queue/data"
EVENT = "0123456789abcdef" * 2


def event(name: str, values: int, event_data: bool = False) -> SimpleNamespace:
    """An event as Gradio describes it."""
    return SimpleNamespace(api_name=name, inputs=[None] * values, collects_event_data=event_data)


EVENTS = {0: event("segment", 2), 1: event("show", 3), 2: event("press", 1, event_data=True)}
CHECKS = {"segment": lambda values: "" if values == ["picture", "cat"] else "“words” takes a text."}
GRADIO = SimpleNamespace(tokens={"secret": "the visitor's name"})


class App:
    """Stands in the place of Gradio: notes which requests reach it, and joins each to a queue."""

    def __init__(self, body: bytes = b"", status: int = 200) -> None:
        self.reached: list[tuple[str, bytes, dict[bytes, bytes], bytes]] = []
        self.body, self.status = body, status

    @property
    def paths(self) -> list[str]:
        """Where the requests went."""
        return [path for path, *_ in self.reached]

    async def __call__(self, scope: Any, receive: Callable, send: Callable) -> None:
        body, more = b"", scope["method"] == "POST"
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        headers, query = dict(scope["headers"]), scope["query_string"]
        self.reached.append((scope["path"], body, headers, query))
        await asyncio.sleep(0)
        event = f"{len(self.reached):032x}"
        answer = self.body or json.dumps({"event_id": event}).encode()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": answer})


async def sent(
    page: Guard, method: str, path: str, messages: list[Any], query: str = "", **headers: str
) -> list[Any]:
    """What is sent back to a request that comes in these messages."""
    back: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        back.append(message)

    named = [(key.encode(), value.encode()) for key, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": named, "app": GRADIO}
    await page(scope | {"query_string": query.encode()}, receive, send)
    return back


def asked(
    page: Guard, method: str, path: str, body: bytes = b"", query: str = "", **headers: str
) -> tuple[int, str]:
    """Status and text of the answer to a request."""
    parts = [body[at : at + 2**16] for at in range(0, len(body), 2**16)] or [b""]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False
    back = asyncio.run(sent(page, method, path, messages, query, **headers))
    return back[0]["status"], b"".join(m.get("body", b"") for m in back[1:]).decode()


ASK = {"fn_index": 1, "data": [1, 2, 3], "session_hash": "one", "event_data": None}


def join(page: Guard, session: str = "one", **changed: Any) -> tuple[int, str]:
    """The answer to a request that joins the queue."""
    body = ASK | {"session_hash": session} | changed
    return asked(page, "POST", JOIN, json.dumps(body).encode())


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def page(app: App) -> Guard:
    return Guard(app, EVENTS, CHECKS)


@pytest.fixture
def upload() -> Path:
    file = Path(get_upload_folder()) / "digest" / "photo.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"a picture")
    return file


@pytest.mark.parametrize("way", [JOIN, f"{API}/call/segment", f"{API}/cancel", "/login"])
def test_a_body_over_64_kilobytes_is_refused(way: str, page: Guard, app: App) -> None:
    status, sentence = asked(page, "POST", way, b'{"data": ["' + b"x" * 2**16 + b'"]}')
    assert (status, app.reached) == (413, [])
    assert "64 kB" in sentence


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_headers_and_query_have_at_most_16_kilobytes(method: str, page: Guard, app: App) -> None:
    """Gradio keeps them as long as a request waits."""
    large = "x" * 2**14
    for more in ({"query": large}, {"cookie": large}, {large: "x"}):
        status, sentence = asked(page, method, JOIN, b"{}", **more)
        assert (status, app.reached) == (431, [])
        assert "16 kB" in sentence


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"7",
        b'"text"',
        b"[]",
        b"1" * 5000,
        b"[" * 60_000,
        b'{"data": [NaN]}',
        b'{"data": [1e999]}',
        b'{"data": ["\\ud800"]}',
        ('{"data": "\u0122"}').encode("utf-16"),
    ],
)
def test_what_is_no_ordinary_json_object_is_refused(body: bytes, page: Guard, app: App) -> None:
    status, sentence = asked(page, "POST", JOIN, body)
    assert (status, app.reached) == (400, [])
    assert "JSON" in sentence


def test_json_of_many_levels_is_refused(page: Guard, app: App) -> None:
    levels: list[Any] = []
    for _ in range(20):
        levels = [levels]
    status, sentence = join(page, data=[levels, 2, 3])
    assert (status, app.reached) == (400, [])
    assert "16 levels" in sentence


def test_gradio_reads_what_was_judged(page: Guard, app: App) -> None:
    """Of two values with one name, readers may take either."""
    twice = b'{"fn_index": 0, "data": [], "session_hash": "one", "fn_index": 1, "data": [1, 2, 3]}'
    assert asked(page, "POST", JOIN, twice)[0] == 200
    _, body, headers, _ = app.reached[0]
    assert json.loads(body) == {"fn_index": 1, "data": [1, 2, 3], "session_hash": "one"}
    assert headers[b"content-length"] == str(len(body)).encode()
    assert body.count(b"fn_index") == 1


def test_of_a_call_by_name_gradio_reads_the_values_alone(page: Guard, app: App) -> None:
    """It would also take the number of another event, and a session's name of any length."""
    values = {"data": ["picture", "cat"]}
    call = values | {"fn_index": 1, "session_hash": "x" * 5000, "batched": True}
    assert asked(page, "POST", f"{API}/call/segment", json.dumps(call).encode())[0] == 200
    assert json.loads(app.reached[0][1]) == values


class TestCounts:
    def test_what_waits_is_bounded_in_bytes(self, page: Guard) -> None:
        body = {"data": ["x" * 60_000, 1, 2]}
        statuses = [join(page, f"session {n}", **body)[0] for n in range(100)]
        assert statuses.count(200) * 60_000 <= pending.MAX_BYTES < 100 * 60_000
        assert statuses[-1] == 503
        assert "too busy" in join(page, **body)[1]

    def test_what_waits_is_bounded_in_number(self, page: Guard) -> None:
        statuses = [join(page, f"session {n}")[0] for n in range(pending.MAX_OF_ALL + 1)]
        assert statuses == [200] * pending.MAX_OF_ALL + [503]

    def test_answers_that_a_session_does_not_read_are_bounded(self, page: Guard) -> None:
        statuses = [join(page)[0] for _ in range(pending.MAX_OF_SESSION + 1)]
        assert statuses == [200] * pending.MAX_OF_SESSION + [429]
        assert join(page, "another")[0] == 200

    def test_requests_that_come_at_once_are_counted_one_after_the_other(self, page: Guard) -> None:
        body = json.dumps(ASK).encode()

        async def at_once() -> list[int]:
            asks = (
                sent(page, "POST", JOIN, [{"type": "http.request", "body": body}])
                for _ in range(pending.MAX_OF_SESSION + 5)
            )
            return [back[0]["status"] for back in await asyncio.gather(*asks)]

        assert sorted(asyncio.run(at_once())) == [200] * pending.MAX_OF_SESSION + [429] * 5

    def test_who_takes_no_bytes_keeps_nobody_from_asking(self, page: Guard) -> None:
        body = json.dumps(ASK).encode()

        async def never(_: Any) -> None:
            await asyncio.Event().wait()

        async def ask() -> list[Any]:
            scope = {"type": "http", "method": "POST", "path": JOIN, "headers": [], "app": GRADIO}
            messages = [{"type": "http.request", "body": body}]

            async def receive() -> dict[str, Any]:
                return messages.pop(0)

            blocked = asyncio.create_task(page(scope | {"query_string": b""}, receive, never))
            await asyncio.sleep(0.01)
            other = sent(page, "POST", JOIN, [{"type": "http.request", "body": body}])
            back = await asyncio.wait_for(other, 10)
            blocked.cancel()
            return back

        assert asyncio.run(ask())[0]["status"] == 200

    def test_a_request_that_gradio_refuses_is_not_counted(self, page: Guard) -> None:
        page.app = App(b"the queue is full", 503)
        assert join(page)[0] == 503
        assert len(page.pending) == 0

    def test_an_answer_that_was_sent_waits_no_longer(self, page: Guard) -> None:
        done = f'data: {{"msg":"process_completed","output":{{}},"event_id":"{1:032x}"}}\n\n'
        for _ in range(pending.MAX_OF_SESSION):
            join(page)
        page.app = App(done.encode())
        asked(page, "GET", DATA, query="session_hash=one")
        assert len(page.pending) == pending.MAX_OF_SESSION - 1
        assert [join(page)[0] for _ in range(2)] == [200, 429]

    def test_the_answer_to_a_call_by_name_is_read_by_the_name_of_its_event(
        self, page: Guard
    ) -> None:
        body = json.dumps({"data": ["picture", "cat"]}).encode()
        _, text = asked(page, "POST", f"{API}/call/segment", body)
        assert len(page.pending) == 1
        asked(page, "GET", f"{API}/call/segment/{json.loads(text)['event_id']}")
        assert len(page.pending) == 0

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", f"{DATA}?session_hash=one&session_hash=two"),
            ("GET", f"{API}/call/segment/{EVENT}?session_hash=one"),
            ("GET", f"{API}//queue/data?session_hash=one"),
            ("HEAD", f"{DATA}?session_hash=one"),
        ],
    )
    def test_what_reads_no_answer_counts_none(self, method: str, path: str, page: Guard) -> None:
        join(page)
        way, _, query = path.partition("?")
        asked(page, method, way, b"{}", query)
        assert len(page.pending) == 1

    def test_only_who_reads_is_awaited_when_the_page_ends(self, page: Guard) -> None:
        join(page)
        assert page.pending.readers() == 0
        with page.pending.reading("one"), page.pending.reading("one"):
            assert page.pending.readers() == 1
        assert page.pending.readers() == 0


class TestUnread:
    """Gradio would keep an answer until it is read, however long that takes.

    It drops the answers of a session when their reader hangs up. So the next request of anybody
    makes the guard read those that have expired, and hang up.
    """

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guard, "HANG_UP_SECONDS", 0)

    def age(self, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let time pass."""
        now = time.monotonic() + seconds
        monkeypatch.setattr(pending.time, "monotonic", lambda: now)

    @pytest.mark.parametrize("session", ["one", "a&b=é"])
    def test_answers_are_dropped_after_ten_minutes(
        self, session: str, page: Guard, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        join(page, session)
        self.age(pending.UNREAD_SECONDS - 10, monkeypatch)
        join(page, "another")
        assert app.paths == [JOIN, JOIN]
        self.age(20, monkeypatch)
        join(page, "a third")
        assert app.paths == [JOIN, JOIN, DATA, JOIN]
        *_, query = app.reached[2]
        assert parse_qs(query.decode()) == {"session_hash": [session]}
        assert len(page.pending) == 2

    @pytest.mark.parametrize("again", [False, True])
    def test_answers_are_dropped_soon_after_their_session_hung_up(
        self, again: bool, page: Guard, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not those of a session that has asked again."""
        join(page)
        asked(page, "GET", DATA, query="session_hash=one")
        if again:
            join(page)
        self.age(pending.LEFT_SECONDS + 1, monkeypatch)
        before = len(app.paths)
        join(page, "another")
        assert app.paths[before:] == ([JOIN] if again else [DATA, JOIN])
        assert len(page.pending) == (3 if again else 1)

    def test_answers_are_not_dropped_while_they_are_read(
        self, page: Guard, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        join(page)
        with page.pending.reading("one"):
            self.age(pending.UNREAD_SECONDS + 1, monkeypatch)
            join(page, "another")
        assert app.paths == [JOIN, JOIN]


ELSEWHERE = (
    "http://pictures.example/photo.png",
    "https:/pictures.example/photo.png",
    "/etc/passwd",
    "../../etc/passwd",
    "app.py",
    f"http://pictures.example{API}/file=/etc/passwd",
    "\0",
    "//",
)


@pytest.mark.parametrize("where", ELSEWHERE)
def test_what_is_no_upload_never_reaches_gradio(where: str, page: Guard, app: App) -> None:
    """Gradio would look the name up and fetch what is there, of any length."""
    file = {"path": where, "meta": {"_type": "gradio.FileData"}}
    for data in ([file, 0, 0], [[[file]], 0, 0], [{"value": {"image": file}}, 0, 0]):
        status, sentence = join(page, data=data)
        assert (status, app.reached) == (422, [])
        assert "uploaded file was expected" in sentence


def test_an_address_that_leads_back_to_an_upload_is_none(
    upload: Path, page: Guard, app: App
) -> None:
    """From this folder on, ``http://host/../../..`` is a path to it; Gradio would fetch it."""
    up = "../" * len(Path.cwd().parts)
    for path in ("", f"http://pictures.example/../{up}{upload}", f"{up}{upload}"):
        assert join(page, data=[{"path": path}, 0, 0])[0] == 422
        assert asked(page, "GET", f"{API}/file={path}")[0] == 404
    assert not app.reached


@pytest.mark.parametrize("where", ELSEWHERE)
@pytest.mark.parametrize("way", [f"{API}/file=", f"{API}/file/"])
def test_no_file_but_an_upload_is_served(where: str, way: str, page: Guard, app: App) -> None:
    assert asked(page, "GET", way + where)[0] == 404
    assert not app.reached


def test_an_upload_is_served(upload: Path, page: Guard, app: App) -> None:
    assert asked(page, "GET", f"{API}/file={upload}")[0] == 200
    assert asked(page, "GET", f"{API}/file={upload.parent}/../../../x")[0] == 404
    assert len(app.reached) == 1


@pytest.mark.parametrize("way", ["call/v2", "call", "/call", "call/"])
def test_a_private_event_cannot_be_called_by_name(way: str, page: Guard, app: App) -> None:
    assert asked(page, "POST", f"{API}/{way}/show", b'{"data": [1, 2, 3]}')[0] == 404
    assert not app.reached


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{API}/component_server"),
        ("POST", f"{API}/process_recording"),
        ("POST", f"{API}/run/segment"),
        ("POST", f"{API}/upload/"),
        ("POST", f"{API}/mcp/"),
        ("GET", f"{API}/upload_progress"),
        ("GET", f"{API}/deep_link"),
        ("GET", f"{API}/custom_component/a/client/b/c"),
        ("GET", f"{API}/dev/reload"),
        ("GET", f"{API}/mcp/sse"),
    ],
)
def test_what_the_page_does_not_need_is_not_there(
    method: str, path: str, page: Guard, app: App
) -> None:
    """It would take a body of any length, remember or print every name, or never end."""
    assert asked(page, method, path, b"{}")[0] == 404
    assert not app.reached


@pytest.mark.parametrize("data", [None, "text", {}, 7])
def test_the_values_of_a_call_are_a_list(data: Any, page: Guard, app: App) -> None:
    body = json.dumps({"data": data}).encode()
    status, sentence = asked(page, "POST", f"{API}/call/segment", body)
    assert (status, app.reached) == (422, [])
    assert "takes a list" in sentence


@pytest.mark.parametrize(
    ("changed", "status", "sentence"),
    [
        ({"fn_index": 99}, 404, "no such endpoint"),
        ({"fn_index": [1]}, 400, "could not be read"),
        ({"session_hash": "x" * 65}, 400, "could not be read"),
        ({"session_hash": ""}, 400, "could not be read"),
        ({"data": None}, 422, "“data” takes a list"),
        ({"data": [1, 2]}, 400, "could not be read"),
        ({"fn_index": 0, "data": ["picture", None]}, 422, "“words” takes a text"),
        ({"fn_index": 2, "data": [1]}, 400, "could not be read"),
        ({"fn_index": 2, "data": [1], "event_data": {"index": 1}}, 400, "could not be read"),
    ],
)
def test_the_queue_takes_only_what_an_event_takes(
    changed: dict[str, Any], status: int, sentence: str, page: Guard, app: App
) -> None:
    answer = join(page, **changed)
    assert (answer[0], app.reached) == (status, [])
    assert sentence in json.loads(answer[1])["error"]


def test_what_the_browser_does_alone_cannot_be_asked_for() -> None:
    with gr.Blocks() as blocks:
        button = gr.Button()
        button.click(fn=None, js="() => []")
        button.click(lambda: None)
    _, middleware, _ = serve.app_settings(blocks, {})["middleware"]
    page = Guard(App(), **middleware.kwargs)
    assert [join(page, fn_index=number, data=[])[0] for number in (0, 1)] == [404, 200]


def test_a_value_that_gradio_could_not_read_is_refused() -> None:
    with gr.Blocks() as blocks:
        gr.Button().click(lambda _: None, gr.Image())
    _, middleware, _ = serve.app_settings(blocks, {})["middleware"]
    page = Guard(App(), **middleware.kwargs)
    assert [join(page, fn_index=0, data=[value])[0] for value in (None, {}, 7)] == [200, 200, 400]


def test_after_the_end_is_asked_for_no_work_is_taken_in(page: Guard) -> None:
    page.pending.is_closed = True
    assert join(page)[0] == 503
    assert asked(page, "GET", "/")[0] == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError, 500), (ValueError, 400), (KeyError, 400), (httpx.InvalidURL, 400)],
)
def test_what_breaks_the_application_is_answered_in_words(
    error: type[Exception], status: int, page: Guard
) -> None:
    async def broken(*_: Any) -> None:
        raise error("a secret")

    page.app = broken
    answer = asked(page, "GET", "/")
    assert answer[0] == status
    assert "secret" not in answer[1]


@pytest.mark.parametrize(
    ("path", "prefix", "status"),
    [
        ("/gclip/gradio_api/dev/reload", "/gclip", 404),
        ("/gradio_api/dev/reload", "/gclip", 404),
        ("//gradio_api/dev/reload", "/", 404),
        ("/gclipgradio_api/dev/reload", "/gclip", 200),
    ],
)
def test_a_path_is_judged_as_gradio_looks_it_up(
    path: str, prefix: str, status: int, page: Guard
) -> None:
    """With and without the prefix under which a proxy serves the page."""
    back: list[Any] = []

    async def send(message: Any) -> None:
        back.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "root_path": prefix, "headers": []}
    asyncio.run(page(scope | {"query_string": b""}, None, send))
    assert back[0]["status"] == status


class TestLogin:
    def test_whatever_is_sent_needs_one(self, app: App) -> None:
        page = Guard(app, EVENTS, CHECKS, login=True)
        for path in (JOIN, f"{API}/upload", f"{API}/cancel", f"{API}/reset"):
            for cookie in ("", "access-token=", "access-token=guessed"):
                assert asked(page, "POST", path, b"{}", cookie=cookie)[0] == 401
        assert not app.reached
        assert asked(page, "POST", f"{API}/cancel", b"{}", cookie="access-token=secret")[0] == 200

    def test_a_few_attempts_a_minute_are_let_through(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = Guard(app, EVENTS, CHECKS, login=True)
        statuses = [asked(page, "POST", "/login", b"a=b")[0] for _ in range(guard.MAX_LOGINS + 5)]
        assert statuses == [200] * guard.MAX_LOGINS + [429] * 5
        monkeypatch.setattr(guard, "LOGIN_SECONDS", 0)
        assert asked(page, "POST", "/login", b"a=b")[0] == 200
