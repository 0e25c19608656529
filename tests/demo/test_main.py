"""What hosts rely on: options, health, log, login, the environment, and a clean shutdown."""

import asyncio
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from demo import backbones, main
from demo.gate import files, process
from gclip_core import BACKBONES, __version__
from gclip_core.backbones import load
from tests import ROOT, free_port
from tests.demo.visitor import APP, Visitor, serving, wait_for

SECRET = "zanzibar"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH", "secret"),
        ("AUTH", ":b"),
        ("AUTH", "a:"),
        ("WEIGHTS", "no/such/folder"),
    ],
)
def test_wrong_options(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Above all, a password without a name must not leave the page open to everybody."""
    monkeypatch.setenv(f"GCLIP_{name}", value)
    with pytest.raises(SystemExit):
        main.parser().parse_args([])
    assert "expected" in capsys.readouterr().err


def test_help_has_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCLIP_AUTH", f"me:{SECRET}")
    assert "--auth" in main.parser().format_help()
    assert SECRET not in main.parser().format_help()


def test_options_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {
        "host": "0.0.0.0",
        "port": "7861",
        "backbone": "built-in",
        "device": "cpu",
        "dtype": "float32",
        "root-path": "/gclip",
        "auth": "a:b:c",
        "weights-dir": str(tmp_path),
    }
    switches = ("no-downloads", "quiet", "share")
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    wanted = main.parser().parse_args([*words, *(f"--{name}" for name in switches)])
    assert wanted.auth == ("a", "b:c")
    for name, value in (given | dict.fromkeys(switches, "1")).items():
        monkeypatch.setenv("GCLIP_" + name.upper().replace("-", "_"), value)
    assert main.parser().parse_args([]) == wanted
    names = {name.replace("-", "_") for name in (*given, *switches)}
    assert vars(wanted).keys() - names == {"weights", "open"}  # as docs/HOSTING.md says
    monkeypatch.setenv("GCLIP_NO_DOWNLOADS", "true")
    with pytest.raises(SystemExit):
        main.parser()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--host", "192.0.2.1"], "192.0.2.1: .*Choose another --host or --port"),
        (["--port", "{taken}"], "127.0.0.1: .*Choose another --host or --port"),
        (["--port", "99999"], "0-65535.*Choose another --host or --port"),
        (["--backbone", "openai-vit-b-32", "--weights", "no/such.safetensors"], "such.safetensors"),
    ],
)
def test_no_start(
    options: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line, and the exit status 2."""
    monkeypatch.setenv(files.FOLDER, str(tmp_path))
    monkeypatch.setattr(backbones, "HOST", backbones.HOST)
    with socket.create_server(("127.0.0.1", 0)) as other:
        options = [option.format(taken=other.getsockname()[1]) for option in options]
        assert main.main(options) == 2
    error = capsys.readouterr().err
    assert re.search(sentence, error) and error.startswith("error: ")
    assert "Traceback" not in error


def test_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page opens with the real CLIP if it is on disk, otherwise with the built-in."""
    args = main.parser().parse_args([])
    assert main.make_host(args).backbone == "built-in"
    monkeypatch.setattr(load, "on_disk", lambda entry: entry is BACKBONES[main.PREFERRED])
    assert main.make_host(args).backbone == main.PREFERRED


def test_health(url: str) -> None:
    answer = httpx.get(f"{url}/health", timeout=30)
    assert answer.status_code == 200
    health = answer.json()
    assert health["status"] == "ok"
    assert (health["version"], health["backbone"]) == (__version__, "built-in")
    assert (health["device"], health["waiting"]) == ("cpu", 0)


def test_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A request is one line without any typed or forged text."""
    visitor = Visitor(url)
    with caplog.at_level(logging.INFO, "demo"):
        visitor.ask(words=f"{SECRET},grass", tab=f"\n{SECRET}")
        visitor.program("about")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("demo")]
    assert [re.sub(r"ms=\d+", "ms", line) for line in lines] == [
        "answered tab=segment backbone=built-in ms",
        "answered api=about ms",
    ]
    assert SECRET not in caplog.text


def test_login(tmp_path: Path) -> None:
    """Without it, nothing is shown, computed or stored."""
    blocks, args = main.build(), main.parser().parse_args(["--auth", "a:b"])
    _, url, _ = main.serve(blocks, args, tmp_path)
    web = httpx.Client(base_url=url, timeout=60)
    assert web.get("/config").status_code == 401
    assert web.post("/gradio_api/call/about", json={"data": []}).status_code == 401
    assert web.post("/gradio_api/upload", files={"files": b"x"}).status_code == 401
    assert web.post("/login", data={"username": "a", "password": "c"}).status_code == 400
    assert web.post("/login", data={"username": "a", "password": "b"}).status_code == 200
    assert web.get("/config").status_code == 200
    blocks.close(verbose=False)


