"""Tables and JSON of results, checked against numbers worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.benchmark import comparison, report
from evaluation.benchmark.tally import Tally
from evaluation.errors import EvaluationError


def result(
    rows: list[tuple[str, str, list[list[int]]]], title: str = "VOC20", images: int = 2
) -> Tally:
    """A result of two classes: (label, part, (2, 3) counts) for each row."""
    settings = {
        "dataset": title.lower(),
        "title": title,
        "backbone_title": "OpenAI ViT-B/16",
        "images": images,
        "words": "all",
        "classes": [{"name": "cat"}, {"name": "dog"}],
        "planted": [],
        "refine": "none",
        "rows": [
            {"label": label, "part": part, "method": {"name": label.lower()}}
            for label, part, _ in rows
        ],
    }
    tally = Tally(settings, np.array([counts for *_, counts in rows], np.int64))
    tally.image_miou = {
        0: np.linspace(0.1, 0.9, len(rows)),
        1: np.full(len(rows), np.nan),  # nothing of this image was counted
    }
    tally.seconds = 3.0
    return tally


# IoU of cat and dog: 1/2 and 1/2; 3/5 and 2/4; 2/5 and nothing of the dog.
HALF = [[2, 1, 0], [1, 2, 0]]
MORE = [[3, 1, 0], [1, 2, 0]]
LESS = [[2, 1, 1], [1, 0, 2]]


def methods(title: str = "VOC20", gclip: list[list[int]] = MORE) -> Tally:
    return result(
        [("CLIP", "methods", LESS), ("ClearCLIP", "methods", HALF), ("GCLIP", "methods", gclip)],
        title,
    )


def test_scores_by_hand() -> None:
    clip, clear, gclip = report.lines(methods())
    assert clear.miou == 0.5
    assert gclip.iou == (3 / 5, 2 / 4)
    assert gclip.miou == pytest.approx(0.55)
    assert clip.iou == (2 / 5, 0.0)
    assert clip.pixel_accuracy == 2 / 7
    assert clip.image_miou == pytest.approx(0.1)  # the empty image does not count


def test_table_of_methods_with_differences() -> None:
    text = report.tables(methods())
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert rows[0] == "VOC20 · OpenAI ViT-B/16 · 2 images, 1.50 s each · all classes"
    assert rows[2] == "mIoU to ClearCLIP pixel accuracy mIoU by image"
    assert rows[4] == "CLIP 20.00 −30.00 28.57 10.00"
    assert rows[5] == "ClearCLIP 50.00 66.67 50.00"
    assert rows[6] == "GCLIP 55.00 +5.00 71.43 90.00"


def test_an_ablation_is_compared_with_neither_and_an_incomplete_result_counts_its_images() -> None:
    rows = [("neither", "ablation", HALF), ("AMF", "ablation", MORE), ("CS", "ablation", LESS)]
    text = report.tables(result(rows, images=5))
    assert "2 of 5 images" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[2].startswith("mIoU to neither")
    assert lines[4].startswith("neither 50.00 66.67")
    assert lines[5].startswith("AMF 55.00 +5.00")
    assert lines[6].startswith("CS 20.00 −30.00")


def test_paper_table_over_sets_with_mean_and_differences() -> None:
    text = comparison.paper([methods("VOC20"), methods("Cityscapes", gclip=HALF)])
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "OpenAI ViT-B/16 VOC20 Cityscapes mean"
    assert lines[2] == "CLIP 20.00 (−30.00) 20.00 (−30.00) 20.00 (−30.00)"
    assert lines[3] == "ClearCLIP 50.00 50.00 50.00"
    assert lines[4] == "GCLIP 55.00 (+5.00) 50.00 (0.00) 52.50 (+2.50)"


def test_paper_table_has_no_mean_where_a_set_is_missing_and_refuses_one_set_twice() -> None:
    only_clip = result([("CLIP", "methods", HALF)], "ADE20K")
    lines = comparison.paper([methods(), only_clip]).splitlines()
    assert next(line for line in lines if line.startswith("GCLIP")).split()[-2:] == ["–", "–"]
    for sets in ([methods(), methods()], []):
        with pytest.raises(EvaluationError, match="One result for each|At least one result"):
            comparison.paper(sets)


def test_the_field_is_a_table_in_the_order_of_years() -> None:
    names = ("pearl", "clip", "kk", "AMF", "clearclip")
    measured = {"methods": {name: {"there": 40.5, "+10": 30.25} for name in names}}
    assert comparison.field_table(measured).splitlines()[2:] == [
        "| CLIP | 2021 | 40.5 | 30.25 |",
        "| ClearCLIP | 2024 | 40.5 | 30.25 |",
        "| Key-Key | – | 40.5 | 30.25 |",
        "| GCLIP, AMF alone | 2025 | 40.5 | 30.25 |",
        "| PEARL (attention) | 2026 | 40.5 | 30.25 |",
    ]


def test_json_has_scores_settings_and_no_nan(tmp_path: Path) -> None:
    tally = result([("CLIP", "methods", [[4, 0, 0], [0, 0, 0]])])
    written = json.loads(report.write_json(tally, tmp_path).read_text("utf-8"))
    assert written["results"][0]["iou"] == {"cat": 1.0, "dog": None}
    assert written["results"][0]["miou"] == 1.0
    assert written["images"] == 2
    assert written["complete"] is True
    assert written["settings"] == tally.settings
    assert len(written["settings_digest"]) == 12
