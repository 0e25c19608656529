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
        ("block", 0),
        ("block", 65),
        ("backbone", ["built-in"]),
        ("cs_blocks", "paper-from-1"),
        ("words", "\ud800"),
        ("amf", None),
        ("colour", "red"),
        ("enlarged", 2),
    ],
)
def test_value_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(GclipError, match=f"“{name}”"):
        Settings.read({name: value})
