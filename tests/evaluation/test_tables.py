"""Tables and JSON of results, with published figures, against hand-computed numbers."""

import csv
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evaluation import EvaluationError, tables
from evaluation.benchmark import Experiment, Result, chosen_methods, method_settings
from evaluation.datasets import DATASETS, LabelledSet, Sample
from gclip_core import Segmenter, gclip
from gclip_core.pixels.refine import REFINEMENTS
from gclip_core.relatives import METHODS
from tests.models import tiny_backbone

# IoU of cat and dog: 1/2 and 1/2; 3/5 and 2/4; 2/5 and nothing for the dog.
HALF = [[2, 1, 0], [1, 2, 0]]
MORE = [[3, 1, 0], [1, 2, 0]]
LESS = [[2, 1, 1], [1, 0, 2]]
THREE = {"CLIP": LESS, "ClearCLIP": HALF, "GCLIP": MORE}


def result(counts: dict[str, list[list[int]]], title: str = "VOC20", **changed: Any) -> Result:
    """A result with two classes: (2, 3) counts for each method."""
    settings = {
        "dataset": title.lower(),
        "title": title,
        "backbone": "openai-vit-b-16",
        "backbone_title": "OpenAI ViT-B/16",
        "weights": "0b1c",
        "code": "c0de",
        "dtype": "float32",
        "split": "val",
        "images": 2,
        "words": "all",
        "classes": [{"name": "cat", "phrases": ["cat"]}, {"name": "dog", "phrases": ["dog"]}],
        "refine": "none",
        "templates": "imagenet80",
        "short_side": 336,
        "window": 224,
        "stride": 112,
        "threshold": 0.0,
        "logit_scale": 40.0,
        "methods": [{"name": label.lower(), "title": label} for label in counts],
    }
    # Nothing was counted in the second image.
    image_miou = np.array([np.linspace(0.1, 0.9, len(counts)), np.full(len(counts), np.nan)])
    return Result(settings | changed, np.array([*counts.values()], np.int64), image_miou)


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_paper() -> None:
    """Methods by sets, with a mean, differences to ClearCLIP, and each run's settings."""
    city = result(THREE | {"GCLIP": HALF}, "Cityscapes", short_side=560)
    text = tables.paper_table([result(THREE), city])
    rows = text.splitlines()
    assert lines(text) == [
        "OpenAI ViT-B/16 VOC20 Cityscapes mean",
        "─" * len(rows[1]),
        "CLIP 20.00 (−30.00) 20.00 (−30.00) 20.00 (−30.00)",
        "ClearCLIP 50.00 50.00 50.00",
        "GCLIP 55.00 (+5.00) 50.00 (0.00) 52.50 (+2.50)",
        "",
        "split val val",
        "images 2 2",
        "short side 336 560",
        "window 224 224",
        "stride 112 112",
        "threshold 0 0",
        "logit scale 40 40",
        "words all all",
        "refine none none",
        "templates imagenet80 imagenet80",
        "dtype float32 float32",
    ]
    assert len({len(row) for row in (*rows[:3], rows[4])}) == 1, "columns are aligned"
    assert "mean" not in tables.paper_table([city]), "one set has no mean"


def test_formats() -> None:
    """The same cells in Markdown, CSV and LaTeX; notes are comments where a table is a file."""
    runs = [result({"CLIP": LESS, "ClearCLIP": HALF}), result({"CLIP": LESS}, "A&B", images=3)]
    markdown = tables.paper_table(runs, "md").splitlines()
    assert markdown[:3] == [
        "| OpenAI ViT-B/16 | VOC20 | A&B |",
        "| --- | --: | --: |",
        "| CLIP | 20.00 (−30.00) | 20.00 |",
    ]
    comma = tables.paper_table(runs, "csv")
    rows = [*csv.reader(line for line in comma.splitlines() if not line.startswith("#"))]
    assert rows[1] == ["CLIP", "20.00 (−30.00)", "20.00"] and "# Images of A&B are" in comma
    latex = tables.paper_table(runs, "latex").splitlines()
    assert latex[:2] == [r"\begin{tabular}{lrr}", r"OpenAI ViT-B/16 & VOC20 & A\&B \\"]
    assert r"CLIP & 20.00 ($-$30.00) & 20.00 \\" in latex and r"\end{tabular}" in latex


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"words": "present+10"}, "words"),
        ({"refine": "guided", "templates": "plain"}, "refine, templates"),
        ({"dtype": "bfloat16", "weights": "ffff"}, "dtype, weights"),
        ({"code": "0ld"}, "code"),
        ({"methods": [{"name": "gclip", "title": "GCLIP", "fusion": "other"}]}, "GCLIP"),
    ],
)
def test_different_runs(changed: dict[str, Any], named: str) -> None:
    """There is no mean over runs with different requests, and a sentence names the differences."""
    other = result({"GCLIP": HALF}, "Cityscapes", **changed)
    text = tables.paper_table([result({"GCLIP": MORE}), other])
    assert text.splitlines()[0].split()[-1] == "Cityscapes"
    assert text.endswith(f"No mean over these runs, because they differ in {named}.")
    del other.settings["code"]  # as in a folder of an earlier version
    assert "No mean over these runs" in tables.paper_table([result({"GCLIP": MORE}), other])


def test_paper_with_gaps() -> None:
    """There is no mean where a run lacks the method; backbones have their own tables; two results
    for one set are refused."""
    text = tables.paper_table([result(THREE), result({"CLIP": HALF}, "ADE20K")])
    row = next(line for line in text.splitlines() if line.startswith("GCLIP"))
    assert row.split()[-2:] == ["–", "–"]
    text = tables.paper_table([result(THREE), result(THREE, backbone_title="Built-in")])
    heads = [line for line in lines(text) if line.endswith("VOC20")]
    assert heads == ["OpenAI ViT-B/16 VOC20", "Built-in VOC20"]
    with pytest.raises(EvaluationError, match="two results of"):
        tables.paper_table([result(THREE), result(THREE)])


