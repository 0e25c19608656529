"""The command ``gclip``, or ``python -m gclip_core.command``."""

import json
import os
import resource
import signal
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import yaml
from PIL import Image, ImageColor

from gclip_core import BACKBONES, METHODS, Backbone, Segmenter, assets, gclip
from gclip_core.backbones.registry import BUILT_IN
from gclip_core.command import main
from gclip_core.folder import find_photos
from tests.models import picture, small, tiny_backbone


@pytest.fixture(autouse=True)
def one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gclip_core.command.load_backbone", tiny)


@lru_cache
def tiny(name: str = BUILT_IN, *_: object) -> Backbone:
    """A tiny model with its own blocks, in place of any other."""
    assert BACKBONES[name]
    return replace(tiny_backbone(), amf_blocks=(2, 3), cs_blocks=(8,))


@pytest.fixture
def built_in(monkeypatch: pytest.MonkeyPatch) -> Backbone:
    monkeypatch.setattr("gclip_core.command.load_backbone", small)
    return small()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    picture(96, 120).save(path)
    return path


def run(photo: Path, *options: str) -> tuple[np.ndarray, dict[str, Any]]:
    """The mask and the summary that the command writes beside a photo."""
    options = (*options, "--templates", "plain", "--out", str(photo.parent / "out"))
    assert main([str(photo), *options]) == 0
    written = photo.parent / "out" / photo.name
    mask = Image.open(written)
    assert mask.mode == "P"
    return np.asarray(mask), json.loads(written.with_suffix(".json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ("--method clearclip --refine none --background off", {"method": METHODS["clearclip"]}),
        ("--threshold 0.9 --refine none", {"background": True, "threshold": 0.9}),
        ("", {"background": True, "refine": "guided"}),
        (
            "--refine pamr --no-cs",
            {"background": True, "refine": "pamr", "method": gclip(cs=False)},
        ),
    ],
)
def test_mask(photo: Path, options: str, settings: dict[str, Any]) -> None:
    """A mask has the library's labels, and 255 for no class."""
    words = "cat, dog, person"
    mask, summary = run(photo, "--words", words, *options.split())
    result = Segmenter(tiny(), templates="plain").segment(photo, words, **settings)
    labels = result.labels.numpy()
    assert np.array_equal(mask, np.where(labels < 0, 255, labels))
    assert summary["refine"] == settings.get("refine", "none")
    assert sum(summary["areas"].values()) + summary["no_class"] == pytest.approx(1)


def test_blocks(photo: Path) -> None:
    """Blocks are numbered from one on the command line and in the summary."""
    blocks = ("--amf-blocks", "6 7", "--cs-blocks", "7-9")
    _, summary = run(photo, "--words", "cat, sky", *blocks)
    assert (summary["amf_blocks"], summary["cs_blocks"]) == ([6, 7], [7, 8, 9])


