"""Settings: what they refuse, and the links that contain them."""

import pytest

from demo.settings import LABELS, Settings, marks_of
from gclip_core import GclipError, Mark


def test_marks() -> None:
    """Points and boxes, with a word or none, in tenths of a pixel."""
    marks = marks_of("0.33333,0.5,red dog;.1,.2,0.3,1,", 100, 50)
    assert marks == (Mark(33.3, 25, "red dog"), Mark.box(10, 10, 30, 50))


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