def test_json() -> None:
    """JSON has scores and settings, and null for nan."""
    scored = result({"CLIP": [[4, 0, 0], [0, 0, 0]]})
    plain = json.loads(tables.result_json(scored))
    assert plain["results"] == [
        {
            "method": "CLIP",
            "miou": 1.0,
            "mean_accuracy": 1.0,
            "pixel_accuracy": 1.0,
            "image_miou": 0.1,
            "iou": {"cat": 1.0, "dog": None},
        }
    ]
    assert plain["settings"] == scored.settings


# --- published figures ---------------------------------------------------------------------------

CLEARCLIPS = {"short_side": 448, "window": 448, "stride": 224}


def settings(dataset: str, **changed: Any) -> dict[str, Any]:
    """The settings of a default run on a whole set, with OpenAI's ViT-B/16 and every method."""
    entry = DATASETS[dataset]
    samples = [Sample("image", lambda: None)] * tables.PUBLISHED["images"][dataset][0]
    background = 0 if entry.background else None
    opened = LabelledSet(
        dataset, entry.title, entry.classes(), samples, background, "", protocol=entry.protocol
    )
    backbone = replace(tiny_backbone(1, layers=2), name="openai-vit-b-16")
    segmenter = Segmenter(backbone, entry.protocol.short_side)
    methods = chosen_methods(METHODS, amf_blocks="backbone", cs_blocks="backbone")
    experiment = Experiment(segmenter, opened, methods)
    return experiment.settings() | changed


@pytest.mark.parametrize(
    ("dataset", "changed", "method", "figure"),
    [
        ("voc20", {}, "SCLIP", "80.4"),
        ("voc20", {}, "SFP", "83.4?"),  # at sizes that are not public
        ("voc20", {}, "ClearCLIP", None),
        ("voc20", {"refine": "pamr"}, "NACLIP", "83.03?"),
        ("voc20", {"refine": "guided"}, "NACLIP", None),
        ("voc20", {"backbone": "built-in"}, "SCLIP", None),
        ("voc20", {"words": "present"}, "SCLIP", None),
        ("voc20", {"templates": "plain"}, "SCLIP", None),
        ("voc20", {"images": 1448}, "SCLIP", None),
        ("voc20", {"stride": 224}, "SCLIP", None),
        ("voc20", {"threshold": 0.5}, "SCLIP", None),
        # ClearCLIP has its own sizes and, on Cityscapes, another window.
        ("voc20", CLEARCLIPS, "ClearCLIP", "80.9"),
        ("cityscapes", CLEARCLIPS | {"window": 224}, "ClearCLIP", "30.0"),
        ("cityscapes", CLEARCLIPS, "ClearCLIP", None),
        # Sets with a background need the threshold and the logit scale, too.
        ("voc21", {}, "NACLIP", "58.9"),
        ("voc21", {"threshold": 0.5}, "NACLIP", None),
        ("context60", {"logit_scale": 50}, "SCLIP", "30.4"),
        ("context60", {}, "SCLIP", None),
    ],
)
def test_comparable_settings(
    dataset: str, changed: dict[str, Any], method: str, figure: str | None
) -> None:
    """A run is compared with a figure only if it has the settings of the authors' code."""
    assert tables.published_figures(settings(dataset, **changed)).get(method) == figure


def test_the_paper_itself() -> None:
    """GCLIP is compared with the paper's blocks in either numbering, and with nothing else."""
    plain = settings("cityscapes")
    same = [gclip(), gclip(amf_blocks=(5, 6)), gclip(amf_blocks=(6, 7))]
    changes = {"amf_blocks": (3, 4)}, {"amf_blocks": "auto"}, {"n_fused": 3}, {"amf": False}
    others = [gclip(**changed) for changed in changes]
    for method in (*same, *others):
        figures = tables.published_figures(plain | {"methods": [method_settings(method)]})
        assert figures == ({"GCLIP (AMF + CS)": "33.7?"} if method in same else {})


def test_beside_measured() -> None:
    """The paper's table shows published figures beside what was measured, with a note."""
    plain = settings("ade20k")
    n, classes = len(plain["methods"]), len(plain["classes"])
    counts = np.zeros((n, classes, classes + 1), np.int64)
    counts[:, 0, 0] = 1
    whole = Result(plain, counts, np.ones((2000, n)))
    text = tables.paper_table([whole]).splitlines()
    assert text[0].split() == ["tiny", "ADE20K", "published"]
    shown = {line.split("  ")[0]: line.split()[-1] for line in text[2 : 2 + n]}
    assert (shown["GCLIP (AMF + CS)"], shown["SCLIP"], shown["CLIP"]) == ("18.5?", "16.1", "(0.00)")
    assert text[-1] == tables.PUBLISHED_NOTE
    part = replace(whole, image_miou=whole.image_miou[:1999])
    head, *_, last = lines(tables.paper_table([part]))
    assert head == "tiny ADE20K" and last.startswith("Images of ADE20K are not")


def test_published() -> None:
    """Every figure belongs to a known method, set and refinement, and has a source."""
    for entry in tables.PUBLISHED["results"]:
        assert entry["method"] in METHODS and entry["source"]
        assert entry.get("refine", "none") in ("none", *REFINEMENTS)
        assert entry.get("settings", "sclip") in tables.PUBLISHED["settings"]
        assert entry["miou"].keys() <= DATASETS.keys() & tables.PUBLISHED["images"].keys()
