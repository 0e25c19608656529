"""Forged pictures, names, settings and presses get an error message, and open no file."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

from demo.settings import LABELS, Settings
from gclip_core import GclipError
from tests import TRACES
from tests.demo.photos import DOG, SMALL
from tests.demo.visitor import FailedError, Visitor
from tests.pictures import encoded, noise, png_bomb

pytestmark = pytest.mark.usefixtures("no_trace")
PNG = encoded(noise(120, 160), "PNG")


def refused(ask: Callable[..., Any], *values: Any) -> str:
    """The message for a request that cannot be answered."""
    with pytest.raises(FailedError) as error:
        ask(*values)
    sentence = str(error.value)
    assert len(sentence) < 400 and not any(trace in sentence for trace in TRACES), sentence
    return sentence


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "image"),
        (b"no picture at all", "not a readable image"),
        (encoded(noise(60, 80), "JPEG")[:2000], "cut short"),
        (png_bomb(60_000, 60_000), "at most 64,000,000 pixels"),
        (encoded(Image.new("L", (65_000, 1000)), "JPEG"), "at most 64,000,000 pixels"),
        (encoded(Image.new("1", (65_536, 1)), "PNG"), "65,535 pixels"),
    ],
    ids=("nothing", "a text", "half", "3,600 megapixels", "65 megapixels", "a strip"),
)
def test_no_picture(data: bytes, words: str, visitor: Visitor) -> None:
    """The page and the API say why."""
    assert words in refused(visitor.uploaded, data)
    if data:
        assert words in refused(visitor.program, "suggest", visitor.file(data), 5, "default")


def test_forged_photo_opens_no_file(visitor: Visitor, tmp_path: Path) -> None:
    """A name is a digest, not a path, a file beside the photos, or another type."""
    photo = visitor.uploaded(PNG)
    outside = tmp_path / "secret.png"
    outside.write_bytes(PNG)
    shown = visitor.web.get(f"/photos/{photo}?preview&planted=1")
    assert shown.headers["content-type"] == "image/jpeg" and shown.content
    up = "..%2f" * 12
    names = ["", ".", "..", "\0", "é", photo[:-1], f"{photo}/", f"{photo}.png"]
    names += [str(outside), str(DOG), "0" * len(photo), f"{up}etc/passwd", "flower.jpg", "x" * 5000]
    for name in names:
        answer = visitor.web.get(f"/photos/{quote(name)}")
        assert "image" not in answer.headers.get("content-type", ""), name
    others = None, 7, [photo], {"path": str(outside)}, {"url": "http://127.0.0.1/a.png"}
    for name in (*names, *others):
        assert visitor.pieces(name, {}, ["words"]) == {"gone": name}, name


def test_forged_settings(visitor: Visitor) -> None:
    """Values of another type, which no control sends."""
    for name in ("words", "background_weight", "amf", "backbone", "cs_blocks"):
        for value in ([["planted"]], {"planted": 1}, "planted" * 1000, None):
            sentence = refused(visitor.pieces, "dog", {name: value}, ["words"])
            assert f"“{LABELS[name]}”" in sentence
    assert "no setting “planted”" in refused(visitor.pieces, "dog", {"planted": 1}, [])
    for settings in (7, "planted", ["planted"]):
        assert refused(visitor.pieces, "dog", settings, ["words"])


WRONG = {
    "background_weight": (1.01, "much", math.nan),
    "threshold": (-0.1,),
    "logit_scale": (0.5,),
    "short_side": (1345,),
    "block": (0, 65),
    "backbone": (["built-in"], "resnet"),
    "cs_blocks": ("paper-from-1",),
    "words": ("\ud800", "x" * 5_000, [[1]]),
    "shown": ("dog,AB", "dog,AAAAfAAA"),
    "marks": ("0.5,1.5,dog", "0.5,nan,dog", "0.5,dog", "0.5,half,dog", "0.1,0.1,;" * 41),
    "amf": (None,),
    "colour": ("red",),
    "__proto__": (1,),
    "enlarged": (2,),
}


@pytest.mark.parametrize("name", WRONG)
def test_value_out_of_range_is_refused(name: str) -> None:
    for value in WRONG[name]:
        with pytest.raises(GclipError, match=f"“{LABELS.get(name, name)}”") as error:
            Settings.read({name: value})
        assert len(str(error.value)) < 400


@pytest.mark.parametrize("pieces", [None, 7, "words", ["planted", ["words"], {}, None]])
def test_forged_pieces(pieces: Any, visitor: Visitor) -> None:
    """What is no piece is not answered."""
    assert visitor.pieces("dog", SMALL, pieces) == {}


@pytest.mark.parametrize(
    ("endpoint", "inputs", "message"),
    [
        ("download", ["dog", {}, "planted", 0], "“file” is one of mask"),
        ("download", ["dog", {}, ["planted"], 0], "“file” is one of mask"),
        ("download", ["dog", {"words": ["planted"]}, "mask", 0], "“Words” cannot be used"),
        ("download", ["dog", {}, "cutout", "planted"], "“file” is one of mask"),
        ("fetch", ["<planted>"], "is not a backbone"),
        ("fetch", [[["<planted>"]]], "is not a backbone"),
        ("fetch", [None], "is not a backbone"),
    ],
)
def test_forged_press(endpoint: str, inputs: list, message: str, visitor: Visitor) -> None:
    (answer,) = next(visitor.call(endpoint, *inputs))
    assert message in answer["error"] and len(answer["error"]) < 400


def test_example_is_not_forgotten(visitor: Visitor) -> None:
    """What all visitors share stays, whoever deletes it."""
    visitor.ask("dog", **SMALL)
    before = visitor.web.get("/health").json()["cached"]
    visitor.web.delete("/photos/dog").raise_for_status()
    assert visitor.web.get("/health").json()["cached"] == before
