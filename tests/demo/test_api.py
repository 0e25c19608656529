"""The public endpoints, asked with gradio_client as a program would; plain data comes back."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from pycocotools import mask as coco

import gclip_core as gclip
from demo import launch, main
from demo.look import Studio
from gclip_core import assets

ENDPOINTS = {
    "/segment", "/compare", "/attention", "/channels", "/explain_pixel", "/export", "/about",
}  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    demo = launch.build(Studio())
    options = launch.launch_settings(main.parser().parse_args([])) | {"server_port": None}
    _, url, _ = demo.launch(**options, prevent_thread_lock=True, quiet=True)
    yield Client(url, verbose=False)
    demo.close()


def test_seven_endpoints_are_public_and_described(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == ENDPOINTS
    assert all(entry.get("description") for entry in named.values())


def test_segment_gives_the_librarys_masks(client: Client) -> None:
    photo = assets.path("photos", "chelsea.jpg")
    answer = client.predict(handle_file(photo), "cat, grass", api_name="/segment")
    method = gclip.gclip(amf_blocks="backbone", cs_blocks="backbone")
    seg = gclip.Segmenter(gclip.load_backbone("built-in"))
    labels = seg.segment(photo, "cat, grass", method, rest="background").labels.numpy()
    assert (answer["height"], answer["width"]) == labels.shape
    for index, one in enumerate(answer["classes"]):
        found = np.zeros(labels.shape, bool) if one["rle"] is None else coco.decode(one["rle"])
        assert np.array_equal(found.astype(bool), labels == index)


def test_compare_says_what_each_variant_changed(client: Client) -> None:
    answer = client.predict(seed=2, variants="clip clearclip amf", api_name="/compare")
    assert [one["variant"] for one in answer] == ["clip", "clearclip", "amf"]
    assert answer[0]["changed"] is None
    assert 0 <= answer[1]["changed"] <= 1
    assert answer[1]["miou"] > answer[0]["miou"]


def test_attention_rows_sum_to_at_most_one_and_blocks_count_from_one(client: Client) -> None:
    answer = client.predict(seed=2, block=1, row=2, column=3, api_name="/attention")
    assert answer["block"] == 1
    assert 0 < np.sum(answer["attention"]) <= 1 + 1e-5
    assert np.shape(answer["attention"]) == tuple(answer["grid"])
    assert min(answer["amf_blocks"]) >= 1
    assert answer["used_with_amf"] != answer["used_without_amf"]


def test_channels_finds_a_planted_channel(client: Client) -> None:
    answer = client.predict(plant_channel=5, plant_gain=50, block=9, api_name="/channels")
    assert answer["simulation"]
    assert int(np.argmax(answer["before"])) == 5
    assert max(answer["after"]) < max(answer["before"])


def test_explain_pixel_ranks_scores(client: Client) -> None:
    for one in client.predict(seed=2, row=10, column=20, api_name="/explain_pixel"):
        scores = [entry["score"] for entry in one["top"]]
        assert scores == sorted(scores, reverse=True)


def test_export_is_a_zip_with_mask_and_settings(client: Client) -> None:
    path = client.predict(seed=2, api_name="/export")
    with zipfile.ZipFile(Path(path)) as archive:
        settings = json.loads(archive.read("settings.json"))
        mask = Image.open(io.BytesIO(archive.read("mask.png")))
    assert settings["settings"]["input"]["seed"] == 2
    assert mask.size == (384, 288)


def test_about_names_what_runs(client: Client) -> None:
    answer = client.predict(api_name="/about")
    assert answer["backbone"] == "built-in"
    assert {one["name"]: one["here"] for one in answer["backbones"]}["built-in"]


def test_a_refusal_is_a_sentence(client: Client) -> None:
    with pytest.raises(Exception, match="is not a method"):
        client.predict(method="nope", api_name="/segment")


@pytest.mark.parametrize(
    ("endpoint", "asked", "said"),
    [
        ("/attention", {"head": 5}, "from 1 to 4"),
        ("/attention", {"head": 99}, "not 99"),
        ("/channels", {"plant_channel": 128}, "from 0 to 127"),
        ("/explain_pixel", {"row": 288}, "row 287"),
        ("/explain_pixel", {"column": -1}, "column 383"),
    ],
)
def test_what_is_not_there_is_refused_as_it_was_asked(
    client: Client, endpoint: str, asked: dict[str, int], said: str
) -> None:
    with pytest.raises(Exception, match=said):
        client.predict(**asked, api_name=endpoint)


def test_a_path_that_no_upload_made_is_refused(client: Client) -> None:
    image = {"path": str(assets.path("photos", "chelsea.jpg"))}
    with pytest.raises(Exception, match="uploaded file"):
        client.predict(image, "cat", api_name="/segment")
