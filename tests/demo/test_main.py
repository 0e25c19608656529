"""What hosts rely on: options, health, log-in, the environment, and one sentence for an error."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client

from demo import backbones, main
from gclip_core import BACKBONES, __version__
from gclip_core.backbones import load
from tests import ROOT, free_port
from tests.demo.photos import SMALL
from tests.demo.visitor import API, APP, JOIN, UPLOAD, Visitor, serving

LOGIN = "a", "b:c"


def test_options_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"port": "7861", "backbone": "built-in", "root-path": "/gclip", "auth": "a:b:c"}
    words = [f"--{name}={value}" for name, value in given.items()]
    wanted = main.parser().parse_args([*words, "--no-downloads"])
    assert wanted.auth == ("a", "b:c")
    for name, value in (given | {"no-downloads": "1", "quiet": "0", "share": ""}).items():
        monkeypatch.setenv("GCLIP_" + name.upper().replace("-", "_"), value)
    monkeypatch.setenv(load.WEIGHTS_FOLDER, "folder")
    monkeypatch.setenv("GCLIP_SERVICE_HOST", "10.0.0.1")  # Kubernetes' for a Service "gclip"
    monkeypatch.setenv("GCLIP_PORT_80_TCP", "tcp://10.0.0.1:80")
    assert main.parser().parse_args(main.from_environment()) == wanted
    monkeypatch.setenv("GCLIP_PORT", "tcp://10.0.0.1:80")
    assert main.parser().parse_args(main.from_environment()).port is None


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("GCLIP_PORT", "80a", "“80a”, not a number from 0 to 65535; unset it or use --port."),
        ("GCLIP_BACKBONE", "clip", "“clip”, not one of auto, built-in"),
        ("GCLIP_QUIET", "yes", "“yes”, neither 1 nor 0; unset it or use --quiet."),
        ("GCLIP_AUTH", "secret", "set to something, not NAME:PASSWORD"),
    ],
)
def test_bad_variable(
    name: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """It is told by its name and, unless it is a password, its value."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main.main([])
    error = capsys.readouterr().err
    assert f"error: {name} is {why}" in error
    assert "secret" not in error


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--auth secret", "not NAME:PASSWORD"),
        ("--auth :b", "not NAME:PASSWORD"),
        ("--auth a:", "not NAME:PASSWORD"),
        ("--no-downloads=true", "--no-downloads"),
        ("--ports=1", "--ports"),
        ("--host 192.0.2.1", "192.0.2.1: .*Choose another --host or --port"),
        ("", "127.0.0.1: .*Choose another --host or --port"),
        ("--port 99999", "not a number from 0 to 65535"),
        ("--port 0 --backbone openai-vit-b-32 --weights no/such.safetensors", "such.safetensors"),
    ],
)
def test_no_start(
    options: str,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line, and the exit status 2. Above all, a password without a name must not leave the page
    open to everybody."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", os.environ["GRADIO_TEMP_DIR"])
    monkeypatch.setattr(backbones, "HOST", backbones.HOST)
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(SystemExit) as ended:
        sys.exit(main.main(["--port", str(other.getsockname()[1]), *options.split()]))
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert re.search(f"error: .*{sentence}", error) and "Traceback" not in error


