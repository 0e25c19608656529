"""Published figures are shown beside a run only where its settings are theirs."""

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from evaluation.benchmark import comparison, published
from evaluation.benchmark.experiment import Experiment
from evaluation.benchmark.rows import method_rows
from evaluation.benchmark.tally import Tally
from evaluation.datasets import DATASETS
from evaluation.samples import LabelledSet
from gclip_core import METHODS, Segmenter, gclip
from gclip_core.refine import REFINEMENTS
from tests import ROOT
from tests.models import tiny_backbone

IMAGES = {"voc20": 1449, "voc21": 1449, "context60": 5104, "cityscapes": 500, "ade20k": 2000}
CLEARCLIPS = {"short_side": 448, "window": 448, "stride": 224}


def settings(dataset: str, **changed: Any) -> dict[str, Any]:
    """The settings of a default run on a whole set, with OpenAI's ViT-B/16 and every method."""
    entry = DATASETS[dataset]
    samples = [Mock()] * IMAGES[dataset]
    for sample in samples:
        sample.name = "image"
    opened = LabelledSet(
        dataset, entry.title, entry.classes(), samples, 0 if entry.background else None, ""
    )
    backbone = replace(tiny_backbone(1, layers=1), name="openai-vit-b-16")
    sizes = entry.protocol
    segmenter = Segmenter(backbone, sizes.short_side, sizes.window, sizes.stride)
    rows = method_rows(METHODS, partial(gclip, amf_blocks="backbone", cs_blocks="backbone"))
    return Experiment(segmenter, opened, rows, "all", sizes.threshold).as_json() | changed


def figures(plain: dict[str, Any]) -> dict[str, str | None]:
    """The comparable figure of each method."""
    return {
        row["method"]["name"]: published.comparable(plain, row["method"]) for row in plain["rows"]
    }


def test_a_default_run_is_compared_with_methods_of_its_sizes() -> None:
    shown = figures(settings("voc20"))
    assert {name for name, figure in shown.items() if figure} == {
        "maskclip",
        "sclip",
        "scclip",
        "naclip",
        "sfp",
    }
    assert shown["naclip"] == "79.7"
    assert shown["sfp"] == "83.4?"  # in sizes that are not public


def test_clearclip_s_sizes_are_its_own() -> None:
    assert figures(settings("cityscapes"))["clearclip"] is None
    sizes = CLEARCLIPS | {"window": 224}
    assert figures(settings("cityscapes", **sizes))["clearclip"] == "30.0"
    assert figures(settings("voc20", **CLEARCLIPS))["clearclip"] == "80.9"
    assert figures(settings("voc20", **CLEARCLIPS))["naclip"] is None


def test_gclip_is_compared_with_the_paper_in_either_counting_of_blocks() -> None:
    plain = settings("cityscapes")
    assert figures(plain)["gclip"] == "33.7?"
    forms = {"backbone": "33.7?", (5, 6): "33.7?", (6, 7): "33.7?", (3, 4): None}
    for blocks, figure in forms.items():
        (row,) = method_rows(["gclip"], partial(gclip, amf_blocks=blocks, cs_blocks="backbone"))
        method = json.loads(json.dumps(published.method_json(row.method)))
        assert published.comparable(plain, method) == figure
    for method in (gclip(amf=False), gclip(cs=False), gclip(heads="mean")):
        assert published.comparable(plain, published.method_json(method)) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"backbone": "built-in"},
        {"words": "present"},
        {"templates": "plain"},
        {"images": 100},
        {"planted": [{"channel": 3}]},
        {"short_side": 448},
        {"stride": 224},
        {"window": 0},
    ],
    ids=str,
)
def test_other_settings_are_compared_with_nothing(changed: dict[str, Any]) -> None:
    assert figures(settings("voc20"))["sclip"] == "80.4"
    assert figures(settings("voc20", **changed))["sclip"] is None


def test_sets_with_a_background_need_the_threshold_and_the_logit_scale_too() -> None:
    assert figures(settings("voc21"))["naclip"] == "58.9"
    assert figures(settings("voc21", threshold=0.5))["naclip"] is None
    assert figures(settings("context60", logit_scale=50))["sclip"] == "30.4"
    assert figures(settings("context60"))["sclip"] is None
    # No run has SCLIP's smallest area, or ClearCLIP's single word for VOC21's background.
    assert figures(settings("voc21", logit_scale=65))["sclip"] is None
    clear = CLEARCLIPS | {"threshold": 0.5, "logit_scale": 50}
    assert figures(settings("voc21", **clear))["clearclip"] is None


def test_refined_masks_are_compared_with_refined_ones_only() -> None:
    assert figures(settings("voc21", refine="pamr"))["naclip"] == "64.07"
    for name, figure in figures(settings("voc20", refine="pamr")).items():
        assert (figure is not None) == (name == "naclip")
    assert not any(figures(settings("voc20", refine="guided")).values())


def test_the_table_shows_them_beside_what_was_measured() -> None:
    plain = settings("ade20k")
    n, classes = len(plain["rows"]), len(plain["classes"])
    counts = np.zeros((n, classes, classes + 1), np.int64)
    counts[:, 0, 0] = 1
    tally = Tally(plain, counts, dict.fromkeys(range(2000), np.ones(n)))
    lines = comparison.paper([tally]).splitlines()
    assert lines[0].split() == ["tiny", "ADE20K", "published"]
    shown = {line.split("  ")[0]: line.split()[-1] for line in lines[2:-2]}
    assert shown["GCLIP"] == "18.5?"
    assert shown["SCLIP"] == "16.1"
    assert shown["ClearCLIP"] == "100.00"
    assert lines[-1] == comparison.PUBLISHED_NOTE


def test_every_figure_is_of_a_known_method_and_set_and_has_a_source() -> None:
    for (name, refine), result in published.RESULTS.items():
        assert name in METHODS
        assert refine in REFINEMENTS
        assert result.source
        assert set(result.miou) <= DATASETS.keys()
    assert published.RESULTS["gclip", "none"].miou["cityscapes"] == 33.7


def test_the_document_has_the_same_figures() -> None:
    text = Path(ROOT / "docs" / "EVALUATION.md").read_text("utf-8")
    section = text.partition("### Published figures")[2].partition("\n## ")[0]
    head, *rows = re.findall(r"^\| (.*) \|$", section, re.M)
    sets = [name.strip("` ") for name in head.split("|")[1:]]
    stated = {}
    for method, *cells in (row.split("|") for row in rows):
        numbers = zip(sets, (cell.strip() for cell in cells), strict=True)
        stated[method.strip("` ")] = {name: float(cell) for name, cell in numbers if cell != "–"}
    assert stated == {
        name if refine == "none" else f"{name}`, `{refine}": dict(result.miou)
        for (name, refine), result in published.RESULTS.items()
    }
