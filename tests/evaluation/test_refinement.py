"""What refinements do to masks: the table of figures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation import metric, options
from evaluation.photo_set import listed
from evaluation.queries import queried_classes
from evaluation.refinement.__main__ import main
from evaluation.refinement.measurement import measure
from gclip_core import METHODS, Segmenter
from gclip_core.refine import REFINEMENTS, refined
from gclip_core.types import Vocabulary
from tests.models import picture, tiny_backbone

NAMES = ("one", "two", "three")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photos with two words each; a list names two of them."""
    index = []
    for seed, name in enumerate(NAMES):
        picture(48, 64, seed).save(tmp_path / f"{name}.jpg")
        mask = np.repeat([[1, 2]], 48, axis=0).repeat(32, axis=1).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
        index.append({"file": name, "words": {"1": "cat", "2": ("sky", "wall", "dog")[seed]}})
    (tmp_path / "index.json").write_text(json.dumps(index))
    (tmp_path / "report.txt").write_text("one\nthree\n")
    return tmp_path


def test_figures_are_the_mean_over_photos_of_the_iou_of_their_words(folder: Path) -> None:
    segmenter = Segmenter(tiny_backbone(), short_side=32, templates="plain")
    dataset = listed(folder, "report")
    assert [sample.name for sample in dataset.samples] == ["one", "three"]
    rows = measure(segmenter, dataset, REFINEMENTS)
    assert [row.label for row in rows] == ["none", "guided", "pamr"]
    for row in rows:
        iou = []
        for sample in dataset.samples:
            image, truth = sample.load()
            words = queried_classes(truth, dataset.classes, "present", sample.name)
            vocabulary = Vocabulary(tuple(dataset.classes[c].phrases for c in words))
            plain = segmenter.segment(image, vocabulary, METHODS["gclip"])
            labels = np.array(words)[refined(plain, image, row.label).labels.numpy()]
            counts = metric.confusion(truth, labels, len(dataset.classes))
            iou.append(np.mean([metric.scores(counts).iou[c] for c in words]))
        assert row.iou[0] == pytest.approx(100 * np.mean(iou))


def test_the_command_names_its_photos_and_what_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(tiny_backbone(), short_side=32)
    monkeypatch.setattr(options, "opened_backbone", lambda args, name: small)
    assert main([str(folder), "--n", "1"]) == 0
    assert f"tiny · 1 photo of {folder.name}" in capsys.readouterr().out
    assert main([str(folder), "--choose"]) == 2
    assert "A list of photos was expected at" in capsys.readouterr().err
