"""A result in the formats of other tools, which read the same mask from it."""

import json
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from gclip_core import GclipError, Segmentation, Segmenter, formats
from tests.models import picture, tiny_backbone

pytestmark = pytest.mark.filterwarnings("ignore:OpenCV")

NAMES = ("cat", "sky", "sofa", "wall")


@lru_cache
def result() -> Segmentation:
    """Two cats, a sky with a hole, no sofa, and a wall of one pixel."""
    segmenter = Segmenter(tiny_backbone(), templates="plain")
    computed = segmenter.segment(picture(60, 80), ", ".join(NAMES))
    labels = torch.full((60, 80), -1, dtype=torch.int16)
    labels[5:25, 10:70] = 1
    labels[10:15, 30:40] = -1
    labels[30:50, 5:20] = labels[35:55, 50:75] = 0
    labels[59, 79] = 3
    return replace(computed, labels=labels)


def test_printed() -> None:
    """A printed result is a line of shares."""
    shown = str(result())
    assert shown.startswith("cat 16.7 %, sky 24.0 %, wall <0.1 %, no class 59.4 %")
    assert "sofa" not in shown
    assert max(map(len, shown.splitlines())) <= 96


def test_to_dict() -> None:
    """The summary is JSON, in the order of the words."""
    summary = json.loads(json.dumps(result().to_dict()))
    assert [*summary["areas"]] == [*NAMES] == [names[0] for names in summary["classes"]]
    assert sum(summary["areas"].values()) + summary["no_class"] == pytest.approx(1)


@pytest.mark.parametrize("polygons", [False, True])
def test_coco(polygons: bool, tmp_path: Path) -> None:
    """pycocotools reads the same masks from runs and from polygons."""
    from pycocotools.coco import COCO

    file = tmp_path / "coco.json"
    file.write_text(
        json.dumps(result().to_coco("a.png", polygons=polygons, crowd=["sky"])), "utf-8"
    )
    read, labels = COCO(str(file)), result().labels.numpy()
    assert [c["name"] for c in read.loadCats(read.getCatIds())] == [*NAMES]
    found = {a["category_id"] - 1: a for a in read.loadAnns(read.getAnnIds())}
    assert [*found] == [0, 1, 3], "the sofa has no pixel"
    assert [a["iscrowd"] for a in found.values()] == [0, 1, 0]
    assert found[1]["bbox"] == [10, 5, 60, 20]
    for index, annotation in found.items():
        inside = labels == index
        assert annotation["area"] == inside.sum()
        assert 0 < annotation["score"] <= 1
        assert (read.annToMask(annotation) == inside).all()


def test_detections() -> None:
    """supervision's detections have the same masks."""
    detections, labels = result().to_detections(), result().labels.numpy()
    assert detections.data["class_name"].tolist() == ["cat", "sky", "wall"]
    for index, mask in zip(detections.class_id, detections.mask, strict=True):
        assert (mask == (labels == index)).all()
    assert detections.xyxy[1].tolist() == [10, 5, 70, 25]
    nothing = replace(result(), labels=torch.full((60, 80), -1, dtype=torch.int16))
    assert len(nothing.to_detections()) == 0


def test_polygons() -> None:
    """The polygons of YOLO and LabelMe, painted, are the mask, with its hole."""
    labels, canvas = result().labels.numpy(), Image.new("L", (80, 60), 255)
    draw = ImageDraw.Draw(canvas)
    lines = [line.split() for line in formats.yolo(result()).splitlines()]
    assert [line[0] for line in lines].count("0") == 2, "two cats"
    for number, *numbers in lines:
        points = np.array(numbers, float).reshape(-1, 2) * (80, 60) - 0.5
        draw.polygon([*map(tuple, points.round())], fill=int(number))
    shown = np.asarray(canvas)
    assert (shown == np.where(labels < 0, 255, labels)).all()
    shapes = formats.labelme(result(), "../a.png")["shapes"]
    assert {shape["label"] for shape in shapes} == {"cat", "sky", "wall"}
    assert len(shapes) == len(lines)


def test_objects() -> None:
    """Each connected part that is large enough is a thing, with its own score."""
    things, labels = result().to_detections(objects=0.001), result().labels.numpy()
    assert things.data["class_name"].tolist() == ["cat", "cat", "sky"], "the wall is too small"
    assert things.xyxy[:2].tolist() == [[5, 30, 20, 50], [50, 35, 75, 55]]
    assert (things.mask[:2].any(0) == (labels == 0)).all()
    first, second, *_ = things.confidence * things.mask.sum((1, 2))
    whole = result().to_detections().confidence[0] * (labels == 0).sum()
    assert first + second == pytest.approx(whole)
    assert len(result().to_coco(objects=0)["annotations"]) == 4
    groups = [shape["group_id"] for shape in formats.labelme(result(), "a.png", 0)["shapes"]]
    assert {*groups} == {0, 1, 2, 3}
    with pytest.raises(GclipError, match="objects"):
        result().to_coco(objects=True)


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error names the package that is missing."""
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    monkeypatch.setitem(sys.modules, "supervision", None)
    for ask, package in ((Segmentation.to_coco, "pycocotools"), (formats.yolo, "supervision")):
        with pytest.raises(GclipError, match=f"pip install {package}"):
            ask(result())