def test_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page opens with the real CLIP if it is on disk, otherwise with the built-in."""
    args = main.parser().parse_args([])
    assert main.make_host(args).backbone == "built-in"
    monkeypatch.setattr(load, "on_disk", lambda entry: entry is BACKBONES[main.PREFERRED])
    assert main.make_host(args).backbone == main.PREFERRED


def scripts(web: httpx.Client) -> list[str]:
    """The scripts and styles of the page, each of which is there for good."""
    page = web.get("/")
    assert page.headers["cache-control"] == "no-cache"
    paths = re.findall(r'"(web/[^"]*)"', page.text)
    for path in paths:
        file = web.get(f"/{path}")
        assert file.status_code == 200 and "immutable" in file.headers["cache-control"]
    return paths


def test_page(url: str) -> None:
    """It has its scripts, and says how it is; without a log-in, nobody is asked for one."""
    web = httpx.Client(base_url=url)
    health = {"status": "ok", "version": __version__, "backbone": "built-in", "waiting": 0}
    assert health.items() <= web.get("/health").json().items()
    assert scripts(web)
    assert web.head("/").status_code == 200
    assert web.get("/login").headers["location"] == "./"


ROUTES = {
    "GET": f"/config /photos/flower {API}/info {API}/queue/data /web/ /theme.css /docs /health/x"
    f" {API}/file=/etc/passwd /login/x /%2e/config /gclip/config",
    "POST": f"/photos {JOIN} {UPLOAD} {API}/call/about {API}/run/about",
    "HEAD": "/ /config /health/../config /login/../config",
}


@pytest.mark.usefixtures("no_trace")
def test_login(served: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, nothing is shown, computed or stored; with it, everything is as before, under a
    prefix, too."""
    monkeypatch.setattr("demo.limits.LOGIN_SECONDS", 0.2)
    url = served(LOGIN, root_path="/gclip")
    form = {"username": LOGIN[0], "password": LOGIN[1]}
    web = httpx.Client(base_url=url, timeout=60)

    def statuses() -> set[int]:
        asked = [(method, path) for method in ROUTES for path in ROUTES[method].split()]
        return {web.request(*route, content=b"x").status_code for route in asked}

    assert web.get("/health").status_code == 200
    assert statuses() == {401}
    led = web.get("/", params={"words": "dog"}).headers["location"]
    assert led == "login?words=dog", "a browser is led to the form, which keeps its link"
    assert "<form" in web.get("/login").text and "hidden" in web.get("/login").text
    for wrong in (form | {"password": "b"}, form | {"username": "é"}, {}, {"username": "a"}):
        answer = web.post("/login", data=wrong)
        assert answer.elapsed.total_seconds() > 0.2, "guesses are slow"
        assert answer.status_code == 401 and "Wrong name or password. Try again." in answer.text
        assert not answer.cookies and "hidden" not in answer.text
    web.cookies.set("gclip", "0" * 64)
    assert statuses() == {401}
    web.cookies.clear()

    answer = web.post("/login", data=form, headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    assert "HttpOnly" in answer.headers["set-cookie"] and "b:c" not in answer.headers["set-cookie"]
    assert scripts(web) and 401 not in statuses()

    for prefix in ("", "/gclip"):
        assert Visitor(url + prefix, LOGIN).ask(**SMALL)["canvas"]
        client = Client(url + prefix, auth=LOGIN, verbose=False)
        assert client.predict(api_name="/about")["version"] == __version__
    with pytest.raises(Exception, match="auth|login|401"):
        Client(url, auth=("a", "b"), verbose=False)


@pytest.mark.long
@pytest.mark.parametrize("seconds", [1, 3, 4, 5])
def test_stopped_while_it_starts(seconds: int, tmp_path: Path) -> None:
    """As it should, whatever it is doing: nothing of it is left, and no traceback."""
    process = subprocess.Popen(
        [sys.executable, APP, "--port", str(free_port())],
        env=os.environ | {"GRADIO_TEMP_DIR": str(tmp_path)},
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )
    time.sleep(seconds)
    process.terminate()
    _, error = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGTERM, 130, 0)
    assert b"Traceback" not in error and not [*tmp_path.iterdir()]


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
            assert scripts(visitor.web)
            data = {"username": "a", "password": "guessed"}
            web = httpx.Client(base_url=f"http://127.0.0.1:{port}/gclip")
            statuses = [web.post("/login", data=data).status_code for _ in range(10)]
            assert statuses[0] == 401 and statuses[-1] == 503
            assert not web.post("/login/", data={**data, "password": "b"}).cookies, "no way around"
        finally:
            proxy.terminate()
            proxy.wait(20)
