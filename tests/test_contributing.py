"""The entries that CONTRIBUTING.md shows work in the modules to which they are added."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import numpy as np

from demo import segment
from evaluation import class_lists, datasets
from gclip_core.backbones import registry
from tests import ROOT
from tests.demo.photos import FLOWER, scene
from tests.evaluation.sets import save_ids, save_image
from tests.gclip_core.test_backbone import check_entry
from training.data import TRAINING_SPLIT

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
METHOD, BACKBONE, DATASET, VIEW = map(dedent, re.findall(r" *```python\n(.*?)```", TEXT, re.DOTALL))
(CLASSES,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)


def entry(code: str, module: ModuleType) -> Any:
    return eval(code, vars(module).copy())


def run_with_copy(folder: Path, code: str) -> str:
    """What code prints with the copy of ``gclip_core`` in a folder in place of the package."""
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_method(tmp_path: Path) -> None:
    """A method is one file, which is found by itself, and one row of the reference."""
    shutil.copytree(ROOT / "gclip_core", tmp_path / "gclip_core")
    (tmp_path / "gclip_core/relatives/mine.py").write_text(METHOD, "utf-8")
    (row,) = re.findall(r'`"mine": (Row\(.*?\))`', TEXT)
    code = f"""
from tests.gclip_core.test_last_block import METHODS, reference, test_last_attention, test_methods
reference.METHODS["mine"] = reference.{row}
test_methods("12 blocks", "mine")
test_last_attention("mine")
print(METHODS["mine"].title)
"""
    assert run_with_copy(tmp_path, code) == "Mine\n"


def test_core_alone(tmp_path: Path) -> None:
    """Without ``relatives/``, the core segments with its own methods, and says how to add more."""
    without = shutil.ignore_patterns("relatives", "__pycache__")
    shutil.copytree(ROOT / "gclip_core", tmp_path / "gclip_core", ignore=without)
    code = """
import gclip_core as gclip
from tests.models import picture, tiny_backbone
segmenter = gclip.Segmenter(tiny_backbone(), short_side=32, templates="plain")
encoded = segmenter.encode(picture(32, 48))
own = [gclip.gclip(amf, cs) for amf in (True, False) for cs in (True, False)]
for method in (*gclip.METHODS.values(), *own):
    segmenter.segment(encoded, "cat, sky", method, background=True)
print(*gclip.METHODS)
try:
    gclip.METHODS["rfclip"]
except gclip.MethodError as error:
    print(error)
"""
    methods, error = run_with_copy(tmp_path, code).splitlines()
    assert methods == "clip maskclip vv sclip clearclip naclip gclip kk"
    assert error.endswith("`import gclip_core.relatives` adds more.")


def test_backbone() -> None:
    """A backbone agrees with open_clip."""
    check_entry(entry(BACKBONE, registry))


def test_component() -> None:
    """The function of a component takes a scene."""
    module = vars(segment).copy()
    exec(dedent(VIEW), module)
    shares = module["areas"](scene(FLOWER, words="flower", short_side=64, refine="none"))
    assert 0 < shares["flower"] <= 1


def test_data_set(tmp_path: Path) -> None:
    """A data set has its classes, its ids, and images of its own for training."""
    dataset = entry(DATASET, datasets)
    (tmp_path / "mine.txt").write_text(CLASSES, "utf-8")
    assert [c.name for c in class_lists.read(str(tmp_path / "mine"))] == ["cat", "sofa"]
    ids = dataset.files[0].ids
    assert ids.labels(np.array([[0, 1, 2, 255]]), "a mask").tolist() == [[-1, 0, 1, -1]]
    dataset = replace(dataset, class_list="voc20")  # its own list is not in the repository
    for split in (dataset.split, TRAINING_SPLIT[dataset.split]):
        save_image(tmp_path / f"images/{split}/{split}.jpg")
        save_ids(tmp_path / f"masks/{split}/{split}.png", [[0, 1]])
        opened = datasets.open_dataset(dataset, tmp_path, split)
        assert [sample.name for sample in opened.samples] == [split]
