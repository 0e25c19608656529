"""One typed word, the rest hidden: what stays of a thing, and what an absent word takes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation import one_word
from evaluation.scene_set import scene_set
from gclip_core import METHODS, Segmenter, load_backbone, scenes
from gclip_core.errors import EvaluationError


def test_one_word_alone_gives_a_mask_not_a_rectangle() -> None:
    """Twelve scenes instead of hundreds: within 5 points, and 3 % for what is not there."""
    found = one_word.ask(
        Segmenter(load_backbone()),
        scene_set(12, "held-out", (192, 192)),
        METHODS["gclip"],
        range(len(scenes.things())),
    )
    assert len(found.alone) >= 24
    assert np.mean(found.alone) >= np.mean(found.among_all) - 0.05
    assert np.median(found.absent) < 0.03
    assert found.growth < 1.5


def test_without_hidden_words_a_word_covers_the_whole_picture() -> None:
    found = one_word.ask(
        Segmenter(load_backbone()),
        scene_set(2, "held-out", (96, 96)),
        METHODS["gclip"],
        range(len(scenes.things())),
        rest="none",
    )
    assert set(found.absent) == {1.0}
    assert np.mean(found.alone) < np.mean(found.among_all)


def test_photos_with_their_words(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "white").save(tmp_path / "a.jpg")
    values = np.zeros((30, 40), np.uint8)
    values[:, :10], values[:, 10:20] = 7, 250
    Image.fromarray(values).save(tmp_path / "a.png")
    index = [{"file": "a", "words": {"7": "tree", "250": "cat"}}]
    (tmp_path / "index.json").write_text(json.dumps(index))
    (sample,) = one_word.photo_set(tmp_path).samples
    image, truth = sample.load()
    assert image.size == (40, 30)
    assert truth[0].tolist() == [1] * 10 + [0] * 10 + [-1] * 20


def test_a_folder_without_its_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="index.json"):
        one_word.photo_set(tmp_path)
    assert one_word.main(["--photos", str(tmp_path)]) == 2
