"""Attacks by one client on the page that all share; each yields the outcome of every attempt."""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx

from demo.gate import API
from demo.gate.files import MAX_FILE
from demo.gate.requests import JOIN, UPLOAD
from demo.settings import Settings
from tests.demo.visitor import FILE, BusyError, FailedError, Server, Visitor
from tests.load.hostile_pictures import PICTURES
from tests.models import picture
from tests.pictures import encoded

Attack = Callable[[Server], Iterable[object]]


def at_once(number: int, ask: Callable[[int], object], threads: int = 50) -> Iterator[object]:
    """The outcomes of ``ask(0)``, ``ask(1)`` …, many at the same time."""
    with ThreadPoolExecutor(min(number, threads)) as pool:
        yield from pool.map(ask, range(number))


def connection(server: Server, head: str, body: bytes = b"") -> socket.socket:
    """A connection on which a request begins."""
    wire = socket.create_connection(("127.0.0.1", server.port), timeout=120)
    with contextlib.suppress(OSError):
        wire.sendall(head.replace("\n", "\r\n").encode() + body)
    return wire


def status(wire: socket.socket) -> str:
    with contextlib.suppress(OSError), wire:
        return wire.recv(100).decode("latin-1").partition("\r\n")[0][9:12] or "hung up"
    return "hung up"


def question(server: Server) -> dict:
    """The body of a request for a mask."""
    visitor, values = Visitor(server.url), None
    while values is None:
        try:
            values = visitor.open("words=cat,dog,grass")
        except BusyError:  # the previous attack filled the queue
            time.sleep(1)
    data = [None, None, values["photo"], *(values[name] for name in Settings.model_fields)]
    return {"fn_index": visitor.events["respond"]["id"], "data": data}


def unread_answers(server: Server) -> Iterator[object]:
    """500 sessions send requests and never read."""
    body = question(server)

    def ask(_: int) -> object:
        named = body | {"session_hash": uuid4().hex}
        return httpx.post(server.url + JOIN, json=named, timeout=600).status_code

    yield from at_once(500, ask)


def requests_at_once(server: Server) -> Iterator[object]:
    """200 requests of one session, all sent before the first is answered."""
    data = json.dumps(question(server) | {"session_hash": "one"}).encode()
    head = f"POST {JOIN} HTTP/1.1\nHost: x\nContent-Length: {len(data)}\n"
    head += "Content-Type: application/json\n\n"
    wires = [connection(server, head, data[:-1]) for _ in range(200)]
    for wire in wires:
        wire.sendall(data[-1:])
    yield from map(status, wires)


