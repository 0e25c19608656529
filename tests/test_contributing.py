"""A copy of the code with everything added that CONTRIBUTING.md describes."""

import os
import re
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

from tests import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
CLASSES = re.search(r"```text\n(.*?)```", TEXT, re.DOTALL)

# Where a table's entry goes: right after the line that opens the table.
TABLES = {
    "Method(": ("gclip_core/methods.py", "METHODS: Table[Method] = Table("),
    "BackboneEntry(": (
        "gclip_core/backbones/registry.py",
        "BACKBONES: Table[BackboneEntry] = Table(",
    ),
    "Dataset(": ("evaluation/datasets.py", "DATASETS: Table[Dataset] = Table("),
}

COPIED = ("gclip_core", "evaluation")

CORE = """
import socket, sys
absent = {name: sys.modules.pop(name, None) for name in ("gradio", "matplotlib", "fastapi", "demo")}
sys.modules.update(dict.fromkeys(absent))
def refuse(*args, **kwargs):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse
import numpy as np, gclip_core as gclip
segmenter = gclip.Segmenter(gclip.load_backbone(), short_side=96, templates="plain")
masks = segmenter.segment(np.zeros((64, 64, 3), np.uint8), "cat, sky", gclip.METHODS["mine"])
assert masks.method.title == "Mine" and masks.labels.shape == (64, 64)
for name in absent:
    del sys.modules[name]
sys.modules.update({name: module for name, module in absent.items() if module})
"""

METHOD = """
import open_clip
from evaluation import datasets
from evaluation import __main__ as evaluation
from evaluation.benchmark import chosen_methods
from open_clip.pretrained import get_pretrained_cfg
assert chosen_methods(["mine"])[0].title == "Mine"
assert "mine" in evaluation.parser().format_help()
entry = gclip.BACKBONES["datacomp-vit-b-32"]
assert get_pretrained_cfg(entry.architecture, entry.pretrained), "open_clip publishes it"
layers = open_clip.get_model_config(entry.architecture)["vision_cfg"]
assert (entry.blocks, entry.patch) == (layers["layers"], layers["patch_size"])
assert [c.name for c in datasets.DATASETS["mine"].classes()] == ["cat", "sofa"]
ids = datasets.DATASETS["mine"].files[0].ids
assert ids.labels(np.array([[0, 1, 2, 255]]), "a mask").tolist() == [[-1, 0, 1, -1]]
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code with everything added that CONTRIBUTING.md shows."""
    folder = tmp_path_factory.mktemp("contributed")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name)
    (folder / "assets").symlink_to(ROOT / "assets")
    (folder / "evaluation/class_lists/mine.txt").write_text(CLASSES[1], "utf-8")
    left = list(PYTHON)
    for code in PYTHON:
        for start, (file, opening) in TABLES.items():
            if code.startswith(start):
                path = folder / file
                text = path.read_text("utf-8")
                assert text.count(opening) == 1
                path.write_text(text.replace(opening, f"{opening}\n{code.rstrip()},"), "utf-8")
                left.remove(code)
    assert not left
    return folder


def _use(folder: Path) -> None:
    torch.set_num_threads(1)  # a fork has no OpenMP threads and would wait for them
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] in COPIED]:
        del sys.modules[name]
    exec(CORE + METHOD, {})


def test_additions(copy: Path) -> None:
    """A method, a backbone and a data set are added as described; no page or network is needed.

    In a fork of this process, in which libraries are already imported.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as child:
        child.submit(_use, copy).result()
