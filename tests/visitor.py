"""The real page in a process of its own, and visitors who use it as a browser does."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from demo import api, launch, main, page
from demo.host import guard
from demo.look import Studio
from tests import ROOT, free_port

API = "/gradio_api"
STARTUP_SECONDS = 400
ANSWER_SECONDS = 600


class BusyError(Exception):
    """The page refused a request because it is too busy."""


class FailedError(Exception):
    """The page failed to answer."""


@dataclass
class Server:
    """``python app.py`` on a free port, with a folder of its own for what visitors upload."""

    folder: Path
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    before_start: Callable[[], None] | None = None

    def start(self) -> Server:
        """Start it and wait until it answers."""
        self.port = free_port()
        self.uploads = self.folder / "uploads"
        self.log = self.folder / "server.log"
        environment = {
            **os.environ,
            "GRADIO_TEMP_DIR": str(self.uploads),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "HF_HUB_OFFLINE": "1",
            **self.environment,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py", "--port", str(self.port), *self.arguments],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=self.before_start,
            )
        self._wait()
        return self

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def memory_mb(self) -> float:
        """Resident memory of the process in megabytes."""
        return psutil.Process(self.process.pid).memory_info().rss / 10**6

    @property
    def peak_mb(self) -> float:
        """The most that it ever was."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 10**6

    def stop(self, how: int = signal.SIGTERM, patience: float = 60) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(how)
        return self.process.wait(patience)

    def output(self) -> str:
        """All that it printed."""
        return self.log.read_text("utf-8", "replace")

    def _wait(self) -> None:
        end = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the page did not start:\n{self.output()[-3000:]}")
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/config", timeout=5).status_code == 200:
                    return
            time.sleep(0.1)
        self.process.kill()
        raise AssertionError(f"the page was not there in time:\n{self.output()[-3000:]}")


@contextlib.contextmanager
def serving(folder: Path, *arguments: str, **settings: Any) -> Iterator[Server]:
    """A running page that is ended whatever happens."""
    server = Server(folder, arguments, **settings).start()
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@contextlib.contextmanager
def served(studio: Studio, waiting: int = 0) -> Iterator[str]:
    """The page in this process; its address. So many may wait, by default as many as on any."""
    demo = launch.build(studio)
    demo.queue(max_size=waiting or guard.MAX_WAITING, api_open=False)
    options = launch.launch_settings(main.parser().parse_args([])) | {"server_port": None}
    _, address, _ = demo.launch(
        **options,
        app_kwargs=guard.app_settings(demo, api.checks()) | {"routes": page.routes()},
        prevent_thread_lock=True, quiet=True,
    )  # fmt: skip
    yield address
    demo.close()


@dataclass(frozen=True)
class Turn:
    """A request's way through the queue, by the clock: when it came, began and was answered.

    ``estimates`` are (when, estimated seconds until the answer).
    """

    came: float
    estimates: tuple[tuple[float, float], ...]
    began: float
    done: float

    def ratios(self, least: float = 1.0) -> list[float]:
        """True over estimated seconds, wherever more than ``least`` of them were left."""
        left = ((self.done - at, eta) for at, eta in self.estimates)
        return [true / max(eta, 0.01) for true, eta in left if max(true, eta) > least]


@dataclass(frozen=True)
class Answer:
    """What the page showed: lines of words, the digest of everything else, and all its numbers."""

    lines: tuple[tuple[str, str], ...]
    shown: str
    numbers: tuple[float, ...]
    raw: list[Any]
    turn: Turn

    @property
    def seconds(self) -> float:
        """From the press to the answer."""
        return self.turn.done - self.turn.came

    def same_as(self, other: Answer) -> bool:
        """Whether both show the same, pictures by the byte and numbers to four digits.

        Words are embedded in the batch in which they come, which moves a score's last digits.
        """
        return self.shown == other.shown and self.numbers == pytest.approx(
            other.numbers, rel=1e-4, abs=1e-4, nan_ok=True
        )

    @property
    def problem(self) -> str:
        """The refusal in words; empty when there was none."""
        return " ".join(text for kind, text in self.lines if kind == "problem")

    @property
    def text(self) -> str:
        """All lines as one text."""
        return " ".join(text for _, text in self.lines)


