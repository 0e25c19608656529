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
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import uuid4

import httpx
from gradio_client.utils import apply_diff

from demo.gate import API
from demo.gate.requests import JOIN, UPLOAD
from demo.settings import Settings
from tests import ROOT, free_port

APP = "app.py"
FILE = {"meta": {"_type": "gradio.FileData"}}


class BusyError(Exception):
    """The page refused a request because too many are waiting."""


class FailedError(Exception):
    """The page did not respond, or responded with an error; its text is what a visitor reads."""


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
        """An orderly shutdown: no error so far, and no file is left behind."""
        uploads = [*(self.folder / "uploads").iterdir()]
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(40) == 0
        wait_for(lambda: not any(folder.exists() for folder in uploads))
        assert "Traceback" not in self.output()

    def output(self) -> str:
        """Everything that it printed."""
        return (self.folder / "server.log").read_text("utf-8", "replace")

    def answers(self) -> bool:
        """Whether the page is ready; fails if it never will be."""
        assert self.process.poll() is None, f"no page:\n{self.output()[-3000:]}"
        with contextlib.suppress(OSError), urlopen(f"{self.url}/health", timeout=5):
            return True
        return False


@contextlib.contextmanager
def serving(
    *arguments: str, program: Sequence[str] = (APP,), **environment: str
) -> Iterator[Server]:
    """A running page without downloads, which is stopped whatever happens."""
    port, offline = free_port(), {"HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as folder, Path(folder, "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *program, "--port", str(port), "--no-downloads", *arguments],
            env=os.environ | offline | environment | {"GRADIO_TEMP_DIR": f"{folder}/uploads"},
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


class Visitor:
    """One browser tab: uploads a photo, sets the inputs, opens tabs; or a program."""

    def __init__(self, url: str, login: tuple[str, str] | None = None) -> None:
        # A connection that the server is just closing would lose a request.
        no_old = httpx.Limits(max_keepalive_connections=0)
        # Reading certificates, of which HTTP needs none, would take longer than most requests.
        self.web = httpx.Client(base_url=url, timeout=600, limits=no_old, verify=False)
        if login:
            named = dict(zip(("username", "password"), login, strict=True))
            self.web.post("/login", data=named).raise_for_status()
        self.session, self.shown = uuid4().hex, dict[str, Any]()
        config = self.web.get("/config").json()
        self.events = {event["api_name"]: event for event in config["dependencies"]}
        self.parts = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
        self.kinds = {part["id"]: part["type"] for part in config["components"]}

    def upload(self, data: bytes, name: str = "picture.png") -> httpx.Response:
        return self.web.post(UPLOAD, files={"files": (name, data)})

    def uploaded(self, data: bytes, name: str = "picture.png") -> dict[str, Any]:
        """Uploads a file and returns it as the value of the photo."""
        response = self.upload(data, name)
        if response.status_code == 503:
            raise BusyError(response.text)
        response.raise_for_status()
        return {"path": response.json()[0]} | FILE

    def open(self, query: str = "", **kept: Any) -> dict[str, Any]:
        """Follows a link, with what a browser kept: the photo and every setting, by name."""
        address = json.dumps({"query": query} | kept)
        (values,) = self.call(self.events["open_address"]["id"], [None, address])
        names = ("seen", "tabs", "tab", "photo", *Settings.model_fields)
        return dict(zip(names, values, strict=True))

    def ask(self, photo: Any = None, tab: str = "segment", **settings: Any) -> dict[str, Any]:
        """Follows a link with these settings, and returns what the page shows, by component."""
        values = self.open(urlencode(settings))
        return self.answer(values if photo is None else values | {"photo": photo}, tab)

    def answer(self, values: dict[str, Any], tab: str = "segment") -> dict[str, Any]:
        """Sends the inputs, and returns what the page shows, by each component's ``elem_id``."""
        event = self.events["respond"]
        data = [None, tab, values["photo"], *(values[name] for name in Settings.model_fields)]
        for update in self.call(event["id"], data):
            for part, value in zip(event["outputs"], update, strict=True):
                name = self.parts[part] or f"{self.kinds[part]} {part}"
                if not (isinstance(value, dict) and value.get("__type__") == "update"):
                    self.shown[name] = value
                elif "value" in value:
                    self.shown[name] = value["value"]
        return self.shown

    def call(self, event: int, data: list[Any], event_data: Any = None) -> Iterator[list[Any]]:
        """Joins the queue; what each message says of the outputs."""
        body = {"fn_index": event, "data": data, "event_data": event_data}
        joined = self.web.post(JOIN, json=body | {"session_hash": self.session})
        if joined.status_code in (429, 503):
            raise BusyError(joined.text)
        if joined.status_code != 200:
            raise FailedError(joined.text[:300])
        name, values = joined.json()["event_id"], list[Any]()
        for message in self.messages():
            if message.get("event_id") != name:
                continue
            if message["msg"] == "log":
                self.shown["warning"] = message["log"]
            if message["msg"] == "process_generating" and message["success"]:
                new = message["output"]["data"]
                values = (
                    [apply_diff(old, edits) for old, edits in zip(values, new, strict=True)]
                    if values
                    else new
                )
                yield values
            if message["msg"] == "process_completed":
                if not message["success"]:
                    raise FailedError(json.dumps(message["output"], ensure_ascii=False)[:500])
                yield message["output"]["data"]
                return
        raise FailedError("the stream ended before the answer")

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the server sends to this tab."""
        query = {"session_hash": self.session}
        with self.web.stream("GET", f"{API}/queue/data", params=query) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))

    def program(self, endpoint: str, *values: Any) -> Any:
        """Calls an endpoint of the API as a program does."""
        joined = self.web.post(f"{API}/call/{endpoint}", json={"data": values})
        if joined.status_code in (429, 503):
            raise BusyError(joined.text)
        if joined.status_code != 200:
            raise FailedError(joined.text)
        stream = self.web.get(f"{API}/call/{endpoint}/{joined.json()['event_id']}").text
        kind, data = re.findall("event: (complete|error)\ndata: (.*)", stream)[-1]
        if kind == "error":
            raise FailedError(json.loads(data)["error"])
        return json.loads(data)
