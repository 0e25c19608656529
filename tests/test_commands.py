"""The commands in the documents run in a copy of the checkout, except those of ``NOT_RUN``."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests import DOCUMENTS, ROOT
from tests.demo.visitor import serving

FENCED = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"^    (.+)$", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
PROGRAMS = ("python ", "gclip ", "pip ", "pytest", "hf ", "docker ", "pip-audit")

EVALUATION = "docs/EVALUATION.md"  # tests/evaluation/test_document.py runs its commands
# Commands that are not run here, by a part of them: why, or what runs them instead.
NOT_RUN = {
    "hf ": "needs an account",
    "docker ": "needs an engine",
    "pip install": "the first step of every clean run; the wheel has a test of its own",
    "pip-audit": "needs the network",
    "pytest": "the tests do not run themselves",
    "openai-vit": "needs weights; tests/gclip_core/test_load.py has a stand-in for the hub",
    "python -m training": "needs photos that may not be shipped; the training tests make some",
    "WORK/": "is a model that a run of the recipe wrote; the training tests make one",
    "COCO_VAL": "needs masks that may not be shipped; the training tests make some",
    "FOLDER": "names no folder",
    "tests.benchmarks": "not part of the tests",
    "tests.load": "tests/demo/test_load.py runs it",
}
NAMED = ("python -m evaluation",)
"""Commands that sentences mention without the options that they need."""


def commands() -> list[tuple[str, str]]:
    """(document, command) for every document, in order, each command once."""
    document_of: dict[str, str] = {}
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        blocks = "\n".join(FENCED.findall(text)) + "\n" + "\n".join(INDENTED.findall(text))
        lines = [*re.sub(r"\\\n\s*", "", blocks).splitlines(), *INLINE.findall(text)]
        for line in lines:
            for part in line.split("  #")[0].split("&&"):
                command = part.strip().removeprefix("$ ")
                if command.startswith(PROGRAMS) and command not in NAMED and "…" not in command:
                    document_of.setdefault(command, path.relative_to(ROOT).as_posix())
    return [(document, command) for command, document in document_of.items()]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the working tree without its history."""
    folder = tmp_path_factory.mktemp("copy") / "gclip"
    unwanted = shutil.ignore_patterns(
        ".git", "node_modules", "__pycache__", ".*_cache", "runs", "results"
    )
    shutil.copytree(ROOT, folder, ignore=unwanted)
    return folder


RUN = [
    (document, command)
    for document, command in commands()
    if document != EVALUATION and not any(part in command for part in NOT_RUN)
]


@pytest.mark.long
@pytest.mark.parametrize(("document", "command"), RUN, ids=[command for _, command in RUN])
def test_command(document: str, command: str, checkout: Path) -> None:
    """In the documents' order, because some commands read what earlier ones wrote."""
    words = shlex.split(re.sub(r"\bphoto\.jpg", "assets/photos/dog.jpg", command))
    if words[0] == "gclip":  # the command that an installation adds
        words = ["python", "-m", "gclip_core.segment", *words[1:]]
    if words[1] == "app.py" and "--help" not in words:
        _serve(words)
    else:
        _run(words, checkout)


def _run(words: list[str], folder: Path) -> None:
    """Run to the end, which must succeed."""
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=folder, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"[-1500:]


def _serve(words: list[str]) -> None:
    """Start the page on a free port, wait until it is healthy, then stop it."""
    given = ("app.py", "7860", "--port", "0.0.0.0", "--host", "127.0.0.1")
    with serving(*(word for word in words[1:] if word not in given)) as page:
        assert httpx.get(f"{page.url}/health", timeout=5).json()["status"] == "ok"
