"""``python -m gclip_core.segment``: masks for whoever wants no page."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gclip_core import METHODS, Segmenter, assets, load_backbone
from gclip_core.segment import main
from tests.models import picture


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    picture(96, 120).save(path)
    return path


def test_mask_holds_the_library_s_labels_as_indices(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert (
        main([str(photo), "--words", "cat, grass", "--method", "clearclip", "--out", str(out)]) == 0
    )
    mask = Image.open(out / "photo.png")
    expected = (
        Segmenter(load_backbone()).segment(photo, "cat, grass", METHODS["clearclip"]).labels.numpy()
    )
    assert mask.mode == "P"
    assert np.array_equal(np.asarray(mask), np.where(expected < 0, 255, expected))


def test_pixels_under_the_threshold_are_index_255(photo: Path, tmp_path: Path) -> None:
    words = ["--words", "cat, dog, person", "--method", "clearclip", "--threshold", "0.6"]
    main([str(photo), *words, "--out", str(tmp_path / "out")])
    segmenter, options = Segmenter(load_backbone()), (METHODS["clearclip"], 0.6)
    expected = segmenter.segment(photo, words[1], *options).labels.numpy()
    assert 0 < (expected < 0).mean() < 1
    mask = np.asarray(Image.open(tmp_path / "out" / "photo.png"))
    assert np.array_equal(mask, np.where(expected < 0, 255, expected))


def test_summary_counts_blocks_from_one(photo: Path, tmp_path: Path) -> None:
    main(
        [str(photo), "--words", "cat, sky", "--amf-blocks", "6 7", "--cs-blocks", "7-9"]
        + ["--out", str(tmp_path)]
    )
    summary = json.loads((tmp_path / "photo.json").read_text("utf-8"))
    assert summary["amf_blocks"] == [6, 7]
    assert summary["cs_blocks"] == [7, 8, 9]
    assert sum(summary["areas"].values()) + summary["rest"]["area"] == pytest.approx(1)


def test_one_word_covers_the_picture_only_where_no_other_word_hides(
    photo: Path, tmp_path: Path
) -> None:
    for rest, full in (("none", True), ("background", False), ("dog, sky; night sky", False)):
        main([str(photo), "--words", "cat", "--rest", rest, "--out", str(tmp_path)])
        summary = json.loads((tmp_path / "photo.json").read_text("utf-8"))
        assert (summary["rest"]["area"] == 0) == full
        assert ("sky" in summary["rest"]["words"]) != full


def test_without_words_those_that_are_suggested_are_taken(tmp_path: Path) -> None:
    photo = assets.path("photos", "chelsea.jpg")
    assert main([str(photo), "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "chelsea.json").read_text("utf-8"))
    assert ["cat"] in summary["classes"]
    assert summary["rest"]["words"] == []


def test_words_may_come_from_a_file(photo: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("cat; kitten\n# nothing here\ngrass\n", "utf-8")
    main([str(photo), "--words", str(words), "--out", str(tmp_path)])
    summary = json.loads((tmp_path / "photo.json").read_text("utf-8"))
    assert summary["classes"] == [["cat", "kitten"], ["grass"]]


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
