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
from demo import around
from demo.answer import Answer, compute, resolve
from demo.host.blob_store import LazyBlob
from demo.request import Request
from demo.settings import Settings, from_query
from demo.tabs import again, archive, export
from evaluation.photos import shipped_photos
from gclip_core import segment
from tests.demo import engine
from tests.demo.samples import around_content, export_tab

NAMES = ("cup", "naïve 猫 <b>", "table")
SMALL = {"example": "coffee", "words": "cup, it's a \\ \"quote\"; 'x', table", "short_side": 96}


def answer_of(upload: str = "", **settings: object) -> Answer:
    return compute(engine(), resolve(engine(), Request(Settings(**settings), upload)))


def zip_of(answer: Answer) -> zipfile.ZipFile:
    blob = archive.zip_blob(engine(), answer.question).make()
    assert blob.media_type == "application/zip"
    return zipfile.ZipFile(io.BytesIO(blob.body))


@pytest.fixture(scope="module")
def answer() -> Answer:
    return answer_of(example="coffee", words=", ".join(NAMES), threshold=0.35)


@pytest.fixture(scope="module")
def packed(answer: Answer) -> zipfile.ZipFile:
    return zip_of(answer)


def test_the_mask_reads_back_pixel_for_pixel_and_names_its_classes(
    packed: zipfile.ZipFile, answer: Answer
) -> None:
    mask, labels = Image.open(packed.open("mask.png")), answer.mask.labels
    assert mask.mode == "P"
    assert (np.asarray(mask) == np.where(labels < 0, 255, labels)).all()
    assert json.loads(mask.text["Classes"]) == list(NAMES)


def test_settings_say_versions_words_and_areas(packed: zipfile.ZipFile, answer: Answer) -> None:
    found = json.loads(packed.read("settings.json"))
    assert found["versions"]["gclip"] == gclip.__version__
    assert found["words"] == answer.question.settings.words
    assert found["result"]["backbone"] == answer.status.title
    shares = [entry["share"] for entry in (*found["classes"], found["no_class"])]
    assert sum(shares) == pytest.approx(1)
    assert from_query(found["link"])[0] == answer.question.settings.changed(backbone="built-in")


def test_the_archive_says_what_is_in_it(packed: zipfile.ZipFile) -> None:
    for name in set(packed.namelist()) - {"README.txt"}:
        assert name in packed.read("README.txt").decode()


@pytest.mark.parametrize("turned", [False, True])
def test_the_zip_makes_its_own_labels_again_in_its_own_folder(turned: bool, tmp_path: Path) -> None:
    """An upload travels as it came, or as the page turned it upright."""
    photo = shipped_photos()["coffee"].image().resize((96, 64))
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
    exec(again.python_text(answer.question), made)
    assert (made["labels"].numpy() == answer.mask.labels).all()


@pytest.mark.parametrize("changes", [{"amf": False, "threshold": 0.2}, {"method": "naclip"}])
def test_the_command_makes_the_same_mask_again(
    changes: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = answer_of(**SMALL, **changes)
    with zip_of(answer) as packed:
        packed.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert segment.main(shlex.split(again.command_line(answer.question, "picture.png"))[3:]) == 0
    made, taken = (np.asarray(Image.open(name)) for name in ("out/picture.png", "mask.png"))
    assert (made == taken).all()


def test_what_the_command_line_has_no_option_for_gives_no_command() -> None:
    for changes in ({"plant": True}, {"channels": (3,)}, {"logit_scale": 30.0}):
        question = answer_of(**SMALL, **changes).question
        assert again.command_line(question, "picture.png") == ""


def share_picture(answer: Answer) -> LazyBlob:
    return around.compute(engine(), answer).share


def test_the_figure_and_the_share_picture_are_made_when_they_are_fetched() -> None:
    answer = answer_of(**SMALL)
    files = export.compute(engine(), answer).files
    assert files["picture"] == share_picture(answer), "one name in both places"
    assert files["pdf"].make().body.startswith(b"%PDF")
    for form, width in (("png", 2160), ("picture", 1080)):
        blob = files[form].make()
        with Image.open(io.BytesIO(blob.body)) as picture:
            assert (blob.media_type, picture.format, picture.width) == ("image/png", "PNG", width)


def test_a_figure_has_another_name_where_its_edges_its_method_or_the_address_differ() -> None:
    changes = ({}, {"refine": "none"}, {"amf": False}, {"words": "cup"}, {"plant": True})
    names = {share_picture(answer_of(**{**SMALL, **change})).name for change in changes}
    elsewhere = Request(Settings(**SMALL), address="gclip.example")
    answer = compute(engine(), resolve(engine(), elsewhere))
    names.add(share_picture(answer).name)
    assert len(names) == len(changes) + 1


def test_the_view_of_export_needs_no_model() -> None:
    value = export_tab()
    shown = export.view(value)
    assert shown["figures"]["name"] == "cat, sofa"
    assert shown["figures"]["pdf"] == value.files["pdf"]
    assert shown["figures"]["zip"] == value.files["zip"]
    assert shown["command"] == export.NO_COMMAND


def test_around_is_the_share_picture_named_by_the_words() -> None:
    shown = around.view(around_content())["share"]
    assert (shown["name"], shown["is_upload"]) == ("tram, grass", True)
    assert around.view(around_content(is_upload=False))["share"]["is_upload"] is False
