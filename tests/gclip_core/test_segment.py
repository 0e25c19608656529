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
def test_mask(photo: Path, threshold: float) -> None:
    """A mask is the library's labels and no class is 255."""
    words = "cat, dog, person"
    options = ("--method", "clearclip", "--threshold", str(threshold), "--refine", "none")
    mask, _ = run(photo, "--words", words, *options)
    segmenter = Segmenter(small())
    method = METHODS["clearclip"]
    labels = segmenter.segment(photo, words, method, threshold, True).labels.numpy()
    assert (labels < 0).any() or not threshold
    assert np.array_equal(mask, np.where(labels < 0, 255, labels))


def test_refine(photo: Path) -> None:
    """Edges follow the photo unless it is told otherwise."""
    words = "cat, dog, person"
    for options, refine in (((), "guided"), (("--refine", "pamr"), "pamr")):
        mask, summary = run(photo, "--words", words, *options)
        assert summary["refine"] == refine
        result = Segmenter(small()).segment(photo, words, background=True, refine=refine)
        labels = result.labels.numpy()
        assert np.array_equal(mask, np.where(labels < 0, 255, labels))


def test_summary(photo: Path) -> None:
    """Summary counts blocks from one."""
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


def test_suggested_words(tmp_path: Path) -> None:
    """Without words those that are suggested are taken."""
    photo = assets.path("photos", "china.jpg")
    assert main([str(photo), "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "china.json").read_text("utf-8"))
    assert ["building"] in summary["classes"]
    assert summary["background"], "suggested words name a part of the photo"


def test_unknown_word(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown word is reported with the nearest and replaced by none."""
    _, summary = run(photo, "--words", "tram, sky")
    assert summary["classes"] == [["tram"], ["sky"]]
    reason = "never met in training"
    assert summary["unknown"] == [{"phrase": "tram", "reason": reason, "nearest": "train"}]
    assert "tram (never met in training; nearest known word: train)" in capsys.readouterr().out


def test_word_file(photo: Path, tmp_path: Path) -> None:
    """Words may come from a file."""
    words = tmp_path / "words.txt"
    words.write_text("cat; kitten\n# nothing here\ngrass\n", "utf-8")
    assert run(photo, "--words", str(words))[1]["classes"] == [["cat", "kitten"], ["grass"]]


def test_bad_image(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One bad image is reported and the others are done."""
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    assert main([str(bad), str(photo), "--words", "cat", "--out", str(tmp_path / "out")]) == 1
    assert "bad.png" in capsys.readouterr().err
    assert (tmp_path / "out" / "photo.png").is_file()


def test_equal_names(photo: Path, tmp_path: Path) -> None:
    """Images of one name do not overwrite each other."""
    other = tmp_path / "other" / "photo.png"
    other.parent.mkdir()
    other.write_bytes(photo.read_bytes())
    main([str(photo), str(other), "--words", "cat", "--out", str(tmp_path / "out")])
    assert {"photo.png", "photo-2.png"} <= {p.name for p in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize(
    "wrong",
    [["--method", "nothing"], ["--amf-blocks", "0"], ["--backbone", "x"], ["--words", " , "]],
)
def test_unusable_settings(
    wrong: list[str], photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unusable settings are named without a trace."""
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

    def test_photo(self, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A photo is not replaced by its mask."""
        error = self.refused(capsys, "photo.png", "--words", "cat", "--out", ".")
        assert "photo.png is an input; choose another folder with --out" in error

    @pytest.mark.parametrize("second", ["photo-overlay.png", "photo.json"])
    def test_later_input(
        self, second: str, photo: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A later input is not replaced."""
        first = photo.rename("first.jpg").rename("photo.jpg")
        Path(second).write_bytes(first.read_bytes())
        assert second in self.refused(capsys, "photo.jpg", second, "--words", "cat", "--out", ".")

    def test_words(self, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A text file of words is not replaced."""
        Path("photo.json").write_text("cat, dog", "utf-8")
        photo.rename("other").rename("photo.jpg")
        self.refused(capsys, "photo.jpg", "--words", "photo.json", "--out", ".")

    def test_link(self, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """An output that is a link to an input is refused."""
        Path("out").mkdir()
        Path("out/photo.png").symlink_to(photo)
        assert "out/photo.png" in self.refused(capsys, "photo.png", "--words", "cat")

    def test_linked_folder(self, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A folder under another name is the same folder."""
        Path("link").symlink_to(Path(), target_is_directory=True)
        self.refused(capsys, "photo.png", "--words", "cat", "--out", "link")
        self.refused(capsys, "link/photo.png", "--words", "cat", "--out", ".")

    @pytest.mark.parametrize("out", ["photo.png", "photo.png/masks"])
    def test_no_folder(self, out: str, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Outputs that cannot be written are refused."""
        assert "--out" in self.refused(capsys, "photo.png", "--words", "cat", "--out", out)

    def test_checked_first(
        self, photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nothing is read before all outputs are checked."""
        Path("out").mkdir()
        last = Path("out/last.png")
        last.write_bytes(photo.read_bytes())
        monkeypatch.setattr("gclip_core.images.check", lambda path: pytest.fail(f"read {path}"))
        self.refused(capsys, "photo.png", str(last), "--words", "cat")

    def test_second_run(self, photo: Path) -> None:
        """A second run replaces the masks of the first."""
        for words in ("cat", "dog, sky"):
            assert main(["photo.png", "--words", words]) == 0
        summary = json.loads(Path("out/photo.json").read_text("utf-8"))
        assert summary["classes"] == [["dog"], ["sky"]]

    def test_case(self) -> None:
        """Names that differ in case only get a number."""
        tasks = plan([Path("a/dog.png"), Path("b/Dog.jpg"), Path("c/DOG.webp")], Path("out"))
        assert [task.outputs[0].name for task in tasks] == ["dog.png", "Dog-2.png", "DOG-3.png"]

    def test_long_words(self, photo: Path) -> None:
        """A list of words longer than a file name is no file."""
        words = ", ".join(f"word {number}" for number in range(40))
        assert run(photo, "--words", words)[1]["classes"][39] == ["word 39"]


class TestFolders:
    def test_folder(self, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Every image of a folder is segmented and one line sums up."""
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

    def test_empty_folder(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A folder without images is refused."""
        assert main([str(tmp_path), "--words", "cat", "--out", str(tmp_path / "out")]) == 2
        assert "none came" in capsys.readouterr().err

    def test_masks_beside_photos(self, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Masks beside the photos are not taken for photos and replaced."""
        folder = str(photo.parent)
        photo.rename(photo.with_suffix(".gif"))
        assert main([folder, "--words", "cat", "--out", folder]) == 0
        assert main([folder, "--words", "cat", "--out", folder]) == 2
        assert "is an input" in capsys.readouterr().err


def test_interrupt(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends the command without a trace."""
    monkeypatch.setattr("gclip_core.images.check", Mock(side_effect=KeyboardInterrupt))
    assert main([str(photo), "--words", "cat", "--out", str(photo.parent / "out")]) == 130
    assert capsys.readouterr().err.strip() == "Stopped."


def contents(folder: Path) -> dict[Path, bytes]:
    """The bytes of every file in a folder and its folders."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
