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

SECRET = "zanzibar"
LOGIN = "a", "b:c"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AUTH", "secret", "expected NAME:PASSWORD"),
        ("AUTH", ":b", "expected NAME:PASSWORD"),
        ("AUTH", "a:", "expected NAME:PASSWORD"),
        ("NO_DOWNLOADS", "true", "--no-downloads"),
        ("PORTS", "1", "--ports"),
    ],
)
def test_wrong_options(
    name: str,
    value: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Above all, a password without a name must not leave the page open to everybody."""
    monkeypatch.setenv(f"GCLIP_{name}", value)
    with pytest.raises(SystemExit):
        main.main([])
    assert message in capsys.readouterr().err


def test_options_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"port": "7861", "backbone": "built-in", "root-path": "/gclip", "auth": "a:b:c"}
    words = [f"--{name}={value}" for name, value in given.items()]
    wanted = main.parser().parse_args([*words, "--no-downloads"])
    assert wanted.auth == ("a", "b:c")
    for name, value in (given | {"no-downloads": "1", "quiet": "0", "share": ""}).items():
        monkeypatch.setenv("GCLIP_" + name.upper().replace("-", "_"), value)
    monkeypatch.setenv(load.WEIGHTS_FOLDER, "folder")
    assert main.parser().parse_args(main.from_environment()) == wanted


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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line, and the exit status 2."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", os.environ["GRADIO_TEMP_DIR"])
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


ROUTES = [
    *(("GET", path) for path in ("/config", "/photos/flower", f"{API}/info", f"{API}/queue/data")),
    *(("GET", path) for path in ("/web/", "/theme.css", f"{API}/file=/etc/passwd", "/docs")),
    *(
        ("POST", path)
        for path in ("/photos", JOIN, UPLOAD, f"{API}/call/about", f"{API}/run/about")
    ),
    *(("HEAD", path) for path in ("/", "/config", "/health/../config", "/login/../config")),
    *(("GET", path) for path in ("/health/x", "/login/x", "/%2e/config", "/gclip/config")),
]


def test_login(served: Callable[..., str], capfd: pytest.CaptureFixture[str]) -> None:
    """Without it, nothing is shown, computed or stored; with it, everything is as before."""
    url = served(LOGIN)
    form = {"username": LOGIN[0], "password": LOGIN[1]}
    web = httpx.Client(base_url=url, timeout=60)

    def statuses() -> list[int]:
        asked = [web.request(method, path, content=b"x") for method, path in ROUTES]
        return [answer.status_code for answer in asked]

    assert web.get("/health").status_code == 200
    assert {*statuses()} == {401}
    led = web.get("/", params={"words": "dog"}).headers["location"]
    assert led == "login?words=dog", "a browser is led to the form, which keeps its link"
    assert "<form" in web.get("/login").text and "hidden" in web.get("/login").text
    for wrong in (form | {"password": "b"}, form | {"username": "é"}, {}, {"username": "a"}):
        answer = web.post("/login", data=wrong)
        assert answer.status_code == 401 and "Wrong name or password. Try again." in answer.text
        assert not answer.cookies and "hidden" not in answer.text
    web.cookies.set("gclip", "0" * 64)
    assert {*statuses()} == {401}
    web.cookies.clear()

    answer = web.post("/login", data=form, headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    assert "HttpOnly" in answer.headers["set-cookie"] and "b:c" not in answer.headers["set-cookie"]
    page = web.get("/").text
    (scripts,) = re.findall(r'src="(web/\w+/app.js)"', page)
    assert web.get(f"/{scripts}").status_code == 200
    assert 401 not in statuses()

    assert Visitor(url, LOGIN).ask(**SMALL)["canvas"]
    client = Client(url, auth=LOGIN, verbose=False)
    assert client.predict(api_name="/about")["version"] == __version__
    with pytest.raises(Exception, match="auth|login|401"):
        Client(url, auth=("a", "b"), verbose=False)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_page(url: str) -> None:
    """One file of HTML, whose scripts have another address when they change, and no other host."""
    page = httpx.get(url)
    assert page.headers["cache-control"] == "no-cache"
    assert httpx.head(url).status_code == 200
    assert httpx.get(f"{url}/login").headers["location"] == "./", "there is nobody to log in"
    for path in re.findall(r'(?:src|href)="(web/[^"]+)"', page.text):
        file = httpx.get(f"{url}/{path}", headers={"accept-encoding": "gzip"})
        assert file.status_code == 200 and "immutable" in file.headers["cache-control"]
    loaded = re.findall(r'(?:src|href)="(?!web/|data:)([^"]*)"', page.text)
    assert {*loaded} <= {"https://arxiv.org/abs/2502.06818"}, "a link, which loads nothing"


def test_command() -> None:
    """As a host starts it: it listens when the model is there, and says so; under a prefix; quiet;
    and it ends as it should."""
    options = ("--root-path", "/gclip", "--quiet", "--auth", ":".join(LOGIN))
    with serving(*options, GCLIP_BACKBONE="built-in-damaged", FORWARDED_ALLOW_IPS="*") as server:
        assert re.search(r"is loaded; ready in [\d.]+ s\.", server.output())
        for prefix in ("", "/gclip"):
            visitor = Visitor(server.url + prefix, LOGIN)
            assert visitor.web.get("/health").json()["backbone"] == "built-in-damaged"
            assert scripts(visitor.web)
            assert visitor.ask(words=SECRET, backbone="built-in-damaged", **SMALL)["canvas"]
            assert Client(server.url + prefix, auth=LOGIN, verbose=False).predict(api_name="/about")
        server.stop()
        assert SECRET not in server.output() and "answered" not in server.output()


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


def scripts(web: httpx.Client) -> list[str]:
    """The scripts and styles of the page, each of which is there."""
    paths = re.findall(r'"(web/[^"]*)"', web.get("/").text)
    assert all(web.get(f"/{path}").status_code == 200 for path in paths)
    return paths


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
