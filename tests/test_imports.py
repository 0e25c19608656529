"""The core runs without the page, plots and a network. `lint-imports` checks the rest."""

import subprocess
import sys
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
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_core_segments_and_loads_no_page_no_plots_and_asks_no_network() -> None:
    shape, loaded = run(
        "import numpy as np, sys, gclip_core as gclip\n"
        "face = gclip.Segmenter(gclip.load_backbone('built-in'), short_side=96)\n"
        "image = np.zeros((90, 120, 3), np.uint8)\n"
        "print(tuple(face.segment(image, 'cat, sky').labels.shape))\n"
        "print(*sys.modules)\n"
    ).splitlines()
    assert shape == "(90, 120)"
    tops = {name.partition(".")[0] for name in loaded.split()}
    assert "gclip_core" in tops
    assert not tops & {"gradio", "matplotlib", "demo", "app", "fastapi", "uvicorn"}
