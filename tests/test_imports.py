"""Importing is free: no page, no plots, no network, no weights. `lint-imports` says the rest."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "gclip_core"

NO_NETWORK = """
import socket
def refuse(*args, **kwargs):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse
"""


def run(code: str) -> str:
    """Run Python in a process of its own, without a network; its output."""
    done = subprocess.run(
        [sys.executable, "-c", NO_NETWORK + code],
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_core_segments_and_loads_no_page_no_plots_and_asks_no_network() -> None:
    shape, loaded = run(
        "import numpy as np, sys, gclip_core as gclip\n"
        "face = gclip.Segmenter(gclip.load_backbone('built-in'))\n"
        "image = np.zeros((90, 120, 3), np.uint8)\n"
        "print(tuple(face.segment(image, 'cat, sky').labels.shape))\n"
        "print(*sys.modules)\n"
    ).splitlines()
    assert shape == "(90, 120)"
    tops = {name.partition(".")[0] for name in loaded.split()}
    assert "gclip_core" in tops
    assert not tops & {"gradio", "matplotlib", "demo", "app", "fastapi", "uvicorn"}


def test_every_public_name_is_there() -> None:
    import gclip_core

    assert all(hasattr(gclip_core, name) for name in gclip_core.__all__)


def imports_in_functions(folder: str) -> Iterator[tuple[str, str]]:
    """Every package that a function of our code imports, and the file it is in."""
    for path in (PACKAGE.parent / folder).rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
        for node in (inner for function in functions for inner in ast.walk(function)):
            if isinstance(node, ast.ImportFrom):
                yield (node.module or "").partition(".")[0], str(path)
            elif isinstance(node, ast.Import):
                yield from ((name.name.partition(".")[0], str(path)) for name in node.names)


def test_only_optional_packages_are_imported_inside_a_function() -> None:
    listed = (PACKAGE.parent / "requirements.txt").read_text("utf-8")
    needed = {"open_clip", "PIL", *re.findall(r"(?m)^[\w-]+", listed)}
    found = [one for top in ("gclip_core", "evaluation", "training", "demo")
             for one in imports_in_functions(top)]  # fmt: skip
    assert found, "optional packages are"
    for package, path in found:
        assert package not in {"", *needed, *sys.stdlib_module_names}, path
        assert not (PACKAGE.parent / package).is_dir(), f"{path} imports our own {package}"