class Visitor:
    """One browser tab: opens links, uploads pictures, presses the button."""

    def __init__(self, url: str) -> None:
        self.web = httpx.Client(base_url=url, timeout=ANSWER_SECONDS)
        self.session = uuid.uuid4().hex
        config = self.web.get("/config").json()
        self.functions = {d["api_name"]: d for d in config["dependencies"]}
        self.components = {c["id"]: c for c in config["components"]}
        self.digests: dict[str, str] = {}

    def close(self) -> None:
        """Close the tab."""
        self.web.close()

    def upload(self, data: bytes, name: str = "picture.png") -> httpx.Response:
        """Send a file as the image field does."""
        return self.web.post(f"{API}/upload", files={"files": (name, data)})

    def uploaded(self, data: bytes, name: str = "picture.png") -> dict[str, Any]:
        """The same as the value of the image field."""
        response = self.upload(data, name)
        response.raise_for_status()
        return file_value(response.json()[0])

    def open(self, query: str = "") -> list[Any]:
        """Follow a link: no image yet, then the value of every setting."""
        values = self.call("arrive", [], query)[0]
        return [None, *values[: len(self._settings())]]

    def _settings(self) -> list[int]:
        """The components of settings, which a link fills and the button sends."""
        sent = set(self.functions["show"]["inputs"])
        return [i for i in self.functions["arrive"]["outputs"] if i in sent]

    def ask(
        self,
        query: str = "",
        image: dict[str, Any] | None = None,
        lane: str = "heavy",
        between: list[Any] | None = None,
    ) -> Answer:
        """Follow a link, with a picture of one's own if given, and press the button."""
        values = self.open(query)
        return self.press(image or values[0], values[1:], between, lane)

    def press(
        self, image: Any, values: list[Any], between: list[Any] | None = None, lane: str = "heavy"
    ) -> Answer:
        """Press the button with these values in the fields, or a switch in the light lane.

        ``between`` are a mask of one's own and the table of its classes.
        """
        name = self.shows(values)
        if lane == "light" and f"{name}_light" in self.functions:
            name += "_light"
        shown, turn = self.call(name, self.pressed(image, values, between))
        lines = tuple((kind, text) for kind, text in shown[0]["lines"])
        return self._answer(lines, shown, shown[1:], turn)

    def program(self, endpoint: str, values: Sequence[Any]) -> Answer:
        """Call an endpoint of the API as a program does."""
        came = time.monotonic()
        joined = self.web.post(f"{API}/call/{endpoint}", json={"data": values})
        if joined.status_code in (429, 503):
            raise BusyError(joined.text)
        if joined.status_code == 422:
            turn = Turn(came, (), came, time.monotonic())
            return self._answer((("problem", joined.json()["detail"]),), [], [], turn)
        kind, address = "", f"{API}/call/{endpoint}/{joined.json()['event_id']}"
        with self.web.stream("GET", address) as stream:
            for line in stream.iter_lines():
                kind = line.removeprefix("event: ") if line.startswith("event: ") else kind
                if line.startswith("data: ") and kind in ("complete", "error"):
                    data = json.loads(line.removeprefix("data: "))
                    turn = Turn(came, (), came, time.monotonic())
                    if kind == "complete":
                        return self._answer((), data, data, turn)
                    return self._answer((("problem", json.dumps(data)),), [], [], turn)
        raise FailedError("the stream ended before the answer came")

    def _answer(self, lines: Any, raw: list[Any], compared: list[Any], turn: Turn) -> Answer:
        numbers: list[float] = []
        rest = _without_numbers(self.fetched(compared), numbers)
        text = json.dumps(rest, sort_keys=True)
        digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        return Answer(lines, digest, tuple(numbers), raw, turn)

    def fetched(self, value: Any) -> Any:
        """The value with the content of what it names in the place of a server's own names."""
        if isinstance(value, dict):
            if value.get("path"):  # a file, which every server stores in a place of its own
                return self._content(f"{API}/file={value['path']}")
            left_out = ("id", "milliseconds")
            return {key: self.fetched(one) for key, one in value.items() if key not in left_out}
        if isinstance(value, list):
            return [self.fetched(one) for one in value]
        if isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value):
            return self._content(f"/blob/{value}")
        return value

    def _content(self, address: str) -> str:
        """The digest of what an address serves; fetched once."""
        if address not in self.digests:
            body = self.web.get(address).content
            if body.startswith(b"PK"):  # a zip contains the time at which it was packed
                with zipfile.ZipFile(io.BytesIO(body)) as files:
                    body = b"".join(files.read(name) for name in sorted(files.namelist()))
            self.digests[address] = hashlib.blake2b(body, digest_size=16).hexdigest()
        return self.digests[address]

    def shows(self, values: list[Any]) -> str:
        """The function that answers for the open tab."""
        names = [self.components[i]["props"].get("elem_id") for i in self._settings()]
        tab = values[names.index("open-tab")]
        name = f"show_{tab}"
        return name if name in self.functions else "show"

    def pressed(self, image: Any, values: list[Any], between: list[Any] | None = None) -> list[Any]:
        """The data that the button sends with these values in the fields."""
        inputs = self.functions["show"]["inputs"]
        extra = [self.components[i]["props"].get("value") for i in inputs[1 : -len(values)]]
        return [image, *(between or extra), *values]

    def join(
        self, name: str, data: list[Any], query: str = "", event_data: Any = None
    ) -> httpx.Response:
        """Join the queue."""
        body = {
            "fn_index": self.functions[name]["id"],
            "data": data,
            "session_hash": self.session,
            "event_data": event_data,
            "trigger_id": None,
        }
        return self.web.post(f"{API}/queue/join?{query}", json=body)

    def call(self, name: str, data: list[Any], query: str = "") -> tuple[list[Any], Turn]:
        """Join the queue and wait for the answer.

        Raises:
            BusyError: the queue is full.
            FailedError: anything else that is no answer.
        """
        came = time.monotonic()
        joined = self.join(name, data, query)
        if joined.status_code in (429, 503):
            raise BusyError(joined.text)
        if joined.status_code != 200:
            raise FailedError(f"{joined.status_code}: {joined.text[:300]}")
        output, turn = self._waited(came, joined.json()["event_id"])
        return self.read(name, output), turn

    def _waited(self, came: float, event: str) -> tuple[list[Any], Turn]:
        """The answer to an event, and its way through the queue."""
        estimates, began = [], came
        for message in self.messages():
            now = time.monotonic()
            if message.get("event_id") not in (event, None):
                continue
            if message["msg"] == "estimation" and message["rank_eta"] is not None:
                estimates.append((now, message["rank_eta"]))
            elif message["msg"] == "process_starts":
                began = now
            elif message["msg"] == "process_completed":
                if not message["success"]:
                    raise FailedError(json.dumps(message["output"])[:500])
                return message["output"]["data"], Turn(came, tuple(estimates), began, now)
            elif message["msg"] in ("unexpected_error", "close_stream"):
                break
        raise FailedError("the stream ended before the answer came")

    def read(self, name: str, data: list[Any]) -> list[Any]:
        """What a function answered, with the values of widgets read out of their texts."""
        kinds = [self.components[i]["type"] for i in self.functions[name]["outputs"]]
        return [
            json.loads(one) if kind == "html" and isinstance(one, str) else one
            for kind, one in zip(kinds, data, strict=True)
        ]

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the server sends to this tab."""
        query = {"session_hash": self.session}
        with self.web.stream("GET", f"{API}/queue/data", params=query) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))


def _without_numbers(value: Any, numbers: list[float]) -> Any:
    """The value with its floats taken out into ``numbers``."""
    if isinstance(value, float):
        numbers.append(value)
        return None
    if isinstance(value, dict):
        return {key: _without_numbers(value[key], numbers) for key in sorted(value)}
    if isinstance(value, list):
        return [_without_numbers(item, numbers) for item in value]
    return value


def file_value(path: str, **more: Any) -> dict[str, Any]:
    """The value of the image field for a file on the server."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}
