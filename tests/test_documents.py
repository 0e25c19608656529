"""The documents: links and commands exist, Python runs and draws, the front matter is valid."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import venv
from functools import cache
from importlib.metadata import EntryPoint, version
from pathlib import Path

import pytest
import yaml

import gclip_core
from demo import main
from gclip_core import command
from gclip_core.backbones.registry import BACKBONES
from tests import DOCUMENTS, ROOT, screenshots
from tests.models import loaded, small

MODULE = re.compile(r"python -m ([a-z_.]+)")
PYTHON = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)\s]+)")
OPTION = re.compile(r"(?:^|[`\s])(--[a-z][a-z-]+)")
OWN_PATH = re.compile(r"`((?:gclip_core|demo|evaluation|tests|training|docs|assets)/[\w./-]*)`")
# Options of other programs: git, hf, docker, torchrun.
OTHERS_OPTIONS = {
    "--build-arg",
    "--depth",
    "--exclude",
    "--nproc-per-node",
    "--repo-type",
    "--rm",
    "--squash",
    "--standalone",
    "--unshallow",
}
MADE_BY_A_READER = {"evaluation/class_lists/mine.txt"}
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def read(path: Path) -> str:
    return path.read_text("utf-8")


@cache
def options() -> set[str]:
    """Options that the code defines."""
    sources = (file for file in ROOT.rglob("*.py") if ".git" not in file.parts)
    defined = re.compile(r'(?:option|add_argument)\(\s*"(--[a-z][a-z-]+)"')
    return {option for file in sources for option in defined.findall(read(file))}


def test_front_matter() -> None:
    """README's front matter is valid for a Space, and names the installed Gradio."""
    front_matter = yaml.safe_load(read(ROOT / "README.md").split("---")[1])
    assert front_matter["sdk"] == "gradio"
    assert front_matter["fullWidth"] is True
    assert (ROOT / front_matter["app_file"]).is_file()
    assert len(front_matter["short_description"]) <= 60
    assert {front_matter["colorFrom"], front_matter["colorTo"]} <= COLOURS
    repositories = {line.split()[0] for line in front_matter["preload_from_hub"]}
    assert repositories <= set(front_matter["models"])
    assert front_matter["sdk_version"] == version("gradio")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_references(path: Path) -> None:
    """Every module, link, path and option in a document exists."""
    text = read(path)
    for module in set(MODULE.findall(text)) - {"http.server", "pip", "venv"}:
        place = ROOT.joinpath(*module.rstrip(".").split("."))
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), module
    for link in LINK.findall(text):
        file, _, section = link.partition("#")
        target = path.parent / file
        assert target.exists(), link
        if section:
            titles = re.findall("^#+ (.*)$", read(target), re.MULTILINE)
            assert section in [re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles]
    for own in {*OWN_PATH.findall(text)} - MADE_BY_A_READER:
        assert (ROOT / own).exists(), own
    page = {*re.findall(r"--[a-z-]+", main.parser().format_help())}
    assert {*OPTION.findall(text)} <= options() | page | OTHERS_OPTIONS


def test_backbones() -> None:
    """README names every backbone that can be downloaded."""
    named = re.findall(r"`([\w-]+)`", read(ROOT / "README.md"))
    assert {entry.name for entry in BACKBONES.values() if entry.download} <= {*named}


def test_readme_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """README's code runs, in order, and prints what README shows."""
    # README shows what the first model prints; the other only runs.
    load = {"built-in-damaged": loaded, "built-in": small}
    monkeypatch.setattr(gclip_core, "load_backbone", lambda name: load[name](name))
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for python, shown in PYTHON.findall(read(ROOT / "README.md")):
        exec(python, names)
        assert capsys.readouterr().out == shown
    assert (tmp_path / "overlay.png").exists()


def test_readme_pictures() -> None:
    """README's first two pictures have the scores that it says."""
    texts = re.findall(r"!\[(.*?)\]\(docs/screenshots", read(ROOT / "README.md"), re.DOTALL)[:2]
    for text, masks in zip(texts, (screenshots.amf(), screenshots.ideas()), strict=True):
        assert re.findall(r"[\d.]+ %", " ".join(masks)) == re.findall(r"[\d.]+ %", text)


@pytest.mark.long
@pytest.mark.parametrize("backbone", ["built-in", "built-in-damaged"])
def test_readme_results(backbone: str, tmp_path: Path) -> None:
    """README's command gives the scores of its table."""
    text = read(ROOT / "README.md").partition("## Results")[2]
    (line,) = re.findall("^python (-m evaluation .*)--backbone built-in$", text, re.MULTILINE)
    (row,) = re.findall(rf"^\| `{backbone}` \| (.*) \|$", text, re.MULTILINE)
    options = ["--backbone", backbone, "--out", str(tmp_path)]
    command = [sys.executable, *shlex.split(line), *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=1200)
    results = json.loads((tmp_path / "result.json").read_text("utf-8"))["results"]
    scores = [100 * result["miou"] for result in results]
    assert scores == pytest.approx([*map(float, row.split(" | "))], abs=0.1)


def test_upload_command(tmp_path: Path) -> None:
    """The Hub's own command accepts HOSTING's line: offline, it fails only when it connects."""
    (line,) = re.findall("^hf (upload .*)$", read(ROOT / "docs/HOSTING.md"), re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-m", "huggingface_hub.cli.hf", *shlex.split(line)],
        cwd=tmp_path,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1 and "offline mode" in done.stderr, done.stderr


def test_gclip_command() -> None:
    scripts = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["scripts"]
    assert EntryPoint("gclip", scripts["gclip"], "console_scripts").load() is command.main


@pytest.mark.long
def test_wheel(tmp_path: Path) -> None:
    """``pip install .`` into a separate environment, then a mask away from the checkout."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", str(ROOT)], check=True, timeout=1500)
    code = (
        "import gclip_core as g, numpy as np; from gclip_core import assets\n"
        "image = np.zeros((144, 144, 3), np.uint8)\n"
        "r = g.Segmenter(g.load_backbone()).segment(image, 'cat, sky')\n"
        "print(assets.path('built-in').parent.name, tuple(r.labels.shape), g.__version__)"
    )
    done = subprocess.run(
        [python, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.split()[0] == "_assets", done.stderr[-800:]
    assert "(144, 144)" in done.stdout
    photo = ROOT / "assets" / "photos" / "dog.jpg"
    command = [tmp_path / "env" / "bin" / "gclip", photo, "--words", "dog, grass"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    summary = json.loads((tmp_path / "out" / "dog.json").read_text("utf-8"))
    assert summary["classes"] == [["dog"], ["grass"]]


@pytest.mark.long
def test_notebook() -> None:
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    notebook = nbformat.read(ROOT / "notebooks" / "gclip.ipynb", as_version=4)
    client.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    ).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    assert len(pictures) == 4
    assert any("xylophone" in str(out.get("data", {})) for out in outputs)
