"""What is taken away: files that read back, links that restore, Python that makes it again."""

import dataclasses
import io
import json
import zipfile
from urllib.parse import parse_qsl

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco

import gclip_core as gclip
from demo.settings import Settings, from_query, read_ranges, write_ranges
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


changed = Settings(
    source="example", example="chelsea", seed=5, things=3, style="seen", scene_size=96,
    words="a; b, ${x} 猫\n# note", backbone="openai-vit-b-16",
    templates="imagenet7", short_side=224, window=224, stride=56, logit_scale=33.5, threshold=0.25,
    method="naclip", amf=False, cs=False,
    amf_blocks=(5, 6), n_blocks=3, heads="mean", global_threshold=7.5, cs_blocks=(6, 7, 8, 10),
    cs_target="median", channel_threshold=3.0, channels=(1, 2, 3, 9), plant=True, plant_channel=9,
    plant_gain=12.5, plant_blocks=(0, 11), tab="why", view_block=0, view_head=2, opacity=0.35,
    patch=(3, 4), pixel=(100, 7), extras=True, left="clip", right="amf",
)  # fmt: skip


def test_a_link_restores_every_setting() -> None:
    for item in dataclasses.fields(Settings):
        assert getattr(changed, item.name) != item.default, f"{item.name} is not tried here"
    assert from_query(changed.to_query()) == (changed, ())
    assert Settings().to_query() == ""


def test_links_and_json_count_blocks_from_1() -> None:
    query = dict(parse_qsl(changed.to_query()))
    assert query["amf_blocks"] == "6-7"
    assert query["cs_blocks"] == "7-9,11"
    assert query["plant_blocks"] == "1,12"
    assert (query["block"], query["head"]) == ("1", "3")
    assert changed.to_json()["method"]["amf_blocks"] == [6, 7]
    assert changed.to_json()["view"]["view_block"] == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "-1"), ("seed", "1e3"), ("seed", "9" * 40), ("amf", "yes"), ("opacity", "nan"),
        ("opacity", "2"), ("backbone", "../../etc/passwd"), ("method", "<img>"), ("block", "0"),
        ("block", "65"), ("amf_blocks", "0"), ("amf_blocks", ""), ("amf_blocks", "1-99999999"),
        ("plant_blocks", ""), ("channels", "0-8192"), ("channels", "5-1"), ("channels", "x"),
        ("patch", "1"), ("patch", "a,b"), ("words", "x" * 6001), ("words", "a\0b"), ("head", "0"),
        ("example", "a/b"), ("example", "nowhere"), ("style", "nowhere"), ("gain", "inf"),
        ("tab", "admin"), ("templates", "__class__"),
    ],
)  # fmt: skip
def test_a_tampered_value_is_dropped_with_a_note(key: str, value: str) -> None:
    found, notes = from_query({key: value, "cs": "0"}, examples=("chelsea",), styles=("seen",))
    assert found == Settings(cs=False)
    assert len(notes) == 1
    assert value[:80] not in notes[0] or len(value) < 3


def test_keys_of_the_host_are_ignored() -> None:
    assert from_query("?__theme=dark&utm_source=x&logs=1") == (Settings(), ())


@given(st.dictionaries(st.sampled_from([f.metadata["key"] for f in dataclasses.fields(Settings)]),
                       st.text(max_size=40), max_size=6))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_no_query_breaks_the_page(query: dict[str, str]) -> None:
    found, _ = from_query(query)
    again, notes = from_query(found.to_query())
    assert again == found or "upload" in found.to_query()
    assert not [note for note in notes if "left out" in note]


def test_a_link_says_what_it_cannot_carry() -> None:
    assert len(Settings(source="upload", words="x" * 7000).lost_in_link()) == 2
    assert Settings().lost_in_link() == ()


@given(st.sets(st.integers(0, 600), max_size=50))
def test_channel_ranges_read_back(numbers: set[int]) -> None:
    assert read_ranges(write_ranges(numbers)) == tuple(sorted(numbers))
