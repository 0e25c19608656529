"""The public endpoints, asked with gradio_client as a program would; plain data comes back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image

import gclip_core as gclip
from demo import api
from demo.api import problem
from gclip_core import assets
from tests.demo import engine
from tests.models import loaded
from tests.visitor import API, Visitor, served

PHOTO = {"path": "x.png"}
PICTURE = assets.path("photos", "chelsea.jpg")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(engine()) as address:
        yield address.rstrip("/")


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(url, verbose=False)


def test_the_endpoints_are_public_and_described(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {f"/{name}" for name in api.ENDPOINTS}
    assert all(entry.get("description") for entry in named.values())


@pytest.mark.parametrize(
    ("method", "same"),
    [
        ("gclip", gclip.gclip(amf_blocks="backbone", cs_blocks="backbone")),
        ("amf", gclip.gclip(cs=False, amf_blocks="backbone")),
        ("naclip", gclip.METHODS["naclip"]),
    ],
)
def test_segment_gives_the_librarys_mask(client: Client, method: str, same: gclip.Method) -> None:
    answer = client.predict(handle_file(PICTURE), "cat, grass", method, api_name="/segment")
    labels = gclip.Segmenter(loaded()).segment(PICTURE, "cat, grass", same).labels
    mask = np.asarray(Image.open(Path(answer[0]))).astype(int)
    assert np.array_equal(np.where(mask == 255, -1, mask), labels.numpy())
    described = answer[1]
    assert (described["height"], described["width"]) == labels.shape
    assert [entry["name"] for entry in described["classes"]] == ["cat", "grass"]
    shares = [entry["share"] for entry in described["classes"]] + [described["none"]]
    assert sum(shares) == pytest.approx(1)
    assert described["facts"]["weights"]


def test_an_unknown_word_is_named_with_the_nearest_and_used_as_it_is(client: Client) -> None:
    _, described = client.predict(handle_file(PICTURE), "tram, grass", api_name="/segment")
    assert [entry["name"] for entry in described["classes"]] == ["tram", "grass"]
    reason = "never met in training"
    assert described["unknown"] == [{"word": "tram", "reason": reason, "nearest": "train"}]


def test_segment_refines_edges_when_asked(client: Client) -> None:
    answer = client.predict(
        handle_file(PICTURE), "cat, grass", refine="guided", api_name="/segment"
    )
    segmenter = gclip.Segmenter(loaded())
    labels = segmenter.segment(PICTURE, "cat, grass", refine="guided").labels
    assert np.array_equal(np.asarray(Image.open(answer[0])), labels.numpy())


def test_suggest_gives_the_librarys_words(client: Client) -> None:
    words = client.predict(handle_file(PICTURE), 3, api_name="/suggest")
    assert words == list(gclip.Segmenter(loaded()).suggest(PICTURE, 3))


def test_about_names_what_runs(client: Client) -> None:
    answer = client.predict(api_name="/about")
    assert answer["backbone"] == "built-in"
    assert {one["name"]: one["here"] for one in answer["backbones"]}["built-in"]
    assert {"gclip", "clearclip", "amf", "cs"} <= set(answer["methods"])


def test_a_refusal_inside_is_a_sentence(client: Client) -> None:
    with pytest.raises(Exception, match="takes block numbers"):
        client.predict(handle_file(PICTURE), "cat", amf_blocks="99", api_name="/segment")


def _values(**changed: Any) -> dict[str, Any]:
    return {"image": PHOTO, "words": "cat", **changed}


WRONG = {
    "words null": (_values(words=None), "“words” takes a text"),
    "words a list": (_values(words=["cat"]), "“words” takes a text"),
    "words none": (_values(words=" , "), "“words”: At least one word"),
    "words too many": (_values(words=",".join(map(str, range(201)))), "Up to 200 classes"),
    "words too long": (_values(words="x" * 4001), "at most 4000"),
    "threshold a text": (_values(threshold="0.5"), "“threshold” takes a number from 0 to 1"),
    "threshold over 1": (_values(threshold=2), "“threshold” takes a number from 0 to 1"),
    "method unknown": (_values(method="nope"), "“method” takes one of gclip"),
    "image null": (_values(image=None), "“image” takes an uploaded picture"),
    "image missing": ({"words": "cat"}, "needs “image”"),
    "argument unknown": (_values(colour=1), "“colour” came"),
    "session": (_values(session_hash="mine"), "“session_hash” came"),
    "too few": ([PHOTO, "cat"], "takes 9 values .image, words"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_values_are_refused_by_the_name_of_their_field(case: str, url: str) -> None:
    values, sentence = WRONG[case]
    with pytest.raises(AssertionError, match=sentence):
        assert not problem("segment", values), problem("segment", values)
    way, body = ("call/v2", values) if isinstance(values, dict) else ("call", {"data": values})
    answer = _post(url, f"{way}/segment", body)
    assert answer.status_code == 422
    assert answer.json()["detail"] == problem("segment", values)


def _post(url: str, way: str, body: Any) -> httpx.Response:
    # Ascii, so that half of a surrogate pair goes over the wire as JSON writes it.
    headers = {"content-type": "application/json"}
    return httpx.post(f"{url}{API}/{way}", content=json.dumps(body), headers=headers, timeout=60)


@pytest.mark.parametrize("way", ["run", "api"])
def test_the_queue_cannot_be_passed_by(way: str, url: str) -> None:
    for name in api.ENDPOINTS:
        assert _post(url, f"{way}/{name}", {"data": []}).status_code == 404


@pytest.mark.parametrize("tab", ["side", "export"])
def test_an_answer_comes_from_the_cache_the_second_time(tab: str, url: str) -> None:
    visitor, link = Visitor(url), f"tab={tab}&example=teddy&words=teddy%20bear"
    visitor.ask(link)
    again = visitor.ask(link)
    assert not again.problem
    assert "from the cache" in again.text
