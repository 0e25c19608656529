"""Attacks by one client, each from an address that nobody else has, on the page that all share;
each yields the outcome of every attempt."""

import contextlib
import itertools
import json
import socket
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import uuid4

import httpx
import numpy as np
from PIL import Image

from demo.limits import MAX_FILE
from tests.demo.visitor import (
    API,
    DATA,
    JOIN,
    UPLOAD,
    BusyError,
    FailedError,
    Server,
    Visitor,
    failure,
)
from tests.models import picture
from tests.pictures import (
    black_png,
    encoded,
    overlapping_exif,
    png_bomb,
    png_chunk,
    with_chunks,
)

Attack = Callable[[Server], Iterable[object]]
ADDRESS = "127.0.0.2"


def attacker(server: Server) -> Visitor:
    return Visitor(server.url, address=ADDRESS)


def outcome(ask: Callable[[], object], is_patient: bool = True) -> str:
    """What an attempt gets, in short; again while the page is busy, if the attacker is patient."""
    while True:
        try:
            return str(ask())[:60]
        except BusyError as error:
            if not is_patient:
                return str(error)[:60]
            time.sleep(2)
        except (FailedError, httpx.HTTPError) as error:
            return str(error)[:60] or "hung up"


def at_once(number: int, ask: Callable[[int], object], threads: int = 50) -> Iterator[object]:
    """The outcomes of ``ask(0)``, ``ask(1)`` …, many at the same time."""
    with ThreadPoolExecutor(min(number, threads)) as pool:
        yield from pool.map(ask, range(number))


def connection(server: Server, head: str, body: bytes = b"") -> socket.socket:
    """A connection on which a request begins."""
    place = "127.0.0.1", server.port
    wire = socket.create_connection(place, timeout=120, source_address=(ADDRESS, 0))
    with contextlib.suppress(OSError):
        wire.sendall(head.replace("\n", "\r\n").encode() + body)
    return wire


def status(wire: socket.socket) -> str:
    with contextlib.suppress(OSError), wire:
        return wire.recv(100).decode("latin-1").partition("\r\n")[0][9:12] or "hung up"
    return "hung up"


def question(visitor: Visitor) -> dict:
    """The body of a request for a mask."""
    return visitor.body(
        "answer", "dog", {"words": "cat,dog,grass"}, ["words", "canvas", "matrices"]
    )


def unread_answers(server: Server) -> Iterator[object]:
    """500 sessions send requests and never read."""
    visitor = attacker(server)
    body = question(visitor)

    def ask(_: int) -> object:
        return visitor.web.post(JOIN, json=body | {"session_hash": uuid4().hex}).status_code

    yield from at_once(500, ask)


def many_sessions(server: Server) -> Iterator[object]:
    """4,000 requests, each of a new session."""
    visitor = attacker(server)
    body = visitor.body("about")

    def ask(_: int) -> object:
        return visitor.web.post(JOIN, json=body | {"session_hash": uuid4().hex}).status_code

    yield from at_once(4_000, ask, 8)


def requests_at_once(server: Server) -> Iterator[object]:
    """200 requests of one session, all sent before the first is answered."""
    data = json.dumps(question(attacker(server)) | {"session_hash": "one"}).encode()
    head = f"POST {JOIN} HTTP/1.1\nHost: x\nContent-Length: {len(data)}\n"
    head += "Content-Type: application/json\n\n"
    wires = [connection(server, head, data[:-1]) for _ in range(200)]
    for wire in wires:
        wire.sendall(data[-1:])
    yield from map(status, wires)


def many_readers(server: Server) -> Iterator[object]:
    """100 pages of one address, which all wait for their masks."""

    def ask(number: int) -> str:
        settings = {"words": f"cat, thing {number}"}
        return outcome(lambda: [*attacker(server).pieces("dog", settings, ["canvas"])], False)

    yield from at_once(100, ask, 100)


