"""Settings, and the links that contain them."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.settings import Settings
from gclip_core import GclipError
from tests.demo.photos import OTHER

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(str.strip)


def opened(link: str) -> tuple[Settings, str]:
    return Settings.from_query(dict(parse_qsl(link, keep_blank_values=True)))


@given(WORDS, st.floats(0, 1))
def test_link_brings_back_every_setting(words: str, weight: float) -> None:
    """To the last digit, whatever was typed."""
    try:
        settings = Settings.read(OTHER | {"words": words, "background_weight": weight})
    except GclipError:  # no word in it, such as ","
        return
    assert opened(settings.to_query()) == (settings, "")


def test_link_has_what_differs() -> None:
    """Numbers as they are, switches as 0 and 1, and no defaults."""
    assert Settings().to_query() == ""
    link = Settings(cs=False, background_weight=0.333333333333).to_query(example="dog")
    assert link == "example=dog&background_weight=0.333333333333&cs=0"


def test_link_without_a_known_backbone_opens_the_hosts_own() -> None:
    for query in ({}, {"backbone": "resnet"}):
        settings, _ = Settings.from_query(query, "openai-vit-b-16")
        assert settings.backbone == "openai-vit-b-16"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("background_weight", 1.01),
        ("background_weight", "much"),
        ("threshold", -0.1),
        ("logit_scale", 0.5),
        ("short_side", 1345),
        ("stride", 15),
        ("block", 0),
        ("block", 65),
        ("backbone", "resnet"),
        ("backbone", ["built-in"]),
        ("amf_blocks", "six"),
        ("amf_blocks", " "),
        ("amf_blocks", "0"),
        ("cs_blocks", "paper-from-1"),
        ("words", 5),
        ("words", "\ud800"),
        ("words", "x" * 4001),
        ("words", ",".join(f"w{i}" for i in range(201))),
        ("amf", None),
        ("colour", "red"),
        ("enlarged", 2),
    ],
)
def test_value_out_of_range_meets_a_sentence(name: str, value: object) -> None:
    with pytest.raises(GclipError, match=f"“{name}”"):
        Settings.read({name: value})


def test_values_at_the_limits_are_read() -> None:
    words = ",".join(f"{i:019}" for i in range(200))
    assert len(words) == 3999
    values = {
        "words": words,
        "background_weight": 1,
        "threshold": 0.0,
        "short_side": 1344,
        "channel_threshold": 1,
    }
    assert Settings.read(values).model_dump(include=set(values)) == values
