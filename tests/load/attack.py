"""``python -m tests.load.attack``: what strangers did to the page, and its memory before and after.

Each attack is tried on a page of its own; the most memory that the page then had is printed, and
must stay within its bound. With names of attacks only these are tried.
"""

import argparse
import base64
import contextlib
import json
import re
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np

from demo.host import memory, pending
from tests.load import hostile_pictures
from tests.load.hostile_pictures import WORDS, Attack, at_once
from tests.pictures import encoded, noise, rgb
from tests.visitor import API, Server, Visitor, serving, wait_for

OPTIONS = ("--backbone", "built-in", "--no-downloads", "--quiet")


def _wire(server: Server, head: str, body: bytes = b"") -> socket.socket:
    """A connection on which a request begins."""
    wire = socket.create_connection(("127.0.0.1", server.port), timeout=120)
    with contextlib.suppress(OSError):
        wire.sendall(head.replace("\n", "\r\n").encode() + body)
    return wire


def _status(wire: socket.socket) -> str:
    with contextlib.suppress(OSError), wire:
        return wire.recv(100).decode("latin-1").partition("\r\n")[0][9:12] or "hung up"
    return "hung up"


def half_open_uploads(server: Server) -> Iterator[object]:
    """Sixteen uploads of form fields without a file's name, of which the end never comes."""
    head = (
        f"POST {API}/upload HTTP/1.1\nHost: x\nContent-Length: {64 * 2**20}\n"
        "Content-Type: multipart/form-data; boundary=x\n\n"
        "--x\nContent-Disposition: form-data; name=files\n\n"
    )
    data = b"x" * (60 * 2**20)
    yield from at_once(16, lambda _: _status(_wire(server, head, data)))


def half_open_files(server: Server) -> Iterator[object]:
    """The same with files: they end by themselves, then an upload is taken again."""
    head = (
        f"POST {API}/upload HTTP/1.1\nHost: x\nContent-Length: {64 * 2**20}\n"
        "Content-Type: multipart/form-data; boundary=x\n\n"
        '--x\nContent-Disposition: form-data; name=files; filename="a.png"\n\n'
    )
    data = b"x" * (60 * 2**20)
    yield from at_once(16, lambda _: _status(_wire(server, head, data)))
    yield f"then {Visitor(server.url).upload(encoded(rgb(), 'PNG')).status_code}"


