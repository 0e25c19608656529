"""``gclip``, or ``python -m gclip_core.segment``: masks for whoever wants no page."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from gclip_core import METHODS, Backbone, Segmenter, assets
from gclip_core.segment import main, plan
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
    options = ("--method", "clearclip", "--threshold", str(threshold), "--refine", "none")
    mask, _ = run(photo, "--words", words, *options)
    segmenter = Segmenter(small())
    method = METHODS["clearclip"]
    labels = segmenter.segment(photo, words, method, threshold, True).labels.numpy()
    assert (labels < 0).any() or not threshold
    assert np.array_equal(mask, np.where(labels < 0, 255, labels))


def test_edges_follow_the_photo_unless_it_is_told_otherwise(photo: Path) -> None:
    words = "cat, dog, person"
    for options, refine in (((), "guided"), (("--refine", "pamr"), "pamr")):
        mask, summary = run(photo, "--words", words, *options)
        assert summary["refine"] == refine
        result = Segmenter(small()).segment(photo, words, background=True, refine=refine)
        labels = result.labels.numpy()
        assert np.array_equal(mask, np.where(labels < 0, 255, labels))


def test_summary_counts_blocks_from_one(photo: Path) -> None:
    blocks = ("--amf-blocks", "6 7", "--cs-blocks", "7-9")
    _, summary = run(photo, "--words", "cat, sky", *blocks)
    assert summary["amf_blocks"] == [6, 7]
    assert summary["cs_blocks"] == [7, 8, 9]
    assert sum(summary["areas"].values()) + summary["no_class"] == pytest.approx(1)


def test_background(photo: Path) -> None:
    """It is on by default; its weight decides how much of the picture has no class."""
    areas = []
    for options in (
        ("--background", "off"),
        ("--background-weight", "0"),
        (),
        ("--background-weight", "1"),
    ):
        _, summary = run(photo, "--words", "cat", *options)
        assert ("sky" in summary["background"]) != ("off" in options)
        areas.append(summary["no_class"])
    assert areas[0] == 0
    assert areas == sorted(areas)
    assert areas[0] < areas[-1]


def test_without_words_those_that_are_suggested_are_taken(tmp_path: Path) -> None:
    photo = assets.path("photos", "china.jpg")
    assert main([str(photo), "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "china.json").read_text("utf-8"))
    assert ["building"] in summary["classes"]
    assert summary["background"], "suggested words name a part of the photo"


def test_an_unknown_word_is_reported_with_the_nearest_and_replaced_by_none(
    photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, summary = run(photo, "--words", "tram, sky")
    assert summary["classes"] == [["tram"], ["sky"]]
    reason = "never met in training"
    assert summary["unknown"] == [{"phrase": "tram", "reason": reason, "nearest": "train"}]
    assert "tram (never met in training; nearest known word: train)" in capsys.readouterr().out


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


class TestFiles:
    """No input is ever written to, and nothing is read before all outputs are checked."""

    @pytest.fixture(autouse=True)
    def in_the_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    def refused(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
        """The sentence of a command that ends with 2 and changes no file."""
        before = contents(Path())
        assert main([*arguments]) == 2
        assert contents(Path()) == before
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        return error

    def test_a_photo_is_not_replaced_by_its_mask(
        self, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        error = self.refused(capsys, "photo.png", "--words", "cat", "--out", ".")
        assert "photo.png is the input photo.png; choose another folder with --out" in error

    @pytest.mark.parametrize("second", ["photo-overlay.png", "photo.json"])
    def test_a_later_input_is_not_replaced(
        self, second: str, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first = photo.rename("first.jpg").rename("photo.jpg")
        Path(second).write_bytes(first.read_bytes())
        assert second in self.refused(capsys, "photo.jpg", second, "--words", "cat", "--out", ".")

    def test_a_text_file_of_words_is_not_replaced(
        self, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("photo.json").write_text("cat, dog", "utf-8")
        photo.rename("other").rename("photo.jpg")
        self.refused(capsys, "photo.jpg", "--words", "photo.json", "--out", ".")

    def test_a_weight_file_is_not_replaced(
        self, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("out").mkdir()
        Path("out/photo.json").write_bytes(b"weights")
        self.refused(capsys, "photo.png", "--words", "cat", "--weights", "out/photo.json")

    @pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
    def test_an_output_that_is_a_link_to_an_input_is_refused(
        self, link: str, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("out").mkdir()
        getattr(Path("out/photo.png"), link)(photo)
        assert "out/photo.png" in self.refused(capsys, "photo.png", "--words", "cat")

    def test_a_folder_under_another_name_is_the_same_folder(
        self, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("link").symlink_to(Path(), target_is_directory=True)
        self.refused(capsys, "photo.png", "--words", "cat", "--out", "link")
        self.refused(capsys, "link/photo.png", "--words", "cat", "--out", ".")

    def test_an_input_that_does_not_exist_yet_is_not_made(
        self, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.refused(capsys, "photo.png", "out/photo-overlay.png", "--words", "cat")

    def test_two_outputs_that_are_links_to_one_file_are_refused(
        self, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("out").mkdir()
        Path("kept.png").write_bytes(b"other")
        for name in ("photo.png", "photo-overlay.png"):
            Path("out", name).symlink_to(Path("kept.png").absolute())
        assert "one file" in self.refused(capsys, "photo.png", "--words", "cat")

    @pytest.mark.parametrize("out", ["photo.png", "photo.png/masks", "folder"])
    def test_outputs_that_cannot_be_written_are_refused(
        self, out: str, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("folder/photo.json").mkdir(parents=True)
        assert "--out" in self.refused(capsys, "photo.png", "--words", "cat", "--out", out)

    def test_nothing_is_read_before_all_outputs_are_checked(
        self, photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("out").mkdir()
        last = Path("out/last.png")
        last.write_bytes(photo.read_bytes())
        monkeypatch.setattr("gclip_core.images.check", lambda path: pytest.fail(f"read {path}"))
        self.refused(capsys, "photo.png", str(last), "--words", "cat")

    def test_a_second_run_replaces_the_masks_of_the_first(self, photo: Path) -> None:
        for words in ("cat", "dog, sky"):
            assert main(["photo.png", "--words", words]) == 0
        summary = json.loads(Path("out/photo.json").read_text("utf-8"))
        assert summary["classes"] == [["dog"], ["sky"]]

    def test_names_that_differ_in_case_only_get_a_number(self) -> None:
        tasks = plan([Path("a/dog.png"), Path("b/Dog.jpg"), Path("c/DOG.webp")], Path("out"))
        assert [task.mask.name for task in tasks] == ["dog.png", "Dog-2.png", "DOG-3.png"]

    def test_an_overlay_and_a_mask_of_one_name_are_two_files(self) -> None:
        tasks = plan([Path("dog.jpg"), Path("dog-overlay.jpg")], Path("out"))
        outputs = [output for task in tasks for output in task.outputs]
        assert len(set(outputs)) == 6
        assert tasks[1].mask.name == "dog-overlay-2.png"

    def test_a_list_of_words_longer_than_a_file_name_is_no_file(self, photo: Path) -> None:
        words = ", ".join(f"word {number}" for number in range(40))
        assert run(photo, "--words", words)[1]["classes"][39] == ["word 39"]


class TestFolders:
    def test_every_image_of_a_folder_is_segmented_and_one_line_sums_up(
        self, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder, out = photo.parent / "photos", photo.parent / "out"
        folder.mkdir()
        (folder / "notes.txt").write_text("no image", "utf-8")
        (folder / "._a.jpg").write_bytes(b"macOS's notes on a.jpg")
        photo.rename(folder / "b.PNG")
        picture(96, 120).save(folder / "a.jpg")
        (folder / "c.png").write_bytes(b"no picture")
        assert main([str(folder), "--words", "cat, sky", "--out", str(out)]) == 1
        assert {path.name for path in out.glob("*.json")} == {"a.json", "b.json"}
        printed = capsys.readouterr()
        names = [line.split(":")[0] for line in printed.out.splitlines() if line[0] != " "]
        assert names == [str(folder / "a.jpg"), str(folder / "b.PNG")]
        failed, outcome = printed.err.splitlines()  # no progress bar, as this is no terminal
        assert failed.startswith(f"{folder / 'c.png'}: An image was expected")
        assert outcome == f"2 of 3 images segmented; the masks are in {out}"

    def test_a_folder_without_images_is_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([str(tmp_path), "--words", "cat", "--out", str(tmp_path / "out")]) == 2
        assert "none came" in capsys.readouterr().err

    def test_masks_beside_the_photos_are_not_taken_for_photos_and_replaced(
        self, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = str(photo.parent)
        photo.rename(photo.with_suffix(".gif"))
        assert main([folder, "--words", "cat", "--out", folder]) == 0
        assert main([folder, "--words", "cat", "--out", folder]) == 2
        assert "is the input" in capsys.readouterr().err


def test_ctrl_c_ends_the_command_without_a_trace(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gclip_core.images.check", Mock(side_effect=KeyboardInterrupt))
    assert main([str(photo), "--words", "cat", "--out", str(photo.parent / "out")]) == 130
    assert capsys.readouterr().err.strip() == "Stopped."


def contents(folder: Path) -> dict[Path, bytes]:
    """The bytes of every file in a folder and its folders."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
