"""The core runs without the page, plots and a network. `lint-imports` checks the rest."""

import subprocess
import sys

from tests import ROOT

CODE = """
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse
import numpy as np, gclip_core as gclip
face = gclip.Segmenter(gclip.load_backbone("built-in"), short_side=96)
print(tuple(face.segment(np.zeros((90, 120, 3), np.uint8), "cat, sky").labels.shape))
print(*sys.modules)
"""


def test_the_core_segments_and_loads_no_page_no_plots_and_asks_no_network() -> None:
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    shape, loaded = done.stdout.splitlines()
    assert shape == "(90, 120)"
    tops = {name.partition(".")[0] for name in loaded.split()}
    assert "gclip_core" in tops
    assert not tops & {"gradio", "matplotlib", "demo", "app", "fastapi", "uvicorn"}
