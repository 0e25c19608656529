"""The page in a separate process, and visitors who use it as a browser does."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from gradio_client.utils import apply_diff

from demo.answer import PIECES
from tests import ROOT, free_port

APP = "app.py"
API = "/gradio_api"
JOIN, DATA, UPLOAD = f"{API}/queue/join", f"{API}/queue/data", f"{API}/upload"
FILE = {"meta": {"_type": "gradio.FileData"}}


class BusyError(Exception):
    """The page refused a request because too many are waiting."""


class FailedError(Exception):
    """The page did not respond, or responded with an error; its text is what a visitor reads."""


def failure(sentence: str | None) -> Exception:
    """What a visitor reads, as an error: the page is busy, or cannot answer."""
    return (BusyError if "Try again soon" in str(sentence) else FailedError)(sentence)


def names_of(tab: str) -> list[str]:
    """The pieces that a tab shows."""
    return [name for name, piece in PIECES.items() if not piece.tabs or tab in piece.tabs]


def wait_for(holds: Callable[[], bool], seconds: float = 30, pause: float = 0.05) -> None:
    """Polls until the condition holds; fails after ``seconds``."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "the condition did not hold in time"
        time.sleep(pause)


@dataclass
class Server:
    """``python app.py`` in a separate process; its log and visitors' files are in ``folder``."""

    process: subprocess.Popen
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def memory(self, kind: str = "VmHWM") -> float:
        """The peak memory of the process in MB; ``VmRSS`` is its current memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{kind}:")[1].split()[0]) * 1024 / 10**6

    def stop(self) -> None:
        """An orderly shutdown: no error so far, and no photo is left behind."""
        (photos,) = self.folder.glob("gclip-*")
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(40) == 0
        assert not photos.exists()
        assert "Traceback" not in self.output()

    def output(self) -> str:
        """Everything that it printed."""
        return (self.folder / "server.log").read_text("utf-8", "replace")

    def answers(self) -> bool:
        """Whether the page is ready; fails if it never will be."""
        assert self.process.poll() is None, f"no page:\n{self.output()[-3000:]}"
        with contextlib.suppress(httpx.TransportError):
            found = httpx.get(f"{self.url}/health", verify=False).status_code
            return found in (200, 404)  # the small page has none
        return False


@contextlib.contextmanager
def serving(
    *arguments: str, program: Sequence[str] = (APP,), port: int = 0, **environment: str
) -> Iterator[Server]:
    """A running page, without downloads unless ``environment`` allows them, which is stopped
    whatever happens."""
    port, offline = port or free_port(), {"HF_HUB_OFFLINE": "1", "GCLIP_NO_DOWNLOADS": "1"}
    with tempfile.TemporaryDirectory() as folder, Path(folder, "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *program, "--port", str(port), *arguments],
            env=os.environ | offline | {"GRADIO_TEMP_DIR": folder} | environment,
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        server = Server(process, Path(folder), port)
        try:
            wait_for(server.answers, 400, pause=0.2)
            yield server
        finally:
            process.kill()
            process.wait()


def merge(pieces: dict[str, Any], new: dict[str, Any]) -> None:
    """Adds what a message has of pieces; None stands for a value of another message."""
    for name, value in new.items():
        if isinstance(value, list) and name in pieces:
            value = [
                old if one is None else one for one, old in zip(value, pieces[name], strict=True)
            ]
        pieces[name] = value


class Visitor:
    """A browser tab, which sends photos and asks for pieces of answers; or a program."""

    def __init__(
        self, url: str, login: tuple[str, str] | None = None, address: str = "127.0.0.1"
    ) -> None:
        # A connection that the server is just closing would lose a request.
        no_old = httpx.Limits(max_keepalive_connections=0)
        # Reading certificates, of which HTTP needs none, would take longer than most requests.
        wires = httpx.HTTPTransport(verify=False, limits=no_old, local_address=address)
        self.web = httpx.Client(base_url=url, timeout=600, transport=wires)
        if login:
            named = dict(zip(("username", "password"), login, strict=True))
            self.web.post("/login", data=named).raise_for_status()
        self.session = uuid4().hex
        config = self.web.get("/config").raise_for_status().json()
        self.endpoints = {event["api_name"]: event["id"] for event in config["dependencies"]}

    def upload(self, data: bytes) -> httpx.Response:
        return self.web.post("/photos", content=data)

    def uploaded(self, data: bytes) -> str:
        """Sends a photo and returns its name on the server."""
        response = self.upload(data)
        if response.status_code != 200:
            raise FailedError(response.json()["error"])
        return response.json()["photo"]

    def ask(self, photo: str = "flower", tab: str = "segment", **settings: Any) -> dict[str, Any]:
        """All pieces that a tab shows of a photo, by name."""
        return self.pieces(photo, settings, names_of(tab))

    def pieces(self, photo: Any, settings: Any, names: Any) -> dict[str, Any]:
        """The pieces of these names; or, under ``gone`` and ``offer``, why there are none."""
        pieces = dict[str, Any]()
        for (piece,) in self.call("answer", photo, settings, names):
            merge(pieces, piece or {})
        if "error" in pieces:
            raise failure(pieces["error"])
        return pieces

    def call(self, endpoint: str, *data: Any) -> Iterator[list[Any]]:
        """Joins the queue as a browser does; yields what each message says of the outputs."""
        joined = self.web.post(JOIN, json=self.body(endpoint, *data))
        if joined.status_code != 200:
            raise FailedError(joined.text[:300])
        values = list[Any]()
        for message in self.messages():
            if message.get("event_id") != joined.json()["event_id"]:
                continue
            if message["msg"] == "process_generating" and message["success"]:
                new = message["output"]["data"]
                values = [apply_diff(*pair) for pair in zip(values, new, strict=False)] or new
                yield values
            if message["msg"] == "process_completed":
                if not message["success"]:
                    raise FailedError(json.dumps(message["output"], ensure_ascii=False)[:500])
                if not values:  # else it repeats the last one
                    yield message["output"]["data"]
                return
        raise FailedError("the stream ended before the answer")

    def body(self, endpoint: str, *data: Any) -> dict[str, Any]:
        index, event = self.endpoints[endpoint], {"event_data": None}
        return {"fn_index": index, "data": data, "session_hash": self.session} | event

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the server sends to this tab."""
        with self.web.stream("GET", DATA, params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))

    # --- as a program -----------------------------------------------------------------------------

    def file(self, data: bytes, name: str = "picture.png") -> dict[str, Any]:
        """Uploads a file as Gradio's clients do, and returns it as an argument of an endpoint."""
        response = self.web.post(UPLOAD, files={"files": (name, data)})
        response.raise_for_status()
        return {"path": response.json()[0]} | FILE

    def program(self, endpoint: str, *values: Any) -> Any:
        """Calls an endpoint of the API as a program does."""
        joined = self.web.post(f"{API}/call/{endpoint}", json={"data": values})
        if joined.status_code != 200:
            raise FailedError(joined.text)
        stream = self.web.get(f"{API}/call/{endpoint}/{joined.json()['event_id']}").text
        kind, data = re.findall("event: (complete|error)\ndata: (.*)", stream)[-1]
        if kind == "error":
            raise failure(json.loads(data)["error"])
        return json.loads(data)
