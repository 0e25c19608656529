"""What strangers reach through the web server of the real page; its guard alone: test_guard."""

import http.client
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import encoded, noise, png_bomb
from tests.visitor import API, ROOT, FailedError, Server, Visitor, file_value

WORDS = "words=cat,dog,grass"
SECRET = b"nobody may read this"
MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<b>bold",
    "&lt;",
    "'\"><svg>",
)
TEMPLATES = ("{{7*7}}", "${7*7}", "{words}", "%s", "`id`", "$(id)", "{% raw %}")
SCRIPTS = ("שלום", "مرحبا", "犬", "собака", "e\u0301", "a\u202eb", "🦊")
TOO_LONG = "</textarea><iframe src=//example.org>" * 3
"""More tokens than the built-in model reads in its sentences."""


@pytest.fixture
def visitor(server: Server) -> Iterator[Visitor]:
    tab = Visitor(server.url)
    yield tab
    tab.close()


def raw(server: Server, method: str, path: str, **headers: str) -> tuple[int, bytes, dict]:
    """Send a path exactly as written, which no polite client does."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    named = {name.lower(): value for name, value in response.getheaders()}
    found = response.status, response.read(), named
    connection.close()
    return found


def quiet(text: str, server: Server) -> None:
    """Assert that an answer tells nothing about the machine."""
    for trace in ("Traceback", "site-packages", str(ROOT), str(server.folder), 'File "'):
        assert trace not in text


# ── files ──────────────────────────────────────────────────────────────────────────────────────

_WAYS = (f"{API}/file=", f"{API}/file/", "/file=", "/static/", "/assets/", "/svelte/", "/page/",
         "/held/", "/")  # fmt: skip
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
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_forged_upload_reads_no_file_and_fetches_nothing(
    visitor: Visitor, server: Server, tmp_path: Path
) -> None:
    picture = tmp_path / "private.png"
    noise(40, 40).save(picture)
    values = visitor.open(f"source=upload&{WORDS}")[1:]
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0.5)
        address = f"http://127.0.0.1:{inner.getsockname()[1]}/picture.png"
        for path in (str(picture), f"file://{picture}", address):
            for forged in (file_value(path), {"path": {"path": path}}, [file_value(path)], path):
                try:
                    answer = visitor.press(forged, values)
                except FailedError as error:
                    quiet(str(error), server)
                else:
                    assert answer.problem, f"{forged} was read"
        with pytest.raises(TimeoutError):
            inner.accept()


# ── limits ─────────────────────────────────────────────────────────────────────────────────────


def test_a_file_of_too_many_bytes_is_refused(visitor: Visitor, server: Server) -> None:
    response = visitor.upload(bytes(64 * 2**20 + 1))
    assert response.status_code == 413
    quiet(response.text, server)


def test_many_files_at_once_are_no_way_around_the_limit(visitor: Visitor, server: Server) -> None:
    before = _stored(server)
    files = [("files", (f"{n}.png", bytes([n]) * 2**23)) for n in range(9)]
    assert visitor.web.post(f"{API}/upload", files=files).status_code == 413
    _wait_for(lambda: _stored(server) == before)


def test_an_upload_cut_off_leaves_nothing_behind(server: Server) -> None:
    before = _stored(server)
    with socket.create_connection(("127.0.0.1", server.port)) as wire:
        wire.sendall(_form_head(10**6) + bytes(400_000))
        _wait_for(lambda: bool(_stored(server) - before))
    _wait_for(lambda: not _stored(server) - before)


def _stored(server: Server) -> set[Path]:
    return {file for file in server.uploads.rglob("*") if file.is_file()}


def _wait_for(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def _form_head(length: int) -> bytes:
    return (
        f"POST {API}/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        "--x\r\nContent-Disposition: form-data; name=files; filename=a.png\r\n"
        "Content-Type: image/png\r\n\r\n"
    ).encode()


def _hostile_files() -> dict[str, bytes]:
    picture = encoded(noise(64, 64), "JPEG")
    return {
        "pixels": png_bomb(20_000, 20_000),
        "empty": b"",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "zip": b"PK\x03\x04" + bytes(60),
        "cut": picture[: len(picture) // 2],
        "comments": picture[:2] + b"\xff\xfe\0\2" * 10**6 + picture[2:],
        "gif": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(20),
    }


@pytest.mark.parametrize("kind", _hostile_files())
def test_a_hostile_picture_is_refused_in_words(kind: str, visitor: Visitor, server: Server) -> None:
    before = server.memory_mb
    image = visitor.uploaded(_hostile_files()[kind])
    answer = visitor.ask(f"source=upload&{WORDS}", image)
    assert "expected" in answer.problem
    quiet(answer.problem, server)
    assert server.memory_mb - before < 200


# ── words, links and fields ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "words", [MARKUP, TEMPLATES, SCRIPTS], ids=["markup", "templates", "scripts"]
)
def test_hostile_words_are_shown_as_they_are(
    words: tuple[str, ...], visitor: Visitor, server: Server
) -> None:
    values = visitor.open(WORDS)
    answer = visitor.press(values[0], _with_words(values, "\n".join(words)))
    assert not answer.problem
    quiet(json.dumps(answer.raw), server)
    assert "49" not in answer.text.split("·")[0], "7 * 7 was not worked out"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (TOO_LONG, "Use fewer words"), (",;\n", "At least one word"), ("x" * 4001, "4000"),
        (",".join(map(str, range(201))), "Up to 200 classes"), ("\0", ""),
    ],
    ids=["tokens", "none", "characters", "classes", "nul"],
)  # fmt: skip
def test_words_that_cannot_be_used_are_refused_in_words(
    words: str, said: str, visitor: Visitor
) -> None:
    values = visitor.open(WORDS)
    problem = visitor.press(values[0], _with_words(values, words)).problem
    assert problem
    assert said in problem


def _with_words(values: list[Any], words: str) -> list[Any]:
    return [words if value == "cat,dog,grass" else value for value in values[1:]]


_TAMPERED = (
    "backbone=../../etc/passwd", "source=upload&example=/etc/passwd", "example=../../../etc/passwd",
    "short=1024&window=64&stride=1", "short=999999&window=-5&stride=0", "scale=nan&threshold=inf",
    "tab=__class__", "amf_blocks=0&cs_blocks=1-999999999", "method=__import__('os')",
    "channels=1-99999", "plant=1&gain=1e308&plant_blocks=64&plant_channel=99999",
    "words=" + "%00" * 50, "words=" + "x" * 30_000, "seed=1&seed=2&seed[]=3", "%ff%fe=%00",
    "a" * 20_000, "&".join(f"k{n}=v" for n in range(2000)), "left=x&right=%3Cimg%3E",
)  # fmt: skip


@pytest.mark.parametrize("query", _TAMPERED, ids=lambda query: query[:30])
def test_a_tampered_link_neither_fails_nor_widens_anything(
    query: str, visitor: Visitor, server: Server
) -> None:
    values, untampered = visitor.open(query), visitor.open("")
    answer = visitor.press(values[0], values[1:])
    quiet(json.dumps(answer.raw[0]), server)
    assert [type(v) for v in values[1:]] == [type(v) for v in untampered[1:]]


def test_what_would_cost_too_much_is_refused_in_words(visitor: Visitor) -> None:
    values = visitor.open(f"short=1024&window=64&stride=16&{WORDS}")
    problem = visitor.press(values[0], values[1:]).problem
    assert "may have 8,192 patches here" in problem
    assert "longer stride" in problem


@pytest.mark.parametrize(
    "odd",
    [
        [[1]],
        *(pytest.param(one, marks=pytest.mark.long) for one in
          (None, "x", -1, 1e308, {}, True, "../../etc/passwd", [[1]] * 50)),
    ],
    ids=str,
)  # fmt: skip
def test_fields_of_the_wrong_kind_are_refused_in_words(
    odd: Any, visitor: Visitor, server: Server
) -> None:
    values = visitor.open(WORDS)
    for at in range(1, len(values)):
        changed = [*values[:at], odd, *values[at + 1 :]]
        try:
            answer = visitor.press(changed[0], changed[1:])
        except FailedError as error:
            quiet(str(error), server)
        else:
            quiet(json.dumps(answer.raw[0]), server)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["0", "", "", "cat"]] * 255, "at most 254 classes"),
        ([["0", "", "", "x" * 301]], "at most 300 characters"),
        ([["9" * 5000, "", "", "cat"]], "up to 255"),
    ],
)
def test_a_mask_s_table_is_bounded_before_anything_is_built(
    rows: list[list[str]], said: str, visitor: Visitor
) -> None:
    values = visitor.open(WORDS)
    table = {"headers": ["value", "colour", "share", "class"], "data": rows, "metadata": None}
    assert said in visitor.press(values[0], values[1:], [None, table]).problem


@pytest.mark.parametrize("index", [None, "x", [1], ["a", "b"], {}, [1, 2, 3], -1, [1e9, 0]])
def test_a_choice_in_a_widget_that_is_none_is_refused_in_words(
    index: Any, visitor: Visitor, server: Server
) -> None:
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


# ── the server as a whole ──────────────────────────────────────────────────────────────────────


def test_the_headers_suit_a_page_inside_a_frame(server: Server) -> None:
    _, _, headers = raw(server, "GET", "/")
    assert headers["x-content-type-options"] == "nosniff"
    assert "x-frame-options" not in headers, "a Space shows the page inside a frame"
    assert "referrer-policy" in headers


def test_answers_are_compressed_and_their_stream_is_not(visitor: Visitor) -> None:
    assert visitor.web.get("/config").headers["content-encoding"] == "gzip"
    with visitor.web.stream("GET", f"{API}/queue/data?session_hash=x") as stream:
        assert "content-encoding" not in stream.headers


def test_without_downloads_no_sentence_offers_one(visitor: Visitor) -> None:
    missing = "backbone=openai-vit-l-14-336"
    config = json.dumps(list(visitor.components.values()))
    said = visitor.ask(f"{missing}&{WORDS}").text + visitor.ask(WORDS).text + config
    for offer in ("Fetch it", "MB to fetch", "MB to download", "a download of"):
        assert offer not in said


def test_nothing_of_all_this_was_unexpected(server: Server) -> None:
    """Runs last of those that share the page: no request ended in an error we had no words for."""
    for trace in ("a request failed", "an event failed", "Traceback"):
        assert trace not in server.output()
