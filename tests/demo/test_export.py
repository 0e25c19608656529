"""What is taken away: files that read back, and Python that makes it again."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

import gclip_core as gclip
from demo.settings import Settings, from_query
from demo.views import export
from gclip_core import scenes

LABELS = np.array([[0, 0, 2, -1], [0, 0, 2, 2], [1, 1, 1, 1]], np.int16)
NAMES = ("cat", "naïve 猫 <b>", "sky")


@pytest.fixture(scope="module")
def archive() -> zipfile.ZipFile:
    image = Image.new("RGB", (4, 3), "white")
    data = export.bundle(image, LABELS, NAMES, Settings(seed=7), "cat, sky", 12, {"miou": 0.5})
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


def test_settings_say_versions_words_and_areas(archive: zipfile.ZipFile) -> None:
    found = json.loads(archive.read("settings.json"))
    assert found["versions"]["gclip"] == gclip.__version__
    assert set(export.PACKAGES) < set(found["versions"])
    assert found["words"] == "cat, sky"
    assert found["result"] == {"miou": 0.5}
    assert sum(entry["share"] for entry in found["classes"]) == pytest.approx(1)
    assert from_query(found["link"])[0] == Settings(seed=7)


def test_the_archive_says_what_is_in_it(archive: zipfile.ZipFile) -> None:
    for name in set(archive.namelist()) - {"README.txt"}:
        assert name in export.README
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
    scene = scenes.compose(3, (96, 128), "held-out", 2)
    words = ", ".join(scene.words) + ", it's a \\ \"quote\"; 'x'"
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
    wanted = segmenter.segment(scene.image, words, method, threshold=given_settings.threshold)
    made: dict = {}
    exec(export.python_text(given_settings, words, (96, 128), 12), made)  # noqa: S102
    assert (made["labels"] == wanted.labels).all()


def test_the_python_opens_a_shipped_photo_and_names_an_uploaded_one() -> None:
    photo = export.python_text(Settings(source="example", example="chelsea"), "cat", (1, 1), 12)
    assert "assets.path('photos', 'chelsea.jpg')" in photo
    own = export.python_text(Settings(source="upload"), "cat", (1, 1), 12)
    assert export.OWN_IMAGE in own
    compile(own, "own", "exec")
