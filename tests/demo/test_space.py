"""ZeroGPU with the real ``spaces`` package: a separate page, and a stand-in for the scheduler."""

import io
import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlparse

import httpx
import numpy as np
import pytest
import torch

from demo import backbones, main, space
from demo.space import REASONS
from gclip_core.segmenter import Segmenter
from tests.demo.visitor import Server, Visitor, serving, wait_for
from tests.demo.zero_gpu import BROKEN
from tests.models import tiny_clip, wrap_backbone
from tests.pictures import encoded, noise

pytest.importorskip("spaces")
PROGRAM = "-m", "tests.demo.zero_gpu"
TOKEN = "head.e30.signature"
"""What a Space's proxy adds to a visitor's requests; its middle part is an empty JSON object."""


class Scheduler(ThreadingHTTPServer):
    """Lends one GPU over HTTP, as the machines of Hugging Face do.

    A process that holds the GPU is killed when its task fails, or when another one gets the GPU.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.refuses = ""
        self.asked = list[dict[str, str]]()
        self.holder, self.allowed, self.released = 0, list[str](), list[str]()

    def take_away(self) -> None:
        """The GPU is given to another Space."""
        if self.holder:
            with suppress(ProcessLookupError):
                os.kill(self.holder, signal.SIGKILL)
        self.holder = 0


NOT_LENT = {
    "quota": (429, {"left": 3, "wait": 600}),
    "queue": (200, "event: failed\n\n"),
    "full": (503,),
}


class Request(BaseHTTPRequestHandler):
    server: Scheduler

    def do_POST(self) -> None:  # noqa: N802 - the library's name
        url, state = urlparse(self.path), self.server
        query = dict(parse_qsl(url.query))
        if url.path == "/schedule":
            state.asked.append(query)
            gpu = BROKEN if state.refuses == "broken" else "GPU-0"
            lent = {"nvidiaIndex": 0, "nvidiaUUID": gpu, "idle": bool(state.holder)}
            lent |= {"allowToken": f"token {len(state.asked)}"}
            self.answer(*NOT_LENT.get(state.refuses, (200, lent)))
            return
        if url.path == "/allow":
            state.holder = int(query["pid"])
            state.allowed.append(query["allowToken"])
        elif url.path == "/release":
            state.released.append(query["allowToken"])
            if query["fail"] == "true":
                state.take_away()
        self.answer(200)

    def answer(self, status: int, body: dict[str, Any] | str = "") -> None:
        """Respond with JSON, or with an event of a stream."""
        self.send_response(status)
        kind = "text/event-stream" if isinstance(body, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write((body if isinstance(body, str) else json.dumps(body)).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    with Scheduler() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def photo(seed: int) -> bytes:
    """A different photo for each seed."""
    return encoded(noise(64, 96, seed), "PNG")


def notes(visitor: Visitor, seed: int, **settings: Any) -> str:
    """What the page says about a photo."""
    values = {"words": "person, wall", "refine": "none", **settings}
    pieces = visitor.pieces(visitor.uploaded(photo(seed)), values, ["canvas"])
    return pieces["canvas"]["notes"][-1]


def workers(server: Server) -> list[int]:
    """The processes that a page has started and that are still running."""
    found = list[int]()
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        with suppress(FileNotFoundError):  # the thread has just ended
            found += map(int, (task / "children").read_text().split())
    return found


def open_files(server: Server) -> int:
    return len([*Path(f"/proc/{server.process.pid}/fd").iterdir()])


def test_page(scheduler: Scheduler) -> None:
    """A page as a Space with ZeroGPU starts it, from its first photo to its shutdown; with all that
    a host may ask for."""
    address = f"http://127.0.0.1:{scheduler.server_port}"
    zero = {"SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": address}
    options = ("--backbone", "built-in", "--quiet", "--root-path", "/gclip")
    with serving(*options, program=PROGRAM, GCLIP_AUTH="a:b:c", **zero) as server:
        assert re.search(r"is loaded; ready in [\d.]+ s\.", server.output())
        assert httpx.get(f"{server.url}/config").status_code == 401
        visitor = Visitor(f"{server.url}/gclip", ("a", "b:c"))
        visitor.web.headers["X-IP-Token"] = TOKEN

        # When a GPU is refused, the CPU computes, and the page says why, once.
        whys = {"quota": "quota", "queue": "queue", "full": "queue", "broken": "error"}
        for seed, (scheduler.refuses, why) in enumerate(whys.items()):
            assert notes(visitor, seed) == REASONS[why]
        assert server.output().count("no GPU (") == len(whys)
        assert scheduler.released == ["token 4"], "a GPU that failed is given back"
        wait_for(lambda: not workers(server))

        # Photos are encoded by another process, and a switch borrows nothing.
        scheduler.refuses = ""
        assert notes(visitor, 4) == notes(visitor, 4, amf=False) == ""
        files = [open_files(server)]
        for seed in range(5, 12):
            visitor.program("suggest", visitor.file(photo(seed)), 5, "default")
            files.append(open_files(server))
            if seed == 8:
                scheduler.take_away()
                wait_for(lambda: not workers(server))
        assert {query["durationSeconds"] for query in scheduler.asked} == {str(space.SECONDS)}
        assert {query["token"] for query in scheduler.asked} == {TOKEN}, "the visitor's quota"
        assert scheduler.released == [f"token {n}" for n in range(4, 13)], "each once"
        assert len(scheduler.allowed) == 3, "an idle process is used again"
        assert workers(server) == [scheduler.holder]
        assert max(files) <= files[0] + 3, files

        # Nothing is left behind, and nothing was said of what visitors did.
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(40) == 0
        assert not Path(f"/proc/{scheduler.holder}").exists()
        assert "Traceback" not in server.output().split("CUDA error")[-1]
        assert "answered" not in server.output() and "person" not in server.output()


def test_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The returned encoding equals this process's own, bit for bit, and no tensor is sent."""
    backbone = wrap_backbone(tiny_clip(3, layers=4).to(torch.bfloat16))
    segmenter, photo = Segmenter(backbone, short_side=48), noise(64, 96)
    monkeypatch.setattr(space, "DEVICE", "cpu")
    monkeypatch.setattr(backbones, "get", {"tiny": backbone}.__getitem__)
    data = space.encode_there(np.asarray(photo), "tiny", 48, segmenter.max_patches)
    here = vars(segmenter.encode(photo))
    for name, value in torch.load(io.BytesIO(data), weights_only=True).items():
        torch.testing.assert_close(value, here[name], rtol=0, atol=0)


def test_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lent GPU does not belong to this machine."""
    args = main.parser().parse_args([])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert main.make_host(args).device == "cuda"
    monkeypatch.setattr(space, "encoder", lambda: Segmenter.encode)
    assert main.make_host(args).device == "cpu"
