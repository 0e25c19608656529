"""What strangers can reach through the web server, and what they get when they try to hurt it."""

import http.client
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.host import guard
from tests.gclip_core.test_vocabulary import MARKUP, SCRIPTS, TEMPLATES
from tests.pictures import encoded, noise, png_bomb
from tests.visitor import (
    API,
    ROOT,
    FailedError,
    Server,
    Visitor,
    file_value,
)

WORDS = "words=strawberry,frog,grass"
SECRET = b"nobody may read this"
TOO_LONG = "</textarea><iframe src=//example.org>"
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
    found = response.status, response.read(), dict(response.getheaders())
    connection.close()
    return found


def quiet(text: str, server: Server) -> None:
    """Assert that an answer tells nothing about the machine."""
    for trace in ("Traceback", "site-packages", str(ROOT), str(server.folder), 'File "'):
        assert trace not in text


# ── files ──────────────────────────────────────────────────────────────────────────────────────

_WAYS = (
    f"{API}/file=", f"{API}/file/", "/file=", "/file/", "/static/", "/assets/", "/svelte/",
    f"{API}/custom_component/", "/theme.css/", f"{API}/proxy=", f"{API}/stream/", "/",
)  # fmt: skip
_UP = ("", "../" * 12, "..%2f" * 12, "%2e%2e/" * 12, "..%5c" * 12, "....//" * 12, "//", "file://")