def large_bodies(server: Server) -> Iterator[object]:
    """48 MB of ``{},{},…``, brackets nested 60,000 deep, and headers of 15 and of 60 kB."""
    bodies = b'{"data":[' + b"{}," * (16 * 2**20) + b"0]}", b"[" * 60_000, b'{"data":[' * 6_000
    headers = [
        {f"x-{part}": "x" * 5_000 for part in range(size // 5_000)} for size in (15_000, 60_000)
    ]
    visitor = attacker(server)
    body = question(visitor)

    def ask(number: int) -> str:
        sent = {"content": bodies[number // 2 % 3]}
        if number % 2:
            head = headers[number % 4 // 2]
            sent = {"json": body | {"session_hash": uuid4().hex}, "headers": head}
        return outcome(lambda: visitor.web.post(JOIN, **sent).status_code)

    yield from at_once(60, ask, 12)


def slow_uploads(server: Server) -> Iterator[object]:
    """30 uploads that stop before their end: photos, a program's files, and fields."""
    head = f"POST {{}} HTTP/1.1\nHost: x\nContent-Length: {MAX_FILE}\n"
    form = "Content-Type: multipart/form-data; boundary=x\n\n"
    form += "--x\nContent-Disposition: form-data; name=files{}\n\n"
    ways = (
        head.format("/photos") + "\n",
        head.format(UPLOAD) + form.format('; filename="a.png"'),
        head.format(UPLOAD) + form.format(""),
    )

    def ask(number: int) -> object:
        return status(connection(server, ways[number % 3], bytes(MAX_FILE - 2**20)))

    yield from at_once(30, ask)


def full_disk(server: Server) -> Iterator[object]:
    """60 files of 60 MB, one after the other: 3.6 GB; and 300 photos of three megapixels."""
    visitor = attacker(server)
    for number in range(60):
        data = number.to_bytes(2) + bytes(60 * 2**20)
        yield visitor.web.post(UPLOAD, files={"files": ("a.png", data)}).status_code
    noise = encoded(picture(1_400, 2_000), "JPEG")
    yield from at_once(300, lambda n: visitor.upload(noise + n.to_bytes(2)).status_code, 4)
    files = [file.stat().st_size for file in server.folder.rglob("*") if file.is_file()]
    yield f"{sum(files) / 10**9:.1f} GB are stored"


def exif_as_digits() -> bytes:
    notes = overlapping_exif(10**5)
    text = zlib.compress(b"\nexif\n%d\n" % len(notes) + notes.hex().encode())
    return with_chunks(png_chunk(b"zTXt", b"Raw profile type exif\0\0" + text))


def many_texts() -> bytes:
    """Sixty chunks of a megabyte, whose characters need four bytes each."""
    text = zlib.compress(b"x" * (2**20 - 4) + "😀".encode())
    chunks = (png_chunk(b"iTXt", b"key%d\0\1\0\0\0" % n + text) for n in range(60))
    return with_chunks(b"".join(chunks))


def black(kind: str, **options: object) -> bytes:
    """Just under 64 megapixels, in few bytes."""
    mode = "CMYK" if options else "RGB"
    pixels = np.zeros((7_900, 8_000, len(mode)), np.uint8)
    return encoded(Image.fromarray(pixels, mode), kind, **options)


PICTURES: dict[str, Callable[[], bytes]] = {
    "EXIF as digits": exif_as_digits,
    "EXIF behind the pixels": lambda: with_chunks(
        behind=png_chunk(b"eXIf", overlapping_exif(10**6))
    ),
    "texts of a PNG": many_texts,
    "400 megapixels": partial(black_png, 20_000, 20_000, 8, 0),
    "claimed pixels": partial(png_bomb, 20_000, 20_000),
    "63 megapixels with alpha": partial(black_png, 7_900, 8_000, 8, 6),
    "63 megapixels of 16 bits": partial(black_png, 7_900, 8_000, 16, 0),
    "63 megapixels of WebP": partial(black, "WEBP"),
    "63 megapixels of four inks": partial(black, "JPEG", progressive=True),
    "a strip": partial(black_png, 60_000, 1, 8, 0),
}
"""Made to cost too much memory or time; each is generated when it is sent."""


def hostile_pictures(server: Server) -> Iterator[object]:
    """Each kind four times at once, through the page and through the API."""
    for name, make in PICTURES.items():
        data = make()

        def ask(number: int, data: bytes = data) -> str:
            return use(server, data + bytes([number]), number)

        yield from (f"{name}: {result}" for result in at_once(4, ask))


def use(server: Server, data: bytes, number: int) -> str:
    """Sends a picture and requests its mask through the page, or words through the API."""
    visitor = attacker(server)
    if number % 2:
        return outcome(lambda: visitor.program("suggest", visitor.file(data), 5, "default"))
    return outcome(lambda: [*visitor.ask(visitor.uploaded(data), words="cat,dog")])


def hostile_figures(server: Server) -> Iterator[object]:
    """Every file of pictures whose sides differ most."""
    files = "mask", "cutouts", "png", "pdf", "grid"
    figures = [*itertools.product(((1, 300), (60, 1), (8, 1), (800, 6_000)), files)]

    def ask(number: int) -> str:
        visitor, ((height, width), file) = attacker(server), figures[number]

        def download() -> str:
            photo = visitor.uploaded(black_png(height, width, 8, 0))
            (answer,) = next(visitor.call("download", photo, {"words": "cat, dog"}, file, 0))
            if "error" in answer:
                raise failure(answer["error"])
            return file

        return outcome(download)

    yield from at_once(20, ask, 4)


def open_connections(server: Server) -> Iterator[object]:
    """500 heartbeats and 200 response streams at once; then all hang up."""
    ways = [f"{API}/heartbeat/{uuid4().hex}" for _ in range(500)]
    ways += [f"{DATA}?session_hash={uuid4().hex}" for _ in range(200)]
    wires = [connection(server, f"GET {way} HTTP/1.1\nHost: x\n\n") for way in ways]
    time.sleep(10)
    yield from (wire.close() or "hung up" for wire in wires)


def small_files(server: Server) -> Iterator[object]:
    """360 uploads of ten files of nine bytes, then 2,000 uploads of one, and 400 tiny photos."""
    visitor = attacker(server)
    many = [("files", (f"{number}.png", number.to_bytes(9))) for number in range(10)]
    for _ in range(360):
        yield f"{visitor.web.post(UPLOAD, files=many).status_code} for ten files"

    def send(number: int) -> int:
        file = {"files": ("a.png", number.to_bytes(9))}
        return visitor.web.post(UPLOAD, files=file).status_code

    yield from at_once(2_000, send, 10)
    tiny = encoded(picture(8, 8), "PNG")
    yield from at_once(400, lambda n: visitor.upload(tiny + n.to_bytes(2)).status_code, 10)


def idle_connections(server: Server) -> Iterator[object]:
    """1,500 connections without a request and 500 with half of one; then the page's health."""
    wires = [connection(server, "GET / HTTP/1.1\n" * (number % 4 == 0)) for number in range(2_000)]
    for _ in range(10):
        began = time.monotonic()
        health = httpx.get(f"{server.url}/health", timeout=120).status_code
        yield f"health: {health} in {'less' if time.monotonic() - began < 5 else 'more'} than 5 s"
        time.sleep(2)
    for wire in wires:
        wire.close()


def heavy_requests(server: Server) -> Iterator[object]:
    """Every tab of a photo in 16 sizes, each nearly as expensive as allowed, eight at once."""
    photo = attacker(server).uploaded(encoded(picture(900, 900), "JPEG"))
    tabs = itertools.cycle(("segment", "how", "compare"))
    asked = [(tab, 960 - 16 * number) for number, tab in zip(range(16), tabs, strict=False)]

    def ask(number: int) -> str:
        tab, side = asked[number]
        wanted = {"words": "cat, dog", "short_side": side}
        return outcome(lambda: [*attacker(server).ask(photo, tab, **wanted)])

    yield from at_once(16, ask, 8)


def large_caches(server: Server) -> Iterator[object]:
    """12 photos with 200 words and three thresholds, then 63 megapixels."""
    words = ",".join(f"thing {number}" for number in range(200))

    def fill(number: int) -> str:
        visitor = attacker(server)
        photo = visitor.uploaded(encoded(picture(2_000, 2_000, seed=number), "JPEG"))
        wanted = {"words": words, "short_side": 672}
        for threshold in (0, 0.3, 0.6):
            last = outcome(partial(visitor.ask, photo, threshold=threshold, **wanted))
        return last

    yield from at_once(12, fill)
    data = PICTURES["63 megapixels of 16 bits"]()
    yield from at_once(4, lambda number: use(server, data + bytes([number]), number))


ATTACKS: tuple[Attack, ...] = (
    unread_answers,
    many_sessions,
    requests_at_once,
    many_readers,
    large_bodies,
    slow_uploads,
    full_disk,
    hostile_pictures,
    hostile_figures,
    open_connections,
    small_files,
    idle_connections,
    heavy_requests,
    large_caches,
)
