"""The entries that CONTRIBUTING.md shows work in the modules to which they are added."""

import re
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import numpy as np

from demo import segment
from evaluation import class_lists, datasets
from gclip_core import Segmenter, methods
from gclip_core.backbones import registry
from tests import ROOT
from tests.demo.photos import FLOWER, scene
from tests.evaluation.sets import save_ids, save_image
from tests.gclip_core.test_backbone import check_entry
from tests.models import picture, tiny_backbone
from training.data import TRAINING_SPLIT

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
METHOD, BACKBONE, DATASET, VIEW = map(dedent, re.findall(r" *```python\n(.*?)```", TEXT, re.DOTALL))
(CLASSES,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)


def entry(code: str, module: ModuleType) -> Any:
    return eval(code, vars(module).copy())


def test_entries() -> None:
    """A method segments, a backbone agrees with open_clip."""
    segmenter = Segmenter(tiny_backbone(), short_side=32, templates="plain")
    masks = segmenter.segment(picture(32, 32), "cat, sky", entry(METHOD, methods))
    assert masks.method.title == "Mine"
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
    assert [c.name for c in class_lists.parse(CLASSES, dataset.class_list)] == ["cat", "sofa"]
    ids = dataset.files[0].ids
    assert ids.labels(np.array([[0, 1, 2, 255]]), "a mask").tolist() == [[-1, 0, 1, -1]]
    dataset = replace(dataset, class_list="voc20")  # its own list is not in the repository
    for split in (dataset.split, TRAINING_SPLIT[dataset.split]):
        save_image(tmp_path / f"images/{split}/{split}.jpg")
        save_ids(tmp_path / f"masks/{split}/{split}.png", [[0, 1]])
        opened = datasets.open_dataset(dataset, tmp_path, split)
        assert [sample.name for sample in opened.samples] == [split]
