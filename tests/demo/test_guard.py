"""The guard at the edge, before an application that must not be reached by what it refuses."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import gradio as gr
import pytest
from gradio.utils import get_upload_folder

from demo.host import guard
from demo.host.guard import API, Guard

JOIN = f"{API}/queue/join"
DATA = f"{API}/queue/data"
EVENT = "0123456789abcdef" * 2


def event(name: str, values: int, event_data: bool = False) -> SimpleNamespace:
    """An event as Gradio describes it."""
    return SimpleNamespace(api_name=name, inputs=[None] * values, collects_event_data=event_data)


EVENTS = {0: event("segment", 2), 1: event("show", 3), 2: event("press", 1, event_data=True)}
CHECKS = {"segment": lambda values: "" if values == ["picture", "cat"] else "“words” takes a text."}


class App:
    """Stands in the place of Gradio: says which requests reached it, and joins each to a queue."""

    def __init__(self, say: bytes = b"", status: int = 200) -> None:
        self.reached: list[tuple[str, bytes, dict[bytes, bytes], bytes]] = []
        self.say, self.status = say, status

    async def __call__(self, scope: Any, receive: Callable, send: Callable) -> None:
        body, more = b"", scope["method"] == "POST"
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        headers, query = dict(scope["headers"]), scope["query_string"]
        self.reached.append((scope["path"], body, headers, query))
        event = f"{len(self.reached):032x}"
        said = self.say or json.dumps({"event_id": event}).encode()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": said})


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
    scope = {"type": "http", "method": method, "path": path, "headers": named}
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


@pytest.mark.parametrize("way", [JOIN, f"{API}/call/segment", f"{API}/run/segment", "/login"])
def test_a_body_over_64_kilobytes_is_refused(way: str, page: Guard, app: App) -> None:
    status, said = asked(page, "POST", way, b'{"data": ["' + b"x" * 2**16 + b'"]}')
    assert (status, app.reached) == (413, [])
    assert "64 kB" in said


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 20, b'{"a":' * 20, b"[" + b"1," * 5000 + b"1]", b"[" + b"[]," * 5000 + b"1]",
        b'["\\"' + b"]" * 9 + b'",' + b"[" * 20,
    ],
    ids=["depth", "depth of objects", "values", "containers", "depth behind a text"],
)  # fmt: skip
def test_json_of_many_levels_or_values_is_refused_unparsed(
    body: bytes, page: Guard, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard.json, "loads", lambda _: pytest.fail("it was parsed"))
    status, said = asked(page, "POST", JOIN, body)
    assert (status, app.reached) == (400, [])
    assert "16 levels and 4096 values" in said


def test_brackets_within_a_text_are_no_levels(page: Guard, app: App) -> None:
    assert join(page, data=["[" * 100, "}" * 100, '"\\' * 50])[0] == 200
    assert len(app.reached) == 1


DEEP = f'{{"data": ["\u0122", {"[" * 20}{"]" * 20}]}}'


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"7", b'"text"', b"[]", b"1" * 5000, DEEP.encode("utf-16"),
     DEEP.encode("utf-16-le")],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(body: bytes, page: Guard, app: App) -> None:
    status, said = asked(page, "POST", JOIN, body)
    assert (status, app.reached) == (400, [])
    assert "JSON object was expected" in said


def test_what_waits_is_bounded_in_bytes(page: Guard) -> None:
    body = {"data": ["x" * 60_000, 1, 2]}
    statuses = [join(page, f"session {n}", **body)[0] for n in range(100)]
    assert statuses.count(200) * 60_000 <= guard.MAX_PENDING_BYTES < 100 * 60_000
    assert statuses[-1] == 503
    assert "too busy" in join(page, **body)[1]


def test_answers_that_a_session_does_not_read_are_bounded(page: Guard) -> None:
    statuses = [join(page)[0] for _ in range(guard.MAX_OF_SESSION + 1)]
    assert statuses == [200] * guard.MAX_OF_SESSION + [429]
    assert join(page, "another")[0] == 200


def test_an_answer_that_was_read_waits_no_longer(page: Guard) -> None:
    done = f'data: {{"msg":"process_completed","output":{{}},"event_id":"{1:032x}"}}\n\n'
    join(page)
    join(page, "another")
    assert len(page.pending) == 2
    page.app = App(done.encode())
    asked(page, "GET", DATA, query="session_hash=someone")
    assert len(page.pending) == 1
    page.app = App()
    asked(page, "GET", DATA, query="session_hash=another")
    assert len(page.pending) == 0, "who hangs up waits for nothing"


@pytest.mark.parametrize(("leaves", "reads"), [(True, [DATA, DATA]), (False, [DATA])])
def test_the_answers_of_who_leaves_are_thrown_away(
    leaves: bool, reads: list[str], page: Guard, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that ends by itself is opened again at once: its next answer is not taken."""
    monkeypatch.setattr(guard, "_LEFT_SECONDS", 0)
    join(page)
    app.reached.clear()
    messages = [{"type": "http.request", "body": b""}, {"type": "http.disconnect"}]

    async def stream(scope: Any, receive: Callable, send: Callable) -> None:
        await app(scope, receive, send)
        if leaves and messages:
            await receive()

    async def read() -> None:
        page.app = stream
        await sent(page, "GET", DATA, messages, "session_hash=one")
        await asyncio.sleep(0)
        await asyncio.gather(*page._discards.values())

    asyncio.run(read())
    assert [path for path, *_ in app.reached] == reads


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_a_session_that_comes_back_reads_its_answers_itself(
    seconds: float, page: Guard, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks again while its old answers are thrown away, or before that begins."""
    monkeypatch.setattr(guard, "_LEFT_SECONDS", seconds)
    monkeypatch.setattr(guard, "_DISCARD_SECONDS", 0.01)
    order: list[str] = []

    async def stream(scope: Any, receive: Callable, send: Callable) -> None:
        if scope["path"] == DATA:
            await receive()
            await asyncio.sleep(0.05)
        order.append(scope["path"])
        await app(scope, receive, send)

    async def leave_and_ask_again() -> None:
        page.app = stream
        await sent(page, "GET", DATA, [{"type": "http.disconnect"}], "session_hash=one")
        await asyncio.sleep(0.01)
        ask = {"type": "http.request", "body": json.dumps(ASK).encode()}
        await sent(page, "POST", JOIN, [ask], "session_hash=one")
        await asyncio.sleep(0.3)

    asyncio.run(leave_and_ask_again())
    assert order == [DATA] * (2 if seconds == 0 else 1) + [JOIN]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{DATA}?session_hash=one", 200),
        ("GET", f"{DATA}?session_hash=one&session_hash=two", 200),
        ("GET", f"{API}/call/segment/{EVENT}?session_hash=one", 200),
        ("GET", f"{API}//queue/data?session_hash=one", 404),
        ("HEAD", f"{DATA}?session_hash=one", 405),
    ],
)
def test_what_reads_no_answer_counts_none(method: str, path: str, status: int, page: Guard) -> None:
    join(page)
    page.app = App(status=status)
    way, _, query = path.partition("?")
    asked(page, method, way, b"{}", query)
    assert len(page.pending) == 1


def test_a_program_that_names_its_session_has_its_answer_read(page: Guard) -> None:
    body = {"data": ["picture", "cat"], "session_hash": "mine"}
    _, said = asked(page, "POST", f"{API}/call/segment", json.dumps(body).encode())
    asked(page, "GET", f"{API}/call/segment/{json.loads(said)['event_id']}")
    assert len(page.pending) == 0


def test_answers_unread_for_long_are_fetched_and_thrown_away(
    page: Guard, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(page, "a&b=é")
    monkeypatch.setattr(guard, "UNREAD_SECONDS", -1)

    async def later() -> None:
        page._discard_unread()
        await asyncio.gather(*page._discards.values())

    asyncio.run(later())
    path, *_, query = app.reached[-1]
    assert (path, parse_qs(query.decode())) == (DATA, {"session_hash": ["a&b=é"]})
    assert len(page.pending) == 0


ELSEWHERE = (
    "http://pictures.example/photo.png", "https:/pictures.example/photo.png", "/etc/passwd",
    "../../etc/passwd", "app.py", f"http://pictures.example{API}/file=/etc/passwd", "\0", "//",
)  # fmt: skip


@pytest.mark.parametrize("where", ELSEWHERE)
@pytest.mark.parametrize("key", ["path", "url"])
def test_what_is_no_upload_never_reaches_gradio(
    where: str, key: str, page: Guard, app: App
) -> None:
    """Gradio would look the name up and fetch what is there, of any length."""
    file = {key: where, "meta": {"_type": "gradio.FileData"}}
    for data in ([file, 0, 0], [[[file]], 0, 0], [{"value": {"image": file}}, 0, 0]):
        status, said = join(page, data=data)
        assert (status, app.reached) == (422, [])
        assert "uploaded file was expected" in said


def test_neither_an_empty_path_nor_an_upload_behind_a_public_name_is_an_upload(
    upload: Path, page: Guard, app: App
) -> None:
    """Gradio would take an empty path for the folder that the page runs in."""
    for path in ("", f"http://pictures.example{API}/file={upload}"):
        assert join(page, data=[{"path": path}, 0, 0])[0] == 422
    assert not app.reached


def test_an_upload_passes_with_its_address_here(upload: Path, page: Guard, app: App) -> None:
    file = {"path": str(upload), "url": f"http://127.0.0.1:7860{API}/file={upload}"}
    assert join(page, data=[file, 0, 0])[0] == 200
    assert json.loads(app.reached[0][1])["data"][0] == file


@pytest.mark.parametrize("where", ELSEWHERE)
@pytest.mark.parametrize("way", [f"{API}/file=", f"{API}/file/", "/file=", "/file/"])
def test_no_file_but_an_upload_is_served(where: str, way: str, page: Guard, app: App) -> None:
    assert asked(page, "GET", way + where)[0] == 404
    assert not app.reached


def test_an_upload_is_served(upload: Path, page: Guard, app: App) -> None:
    assert asked(page, "GET", f"{API}/file={upload}")[0] == 200
    assert asked(page, "GET", f"{API}/file={upload.parent}/../../../x")[0] == 404
    assert len(app.reached) == 1


@pytest.mark.parametrize("way", ["call/v2", "call", "api", "run", "/call", "call/"])
def test_a_private_event_cannot_be_called_by_name(way: str, page: Guard, app: App) -> None:
    assert asked(page, "POST", f"{API}/{way}/show", b'{"data": [1, 2, 3]}')[0] == 404
    assert not app.reached


@pytest.mark.parametrize("way", ["call", "run", "api"])
def test_an_endpoint_by_name_takes_values_and_no_number(way: str, page: Guard, app: App) -> None:
    """Gradio would call the event of that number, private ones as well."""
    for data in (None, "text", {}, 7, []):
        body = {"data": data} if data != [] else {"data": [], "fn_index": 1}
        status, said = asked(page, "POST", f"{API}/{way}/segment", json.dumps(body).encode())
        assert (status, app.reached) == (422, [])
        assert ("fn_index" if data == [] else "takes a list") in said


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"fn_index": 99}, 404, "no such endpoint"),
        ({"fn_index": True}, 404, "no such endpoint"),
        ({"session_hash": "x" * 65}, 422, "“session_hash” takes a text"),
        ({"session_hash": ""}, 422, "“session_hash” takes a text"),
        ({"data": None}, 422, "“data” takes a list"),
        ({"data": [1, 2]}, 422, "takes 3 values here, but 2 came"),
        ({"data": [1, 2, float("nan")]}, 422, "finite number"),
        ({"data": [1, 2, [float("inf")]]}, 422, "finite number"),
        ({"data": [1, 2, "\ud800"]}, 422, "surrogate"),
        ({"data": [1, 2, {"\ud800": 1}]}, 422, "surrogate"),
        ({"fn_index": 0, "data": ["picture", None]}, 422, "“words” takes a text"),
        ({"fn_index": 2, "data": [1]}, 422, "“event_data” takes"),
        ({"fn_index": 2, "data": [1], "event_data": {"index": 1}}, 422, "“event_data” takes"),
    ],
)
def test_the_queue_takes_only_what_an_event_takes(
    changed: dict[str, Any], status: int, said: str, page: Guard, app: App
) -> None:
    found = join(page, **changed)
    assert (found[0], app.reached) == (status, [])
    assert said in json.loads(found[1])["detail"]


def test_what_the_browser_does_alone_cannot_be_asked_for() -> None:
    with gr.Blocks() as blocks:
        button = gr.Button()
        button.click(fn=None, js="() => []", queue=False)
        button.click(lambda: None, queue=False)
    _, middleware = guard.app_settings(blocks, {})["middleware"]
    page = Guard(App(), **middleware.kwargs)
    assert [join(page, fn_index=number, data=[])[0] for number in (0, 1)] == [404, 200]


@pytest.mark.parametrize("header", ["bytes=0-5-9", "bytes=a-b", "bytes=0-1,3-4", "x", "bytes=-"])
def test_a_range_that_is_none_is_refused_by_its_name(header: str, page: Guard, app: App) -> None:
    status, said = asked(page, "GET", "/", range=header)
    assert (status, app.reached) == (416, [])
    assert "“Range” takes" in said


def test_a_range_is_answered_with_all_of_it(page: Guard, app: App) -> None:
    assert asked(page, "GET", "/", range="bytes=0-5")[0] == 200
    assert b"range" not in app.reached[0][2]


@pytest.mark.parametrize(
    "path",
    ["/monitoring", "/monitoring/summary", f"{API}/vibe-edit", f"{API}//vibe-code", "/monitoring/",
     f"{API}/undo-vibe-edit", f"{API}/dev/reload", f"{API}/proxy=https://example.org/",
     f"{API}/run-history/buckets", f"{API}/component_server", f"{API}/stream/x"],
)  # fmt: skip
def test_tools_that_the_page_does_not_need_are_not_there(path: str, page: Guard, app: App) -> None:
    for method in ("GET", "POST"):
        assert asked(page, method, path)[0] == 404
    assert not app.reached


def test_after_the_end_is_asked_for_no_work_is_taken_in(app: App) -> None:
    ending = threading.Event()
    page = Guard(app, EVENTS, CHECKS, ending=ending)
    ending.set()
    assert join(page)[0] == 503
    assert asked(page, "GET", "/")[0] == 200


def test_what_breaks_the_application_is_answered_in_words(page: Guard) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("a secret")

    page.app = broken
    status, said = asked(page, "GET", "/")
    assert status == 500
    assert "secret" not in said


@pytest.mark.parametrize("name", ["cancel", "reset"])
def test_an_event_that_is_not_named_whole_goes_on(name: str, page: Guard, app: App) -> None:
    status, said = asked(page, "POST", f"{API}/{name}", b"{}")
    assert (status, app.reached) == (422, [])
    assert "event_id" in json.loads(said)["detail"]
    whole = json.dumps({"session_hash": "one", "fn_index": 1, "event_id": EVENT}).encode()
    assert asked(page, "POST", f"{API}/{name}", whole)[0] == 200