def large_bodies(server: Server) -> Iterator[object]:
    """48 MB of ``{},{},…``, brackets nested 60,000 deep, and headers of 15 and of 60 kB."""
    bodies = b'{"data":[' + b"{}," * (16 * 2**20) + b"0]}", b"[" * 60_000, b'{"data":[' * 6_000
    headers = [
        {f"x-{part}": "x" * 5_000 for part in range(size // 5_000)} for size in (15_000, 60_000)
    ]

    def ask(number: int) -> object:
        with contextlib.suppress(httpx.HTTPError):
            if number % 2:
                named = question | {"session_hash": uuid4().hex}
                answer = httpx.post(server.url + JOIN, json=named, headers=headers[number % 4 // 2])
            else:
                content = bodies[number // 2 % 3]
                answer = httpx.post(server.url + JOIN, content=content, timeout=600)
            return answer.status_code
        return "hung up"

    question = {"fn_index": 0, "data": []}
    yield from at_once(60, ask, 12)


def slow_uploads(server: Server) -> Iterator[object]:
    """30 uploads that stop before their end, a third of them as fields, kept in memory."""
    head = (
        f"POST {API}/upload HTTP/1.1\nHost: x\nContent-Length: {MAX_FILE}\n"
        "Content-Type: multipart/form-data; boundary=x\n\n"
        "--x\nContent-Disposition: form-data; name=files{}\n\n"
    )

    def ask(number: int) -> object:
        named = head.format('; filename="a.png"' if number % 3 else "")
        return status(connection(server, named, bytes(MAX_FILE - 2**20)))

    yield from at_once(30, ask)


def full_disk(server: Server) -> Iterator[object]:
    """60 uploads of 60 MB, one after the other: 3.6 GB."""
    visitor = Visitor(server.url)
    for number in range(60):
        yield visitor.upload(number.to_bytes(2) + bytes(60 * 2**20)).status_code
    files = (file.stat().st_size for file in (server.folder / "uploads").rglob("*.png"))
    yield f"{sum(files) / 10**9:.1f} GB are stored"


def hostile_pictures(server: Server) -> Iterator[object]:
    """Each kind four times at once, through the page and through the API."""
    for name, make in PICTURES.items():
        data = make()

        def ask(number: int, data: bytes = data) -> str:
            return use(server, data + bytes([number]), number)

        yield from (f"{name}: {result}" for result in at_once(4, ask))


def use(server: Server, data: bytes, number: int) -> str:
    """Uploads a picture and requests its mask through the page, or words through the API."""
    visitor = Visitor(server.url)
    upload = visitor.upload(data)
    if upload.status_code != 200:
        return f"{upload.status_code} for the upload"
    photo = {"path": upload.json()[0]} | FILE
    try:
        if number % 2:
            return "words" if visitor.program("suggest", photo, 5, "default") else ""
        shown = visitor.ask(photo, words="cat,dog")
        return "a mask" if "canvas" in shown else shown.get("warning", "")[:60]
    except (BusyError, FailedError) as error:
        return str(error)[:60]


def open_connections(server: Server) -> Iterator[object]:
    """500 heartbeats and 200 response streams at once; then all hang up."""
    ways = [f"{API}/heartbeat/{uuid4().hex}" for _ in range(500)]
    ways += [f"{API}/queue/data?session_hash={uuid4().hex}" for _ in range(200)]
    wires = [connection(server, f"GET {way} HTTP/1.1\nHost: x\n\n") for way in ways]
    time.sleep(10)
    yield from (wire.close() or "hung up" for wire in wires)


def small_files(server: Server) -> Iterator[object]:
    """36 uploads of 1,000 files of nine bytes, then 2,000 uploads of one."""
    visitor = Visitor(server.url)
    many = [("files", (f"{number}.png", number.to_bytes(9))) for number in range(1_000)]
    for _ in range(36):
        yield f"{visitor.web.post(UPLOAD, files=many).status_code} for 1,000 files"
    yield from at_once(2_000, lambda number: visitor.upload(number.to_bytes(9)).status_code, 10)


def idle_connections(server: Server) -> Iterator[object]:
    """1,500 connections without a request and 500 with half of one; then the page's health."""
    wires = [connection(server, "GET / HTTP/1.1\n" * (number % 4 == 0)) for number in range(2_000)]
    for _ in range(10):
        began = time.monotonic()
        health = httpx.get(f"{server.url}/health", timeout=120).status_code
        yield f"health: {health} in {'less' if time.monotonic() - began < 5 else 'more'} than 5 s"
        time.sleep(2)
    yield from (status(wire) for wire in wires)


def heavy_requests(server: Server) -> Iterator[object]:
    """Eight requests of one session, each nearly as expensive as allowed, twice."""
    visitor, data = Visitor(server.url), encoded(picture(900, 900), "JPEG")
    photo = visitor.uploaded(data)
    event = visitor.events["respond"]["id"]
    for turn in range(2):
        for number in range(8):
            settings = Settings(words="cat, dog", short_side=960 - 16 * (8 * turn + number))
            values = [None, "segment", photo, *(value for _, value in settings)]
            body = {"fn_index": event, "data": values, "session_hash": visitor.session}
            yield visitor.web.post(JOIN, json=body).status_code
        yield f"{sum(1 for message in visitor.messages() if message.get('success'))} messages"


def large_caches(server: Server) -> Iterator[object]:
    """12 large photos with 200 words and three thresholds, then 63 megapixels."""
    words = ",".join(f"thing {number}" for number in range(200))

    def ask(number: int) -> str:
        visitor = Visitor(server.url)
        photo = visitor.uploaded(encoded(picture(2_000, 2_000, seed=number), "JPEG"))
        large = {"words": words, "short_side": 672}
        for threshold in (0, 0.3, 0.6):
            while True:
                try:
                    visitor.ask(photo, threshold=threshold, **large)
                    break
                except BusyError:
                    time.sleep(2)
        return "three masks" if "canvas" in visitor.shown else visitor.shown["warning"][:60]

    yield from at_once(12, ask)
    data = PICTURES["63 megapixels of 16 bits"]()
    yield from at_once(4, lambda number: use(server, data + bytes([number]), number))


ATTACKS: tuple[Attack, ...] = (
    unread_answers,
    requests_at_once,
    large_bodies,
    slow_uploads,
    full_disk,
    hostile_pictures,
    open_connections,
    small_files,
    idle_connections,
    heavy_requests,
    large_caches,
)
