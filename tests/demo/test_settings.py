"""Settings: what they refuse, and the links that contain them."""

from urllib.parse import parse_qsl

import pytest

from demo import limits, share
from demo.settings import LABELS, Settings, marks_of
from gclip_core import GclipError, Mark
from tests.demo.photos import OTHER, scene


def test_link_has_what_differs() -> None:
    """Numbers as they are, switches as 0 and 1; no defaults but the backbone's, no shown word."""
    assert Settings().to_query() == ""
    link = Settings(cs=False, background_weight=0.333333333333).to_query(example="dog")
    assert link == "example=dog&cs=0&background_weight=0.333333333333"
    every = dict(parse_qsl(Settings.read(OTHER).to_query()))
    assert every.keys() | {"backbone", "shown"} == {*Settings.model_fields}


def test_marks() -> None:
    """Points and boxes, with a word or none, in tenths of a pixel."""
    marks = marks_of("0.33333,0.5,red dog;.1,.2,0.3,1,", 100, 50)
    assert marks == (Mark(33.3, 25, "red dog"), Mark.box(10, 10, 30, 50))


@pytest.mark.parametrize("letter", ["x", "猫"])
def test_longest_link(letter: str) -> None:
    """Words that would make it too long are left out."""
    words = ",".join(f"{number:03}" + 16 * letter for number in range(limits.MAX_PHRASES))
    link = share.link(scene(words=words, amf=False))
    query = dict(parse_qsl(link[1:]))
    assert len(link) < 4_000 * 3 and query["amf"] == "0" and query["example"] == "dog"
    assert query.get("words") == (words if letter == "x" else None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("background_weight", 1.01),
        ("background_weight", "much"),
        ("background_weight", float("nan")),
        ("threshold", -0.1),
        ("logit_scale", 0.5),
        ("short_side", 1345),
        ("block", 0),
        ("block", 65),
        ("backbone", ["built-in"]),
        ("backbone", "resnet"),
        ("cs_blocks", "paper-from-1"),
        ("words", "\ud800"),
        ("words", "x" * 5_000),
        ("words", [[1]]),
        ("shown", "dog,AB"),
        ("shown", "dog,AAAAfAAA"),
        ("marks", "0.5,1.5,dog"),
        ("marks", "0.5,nan,dog"),
        ("marks", "0.5,dog"),
        ("marks", "0.5,half,dog"),
        ("marks", "0.1,0.1,;" * 41),
        ("amf", None),
        ("colour", "red"),
        ("__proto__", 1),
        ("enlarged", 2),
    ],
)
def test_value_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(GclipError, match=f"“{LABELS.get(name, name)}”") as refused:
        Settings.read({name: value})
    assert len(str(refused.value)) < 400
