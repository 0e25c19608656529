"""Settings: each is declared once, read from a link or a control, and written back."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.settings import FIELDS, Settings, from_query, key_of, read, read_ranges, write_ranges
from gclip_core.errors import GclipError

changed = Settings(
    source="upload",
    example="chelsea",
    words="a; b, ${x} 猫\n# note",
    backbone="openai-vit-b-16",
    nearest=False,
    templates="imagenet7",
    short_side=224,
    window=224,
    stride=56,
    logit_scale=33.5,
    threshold=0.25,
    background="off",
    rest_weight=0.75,
    refine="pamr",
    method="naclip",
    amf=False,
    cs=False,
    amf_blocks=(5, 6),
    n_fused=3,
    heads="mean",
    global_threshold=7.5,
    cs_blocks=(6, 7, 8, 10),
    cs_target="median",
    channel_threshold=3.0,
    channels=(1, 2, 3, 9),
    plant=True,
    plant_channel=9,
    plant_gain=12.5,
    plant_blocks=(0, 11),
    tab="export",
    view_block=0,
    view_head=2,
    opacity=0.35,
    patch=(3, 4),
    pixel=(100, 7),
    extras=True,
    machine=True,
    left="clip",
    right="amf",
)


def test_a_link_restores_every_setting() -> None:
    for name, item in FIELDS.items():
        assert getattr(changed, name) != item.default, f"{name} is not tried here"
    found, notes = from_query(changed.to_query())
    assert found == changed
    assert len(notes) == 1, "an upload is to be added again"
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
        ("short", "-1"),
        ("short", "1e3"),
        ("short", "9" * 40),
        ("amf", "yes"),
        ("opacity", "nan"),
        ("opacity", "2"),
        ("backbone", "../../etc/passwd"),
        ("method", "<img>"),
        ("block", "0"),
        ("block", "65"),
        ("amf_blocks", "0"),
        ("amf_blocks", ""),
        ("amf_blocks", "1-99999999"),
        ("plant_blocks", ""),
        ("channels", "0-8192"),
        ("channels", "5-1"),
        ("channels", "x"),
        ("patch", "1"),
        ("patch", "a,b"),
        ("words", "x" * 4001),
        ("words", "a\0b"),
        ("head", "0"),
        ("example", "a/b"),
        ("example", "nowhere"),
        ("gain", "inf"),
        ("tab", "admin"),
        ("templates", "__class__"),
    ],
)
def test_a_tampered_value_is_dropped_with_a_note(key: str, value: str) -> None:
    found, notes = from_query({key: value, "cs": "0"}, example=("chelsea",), tab=("side",))
    assert found == Settings(cs=False)
    assert len(notes) == 1
    assert value[:80] not in notes[0] or len(value) < 3


@given(
    st.dictionaries(
        st.sampled_from([key_of(name) for name in FIELDS]), st.text(max_size=40), max_size=6
    )
)
@settings(max_examples=200, deadline=None)
def test_no_query_breaks_the_page(query: dict[str, str]) -> None:
    found, _ = from_query(query)
    again, notes = from_query(found.to_query())
    assert again == found or "upload" in found.to_query()
    assert not [note for note in notes if "left out" in note]


@given(st.sets(st.integers(0, 600), max_size=50))
def test_channel_ranges_read_back(numbers: set[int]) -> None:
    assert read_ranges(write_ranges(numbers)) == tuple(sorted(numbers))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("short_side", 1.5),
        ("short_side", "x"),
        ("amf", {"a": 1}),
        ("view_block", []),
        ("words", 5),
        ("plant_gain", 1e9),
        ("patch", [1]),
        ("amf_blocks", ["a"]),
        ("channels", [9999]),
        ("plant_blocks", []),
        ("opacity", float("nan")),
        ("method", "nope"),
    ],
)
def test_a_forged_value_of_a_control_is_refused_in_words(name: str, value: object) -> None:
    with pytest.raises(GclipError, match="takes .+, but “"):
        read({name: value})


def test_an_emptied_field_keeps_its_default() -> None:
    assert read({"short_side": None, "words": "cat"}) == Settings(words="cat")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?__theme=dark&utm_source=x&logs=1", (Settings(), ())),  # keys of the host
    ],
)
def test_keys_of_the_host_are_ignored(query: str, found: tuple) -> None:
    assert from_query(query) == found
