"""What is taken away: files that read back, and Python that makes it again."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from pycocotools import mask as coco

import gclip_core as gclip
from demo.look import Request, Studio
from demo.settings import Settings, from_query
from demo.source import mask_colours
from demo.tabs import export
from evaluation.photos import star_photos
from tests.models import picture

LABELS = np.array([[0, 0, 2, -1], [0, 0, 2, 2], [1, 1, 1, 1]], np.int16)
NAMES = ("cat", "naïve 猫 <b>", "sky")


@pytest.fixture(scope="module")
def archive() -> zipfile.ZipFile:
    image = Image.new("RGB", (4, 3), "white")
    settings = Settings(seed=7, words="cat, sky")
    data = export.bundle(
        image, ("picture.jpg", b"a photo"), LABELS, NAMES, settings, "again", {"miou": 0.5}
    )
    return zipfile.ZipFile(io.BytesIO(data))


def test_the_mask_reads_back_pixel_for_pixel(archive: zipfile.ZipFile) -> None:
    mask = Image.open(archive.open("mask.png"))
    assert mask.mode == "P"
    assert (np.asarray(mask) == np.where(LABELS < 0, 255, LABELS)).all()


def test_coco_masks_read_back_pixel_for_pixel(archive: zipfile.ZipFile) -> None:
    found = json.loads(archive.read("coco.json"))
    assert [c["name"] for c in found["categories"]] == list(NAMES)
    for annotation in found["annotations"]:
        decoded = coco.decode(annotation["segmentation"]).astype(bool)
        assert (decoded == (annotation["category_id"] - 1 == LABELS)).all()
        assert annotation["area"] == decoded.sum()


def test_coco_points_to_the_picture_that_is_inside(archive: zipfile.ZipFile) -> None:
    named = json.loads(archive.read("coco.json"))["images"][0]["file_name"]
    assert named == "picture.jpg"
    assert archive.read(named) == b"a photo"


def test_the_mask_names_its_classes_itself(archive: zipfile.ZipFile, tmp_path: Path) -> None:
    read = {c.value: c.name for c in mask_colours(archive.extract("mask.png", tmp_path))}
    assert read == {0: NAMES[0], 1: NAMES[1], 2: NAMES[2], 255: ""}


@pytest.mark.parametrize("turned", [False, True])
def test_the_zip_makes_its_own_labels_again_in_a_folder_of_its_own(
    turned: bool, tmp_path: Path
) -> None:
    """An upload travels as it came, or as the page turned it upright."""
    photo = star_photos()["coffee"].image().resize((96, 64))
    exif = photo.getexif()
    exif[ExifTags.Base.Orientation] = 6 if turned else 1
    photo.save(tmp_path / "own.jpg", exif=exif)
    settings = Settings(source="upload", words="cup, table", amf=False)
    look = Studio().look(Request(settings, str(tmp_path / "own.jpg")))
    view = export.see(look)
    with zipfile.ZipFile(io.BytesIO(view.zip())) as packed:
        packed.extractall(tmp_path / "zip")
    assert (tmp_path / "zip" / ("picture.png" if turned else "picture.jpg")).is_file()
    text = (tmp_path / "zip" / "again.py").read_text()
    made: dict = {"__file__": str(tmp_path / "zip" / "again.py")}
    exec(compile(text, "again.py", "exec"), made)
    assert (made["labels"].numpy() == view.mask.labels).all()


def test_a_planted_channel_over_the_width_is_written_as_it_was_planted() -> None:
    look = Studio().look(Request(Settings(seed=4, words="cat", plant=True, plant_channel=500)))
    view, (planted,) = export.see(look), look.segmenter.backbone.planted
    assert f"plant_channel(backbone, {planted.channel}, " in view.python


def test_the_zip_holds_the_picture_that_was_segmented_whatever_lies_in_the_field(
    tmp_path: Path,
) -> None:
    Image.new("RGB", (384, 288), "red").save(tmp_path / "before.webp")
    look = Studio().look(Request(Settings(seed=4, words="cat"), str(tmp_path / "before.webp")))
    with zipfile.ZipFile(io.BytesIO(export.see(look).zip())) as packed:
        inside = Image.open(packed.open("picture.png"))
    assert np.array_equal(inside, look.picture.image)


def test_settings_say_versions_words_and_areas(archive: zipfile.ZipFile) -> None:
    found = json.loads(archive.read("settings.json"))
    assert found["versions"]["gclip"] == gclip.__version__
    assert set(export.PACKAGES) < set(found["versions"])
    assert found["words"] == "cat, sky"
    assert found["result"] == {"miou": 0.5}
    shares = [entry["share"] for entry in (*found["classes"], found["no_class"])]
    assert sum(shares) == pytest.approx(1)
    assert from_query(found["link"])[0] == Settings(seed=7, words="cat, sky")


def test_the_archive_says_what_is_in_it(archive: zipfile.ZipFile) -> None:
    for name in set(archive.namelist()) - {"README.txt"}:
        assert name in archive.read("README.txt").decode()
    assert archive.testzip() is None


@pytest.mark.parametrize(
    ("given_settings", "method"),
    [
        (
            Settings(seed=3, things=2, scene_size=96, short_side=96, amf_blocks=(5, 6), cs=False),
            gclip.gclip(cs=False, amf_blocks=(5, 6)),
        ),
        (
            Settings(
                seed=3, things=2, scene_size=96, plant=True, plant_channel=5, plant_gain=50.0,
                plant_blocks=(7, 40), amf=False, cs_blocks="auto", threshold=0.2,
            ),
            gclip.gclip(amf=False),
        ),
        (
            Settings(
                seed=3, things=2, scene_size=96, method="sclip", window=64, stride=32,
                templates="imagenet7", logit_scale=30.0,
            ),
            gclip.METHODS["sclip"],
        ),
    ],
)  # fmt: skip
def test_the_python_makes_the_same_labels_again(given_settings: Settings, method) -> None:  # noqa: ANN001
    image = picture(96, 128)
    words = "cat, sky, grass" + ", it's a \\ \"quote\"; 'x'"
    backbone = gclip.load_backbone("built-in")
    if given_settings.plant:
        backbone = gclip.plant_channel(backbone, 5, 50.0, [7])
    segmenter = gclip.Segmenter(
        backbone,
        short_side=given_settings.short_side or None,
        window=given_settings.window or None,
        stride=given_settings.stride,
        templates=given_settings.templates,
        logit_scale=given_settings.logit_scale,
    )
    wanted = segmenter.segment(image, words, method, given_settings.threshold, rest="background")
    made: dict = {}
    told = given_settings.changed(words=words, backbone="built-in")  # as the page tells "auto"
    exec(export.python_text(told, (96, 128), 12), made)  # noqa: S102
    assert (made["labels"] == wanted.labels).all()


def test_the_python_opens_a_shipped_photo_and_names_an_uploaded_one() -> None:
    photo = export.python_text(Settings(source="example", example="coffee"), (1, 1), 12)
    assert "assets.path('photos', 'coffee.jpg')" in photo
    own = export.python_text(Settings(source="upload"), (1, 1), 12)
    assert export.OWN_IMAGE in own
    compile(own, "own", "exec")
