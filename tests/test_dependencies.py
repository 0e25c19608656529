"""The version ranges in the requirements: floors, caps and the oldest versions."""

import os
import subprocess
import tomllib
import venv
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests import ROOT

CORE_TESTS = (
    "gclip_core",
    "evaluation",
    "demo/test_settings.py",
    "demo/test_answer.py",
)
FOR_TESTS = ("pytest", "pytest-xdist", "hypothesis", "torchmetrics", "scipy", "packaging")
# The package index has no CPU build of their oldest versions, so the installed ones are tested.
NEWEST = ("torch", "torchvision")


def ranges() -> list[Requirement]:
    """Requirements for running on this Python."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line.partition("#")[0].strip()]
    return [r for r in requirements if r.marker is None or r.marker.evaluate()]


def oldest(requirement: Requirement) -> str:
    """``name==version`` for the lowest version in the range."""
    lowest = next(s.version for s in requirement.specifier if s.operator == ">=")
    return f"{requirement.name}=={lowest}"


def test_requirements_are_complete() -> None:
    """A Space installs requirements.txt alone, so it repeats the library's requirements."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    assert {*project["dependencies"]} <= {*lines}


def test_ranges() -> None:
    """A range has a floor and admits the installed version, but no next major (Gradio: minor)."""
    for requirement in ranges():
        installed = Version(version(requirement.name))
        assert requirement.specifier.contains(installed, prereleases=True)
        assert requirement.specifier.contains(oldest(requirement).partition("==")[2])
        assert not requirement.specifier.contains(f"{installed.major + 1}.0")
        if requirement.name == "gradio":  # demo/gate/sessions.py reads its queue
            assert not requirement.specifier.contains(f"{installed.major}.{installed.minor + 1}.0")


@pytest.mark.long
def test_oldest_versions(tmp_path: Path) -> None:
    """The core, the evaluation and the settings work with the oldest versions."""
    wanted = [
        f"{r.name}=={version(r.name).partition('+')[0]}" if r.name in NEWEST else oldest(r)
        for r in ranges()
    ]
    venv.create(tmp_path / "old", with_pip=True)
    python = tmp_path / "old" / "bin" / "python"
    _run([str(python), "-m", "pip", "install", "-q", *wanted, *FOR_TESTS])
    tests = [f"tests/{name}" for name in CORE_TESTS]
    _run([str(python), "-m", "pytest", "-q", *tests])


def _run(command: list[str]) -> None:
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
