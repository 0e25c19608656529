"""The documents are true: their commands exist, their Python runs, their front matter is valid."""

import re
import runpy
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from demo.learn import lesson
from demo.tabs import TABS
from demo.widgets import code
from gclip_core import load
from gclip_core.registry import BACKBONES

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)
MODULE = re.compile(r"python -m ([a-z_.]+)")
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)\s#]+)")
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def read(path: Path) -> str:
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def front_matter() -> dict:
    return yaml.safe_load(read(ROOT / "README.md").split("---")[1])


def requirement(name: str) -> Requirement:
    lines = [
        line.partition("#")[0].strip() for line in read(ROOT / "requirements.txt").splitlines()
    ]
    found = [Requirement(line) for line in lines if line]
    return next(r for r in found if r.name == name and (not r.marker or r.marker.evaluate()))


def test_front_matter_has_what_a_space_needs(front_matter: dict) -> None:
    assert front_matter["sdk"] == "gradio"
    assert (ROOT / front_matter["app_file"]).is_file()
    assert len(front_matter["short_description"]) <= 60
    assert {front_matter["colorFrom"], front_matter["colorTo"]} <= COLOURS
    assert front_matter["license"] == "other"
    assert front_matter["license_name"] == "mit-and-weights-for-research-and-teaching"
    assert front_matter["suggested_hardware"] == "cpu-basic"
    repositories = {line.split()[0] for line in front_matter["preload_from_hub"]}
    assert repositories <= set(front_matter["models"])


def test_front_matter_names_the_gradio_that_is_tested_here(front_matter: dict) -> None:
    assert front_matter["sdk_version"] == version("gradio")
    assert requirement("gradio").specifier.contains(front_matter["sdk_version"])


def test_preloaded_weights_are_where_the_loader_looks(
    front_matter: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[tuple[str, str]] = []
    monkeypatch.setattr(load, "try_to_load_from_cache", lambda *asked: looked.append(asked))
    assert load.cached_file(BACKBONES["openai-vit-b-16"]) is None
    assert tuple(front_matter["preload_from_hub"][0].split()) == looked[0]


def test_python_312_gets_a_torch_that_zero_gpu_offers() -> None:
    lines = [
        line.partition("#")[0].strip() for line in read(ROOT / "requirements.txt").splitlines()
    ]
    zero = {"python_version": "3.12"}
    chosen = [
        wanted
        for wanted in map(Requirement, filter(None, lines))
        if wanted.name == "torch" and (wanted.marker is None or wanted.marker.evaluate(zero))
    ]
    assert len(chosen) == 1
    assert chosen[0].specifier.contains("2.8.0")
    assert chosen[0].specifier.contains("2.11.0")
    assert not chosen[0].specifier.contains("2.12.0")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_and_link_leads_somewhere(path: Path) -> None:
    text = read(path)
    for module in set(MODULE.findall(text)):
        if module in ("pip", "venv"):
            continue
        place = ROOT.joinpath(*module.rstrip(".").split("."))
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), module
    for link in LINK.findall(text):
        assert (path.parent / link).exists(), f"{path.name} links to {link}"


def test_the_lesson_plan_names_steps_tabs_and_buttons_that_the_page_has() -> None:
    text = read(ROOT / "docs" / "TEACHING.md")
    modules = "".join(read(path) for path in code.WEB.rglob("*.js"))
    buttons = set(re.findall(r'(?:tool|button)\("([\w ]+)|"([\w ]+) →"', modules))
    named = {one.strip() for one in re.findall(r"(?<!\*)\*([A-Z][^*?]*)\*(?!\*)", text)}
    assert {"Learn", "Begin"} <= named
    assert named <= {entry.label for entry in TABS} | {
        one.strip() for pair in buttons for one in pair
    }
    steps = re.findall(r"^\| [\d–]+ \| \d · ([^|]*) \|", text, re.MULTILINE)
    assert steps == [step.title for step in lesson.STEPS]


@pytest.mark.parametrize("code", PYTHON.findall(read(ROOT / "README.md")))
def test_readme_python_runs(
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(ROOT / "assets/photos/dog.jpg", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(code, {"__name__": "__main__"})
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "module",
    ["gclip_core.segment", "evaluation", "evaluation.phenomena"],
)
@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_commands_explain_themselves(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out.lower()


def test_tracked_files_fit_a_space() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    sizes = {
        name: (ROOT / name).stat().st_size
        for name in listed.stdout.split("\0")
        if name and (ROOT / name).is_file()
    }
    assert {n: s for n, s in sizes.items() if s > 10_000_000} == {}


@pytest.mark.long
def test_the_wheel_segments_in_a_fresh_environment(tmp_path: Path) -> None:
    """``pip install .`` into an environment of its own, then a mask away from the checkout."""
    import venv

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