def test_suggested_words(tmp_path: Path, built_in: Backbone) -> None:
    """Without words, suggested ones are used."""
    photo = assets.path("photos", "china.jpg")
    assert main([str(photo), "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "china.json").read_text("utf-8"))
    expected = Segmenter(built_in).suggest(photo)
    assert summary["classes"] == [[word] for word in expected]


@pytest.mark.usefixtures("built_in")
def test_unknown_word(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown word is reported with the nearest one, and has no pixel unless it is asked for."""
    mask, summary = run(photo, "--words", "tram, sky; tramway", "--background", "off")
    assert summary["classes"] == [["tram"], ["sky", "tramway"]]
    assert (mask == 1).all()
    reason = "not one of its words"
    assert summary["unknown"][0] == {"phrase": "tram", "reason": reason, "nearest": "train"}
    assert "tram (not one of its words; nearest known word: train)" in capsys.readouterr().err
    mask, summary = run(photo, "--words", "tram, sky", "--as-typed", "--background", "off")
    assert (mask == 0).any()
    assert "used as typed: tram" in capsys.readouterr().err
    assert main([str(photo), "--words", "tram", "--out", str(photo.parent / "out")]) == 2
    assert "does not know tram (" in capsys.readouterr().err


def test_word_file(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words may come from a .txt file; a file with another name is not a list of words."""
    words, dog = tmp_path / "words.txt", tmp_path / "dog"
    words.write_text("cat; kitten\n# nothing here\ngrass\n", "utf-8")
    dog.write_bytes(b"\xff\xd8 no text")
    monkeypatch.chdir(tmp_path)
    assert run(photo, "--words", str(words))[1]["classes"] == [["cat", "kitten"], ["grass"]]
    assert run(photo, "--words", "dog")[1]["classes"] == [["dog"]]


def test_equal_names(photo: Path, tmp_path: Path) -> None:
    """Images with the same name do not overwrite each other; a second run replaces the first."""
    other, out = tmp_path / "other" / "photo.png", tmp_path / "out"
    other.parent.mkdir()
    other.write_bytes(photo.read_bytes())
    for words in ("cat", "dog, sky"):
        options = ["--words", words, "--templates", "plain", "--out", str(out)]
        assert main([str(photo), str(other), *options]) == 0
    names = {path.name for path in out.glob("*.json")}
    assert names == {"photo.json", "photo-2.json", "classes.json"}
    assert json.loads((out / "photo-2.json").read_text("utf-8"))["classes"] == [["dog"], ["sky"]]
    given = map(Path, ("a/dog.png", "b/Dog.jpg", "c/dog-2.webp", "d/classes.jpg"))
    names = [photo.name for photo in find_photos(given, out, "png", recursive=False)[0]]
    assert names == ["dog", "Dog-2", "dog-2-2", "classes-2"], "capital letters make no difference"


NEEDS_A_MODEL = ("--amf-blocks 12", "--backbone x")


@pytest.mark.parametrize(
    "wrong",
    [
        "--method nothing",
        "--method clearclip --no-amf",
        "--method sclip --cs-blocks 7",
        "--threshold 3",
        "--background-weight -1",
        "--short 0",
        "--words ,",
        "--words missing.txt",
        f"--words {200 * 'word-'}",
        "--out photo.png",
        *NEEDS_A_MODEL,
    ],
)
def test_unusable_settings(
    wrong: str, photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unusable settings give one error in one line, not an error for every photo.

    What needs no model is checked before it is loaded, which may take a download.
    """
    monkeypatch.chdir(photo.parent)
    load = Mock(side_effect=tiny)
    monkeypatch.setattr("gclip_core.command.load_backbone", load)
    assert main(["photo.png", "--words", "cat", *wrong.split()]) == 2
    assert load.called == (wrong in NEEDS_A_MODEL)
    error = capsys.readouterr().err
    assert error.startswith("error: --short-side must" if "--short" in wrong else "error: ")
    assert error.count("\n") == 1


def test_no_input_overwritten(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An output that is an input, or a link to one, is refused."""
    before = photo.read_bytes()
    monkeypatch.chdir(photo.parent)
    Path("out").mkdir()
    Path("out/photo.png").symlink_to(photo)
    for out, named in ((".", "photo.png"), ("out", "out/photo.png")):
        assert main(["photo.png", "--words", "cat", "--out", out]) == 2
        assert f"{named} is an input; choose another folder with --out" in capsys.readouterr().err
    assert photo.read_bytes() == before


def test_folder(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every image in a folder is segmented, bad ones are reported, and one line sums up."""
    folder, out = photo.parent / "photos", photo.parent / "out"
    folder.mkdir()
    (folder / "notes.txt").write_text("no image", "utf-8")
    (folder / "b.tif").write_bytes(b"a kind that is not read")
    (folder / "._a.jpg").write_bytes(b"macOS's notes on a.jpg")
    photo.rename(folder / "b.PNG")
    picture(96, 120).save(folder / "a.jpg")
    (folder / "c.png").write_bytes(b"no picture")
    assert main([str(folder), "--words", "cat, sky", "--out", str(out)]) == 1
    assert {path.name for path in out.glob("*.json")} == {"a.json", "b.json", "classes.json"}
    printed = capsys.readouterr()
    names = [line.split(":")[0] for line in printed.out.splitlines() if line[0] != " "]
    assert names == [str(folder / "a.jpg"), str(folder / "b.PNG")]
    skipped, failed, outcome = printed.err.splitlines()  # no progress bar without a terminal
    assert skipped == "Skipped: 1 (.tif). Save them as PNG or JPEG."
    assert failed.startswith(f"{folder / 'c.png'}: This is not a readable image")
    assert outcome == f"2 of 3 images segmented; the results are in {out}"
    assert main([str(out.parent), "--words", "cat", "--out", str(out)]) == 2
    assert "no images in the folder" in capsys.readouterr().err


def test_full_disk(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If the disk is full, the files of the last run stay, and nothing half-written."""
    run(photo, "--words", "cat")
    out = photo.parent / "out"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        assert main([str(photo), "--words", "cat, sky", "--out", str(out)]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert capsys.readouterr().err.endswith("0 of 1 image segmented\n")


def test_lack_of_memory(
    photo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that does not fit into memory is reported like other bad ones."""
    monkeypatch.setattr(Segmenter, "encode", lambda *_: torch.empty(10**15))
    assert main([str(photo), "--words", "cat"]) == 1
    assert "not enough memory" in capsys.readouterr().err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photos, one of them in a subfolder."""
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "more/a.png")):
        picture(60, 80, seed=number).save(photos / name)
    return photos


def coco(folder: Path, *options: str, out: Path | None = None) -> dict[str, Any]:
    """The COCO file that the command writes for a folder."""
    out = out or folder.parent / "out"
    every = [str(folder), "--format", "coco", "--recursive", "--templates", "plain", *options]
    assert main([*every, "--background", "off", "--out", str(out)]) == 0
    return json.loads((out / "annotations.json").read_text("utf-8"))


def test_coco_resumes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed run goes on where it ended, with the same file in the end; others start anew."""
    words = ("--words", "cat, sky, dog")
    whole = coco(folder, *words)
    assert [entry["file_name"] for entry in whole["images"]] == ["a.png", "b.png", "more/a.png"]
    assert [entry["name"] for entry in whole["categories"]] == ["cat", "sky", "dog"]
    assert len({entry["id"] for entry in whole["annotations"]}) == len(whole["annotations"])
    out, segment, calls = folder.parent / "out", Segmenter.segment, Mock()

    def counted(*args: Any, **options: Any) -> Any:
        calls()
        return segment(*args, **options)

    monkeypatch.setattr(Segmenter, "segment", counted)
    assert coco(folder, *words) == whole
    assert calls.call_count == 0
    lines = out / "finished.jsonl"
    lines.write_text(lines.read_text("utf-8")[:-30], "utf-8")  # killed while writing
    (out / "annotations.json").unlink()
    assert coco(folder, *words) == whole
    assert calls.call_count == 1
    picture(60, 80, seed=5).save(folder / "b.png")
    assert coco(folder, *words) != whole
    assert calls.call_count == 2
    assert len(coco(folder / "more", *words, out=out)["images"]) == 3, "the others stay"
    calls.reset_mock()
    coco(folder, *words, "--overwrite")
    assert calls.call_count == 3
    assert len(coco(folder, "--words", "cat, sky")["categories"]) == 2
    assert calls.call_count == 6


def test_one_label_map(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Suggested words have one index and colour in all photos, also in those of a later run."""
    found = iter((("cat", "sky"), ("sky", "dog"), ("dog", "cat")))
    monkeypatch.setattr(Segmenter, "suggest", lambda *_: next(found))
    out = folder.parent / "out"
    options = ["--templates", "plain", "--background", "off", "--out", str(out)]
    assert main([str(folder), *options]) == 0
    assert main([str(folder / "more"), *options]) == 0
    classes = json.loads((out / "classes.json").read_text("utf-8"))["classes"]
    assert [entry["name"] for entry in classes] == ["cat", "sky", "dog"]
    colours = [entry["colour"] for entry in classes]
    assert len({*colours}) == 3
    masks = {name: Image.open(out / f"{name}.png") for name in ("a", "b")}
    assert np.asarray(masks["b"]).min() >= 1, "no cat"
    assert json.loads(masks["b"].text["Classes"]) == ["cat", "sky", "dog"]
    for mask in masks.values():
        assert mask.getpalette()[3:6] == [*ImageColor.getrgb(colours[1])]


def test_other_formats(folder: Path) -> None:
    """YOLO's and LabelMe's files have the words, and cut-outs are transparent elsewhere."""
    out = folder.parent / "out"
    options = ["--words", "cat, sky", "--templates", "plain", "--background", "off", "--recursive"]
    options += ["--out", str(out)]
    assert main([str(folder), *options, "--format", "yolo", "--cut-outs"]) == 0
    names = yaml.safe_load((out / "data.yaml").read_text("utf-8"))["names"]
    assert names == {0: "cat", 1: "sky"}
    labels = {file.relative_to(out / "labels") for file in (out / "labels").rglob("*.txt")}
    assert labels == {Path("a.txt"), Path("b.txt"), Path("more/a.txt")}
    (out / "cut-outs" / "more" / "a" / "9-of-an-earlier-word.png").touch()
    assert main([str(folder), *options, "--cut-outs"]) == 0
    cuts = [*(out / "cut-outs" / "more" / "a").iterdir()]
    assert {Image.open(cut).mode for cut in cuts} == {"RGBA"}
    assert main([str(folder), *options, "--format", "labelme"]) == 0
    described = json.loads((out / "more" / "a.json").read_text("utf-8"))
    assert (out / "more" / described["imagePath"]).resolve() == folder / "more" / "a.png"
    assert main([str(folder), *options, "--format", "yolo", "--polygons"]) == 2


def test_terminated(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM ends the command like Ctrl-C, and leaves nothing behind."""

    monkeypatch.setattr(Path, "write_bytes", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    out = photo.parent / "out"
    assert main([str(photo), "--words", "cat", "--out", str(out)]) == 130
    assert not [*out.iterdir()]
