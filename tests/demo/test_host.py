"""What hosts rely on: a health route, logs without visitors, ZeroGPU, a proxy under a sub-path."""

import asyncio
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from starlette.responses import Response
from starlette.routing import Route
from torch import nn

from demo import launch, main
from demo.answer import Answer, compute, resolve
from demo.engine import Engine
from demo.host import logs, serve
from demo.host.zero_gpu import encode_on_zero_gpu
from demo.request import Request
from demo.settings import Settings
from gclip_core import Segmenter, assets
from gclip_core.version import __version__
from tests.models import loaded, tiny_backbone
from tests.visitor import ROOT, Server, Visitor, free_port, serving

SECRET = "zanzibar"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d (INFO|WARNING|ERROR) (.+)")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH", "secret"),
        ("AUTH", ":b"),
        ("AUTH", "a:"),
        ("PORT", "99999"),
        ("WEIGHTS", "no/such/folder"),
        ("MEMORY", "0.5"),
    ],
)
def test_what_cannot_be_meant_keeps_the_page_from_starting(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Above all a password without its name leaves no page open to everybody."""
    monkeypatch.setenv(f"GCLIP_{name}", value)
    with pytest.raises(SystemExit):
        main.parser().parse_args([])
    assert "was expected" in capsys.readouterr().err


@pytest.mark.parametrize(("host", "taken"), [("127.0.0.1", True), ("192.0.2.1", False)])
def test_an_address_that_cannot_be_had_is_named(host: str, taken: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1] if taken else None
        problem = serve._launch(gr.Blocks(), {"server_name": host, "server_port": port})
    assert problem.startswith(f"{host}: ")
    assert str(port or "") in problem
    assert problem.endswith("Choose another --host or --port.")


@pytest.mark.parametrize(("status", "sentence"), [(200, ""), (503, "the page did not answer")])
def test_a_page_that_answers_late_is_waited_for_a_while(
    status: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio waits for 3 s alone."""
    monkeypatch.setattr(serve, "START_SECONDS", 1)
    delays = [3.5]

    async def late(_: Any) -> Response:
        await asyncio.sleep(delays.pop() if delays else 0)
        return Response(status_code=status)

    with gr.Blocks() as page:
        own = {"quiet": True, "app_kwargs": {"routes": [Route("/", late)]}}
        problem = serve._launch(page, {"server_port": free_port(), **own})
    page.close()
    assert problem.startswith(sentence) and bool(problem) is bool(sentence)


def test_a_name_and_a_password_are_asked_for() -> None:
    given = main.parser().parse_args(["--auth", "a:b:c", "--port", "0"])
    assert launch.launch_settings(given)["auth"] == ("a", "b:c")
    assert launch.launch_settings(main.parser().parse_args([]))["auth"] is None


def test_health_says_what_runs(server: Server) -> None:
    answer = httpx.get(f"{server.url}/health", timeout=30)
    assert answer.status_code == 200
    health = answer.json()
    assert health["status"] == "ok"
    assert (health["version"], health["backbone"]) == (__version__, "built-in")
    assert (health["device"], health["dtype"], health["waiting"]) == ("cpu", "float32", 0)
    assert health["cache"]["bytes"] >= 0


class TestLogs:
    def test_a_request_is_a_line_without_anything_that_was_typed(self, server: Server) -> None:
        visitor = Visitor(server.url)
        for _ in range(2):
            visitor.ask(f"words={SECRET},grass")
        lines = [LINE.fullmatch(line) for line in server.output().splitlines()]
        events = [line[2] for line in lines if line and line[2].startswith("answered")]
        pairs = [dict(pair.split("=") for pair in event.split()[1:]) for event in events]
        assert len(pairs) >= 2
        assert {"view", "backbone", "ms", "trunk", "patches"} <= pairs[-1].keys()
        assert pairs[-1]["trunk"] == "kept"
        assert SECRET not in server.output()

    def test_a_value_with_breaks_stays_one_pair(self, capsys: pytest.CaptureFixture[str]) -> None:
        logs.begin()
        logs.event("answered", view="a b\nINFO forged=1", none="")
        logs.begin(quiet=True)
        logs.event("answered", view="unseen")
        logging.getLogger("demo").handlers.clear()
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith("INFO answered view=a_b_INFO_forged=1 none=-")


class Spaces(types.ModuleType):
    """Stands in for the package of ZeroGPU Spaces: counts what borrows the GPU, may refuse."""

    def __init__(self, refuses: bool = False) -> None:
        super().__init__("spaces")
        self.refuses, self.durations, self.returned = refuses, [], []
        config = types.SimpleNamespace(zero_gpu=True)
        self.config = types.SimpleNamespace(Config=config)

    def GPU(self, duration: int) -> Callable:  # noqa: N802 - the package's name
        def decorate(function: Callable) -> Callable:
            def borrow(*arguments: Any) -> Any:
                self.durations.append(duration)
                if self.refuses:
                    raise RuntimeError("quota exceeded")
                self.returned.append(function(*arguments))
                return self.returned[-1]

            return borrow

        return decorate


class TestZeroGpu:
    asked = Request(Settings(words="cat, grass", short_side=64))
    backbone = tiny_backbone()

    def answer(self, engine: Engine, **changes: Any) -> Answer:
        return compute(engine, resolve(engine, self.asked.changed(**changes)))

    def labels(self, engine: Engine, **changes: Any) -> np.ndarray:
        return self.answer(engine, **changes).mask.labels

    def engine(self, spaces: Spaces, monkeypatch: pytest.MonkeyPatch) -> Engine:
        monkeypatch.setitem(sys.modules, "spaces", spaces)
        return Engine(self.backbone, encode=encode_on_zero_gpu())

    def test_the_pass_borrows_it_and_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        spaces, places = Spaces(), []
        engine = self.engine(spaces, monkeypatch)
        monkeypatch.setattr(nn.Module, "to", lambda self, place: places.append(place) or self)
        lent = self.labels(engine)
        assert not self.answer(engine).status.no_gpu
        assert places == ["cuda"]
        assert spaces.durations == [15]
        arrays, size = spaces.returned[0]
        assert all(isinstance(x, np.ndarray | None) for x in arrays), "no tensors come back"
        assert all(isinstance(side, int) for side in size)
        assert (lent == self.labels(Engine(self.backbone))).all()
        self.labels(engine, amf=False)
        assert len(spaces.durations) == 1, "a toggle borrows nothing"

    def test_the_same_words_are_suggested(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "spaces", Spaces())
        monkeypatch.setattr(nn.Module, "to", lambda self, place: self)
        segmenter, photo = Segmenter(loaded()), Image.open(assets.path("photos", "astronaut.jpg"))
        lent = encode_on_zero_gpu()(segmenter, photo)
        assert segmenter.suggest(lent) == segmenter.suggest(photo)

    def test_a_spent_quota_is_computed_here(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        engine = self.engine(Spaces(refuses=True), monkeypatch)
        with caplog.at_level(logging.ERROR):
            refused = self.labels(engine)
        assert (refused == self.labels(Engine(self.backbone))).all()
        assert "no GPU for this request" in caplog.text
        assert self.answer(engine).status.no_gpu

    def test_the_package_comes_before_torch(self, tmp_path: Path) -> None:
        (tmp_path / "spaces.py").write_text(
            "import sys\nprint('TORCH' if 'torch' in sys.modules else 'FIRST')\nsys.exit()\n"
        )
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        output = subprocess.check_output([sys.executable, "app.py"], cwd=ROOT, env=env, timeout=120)
        assert output.startswith(b"FIRST")

    def test_a_lent_gpu_is_not_this_machines_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert encode_on_zero_gpu() is None, "there is none elsewhere"
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert main.default_device() == "cuda"
        assert main.default_device(lent=True) == "cpu"


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_the_page_works_behind_nginx_under_a_sub_path(tmp_path: Path) -> None:
    """With the very blocks of docs/HOSTING.md, in a browser."""
    from tests.browser import chromium

    text = (ROOT / "docs" / "HOSTING.md").read_text("utf-8")
    location, zones = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)
    port = free_port()
    with serving("--root-path", "/gclip") as server:
        block = location.replace("127.0.0.1:7860", f"127.0.0.1:{server.port}")
        configuration = tmp_path / "nginx.conf"
        configuration.write_text(
            f"pid {tmp_path}/pid; error_log stderr; daemon off; events {{}}\n"
            f"http {{ {zones} access_log off; client_body_temp_path {tmp_path}/body;\n"
            f"proxy_temp_path {tmp_path}/proxy; fastcgi_temp_path {tmp_path}/f;\n"
            f"uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;\n"
            f"server {{ listen 127.0.0.1:{port}; {block} }} }}\n"
        )
        proxy = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(configuration)])
        try:
            time.sleep(1)
            base = f"http://127.0.0.1:{port}/gclip"
            assert httpx.get(f"{base}/health", timeout=30).json()["status"] == "ok"
            with chromium() as browser:
                page = browser.new_page()
                failed: list[str] = []
                page.on("response", lambda r: failed.append(r.url) if r.status >= 400 else None)
                page.goto(base, timeout=120_000)
                page.get_by_text("mIoU").first.wait_for(timeout=120_000)
                assert failed == []
        finally:
            proxy.terminate()
            proxy.wait(20)