@pytest.mark.parametrize("way", _WAYS)
def test_no_file_outside_is_readable(way: str, server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(SECRET)
    targets = {str(secret): SECRET, "/etc/passwd": b"root:", str(ROOT / "app.py"): b"def main"}
    targets |= {"/proc/self/environ": b"PATH=", str(server.log): b"Running on"}
    for up in _UP:
        for target, marker in targets.items():
            path = way + up + (target if up in ("", "file://") else target.lstrip("/"))
            status, body, _ = raw(server, "GET", path)
            assert marker not in body, f"{path} was answered ({status})"
            assert status != 500, path


def test_an_uploaded_file_is_readable_and_its_folder_is_not(visitor: Visitor) -> None:
    data = encoded(noise(4, 4), "PNG")
    path = visitor.upload(data).json()[0]
    assert visitor.web.get(f"{API}/file={path}").content == data
    assert visitor.web.get(f"{API}/file={Path(path).parent}").status_code in (403, 404)
    assert visitor.web.get(f"{API}/file={Path(path).parents[1]}").status_code in (403, 404)


@pytest.mark.parametrize(
    "name", ["../../up.png", "/abs.png", "a\0b.png", "..", "x" * 3000, "<b>.png"]
)
def test_an_upload_s_name_chooses_no_place(name: str, visitor: Visitor, server: Server) -> None:
    response = visitor.upload(encoded(noise(4, 4), "PNG"), name)
    if response.status_code == 200:
        stored = Path(response.json()[0]).resolve()
        assert stored.is_relative_to(server.uploads.resolve())
    else:
        quiet(response.text, server)


def test_an_uploaded_page_or_drawing_is_never_shown_as_one(visitor: Visitor) -> None:
    """It would run in the page's own origin."""
    for name in ("x.html", "x.svg", "x.xhtml", "x.js"):
        path = visitor.upload(b"<svg xmlns='http://www.w3.org/2000/svg'/>", name).json()[0]
        answer = visitor.web.get(f"{API}/file={path}")
        assert "attachment" in answer.headers.get("content-disposition", ""), name
        assert answer.headers["x-content-type-options"] == "nosniff"


def _forged(path: str) -> list[Any]:
    return [
        file_value(path),
        {"path": path},
        {"path": path, "meta": {"_type": "gradio.FileData"}, "url": path},
        {"path": {"path": path}},
        [file_value(path)],
        path,
        file_value(f"file://{path}"),
        {"path": path, "meta": None, "is_stream": True},
    ]


def test_a_forged_upload_reads_no_file_of_this_machine(
    visitor: Visitor, server: Server, tmp_path: Path
) -> None:
    picture = tmp_path / "private.png"
    noise(40, 40).save(picture)
    values = visitor.open(f"source=upload&{WORDS}")[1:]
    for forged in _forged(str(picture)) + _forged(str(ROOT / "assets" / "photos" / "chelsea.jpg")):
        try:
            answer = visitor.press(forged, values)
        except FailedError as error:
            quiet(str(error), server)
            continue
        assert answer.problem, f"{forged} was read"
        quiet(answer.problem, server)


def test_a_forged_address_fetches_nothing_from_the_inner_network(
    visitor: Visitor, server: Server
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0.5)
        address = f"http://127.0.0.1:{inner.getsockname()[1]}/picture.png"
        values = visitor.open(f"source=upload&{WORDS}")[1:]
        for forged in (*_forged(address), {"path": "x.png", **file_value("x.png", url=address)}):
            try:
                assert visitor.press(forged, values).problem
            except FailedError as error:
                quiet(str(error), server)
        raw(server, "GET", f"{API}/proxy={address}")
        raw(server, "GET", f"{API}/file={address}")
        with pytest.raises(TimeoutError):
            inner.accept()


# ── limits ─────────────────────────────────────────────────────────────────────────────────────


def test_a_file_of_too_many_bytes_is_refused(visitor: Visitor, server: Server) -> None:
    response = visitor.upload(bytes(64 * 2**20 + 1))
    assert response.status_code == 413
    quiet(response.text, server)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_without_end_is_refused(announced: bool, visitor: Visitor, server: Server) -> None:
    before, size = server.memory_mb, 30 * 2**20
    content = bytes(size) if announced else (bytes(2**20) for _ in range(size // 2**20))
    answer = visitor.web.post(f"{API}/queue/join", content=content)
    assert answer.status_code == 413
    assert "4 MB" in answer.text
    assert server.memory_mb - before < 25, "it was not taken into memory"
    assert not visitor.ask(WORDS).problem


def test_many_files_at_once_are_no_way_around_the_limit(visitor: Visitor, server: Server) -> None:
    def left() -> int:
        return sum(file.stat().st_size for file in server.uploads.rglob("*") if file.is_file())

    before = left()
    files = [("files", (f"{n}.png", bytes([n]) * 2**23)) for n in range(9)]
    answer = visitor.web.post(f"{API}/upload", files=files)
    assert answer.status_code == 413
    _wait_for(lambda: left() == before)


def test_an_upload_cut_off_leaves_nothing_behind(server: Server) -> None:
    def left() -> set[Path]:
        return {file for file in server.uploads.rglob("*") if file.is_file()}

    before = left()
    with socket.create_connection(("127.0.0.1", server.port)) as wire:
        wire.sendall(_form_head(10**6) + bytes(400_000))
        _wait_for(lambda: bool(left() - before))
    _wait_for(lambda: not left() - before)


def _wait_for(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def _form_head(length: int) -> bytes:
    part = (
        "--x\r\nContent-Disposition: form-data; name=files; filename=a.png\r\n"
        "Content-Type: image/png\r\n\r\n"
    )
    head = (
        f"POST {API}/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    return (head + part).encode()


def _hostile_files() -> dict[str, bytes]:
    picture = encoded(noise(64, 64), "JPEG")
    return {
        "pixels": png_bomb(20_000, 20_000),
        "more pixels than the page takes": png_bomb(5_000, 5_000),
        "empty": b"",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "page": b"<!doctype html><script>alert(1)</script>",
        "zip": b"PK\x03\x04" + bytes(60),
        "cut": picture[: len(picture) // 2],
        "comments": picture[:2] + b"\xff\xfe\0\2" * 10**6 + picture[2:],
        "words": b"these are words",
        "gif": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(20),
    }


@pytest.mark.parametrize("kind", _hostile_files())
def test_a_hostile_picture_is_refused_in_words(kind: str, visitor: Visitor, server: Server) -> None:
    before, start = server.memory_mb, time.monotonic()
    image = visitor.uploaded(_hostile_files()[kind])
    answer = visitor.ask(f"source=upload&{WORDS}", image)
    assert "expected" in answer.problem
    quiet(answer.problem, server)
    assert server.memory_mb - before < 200
    assert time.monotonic() - start < 30
    assert not visitor.ask(WORDS).problem, "and the page goes on"


# ── words and links ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "words", [MARKUP, TEMPLATES, SCRIPTS], ids=["markup", "templates", "scripts"]
)
def test_hostile_words_are_shown_as_they_are(
    words: tuple[str, ...], visitor: Visitor, server: Server
) -> None:
    words = tuple(word for word in words if word != TOO_LONG)
    values = visitor.open(WORDS)
    at = values.index("strawberry,frog,grass")
    values[at] = "\n".join(words)
    for tab in ("side", "compare"):
        values = [tab if value in ("side", "compare") else value for value in values]
        answer = visitor.press(values[0], values[1:])
        assert not answer.problem
        quiet(json.dumps(answer.raw), server)
        assert "49" not in answer.text.split("·")[0], "7 * 7 was not worked out"


def test_words_too_long_for_the_model_are_refused_in_words(visitor: Visitor) -> None:
    assert TOO_LONG in MARKUP
    values = visitor.open(WORDS)
    values[values.index("strawberry,frog,grass")] = TOO_LONG
    problem = visitor.press(values[0], values[1:]).problem
    assert "tokens" in problem
    assert "Use fewer words" in problem


@pytest.mark.parametrize("words", [",;\n", "x" * 5000, ",".join(map(str, range(1100))), "\0"])
def test_words_that_cannot_be_used_are_refused_in_words(words: str, visitor: Visitor) -> None:
    values = visitor.open(WORDS)
    values[values.index("strawberry,frog,grass")] = words
    assert visitor.press(values[0], values[1:]).problem


_TAMPERED = (
    "backbone=../../etc/passwd", "backbone=openai-vit-l-14-336",
    "source=upload&example=/etc/passwd", "size=1024&short=512&window=256&stride=1",
    "source=example&example=../../../etc/passwd", "seed=-1&things=99&style=<script>",
    "size=1000000", "short=999999&window=-5&stride=0", "scale=nan&threshold=inf", "tab=__class__",
    "amf_blocks=0&cs_blocks=1-999999999", "method=__import__('os')", "channels=1-99999",
    "plant=1&gain=1e308&plant_blocks=64&plant_channel=99999", "words=" + "%00" * 50,
    "words=" + "x" * 30_000, "seed=1&seed=2&seed[]=3", "amf=2&cs=true", "%ff%fe=%00", "a" * 20_000,
    "&".join(f"k{n}=v" for n in range(2000)), "__theme=dark&view=api", "left=x&right=%3Cimg%3E",
)  # fmt: skip


@pytest.mark.parametrize("query", _TAMPERED, ids=lambda query: query[:30])
def test_a_tampered_link_neither_fails_nor_widens_anything(
    query: str, visitor: Visitor, server: Server
) -> None:
    values = visitor.open(query)
    answer = visitor.press(values[0], values[1:])
    quiet(json.dumps(answer.raw[0]), server)
    untampered = visitor.open("")
    assert len(values) == len(untampered)
    assert [type(v) for v in values[1:]] == [type(v) for v in untampered[1:]], (
        "no new kind of value"
    )


# ── requests no browser sends ──────────────────────────────────────────────────────────────────


def test_private_endpoints_cannot_be_called_by_name(visitor: Visitor, server: Server) -> None:
    private = [
        name
        for name, function in visitor.functions.items()
        if function.get("api_visibility") == "private" and function["backend_fn"]
    ]
    assert {"show", "arrive"} <= set(private)
    for name in private:
        for way in ("call", "call/v2", "api", "run", "/call", "call/"):
            answer = visitor.web.post(f"{API}/{way}/{name}", json={"data": []})
            assert answer.status_code == 404, f"{way}/{name}"
            quiet(answer.text, server)
    assert visitor.web.post(f"{API}/run/about", json={"data": []}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/monitoring", "/monitoring/", "/monitoring/summary", f"{API}/vibe-edit", f"{API}/vibe-code",
     f"{API}/undo-vibe-edit", f"{API}/dev/reload", f"{API}/proxy=https://example.org/", "/docs",
     "/redoc", "/openapi.json", f"{API}/run-history/buckets", f"{API}//vibe-code"],
)  # fmt: skip
def test_tools_that_the_page_does_not_need_are_not_there(path: str, server: Server) -> None:
    for method in ("GET", "POST"):
        status, body, _ = raw(server, method, path)
        assert status in (404, 405), f"{method} {path}: {status}"
        quiet(body.decode("utf-8", "replace"), server)


def _odd_bodies(visitor: Visitor) -> list[Any]:
    show = visitor.functions["show"]["id"]
    size = len(visitor.functions["show"]["inputs"])
    bodies: list[Any] = [
        {"fn_index": index, "data": [], "session_hash": "x"} for index in (-1, 10**6, None, "show")
    ]
    bodies += [
        {"fn_index": show, "data": data, "session_hash": "x"}
        for data in ([], [None] * (size - 1), [None] * (size + 9), "text", None, {"a": 1})
    ]
    return [*bodies, [], "text", None, 7, {}, {"data": []}]


def test_bodies_of_the_wrong_shape_are_refused_and_tell_nothing(
    visitor: Visitor, server: Server
) -> None:
    for body in _odd_bodies(visitor):
        answer = visitor.web.post(f"{API}/queue/join", json=body)
        quiet(answer.text, server)
    for content in (b"", b"{", b"\xff\xfe", b"[" * 5000, b'{"fn_index": 1e999}'):
        answer = visitor.web.post(f"{API}/queue/join", content=content)
        assert answer.status_code in (400, 422), content[:20]
        quiet(answer.text, server)
    assert not visitor.ask(WORDS).problem, "and the page goes on"


def _press_odd(visitor: Visitor, server: Server, odds: list[Any]) -> None:
    values = visitor.open(WORDS)
    for odd in odds:
        for at in range(1, len(values)):
            changed = [*values[:at], odd, *values[at + 1 :]]
            try:
                answer = visitor.press(changed[0], changed[1:])
            except FailedError as error:
                quiet(str(error), server)
            else:
                quiet(json.dumps(answer.raw[0]), server)


def test_fields_of_the_wrong_kind_are_refused_in_words(visitor: Visitor, server: Server) -> None:
    _press_odd(visitor, server, [[1]])


@pytest.mark.long
def test_fields_of_any_wrong_kind_are_refused_in_words(visitor: Visitor, server: Server) -> None:
    _press_odd(visitor, server, [None, "x", -1, 1e308, {}, True, "../../etc/passwd", [[1]] * 50])


_ODD_CALLS: tuple[tuple[str, list[Any]], ...] = (
    ("segment", [None, "cat", "x", {}]), ("segment", [None, 5]), ("segment", [None, ["cat"]]),
    ("segment", [None, "cat", True, True, "nope"]),
    ("segment", [None, "cat", True, True, "gclip", "../x"]),
    ("segment", [None, "cat", True, True, "gclip", "", "x", []]),
    ("segment", [None, "cat", True, True, "gclip", "", "auto", "auto", "nan", 1e300]),
    ("segment", [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "cat"]),
    ("segment", ["/etc/passwd", "cat"]), ("segment", [{"path": "/etc/passwd"}, "cat"]),
    ("explain_pixel", [None, "cat", "a", "b"]), ("explain_pixel", [None, "cat", 1e300, -4, 1e9]),
    ("channels", ["", 0, 10**9, 1e308]), ("channels", ["", 99, 1, 1]), ("channels", [[], {}]),
    ("compare", [None, "cat", "clip," * 500]), ("compare", [None, "cat", 7]), ("compare", [7]),
    ("attention", [None, -1, 99]), ("attention", [None, "x"]), ("export", [None, None, None]),
    ("export", [None, "cat", True, True, "openai-vit-b-16"]), ("about", [1, 2, 3]),
)  # fmt: skip


def test_public_endpoints_answer_odd_values_with_a_result_or_words(
    visitor: Visitor, server: Server
) -> None:
    for name, data in _ODD_CALLS:
        start = time.monotonic()
        data = data + [None] * (len(visitor.functions[name]["inputs"]) - len(data))
        asked = visitor.web.post(f"{API}/call/{name}", json={"data": data})
        quiet(asked.text, server)
        if asked.status_code != 200:
            continue
        event = asked.json()["event_id"]
        answer = visitor.web.get(f"{API}/call/{name}/{event}").text
        # A file's value says by Gradio's own format where among the uploads it is kept.
        quiet(answer.replace(str(server.folder / "uploads"), ""), server)
        assert "root:" not in answer
        assert "format code" not in answer
        if "passwd" not in json.dumps(data):  # Gradio refuses that path before we see it
            assert '"error": null' not in answer, (name, data)
        assert time.monotonic() - start < 30, (name, data)


def test_a_session_that_is_not_there_ends_the_stream(visitor: Visitor) -> None:
    answer = visitor.web.get(f"{API}/queue/data?session_hash=never-seen")
    assert "session_not_found" in answer.text


def test_health_is_open_to_all(server: Server) -> None:
    assert guard.Guard(raw, ()).allows("/health")
    status, _, headers = raw(server, "GET", "/health")
    assert status == 200
    assert {"x-content-type-options", "referrer-policy"} <= {name.lower() for name in headers}


def test_the_headers_suit_a_page_inside_a_frame(server: Server) -> None:
    _, _, headers = raw(server, "GET", "/")
    named = {name.lower(): value for name, value in headers.items()}
    assert named["x-content-type-options"] == "nosniff"
    assert "x-frame-options" not in named, "a Space shows the page inside a frame"
    assert "referrer-policy" in named


def test_a_page_of_another_origin_gets_no_permission_to_read(server: Server) -> None:
    _, _, headers = raw(server, "GET", "/config", Origin="https://evil.example", Host="localhost")
    allowed = {name.lower(): value for name, value in headers.items()}.get(
        "access-control-allow-origin"
    )
    assert allowed != "https://evil.example"


def test_nothing_of_all_this_was_unexpected(server: Server) -> None:
    """Runs last of those that share the page: no request ended in an error we had no words for."""
    assert "a request failed" not in server.said()
