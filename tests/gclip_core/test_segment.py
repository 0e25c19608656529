"""``python -m gclip_core.segment``: masks for whoever wants no page."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gclip_core import METHODS, Backbone, Segmenter, assets
from gclip_core.segment import main
from tests.models import loaded, picture


@pytest.fixture(autouse=True)
def one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gclip_core.segment.load_backbone", small)


def small(*settings: Any) -> Backbone:
    """The built-in model at a short side of 160."""
    return replace(loaded(*settings), short_side=160)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    picture(96, 120).save(path)
    return path


def run(photo: Path, *options: str) -> tuple[np.ndarray, dict[str, Any]]:
    """The mask and the summary that the command writes beside a photo."""
    assert main([str(photo), *options, "--out", str(photo.parent / "out")]) == 0
    written = photo.parent / "out" / photo.name
    mask = Image.open(written)
    assert mask.mode == "P"
    return np.asarray(mask), json.loads(written.with_suffix(".json").read_text("utf-8"))


@pytest.mark.parametrize("threshold", [0.0, 0.9])
def test_a_mask_is_the_library_s_labels_and_no_class_is_255(photo: Path, threshold: float) -> None:
    words = "cat, dog, person"
    options = ("--method", "clearclip", "--threshold", str(threshold))
    mask, _ = run(photo, "--words", words, *options)
    segmenter = Segmenter(small())
    labels = segmenter.segment(photo, words, METHODS["clearclip"], threshold).labels.numpy()
    assert bool((labels < 0).any()) == bool(threshold)
    assert np.array_equal(mask, np.where(labels < 0, 255, labels))


def test_summary_counts_blocks_from_one(photo: Path) -> None:
    blocks = ("--amf-blocks", "6 7", "--cs-blocks", "7-9")
    _, summary = run(photo, "--words", "cat, sky", *blocks)
    assert summary["amf_blocks"] == [6, 7]
    assert summary["cs_blocks"] == [7, 8, 9]
    assert sum(summary["areas"].values()) + summary["rest"]["area"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("rest", "full"), [("none", True), ("background", False), ("dog, sky; night sky", False)]
)
def test_one_word_covers_the_picture_where_none_hides(photo: Path, rest: str, full: bool) -> None:
    _, summary = run(photo, "--words", "cat", "--rest", rest)
    assert (summary["rest"]["area"] == 0) == full
    assert ("sky" in summary["rest"]["words"]) != full


def test_without_words_those_that_are_suggested_are_taken(tmp_path: Path) -> None:
    photo = assets.path("photos", "china.jpg")
    assert main([str(photo), "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "china.json").read_text("utf-8"))
    assert ["sky"] in summary["classes"]
    assert summary["rest"]["words"] == []


def test_words_may_come_from_a_file(photo: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("cat; kitten\n# nothing here\ngrass\n", "utf-8")
    assert run(photo, "--words", str(words))[1]["classes"] == [["cat", "kitten"], ["grass"]]


def test_one_bad_image_is_reported_and_the_others_are_done(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    assert main([str(bad), str(photo), "--words", "cat", "--out", str(tmp_path / "out")]) == 1
    assert "bad.png" in capsys.readouterr().err
    assert (tmp_path / "out" / "photo.png").is_file()


def test_images_of_one_name_do_not_overwrite_each_other(photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "photo.png"
    other.parent.mkdir()
    other.write_bytes(photo.read_bytes())
    main([str(photo), str(other), "--words", "cat", "--out", str(tmp_path / "out")])
    assert {"photo.png", "photo-2.png"} <= {p.name for p in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize(
    "wrong",
    [["--method", "nothing"], ["--amf-blocks", "0"], ["--backbone", "x"], ["--words", " , "]],
)
def test_unusable_settings_are_named_without_a_trace(
    wrong: list[str], photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(photo), "--words", "cat", *wrong]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "Traceback" not in error
