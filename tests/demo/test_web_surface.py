"""What strangers reach through the web server of the real page; its guard alone: test_guard."""

import http.client
import json
import signal
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.host.judge import JOIN
from tests import TRACES
from tests.demo import engine
from tests.pictures import noise, png_bomb
from tests.visitor import API, FailedError, Server, Visitor, file_value, served, wait_for

WORDS = "words=cat,dog,grass"
SECRET = b"nobody may read this"


@pytest.fixture(scope="module")
def visitor(server: Server) -> Visitor:
    return Visitor(server.url)


def raw(server: Server, method: str, path: str, **headers: str) -> tuple[int, bytes, dict]:
    """Send a path exactly as written, which no polite client does."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    named = {name.lower(): value for name, value in response.getheaders()}
    answer = response.status, response.read(), named
    connection.close()
    return answer


def quiet(text: str, server: Server) -> None:
    """Assert that an answer tells nothing about the machine."""
    assert not any(trace in text for trace in (*TRACES, str(server.folder))), text


_WAYS = (
    f"{API}/file=",
    f"{API}/file/",
    "/file=",
    "/static/",
    "/assets/",
    "/svelte/",
    "/page/",
    "/held/",
    "/",
)
_UP = ("", "../" * 12, "..%2f" * 12, "%2e%2e/" * 12, "..%5c" * 12, "....//" * 12, "//", "file://")


@pytest.mark.parametrize("way", _WAYS)
def test_no_file_outside_is_readable(way: str, server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(SECRET)
    targets = {str(secret): SECRET, "/etc/passwd": b"root:"}
    for up in _UP:
        for target, marker in targets.items():
            path = way + up + (target if up in ("", "file://") else target.lstrip("/"))
            status, body, _ = raw(server, "GET", path)
            assert marker not in body, f"{path} was answered ({status})"
            assert status != 500, path


def test_an_uploaded_page_or_drawing_is_never_shown_as_one(visitor: Visitor) -> None:
    """It would run in the page's own origin."""
    for name in ("x.html", "x.svg", "x.xhtml", "x.js"):
        path = visitor.upload(b"<svg xmlns='http://www.w3.org/2000/svg'/>", name).json()[0]
        answer = visitor.web.get(f"{API}/file={path}")
        assert "attachment" in answer.headers.get("content-disposition", ""), name


def test_a_forged_upload_reads_no_file_and_fetches_nothing(
    visitor: Visitor, server: Server, tmp_path: Path
) -> None:
    picture = tmp_path / "private.png"
    noise(40, 40).save(picture)
    values = visitor.open(f"source=upload&{WORDS}")
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0.5)
        address = f"http://127.0.0.1:{inner.getsockname()[1]}/picture.png"
        for path in (str(picture), f"file://{picture}", address):
            for forged in (file_value(path), {"path": {"path": path}}, [file_value(path)], path):
                try:
                    answer = visitor.press(values, forged)
                except FailedError as error:
                    quiet(str(error), server)
                else:
                    assert answer.problem, f"{forged} was read"
        with pytest.raises(TimeoutError):
            inner.accept()


def test_a_file_of_too_many_bytes_is_refused(visitor: Visitor, server: Server) -> None:
    response = visitor.upload(bytes(64 * 2**20 + 1))
    assert response.status_code == 413
    quiet(response.text, server)


def test_many_files_at_once_are_no_way_around_the_limit(visitor: Visitor, server: Server) -> None:
    before = _stored(server)
    files = [("files", (f"{n}.png", bytes([n]) * 2**23)) for n in range(9)]
    assert visitor.web.post(f"{API}/upload", files=files).status_code == 413
    assert visitor.web.post(f"{API}/upload", files=files[:2]).status_code == 400
    wait_for(lambda: _stored(server) == before)


