"""``python -m gclip_core.segment``: masks for whoever wants no page."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gclip_core import METHODS, Segmenter, load_backbone, scenes
from gclip_core.segment import main


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "scene.png"
    scenes.compose(3, size=(96, 120)).image.save(path)
    return path


def test_mask_holds_the_library_s_labels_as_indices(scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert (
        main([str(scene), "--words", "cat, grass", "--method", "clearclip", "--out", str(out)]) == 0
    )
    mask = Image.open(out / "scene.png")
    expected = (
        Segmenter(load_backbone())
        .segment(scene, "cat, grass", METHODS["clearclip"], rest="background")
        .labels.numpy()
    )
    assert mask.mode == "P"
    assert np.array_equal(np.asarray(mask), np.where(expected < 0, 255, expected))


def test_pixels_under_the_threshold_are_index_255(scene: Path, tmp_path: Path) -> None:
    main([str(scene), "--words", "cat, grass, sky", "--threshold", "1", "--out", str(tmp_path)])
    assert set(np.unique(np.asarray(Image.open(tmp_path / "scene.png")))) == {255}


def test_summary_counts_blocks_from_one(scene: Path, tmp_path: Path) -> None:
    main(
        [str(scene), "--words", "cat, sky", "--amf-blocks", "6 7", "--cs-blocks", "7-9"]
        + ["--out", str(tmp_path)]
    )
    summary = json.loads((tmp_path / "scene.json").read_text("utf-8"))
    assert summary["amf_blocks"] == [6, 7]
    assert summary["cs_blocks"] == [7, 8, 9]
    assert sum(summary["areas"].values()) + summary["rest"]["area"] == pytest.approx(1)


def test_one_word_covers_the_picture_only_where_no_other_word_hides(
    scene: Path, tmp_path: Path
) -> None:
    for rest, full in (("none", True), ("background", False), ("dog, sky; night sky", False)):
        main([str(scene), "--words", "cat", "--rest", rest, "--out", str(tmp_path)])
        summary = json.loads((tmp_path / "scene.json").read_text("utf-8"))
        assert (summary["rest"]["area"] == 0) == full
        assert ("sky" in summary["rest"]["words"]) != full


def test_words_may_come_from_a_file(scene: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("cat; kitten\n# nothing here\ngrass\n", "utf-8")
    main([str(scene), "--words", str(words), "--out", str(tmp_path)])
    summary = json.loads((tmp_path / "scene.json").read_text("utf-8"))
    assert summary["classes"] == [["cat", "kitten"], ["grass"]]


def test_one_bad_image_is_reported_and_the_others_are_done(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    assert main([str(bad), str(scene), "--words", "cat", "--out", str(tmp_path / "out")]) == 1
    assert "bad.png" in capsys.readouterr().err
    assert (tmp_path / "out" / "scene.png").is_file()


def test_images_of_one_name_do_not_overwrite_each_other(scene: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "scene.png"
    other.parent.mkdir()
    other.write_bytes(scene.read_bytes())
    main([str(scene), str(other), "--words", "cat", "--out", str(tmp_path / "out")])
    assert {"scene.png", "scene-2.png"} <= {p.name for p in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize(
    "wrong",
    [["--method", "nothing"], ["--amf-blocks", "0"], ["--backbone", "x"], ["--words", " , "]],
)
def test_unusable_settings_are_named_without_a_trace(
    wrong: list[str], scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(scene), "--words", "cat", *wrong]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "Traceback" not in error