def large_headers(server: Server) -> Iterator[object]:
    """390 requests that wait, with headers of 120 kB and of 15 kB, then all hang up."""
    visitor = Visitor(server.url)
    values = visitor.pressed(visitor.open(f"short=1000&{WORDS}"))

    def ask(number: int) -> object:
        visitor.session = f"session {number}"
        size = 120_000 if number % 2 else 15_000
        body = {
            "fn_index": visitor.functions["show"]["id"],
            "data": values,
            "session_hash": f"session {number}",
        }
        headers = {f"x-{part}": "x" * 5_000 for part in range(size // 5_000)}
        return visitor.web.post(f"{API}/queue/join", json=body, headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        yield from pool.map(ask, range(390))


def requests_at_once(server: Server) -> Iterator[object]:
    """600 requests of one session, all on their way before the first is answered."""
    visitor = Visitor(server.url)
    values = visitor.pressed(visitor.open(WORDS))
    body = {"fn_index": visitor.functions["show"]["id"], "data": values, "session_hash": "one"}
    data = json.dumps(body).encode()
    head = (
        f"POST {API}/queue/join HTTP/1.1\nHost: x\nContent-Length: {len(data)}\n"
        "Content-Type: application/json\n\n"
    )
    wires = [_wire(server, head, data[:-1]) for _ in range(600)]
    for wire in wires:
        wire.sendall(data[-1:])
    yield from map(_status, wires)


def upload_ids(server: Server) -> Iterator[object]:
    """Names of uploads, each of 10 kB, which Gradio would remember for ever."""
    web = httpx.Client(base_url=server.url, timeout=60)

    def ask(number: int) -> object:
        name = f"{number:010}" * 1000
        return web.get(f"{API}/upload_progress", params={"upload_id": name}).status_code

    with ThreadPoolExecutor(8) as pool:
        yield from pool.map(ask, range(5000))


def unread_answers(server: Server) -> Iterator[object]:
    """2,600 sessions that ask and never read; then SIGTERM, with all of these unread."""
    visitor = Visitor(server.url)
    values = visitor.pressed(visitor.open(WORDS))
    assert not visitor.ask(WORDS).problem

    def ask(number: int) -> object:
        body = {
            "fn_index": visitor.functions["show_light"]["id"],
            "data": values,
            "session_hash": f"session {number}",
        }
        return visitor.web.post(f"{API}/queue/join", json=body).status_code

    for number in range(2600):
        yield ask(number)
    wait_for(lambda: visitor.web.get("/health").json()["status"] == "ok")
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(60)
    yield f"ended in {time.monotonic() - began:.1f} s"


def hang_ups(server: Server) -> Iterator[object]:
    """394 sessions that ask, begin to read and hang up, three times."""
    visitor = Visitor(server.url)
    values = visitor.pressed(visitor.open(WORDS))

    def ask(number: int) -> object:
        body = {
            "fn_index": visitor.functions["show"]["id"],
            "data": values,
            "session_hash": f"session {number}",
        }
        status = visitor.web.post(f"{API}/queue/join", json=body).status_code
        address = f"{API}/queue/data?session_hash=session%20{number}"
        _wire(server, f"GET {address} HTTP/1.1\nHost: x\n\n").close()
        return status

    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            yield from pool.map(ask, range(394))
        time.sleep(pending.LEFT_SECONDS + 1)
        yield visitor.ask(WORDS).problem or "then a mask"
        yield f"then {visitor.web.get('/health').json()['waiting']} wait"


def wrong_calls(server: Server) -> Iterator[object]:
    """What answered 500 with a trace."""
    web = httpx.Client(base_url=server.url, timeout=60)
    visitor = Visitor(server.url)
    photo = visitor.uploaded(encoded(noise(40, 40), "PNG"))
    body = {"image": photo, "words": "cat", "session_hash": "x"}
    yield web.post(f"{API}/call/v2/segment", json=body).status_code
    yield web.post(f"{API}/upload", data={"files": "x"}).status_code
    yield web.post(f"{API}/upload", files={"files": (None, "x")}).status_code
    kind = {"content-type": f"multipart/form-data; boundary={'y' * 5000}"}
    yield web.post(f"{API}/upload", content=b"--y", headers=kind).status_code
    yield web.get(f"{API}/file={photo['path']}", headers={"range": "bytes=5-1-2"}).status_code
    far = f"{API}/file=http://example.org/{'../' * 20}{photo['path'].lstrip('/')}"
    wire = _wire(server, f"GET {far} HTTP/1.1\nHost: x\n\n")
    yield _status(wire)
    for path, headers in (
        ("/?page=other", {}),
        ("/config", {"x-forwarded-host": "a b\x7f"}),
        (f"{API}/custom_component/a%0Ab/client/c/d", {}),
        (f"{API}/proxy=https://[::bad/", {}),
    ):
        yield web.get(path, headers=headers).status_code
    asked = {"fn_index": visitor.functions["arrive"]["id"], "data": [], "session_hash": "x"}
    for no_host in ({"x-forwarded-host": "a:b:c"}, {"x-gradio-server": "http://a:b:c"}):
        yield web.post(f"{API}/queue/join", json=asked, headers=no_host).status_code
    for data in (b"{" * 60_000, b"[" * 60_000, json.dumps({"data": [[]] * 9000}).encode()):
        yield web.post(f"{API}/queue/join", content=data).status_code


def large_calls_of_tools(server: Server) -> Iterator[object]:
    """Sixty calls of a tool at once: 5 MB that are no picture, and a text or lists beside one."""
    photo = base64.b64encode(encoded(rgb(), "PNG")).decode()
    noise_of_5_mb = base64.b64encode(np.random.default_rng(0).bytes(5_000_000)).decode()

    def ask(number: int) -> object:
        kinds = (photo, "x" * 5_000_000), (photo, [[]] * 2_000_000), (noise_of_5_mb, "cat")
        values = kinds[number % 3]
        arguments = dict(zip(("image", "words"), values, strict=True))
        params = {"name": "segment", "arguments": arguments}
        call = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        accept = {"accept": "application/json, text/event-stream"}
        answer = httpx.post(f"{server.url}{API}/mcp/", json=call, headers=accept, timeout=600)
        refusal = re.search(r"At most 64 kB|An image was expected|Too many|too busy", answer.text)
        return refusal[0] if refusal else answer.text[-200:]

    yield from at_once(60, ask)


ATTACKS: tuple[Attack, ...] = (
    *hostile_pictures.ATTACKS,
    half_open_uploads,
    half_open_files,
    large_headers,
    requests_at_once,
    upload_ids,
    unread_answers,
    hang_ups,
    wrong_calls,
    large_calls_of_tools,
)


def memory_mb(server: Server) -> float:
    """The resident memory of the server now."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 10**6


def attacked(attack: Attack) -> bool:
    """Attack a page, print what came of it, and return whether it kept its promises."""
    more = ("--mcp",) if attack is large_calls_of_tools else ()
    with serving(*OPTIONS, *more) as server:
        before, began, results, peak = memory_mb(server), time.monotonic(), Counter(), 0.0
        for result in attack(server):
            results[str(result)] += 1
            if server.process.poll() is None:
                peak, after = server.peak_mb, memory_mb(server)
        traces = server.output().count("Traceback")
    print(
        f"{attack.__name__}: {dict(results)}; {before:.0f} MB before, {peak:.0f} at the most, "
        f"{after:.0f} after; {time.monotonic() - began:.0f} s; {traces} traces",
        flush=True,
    )
    return peak <= memory.BOUND / 10**6 and not traces


def main() -> int:
    """Try the attacks; returns 1 if one broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.attack", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of attacks, by default all")
    names = parser.parse_args().names
    chosen = [attack for attack in ATTACKS if not names or attack.__name__ in names]
    kept = [attacked(attack) for attack in chosen]
    return int(not all(kept))


if __name__ == "__main__":
    sys.exit(main())
