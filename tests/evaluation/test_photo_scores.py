"""What is measured on the shipped photos."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation import photo_masks, photo_scores
from evaluation.photos import star_photos
from gclip_core.methods import METHODS

PHOTO = star_photos()["coffee"]


def found(labels: np.ndarray) -> tuple[float, ...]:
    """IoU of a segmenter that answers with these labels."""
    answer = SimpleNamespace(labels=torch.from_numpy(labels))
    segmenter = SimpleNamespace(segment=lambda image, words, method: answer)
    return photo_scores.photo_iou(segmenter, METHODS["clearclip"], PHOTO)


def test_the_true_mask_scores_one_and_void_is_not_counted() -> None:
    truth = PHOTO.labels()
    assert found(truth) == (1, 1, 1, 1, 1)
    assert found(np.where(truth < 0, 0, truth)) == (1, 1, 1, 1, 1)


def test_one_word_everywhere_scores_its_share() -> None:
    truth = PHOTO.labels()
    table = (truth == 4).sum() / (truth >= 0).sum()
    assert found(np.full_like(truth, 4)) == pytest.approx((0, 0, 0, 0, table))


def test_the_report_counts_the_main_things_found() -> None:
    text = photo_scores.report({"coffee": (0.6, 0.5, 0, 0, 1), "flower": (0.59, 1)})
    assert "| coffee | 42.0 | cup 60.0, coffee 50.0, saucer 0.0, spoon 0.0, table 100.0 |" in text
    assert "Main thing at 60 IoU or more: 1 of 2." in text


def test_the_photo_model_is_measured_and_its_masks_are_drawn(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    drawn = tmp_path / "sheet.png"
    assert photo_scores.main(["--short-side", "64", "--sheet", str(drawn)]) == 0
    with Image.open(drawn) as found, photo_masks.sheet(list(star_photos().values())) as true:
        assert found.size == true.size
        assert found.tobytes() != true.tobytes()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[1:]] == list(star_photos())
