"""The real page in a process of its own, and visitors who use it as a browser does."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo import api, document, launch, main
from demo.engine import Engine
from demo.host import serve
from demo.host.pending import MAX_WAITING
from tests import ROOT, free_port

API = "/gradio_api"


class BusyError(Exception):
    """The page refused a request because it is too busy."""


class FailedError(Exception):
    """The page failed to answer."""


def wait_for(holds: Callable[[], bool], seconds: float = 30, pause: float = 0.02) -> None:
    """Look again and again until it holds; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(pause)


@dataclass
class Server:
    """``python app.py`` in a process of its own; its log and uploads are in ``folder``."""

    process: subprocess.Popen
    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def peak_mb(self) -> float:
        """The most resident memory that the process ever had, in megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 10**6

    def output(self) -> str:
        """All that it printed."""
        return (self.folder / "server.log").read_text("utf-8", "replace")

    def answers(self) -> bool:
        """Whether the page is there yet; fails if it never will be."""
        assert self.process.poll() is None, f"no page:\n{self.output()[-3000:]}"
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/config", timeout=5, verify=False).is_success
        return False


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[Server]:
    """A running page that is ended whatever happens."""
    port, offline = free_port(), {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as folder, Path(folder, "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port), *arguments],
            env=os.environ | offline | {"GRADIO_TEMP_DIR": f"{folder}/uploads"},
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        server = Server(process, Path(folder), port)
        try:
            wait_for(server.answers, 400, pause=0.1)
            yield server
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def served(engine: Engine, waiting: int = MAX_WAITING) -> Iterator[str]:
    """The page in this process, where so many may wait; its address."""
    demo = launch.build(engine)
    demo.queue(max_size=waiting, api_open=False)
    options = launch.launch_settings(main.parser().parse_args([])) | {"server_port": None}
    _, address, _ = demo.launch(
        **options,
        app_kwargs=serve.app_settings(demo, api.checks(), document.routes(engine)),
        prevent_thread_lock=True,
        quiet=True,
    )
    yield address
    demo.close()


@dataclass(frozen=True)
class Answer:
    """What the page showed: lines of words, the digest of everything else, and all its numbers."""

    lines: tuple[tuple[str, str], ...]
    shown: str
    numbers: tuple[float, ...]
    raw: list[Any]

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


ADDRESS = "gclip.example"
"""The page's own, as a browser sends it."""


class Visitor:
    """One browser tab: opens links, uploads pictures, presses the button."""

    def __init__(self, url: str) -> None:
        # To read the certificates of the world would cost more than most requests.
        self.web = httpx.Client(base_url=url, timeout=600, verify=False)
        self.session = uuid.uuid4().hex
        config = self.web.get("/config").json()
        self.functions = {d["api_name"]: d for d in config["dependencies"]}
        self.components = {c["id"]: c for c in config["components"]}
        self.digests: dict[str, str] = {}

    def upload(self, data: bytes, name: str = "picture.png") -> httpx.Response:
        """Send a file as the image field does."""
        return self.web.post(f"{API}/upload", files={"files": (name, data)})

    def uploaded(self, data: bytes, name: str = "picture.png") -> dict[str, Any]:
        """The same as the value of the image field."""
        response = self.upload(data, name)
        response.raise_for_status()
        return file_value(response.json()[0])

    def open(self, query: str = "") -> list[Any]:
        """Follow a link: the value of every setting."""
        return self.call("arrive", [], query)[: len(self._settings())]

    def _settings(self) -> list[int]:
        """The components of settings, which a link fills and the button sends."""
        sent = set(self.functions["show"]["inputs"])
        return [i for i in self.functions["arrive"]["outputs"] if i in sent]

    def ask(self, query: str = "", image: Any = None, **more: Any) -> Answer:
        """Follow a link and press the button."""
        return self.press(self.open(query), image, **more)

    def press(
        self,
        values: list[Any],
        image: Any = None,
        lane: str = "heavy",
    ) -> Answer:
        """Press the button with these values in the fields, or a switch in the light lane."""
        names = [self.components[i]["props"].get("elem_id") for i in self._settings()]
        name = f"show_{values[names.index('hidden-tab')]}"
        name = name if name in self.functions else "show"
        if lane == "light" and f"{name}_light" in self.functions:
            name += "_light"
        shown = self.call(name, self.pressed(values, image))
        return self._answer(json.loads(shown[0])["lines"]["lines"], shown, shown[1:])

    def program(self, endpoint: str, values: list[Any]) -> Answer:
        """Call an endpoint of the API as a program does."""
        joined = self.web.post(f"{API}/call/{endpoint}", json={"data": values})
        if joined.status_code in (429, 503):
            raise BusyError(joined.text)
        if joined.status_code == 422:
            return self._answer([("problem", joined.json()["detail"])], [], [])
        stream = self.web.get(f"{API}/call/{endpoint}/{joined.json()['event_id']}").text
        kind, data = re.search("event: (complete|error)\ndata: (.*)", stream).groups()
        if kind == "error":
            return self._answer([("problem", data)], [], [])
        return self._answer([], [], json.loads(data))

    def pressed(self, values: list[Any], image: Any = None) -> list[Any]:
        """The data that the button sends with these values in the fields."""
        return [image, ADDRESS, *values]

    def _answer(self, lines: Any, raw: list[Any], compared: list[Any]) -> Answer:
        numbers: list[float] = []
        text = json.dumps(self._compared(compared, numbers), sort_keys=True)
        return Answer(tuple(map(tuple, lines)), _digest(text.encode()), tuple(numbers), raw)

    def _compared(self, value: Any, numbers: list[float]) -> Any:
        """The value with the content of what it names in the place of a server's own names, its
        floats taken out into ``numbers``."""
        if isinstance(value, float):
            numbers.append(value)
            return None
        if isinstance(value, dict):
            if value.get("path"):  # a file, which every server stores in a place of its own
                return self._content(f"{API}/file={value['path']}")
            keys = sorted(value.keys() - {"id"})
            return {key: self._compared(value[key], numbers) for key in keys}
        if isinstance(value, list):
            return [self._compared(item, numbers) for item in value]
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
            self.digests[address] = _digest(body)
        return self.digests[address]

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

    def call(self, name: str, data: list[Any], query: str = "") -> list[Any]:
        """Join the queue and wait for the answer; values of widgets are read out of their texts.

        Raises:
            BusyError: the queue is full.
            FailedError: anything else that is no answer.
        """
        joined = self.join(name, data, query)
        if joined.status_code in (429, 503):
            raise BusyError(joined.text)
        if joined.status_code != 200:
            raise FailedError(f"{joined.status_code}: {joined.text[:300]}")
        for message in self.messages():
            if message["msg"] in ("unexpected_error", "close_stream"):
                break
            mine = message.get("event_id") == joined.json()["event_id"]
            if message["msg"] == "process_completed" and mine:
                if not message["success"]:
                    raise FailedError(json.dumps(message["output"])[:500])
                kinds = [self.components[i]["type"] for i in self.functions[name]["outputs"]]
                return [
                    json.loads(value) if kind == "html" and isinstance(value, str) else value
                    for kind, value in zip(kinds, message["output"]["data"], strict=True)
                ]
        raise FailedError("the stream ended before the answer came")

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the server sends to this tab."""
        query = {"session_hash": self.session}
        with self.web.stream("GET", f"{API}/queue/data", params=query) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def file_value(path: str) -> dict[str, Any]:
    """The value of the image field for a file on the server."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}