def log_much() -> None:
    """In a process of its own, whose log the tests have not set up."""
    logging.getLogger().handlers.clear()
    main.set_up_log(quiet=False)
    for _ in range(1000):
        logging.getLogger("asyncio").error("out of open files")
        logging.getLogger("demo").info("answered")


def test_floods_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    """The same error of the server is logged once a second."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as child:
        child.submit(log_much).result()
    log = capfd.readouterr().err
    assert 1 <= log.count("out of open files") <= 20
    assert log.count("answered") == 1000


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({}, "10.16.3.80"),
        ({"SPACE_ID": "me/gclip"}, "203.0.113.9"),
        ({"SPACE_ID": "me/gclip", "FORWARDED_ALLOW_IPS": "192.0.2.1"}, "10.16.3.80"),
    ],
)
def test_address_behind_the_proxy_of_a_space(
    variables: dict[str, str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the one that the proxy appended, not one that the visitor forged."""
    seen, forwarded = list[str](), b"198.51.100.7, 203.0.113.9, 10.16.0.1"

    async def app(scope: dict[str, Any], *_: Any) -> None:
        seen.append(scope["client"][0])

    monkeypatch.setattr(os, "environ", variables)
    process.trust_proxy_of_space()
    server = uvicorn.Config(app)
    server.load()
    scope = {"type": "http", "client": ("10.16.3.80", 1), "asgi": {"version": "3.0"}}
    headers = {"headers": [(b"x-forwarded-for", forwarded)]}
    asyncio.run(server.loaded_app(scope | headers, None, None))
    assert seen == [address]


def test_folders_of_ended_processes(tmp_path: Path) -> None:
    """A killed page leaves its files behind: the next one deletes them, and no other page's."""
    code = "from demo.gate.files import own_folder; print(own_folder(), flush=True); input()"

    def start() -> tuple[subprocess.Popen, Path]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        env = os.environ | {"GRADIO_TEMP_DIR": str(tmp_path)}
        started = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env, **pipes)
        return started, Path(started.stdout.readline().strip())

    (killed, old), (running, kept) = start(), start()
    (old / "photo.png").write_bytes(b"x")
    killed.kill()
    killed.wait()
    last, new = start()
    wait_for(lambda: not old.exists())
    assert kept.exists() and new.exists()
    for page in (running, last):
        page.communicate("\n", timeout=30)
    wait_for(lambda: not (kept.exists() or new.exists()))
    assert not [*tmp_path.iterdir()]


def test_spaces_come_first(tmp_path: Path) -> None:
    """ZeroGPU's package is imported before torch."""
    (tmp_path / "spaces.py").write_text(
        "import sys\nprint('TORCH' if 'torch' in sys.modules else 'FIRST')\nsys.exit()\n"
    )
    env: dict[str, Any] = {**os.environ, "PYTHONPATH": str(tmp_path)}
    output = subprocess.check_output([sys.executable, APP], cwd=ROOT, env=env, timeout=120)
    assert output.startswith(b"FIRST")


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_behind_nginx(tmp_path: Path) -> None:
    """With the blocks of docs/HOSTING.md, the page responds, and login attempts are limited."""
    zones, lines = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs/HOSTING.md").read_text(), re.S)
    port = free_port()
    with serving("--root-path", "/gclip", "--auth", "a:b") as server:
        places = " ".join(
            f"{name}_temp_path {tmp_path}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        configuration = tmp_path / "nginx.conf"
        configuration.write_text(
            f"pid {tmp_path}/pid; error_log stderr; daemon off; events {{}}\n"
            f"http {{ {zones} {places} access_log off; server {{ listen 127.0.0.1:{port};\n"
            f"{lines.replace('127.0.0.1:7860', f'127.0.0.1:{server.port}')} }} }}\n"
        )
        proxy = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(configuration)])
        try:
            time.sleep(1)
            visitor = Visitor(f"http://127.0.0.1:{port}/gclip", login=("a", "b"))
            assert visitor.ask(words="flower")["canvas"]["classes"]
            data = {"username": "a", "password": "guessed"}
            web = httpx.Client(base_url=f"http://127.0.0.1:{port}/gclip")
            statuses = [web.post("/login", data=data).status_code for _ in range(10)]
            assert statuses[0] == 400 and statuses[-1] == 503
            assert web.post("/login/", data=data).status_code == 404, "no way around the limit"
        finally:
            proxy.terminate()
            proxy.wait(20)
