"""What is taken away: files that read back, Python and a command that make the same again."""

import io
import json
import shlex
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

import gclip_core as gclip
from demo.answer import Answer, compute, resolve
from demo.request import Request
from demo.settings import Settings, from_query
from demo.tabs import export
from evaluation.photos import star_photos
from gclip_core import segment
from tests.demo import engine

NAMES = ("cup", "naïve 猫 <b>", "table")
SMALL = {"example": "coffee", "words": "cup, it's a \\ \"quote\"; 'x', table", "short_side": 96}


def answer_of(upload: str = "", **settings: object) -> Answer:
    return compute(engine(), resolve(engine(), Request(Settings(**settings), upload)))


def zip_of(answer: Answer) -> zipfile.ZipFile:
    picture = export.picture_file(answer.question)
    return zipfile.ZipFile(io.BytesIO(export.archive(answer, picture)))


@pytest.fixture(scope="module")
def answer() -> Answer:
    return answer_of(example="coffee", words=", ".join(NAMES), threshold=0.35)


@pytest.fixture(scope="module")
def archive(answer: Answer) -> zipfile.ZipFile:
    return zip_of(answer)


def test_the_mask_reads_back_pixel_for_pixel_and_names_its_classes(
    archive: zipfile.ZipFile, answer: Answer
) -> None:
    mask, labels = Image.open(archive.open("mask.png")), answer.mask.labels
    assert mask.mode == "P"
    assert (np.asarray(mask) == np.where(labels < 0, 255, labels)).all()
    assert json.loads(mask.text["Classes"]) == list(NAMES)


def test_settings_say_versions_words_and_areas(archive: zipfile.ZipFile, answer: Answer) -> None:
    found = json.loads(archive.read("settings.json"))
    assert found["versions"]["gclip"] == gclip.__version__
    assert found["words"] == answer.question.settings.words
    assert found["result"]["backbone"] == answer.status.title
    shares = [entry["share"] for entry in (*found["classes"], found["no_class"])]
    assert sum(shares) == pytest.approx(1)
    assert from_query(found["link"])[0] == answer.question.settings.changed(backbone="built-in")


def test_the_archive_says_what_is_in_it(archive: zipfile.ZipFile) -> None:
    for name in set(archive.namelist()) - {"README.txt"}:
        assert name in archive.read("README.txt").decode()


@pytest.mark.parametrize("turned", [False, True])
def test_the_zip_makes_its_own_labels_again_in_its_own_folder(turned: bool, tmp_path: Path) -> None:
    """An upload travels as it came, or as the page turned it upright."""
    photo = star_photos()["coffee"].image().resize((96, 64))
    exif = photo.getexif()
    exif[ExifTags.Base.Orientation] = 6 if turned else 1
    photo.save(tmp_path / "own.jpg", exif=exif)
    settings = {"source": "upload", "words": "cup, table", "amf": False, "short_side": 96}
    answer = answer_of(str(tmp_path / "own.jpg"), **settings)
    with zip_of(answer) as packed:
        packed.extractall(tmp_path / "zip")
    assert (tmp_path / "zip" / ("picture.png" if turned else "picture.jpg")).is_file()
    text = (tmp_path / "zip" / "again.py").read_text()
    made: dict = {"__file__": str(tmp_path / "zip" / "again.py")}
    exec(compile(text, "again.py", "exec"), made)
    assert (made["labels"].numpy() == answer.mask.labels).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"amf_blocks": (5, 6), "cs": False},
        {"plant": True, "plant_channel": 5, "plant_blocks": (7, 40), "amf": False},
        {"method": "sclip", "window": 64, "stride": 32, "templates": "imagenet7"},
    ],
)
def test_the_python_on_the_page_makes_the_same_labels_again(changes: dict) -> None:
    answer = answer_of(**SMALL, **changes)
    made: dict = {}
    exec(export.python_text(answer.question), made)
    assert (made["labels"].numpy() == answer.mask.labels).all()


@pytest.mark.parametrize("changes", [{"amf": False, "threshold": 0.2}, {"method": "naclip"}])
def test_the_command_makes_the_same_mask_again(
    changes: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = answer_of(**SMALL, **changes)
    with zip_of(answer) as packed:
        packed.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert segment.main(shlex.split(export.command_line(answer.question, "picture.png"))[3:]) == 0
    made, taken = (np.asarray(Image.open(name)) for name in ("out/picture.png", "mask.png"))
    assert (made == taken).all()


def test_a_share_card_names_the_background_where_there_is_one() -> None:
    for words, there in (("sky", True), ("cup, table", False)):
        mask = answer_of(**{**SMALL, "words": words}).mask
        share = 100 * (mask.labels < 0).mean()
        assert bool(share) is there
        assert (f"background {share:.1f} %" in export.card_title(mask)) is there


def test_what_the_command_line_has_no_option_for_gives_no_command() -> None:
    for changes in ({"plant": True}, {"channels": (3,)}, {"logit_scale": 30.0}):
        question = answer_of(**SMALL, **changes).question
        assert export.command_line(question, "picture.png") == ""


def test_a_share_card_is_800_pixels_wide_and_shows_before_and_after() -> None:
    """Of ClearCLIP alone, the picture and the mask."""
    for changes in ({"plant": True}, {"amf": False, "cs": False}):
        made = export.share_card(engine(), answer_of(**SMALL, **changes))
        with Image.open(io.BytesIO(made["gclip.png"])) as picture:
            assert picture.format == "PNG" and picture.width == 800
        with Image.open(io.BytesIO(made["gclip.gif"])) as animation:
            assert animation.format == "GIF" and (animation.n_frames, animation.width) == (2, 800)