def test_an_upload_cut_off_leaves_nothing_behind(server: Server) -> None:
    before = _stored(server)
    head = (
        f"POST {API}/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**7}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        "--x\r\nContent-Disposition: form-data; name=files; filename=a.png\r\n"
        "Content-Type: image/png\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as wire:
        wire.sendall(head.encode() + bytes(4_000_000))
        time.sleep(0.5)
    time.sleep(0.5)
    assert _stored(server) == before


def _stored(server: Server) -> set[Path]:
    return {file for file in (server.folder / "uploads").rglob("*") if file.is_file()}


@pytest.mark.parametrize("kind", ["pixels", "empty"])
def test_a_hostile_picture_is_refused_in_words(kind: str, visitor: Visitor, server: Server) -> None:
    data = {"pixels": png_bomb(20_000, 20_000), "empty": b""}[kind]
    before = server.peak_mb
    answer = visitor.ask(f"source=upload&{WORDS}", visitor.uploaded(data))
    assert "expected" in answer.problem
    quiet(answer.problem, server)
    assert server.peak_mb - before < 200


def test_what_would_cost_too_much_is_refused_in_words(visitor: Visitor) -> None:
    problem = visitor.ask(f"short=1024&window=64&stride=16&{WORDS}").problem
    assert "may have 8,192 patches here" in problem
    assert "longer stride" in problem


def test_fields_of_the_wrong_kind_are_refused_in_words(visitor: Visitor, server: Server) -> None:
    values = visitor.open(WORDS)
    for at in range(len(values)):
        try:
            answer = visitor.press([*values[:at], [[1]], *values[at + 1 :]]).raw[0]
        except FailedError as error:
            answer = str(error)
        quiet(json.dumps(answer), server)


@pytest.mark.parametrize("index", [None, "x", ["a", "b"], [1e9, 0]])
def test_a_choice_that_is_none_is_survived(index: Any, visitor: Visitor, server: Server) -> None:
    events = {n: f for n, f in visitor.functions.items() if f.get("collects_event_data")}
    assert events
    for name, function in events.items():
        if not function["backend_fn"]:
            continue
        data = [visitor.components[i]["props"].get("value") for i in function["inputs"]]
        answer = visitor.join(name, data, event_data={"index": index, "value": None})
        assert answer.status_code == 200
        done = next(m for m in visitor.messages() if m["msg"] == "process_completed")
        quiet(json.dumps(done), server)
    assert "an event failed" not in server.output()


def test_a_space_may_show_the_page_inside_a_frame(server: Server) -> None:
    assert "x-frame-options" not in raw(server, "GET", "/")[2]


def test_answers_are_compressed_and_their_stream_is_not(visitor: Visitor) -> None:
    assert visitor.web.get("/config").headers["content-encoding"] == "gzip"
    with visitor.web.stream("GET", f"{API}/queue/data?session_hash=x") as stream:
        assert "content-encoding" not in stream.headers


def test_without_downloads_no_sentence_offers_one(visitor: Visitor) -> None:
    missing = "backbone=openai-vit-l-14-336"
    config = json.dumps(list(visitor.components.values()))
    text = visitor.ask(f"{missing}&{WORDS}").text + visitor.ask(WORDS).text + config
    for offer in ("Fetch it", "MB to fetch", "MB to download", "a download of"):
        assert offer not in text


@pytest.mark.last
def test_nothing_of_all_this_was_unexpected(server: Server) -> None:
    """No request to the page that all share ended in an error that we had no words for."""
    for trace in ("a request failed", "an event failed", "Traceback"):
        assert trace not in server.output()


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("x-forwarded-host", "a b\x7f"),
        ("x-forwarded-host", "a:b:c"),
        ("x-gradio-server", "http://[::bad"),
    ],
)
def test_a_host_that_is_none_never_waits(header: str, host: str, server: Server) -> None:
    """Gradio would fail in the queue, and the request would never be answered."""
    visitor = Visitor(server.url)
    visitor.web.headers[header] = host
    assert visitor.join("arrive", []).status_code == 400
    assert "Traceback" not in server.output()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{API}/proxy=https://example.org/"),
        ("GET", f"{API}/proxy=https://[::bad/"),
        ("GET", "/?page=other"),
        ("HEAD", "/?page=&page=other"),
        ("GET", "/other"),
        ("GET", f"{API}/mcp/"),
        ("GET", f"{API}/runs"),
        ("GET", "/monitoring/summary"),
        ("GET", f"{API}/stream/a/b/1/playlist.m3u8"),
        ("GET", "/svelte/../../app.py"),
        ("PUT", JOIN),
        ("POST", "/"),
        ("POST", f"{API}/vibe-edit"),
    ],
)
def test_what_a_page_has_not_is_refused(method: str, path: str, server: Server) -> None:
    answer = httpx.request(method, server.url + path, timeout=30)
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in server.output()


@pytest.mark.last
def test_a_page_that_ends_gives_its_last_answer_and_another_shows_that_link(server: Server) -> None:
    """A link is all that a visitor was promised to keep, and no page keeps anything for another."""
    visitor, link = Visitor(server.url), f"cs=0&tab=compare&{WORDS}"
    before = visitor.ask(link)
    assert not before.problem
    values = visitor.open(f"tab=compare&short=400&{WORDS}")
    visitor.join("show", visitor.pressed(values)).raise_for_status()
    messages = visitor.messages()
    while next(messages)["msg"] != "process_starts":
        pass
    logged = len(server.output())
    server.process.send_signal(signal.SIGTERM)
    last = next(m for m in messages if m["msg"] == "process_completed")
    assert last["success"]
    assert server.process.wait(40) == 0
    assert "Traceback" not in server.output()[logged:]
    with served(engine()) as url:
        assert Visitor(url).ask(link).same_as(before)
