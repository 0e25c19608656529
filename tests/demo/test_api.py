"""The public endpoints, called with gradio_client as programs do; they return plain data."""

import inspect
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image

import gclip_core as gclip
from demo import api, backbones
from demo.settings import Settings
from demo.turns import TURNS
from gclip_core import __version__, assets
from tests.demo.visitor import API, FailedError, Visitor

PICTURE = str(assets.path("photos", "chelsea.jpg"))


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(url, verbose=False)


@pytest.fixture(scope="module")
def photo(visitor: Visitor) -> dict[str, Any]:
    return visitor.file(Path(PICTURE).read_bytes(), "chelsea.jpg")


def test_endpoints(client: Client) -> None:
    """Three are public, and described, with the parameters of their functions."""
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/segment", "/suggest", "/about"}
    assert all(entry.get("description") for entry in named.values())
    for function in (api.segment, api.suggest, api.about):
        described = named[f"/{function.__name__}"]["parameters"]
        names = [parameter["parameter_name"] for parameter in described]
        assert names == [*inspect.signature(function).parameters][1:]


@pytest.mark.parametrize(
    ("method", "options", "same"),
    [
        ("naclip", {"background": "on"}, gclip.METHODS["naclip"]),
        ("gclip", {"background": "on", "refine": "guided"}, gclip.gclip()),
        ("cs", {"background": "off"}, gclip.gclip(amf=False)),
    ],
)
def test_segment(client: Client, method: str, options: dict, same: gclip.Method) -> None:
    """The mask is the library's, and its description matches it; an unknown word is used as it is,
    and reported with the nearest known one."""
    file, described = client.predict(
        handle_file(PICTURE), "tram, cat", method, **options, api_name="/segment"
    )
    options = options | {"background": options["background"] == "on"}
    options["background_weight"] = Settings().background_weight
    segmenter = gclip.Segmenter(backbones.get("built-in"))
    result = segmenter.segment(PICTURE, "tram, cat", same, **options)
    labels = result.labels.numpy()
    assert np.array_equal(np.asarray(Image.open(file)), np.where(labels < 0, 255, labels))
    assert json.loads(Image.open(file).text["Classes"])[:2] == ["tram", "cat"]
    assert (described["height"], described["width"]) == labels.shape
    assert described["classes"] == [["tram"], ["cat"]]
    shares = [*described["areas"].values(), described["no_class"]]
    assert shares == pytest.approx([(labels == label).mean() for label in (0, 1, -1)])
    (unknown,) = described["unknown"]
    assert (unknown["phrase"], unknown["nearest"]) == ("tram", "train")
    assert described["weights"]
    assert described["cs_reason"] == result.report.suppressed.reason


def test_suggest(client: Client) -> None:
    words = client.predict(handle_file(PICTURE), 3, api_name="/suggest")
    assert words == list(gclip.Segmenter(backbones.get("built-in")).suggest(PICTURE, 3))


def test_about(client: Client) -> None:
    answer = client.predict(api_name="/about")
    assert (answer["version"], answer["backbone"]) == (__version__, "built-in")
    here = {entry["name"]: entry["here"] for entry in answer["backbones"]}
    assert here["built-in"] and not here["openai-vit-l-14"]
    assert {"gclip", "clearclip", "amf", "cs"} <= set(answer["methods"])


def test_files(visitor: Visitor, photo: dict) -> None:
    """A path, also as a URL; a browser opens no upload as a page of this server; no other file is
    opened or served."""
    path = photo["path"]
    words = visitor.program("suggest", photo, 5, "default")
    url = {"path": f"{visitor.web.base_url}{API}/file={path}", "url": "http://127.0.0.1:1/"}
    assert visitor.program("suggest", photo | url, 5, "default") == words
    served = visitor.web.get(f"{API}/file={path}")
    assert served.content == Path(PICTURE).read_bytes()
    assert "attachment" in served.headers["content-disposition"]
    assert visitor.web.get(f"{API}/file={path}x").status_code == 404
    for other in (PICTURE, "/etc/passwd", f"{path}/../../../etc/passwd", "\0", ""):
        assert visitor.web.get(f"{API}/file={quote(other)}").status_code == 404
        with pytest.raises(FailedError, match="no longer on the server"):
            visitor.program("suggest", photo | {"path": other}, 5, "default")


WRONG = {
    "no words": ({"words": " , "}, "at least one word"),
    "words null": ({"words": None}, "“words” .*string"),
    "201 synonyms": ({"words": ";".join(f"thing {n}" for n in range(201))}, "and synonyms"),
    "4,001 characters": ({"words": "x" * 4001}, "“Words” .*4000 characters"),
    "threshold a text": ({"threshold": "0.5"}, "“threshold” .*number"),
    "backbone unknown": ({"backbone": "nope"}, "“backbone” .*'built-in'"),
    "backbone not here": ({"backbone": "openai-vit-l-14"}, "is not on this machine"),
    "background": ({"background": True}, "“background” .*'on' or 'off'"),
    "image null": ({"image": None}, "“image”"),
    "image a text": ({"image": "x.png"}, "“image”"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.usefixtures("no_trace")
def test_wrong_values(case: str, visitor: Visitor, photo: dict) -> None:
    """Each gets an error message with its name."""
    changed, sentence = WRONG[case]
    _, *names = inspect.signature(api.segment).parameters
    usual = dict(zip(names, (photo, "cat", *api.segment.__defaults__), strict=True))
    with pytest.raises(FailedError, match=sentence) as refused:
        visitor.program("segment", *(usual | changed).values())
    assert len(str(refused.value)) < 500


def test_many_words_take_several_turns(client: Client) -> None:
    """Others are served while they are embedded."""
    before, words = TURNS.count, ", ".join(f"thing {n}" for n in range(45))
    client.predict(handle_file(PICTURE), words, api_name="/segment")
    assert TURNS.count == before + 3
