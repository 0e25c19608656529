"""The METHODS table and the settings of GCLIP."""

import pickle

import numpy as np
import pytest

from gclip_core import METHODS, MethodError, gclip
from gclip_core.methods import find_method
from tests import reference


@pytest.mark.parametrize("name", sorted(reference.METHODS.keys() - {"kk", "vv"}))
def test_the_methods_of_the_papers(name: str) -> None:
    method = METHODS[name]
    assert (method.attention, method.residual, method.ffn) == reference.METHODS[name]
    assert method.name == name
    assert method.citation
    assert method.summary


def test_only_gclip_suppresses_and_its_relatives_fuse_by_weights_of_their_own() -> None:
    assert [name for name, m in METHODS.items() if m.suppression] == ["gclip"]
    assert {n: m.fusion.weight for n, m in METHODS.items() if m.fusion} == {
        "itaclip": 0.5,
        "resclip": 0.4,
        "gclip": None,
    }
    assert METHODS["gclip"] == gclip()


def test_methods_stand_in_the_order_of_their_years() -> None:
    years = [method.year for method in METHODS.values() if method.year]
    assert years == sorted(years)


def test_a_comparison_shows_seven_methods_before_it_is_asked_for_more() -> None:
    assert {name for name, method in METHODS.items() if method.shown} == {
        "clip", "maskclip", "sclip", "naclip", "clearclip", "resclip", "gclip",
    }  # fmt: skip


def test_the_defaults_are_those_of_the_reading() -> None:
    method = gclip()
    assert method.fusion is not None
    assert method.suppression is not None
    assert (method.fusion.blocks, method.fusion.n_blocks, method.fusion.heads) == (
        "auto",
        2,
        "each",
    )
    assert method.fusion.global_threshold == 5
    assert (method.suppression.blocks, method.suppression.target) == ("auto", "mean")
    assert method.suppression.channel_threshold == 2


@pytest.mark.parametrize("amf", [True, False])
@pytest.mark.parametrize("cs", [True, False])
def test_each_idea_on_its_own(amf: bool, cs: bool) -> None:
    method = gclip(amf=amf, cs=cs)
    assert (method.fusion is not None, method.suppression is not None) == (amf, cs)
    titles = {
        (True, True): "GCLIP (AMF + CS)",
        (True, False): "GCLIP (AMF)",
        (False, True): "GCLIP (CS)",
        (False, False): "ClearCLIP (GCLIP, AMF and CS off)",
    }
    assert method.title == titles[amf, cs]


def test_with_both_off_it_is_clearclip_but_for_its_name() -> None:
    off, clearclip = gclip(amf=False, cs=False), METHODS["clearclip"]
    for field in ("attention", "residual", "ffn", "fusion", "suppression"):
        assert getattr(off, field) == getattr(clearclip, field)


def test_methods_are_equal_by_value_hashable_and_survive_pickling() -> None:
    one, same = gclip(amf_blocks=[5, 6]), gclip(amf_blocks=(np.int64(5), np.int64(6)))
    assert one == same
    assert hash(one) == hash(same)
    assert pickle.loads(pickle.dumps(one)) == one
    assert len({one, same, gclip(amf_blocks=[6, 5]), gclip(amf_blocks=range(5, 7))}) == 2


def test_blocks_of_any_iterable_each_once() -> None:
    method = gclip(amf_blocks=iter([5, 6, 5]), cs_blocks=np.array([7]))
    assert method.fusion.blocks == (5, 6)
    assert method.suppression.blocks == (7,)


@pytest.mark.parametrize(
    "settings",
    [
        {"amf_blocks": "6 7"},
        {"amf_blocks": "all"},
        {"amf_blocks": []},
        {"amf_blocks": [-1]},
        {"amf_blocks": [5.5]},
        {"amf_blocks": 5},
        {"amf_blocks": ["five"]},
        {"amf_blocks": [None]},
        {"cs_blocks": [-2, 3]},
        {"cs_blocks": [1.0]},
        {"n_blocks": 0},
        {"n_blocks": 1.5},
        {"n_blocks": "2"},
        {"heads": "all"},
        {"heads": None},
        {"cs_target": "max"},
        {"global_threshold": 0.5},
        {"global_threshold": float("nan")},
        {"global_threshold": "5"},
        {"channel_threshold": 0},
        {"cs_channels": [-1]},
        {"cs_channels": [0.5]},
        {"cs_channels": 7},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused_in_words(settings: dict) -> None:
    with pytest.raises(MethodError, match=next(iter(settings))):
        gclip(**settings)


def test_no_channel_named_means_the_largest_of_each_block() -> None:
    assert gclip(cs_channels=[]) == gclip(cs_channels=None) == gclip()
    assert gclip(cs_channels={9, 3}).suppression.channels == (3, 9)


def test_an_unknown_method_is_refused_with_the_valid_names() -> None:
    assert find_method("naclip") is METHODS["naclip"]
    with pytest.raises(MethodError, match="clearclip") as refused:
        find_method("clip++")
    assert "clip++" in str(refused.value)
