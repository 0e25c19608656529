"""The METHODS table and the settings of GCLIP."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gclip_core import METHODS, MethodError, gclip
from gclip_core.amf import Fusion
from gclip_core.cs import Suppression
from tests import reference


def test_table() -> None:
    """Every method is in the reference."""
    assert METHODS.keys() == reference.METHODS.keys(), "add it to tests/reference.py"


@pytest.mark.parametrize(
    ("amf", "cs", "title"),
    [
        (True, True, "GCLIP (AMF + CS)"),
        (True, False, "GCLIP (AMF)"),
        (False, True, "GCLIP (CS)"),
        (False, False, "ClearCLIP (GCLIP, AMF and CS off)"),
    ],
)
def test_ideas(amf: bool, cs: bool, title: str) -> None:
    """Each idea on its own."""
    method = gclip(amf=amf, cs=cs)
    assert (method.fusion is not None, method.suppression is not None) == (amf, cs)
    assert method.title == title


def test_equality() -> None:
    """Methods are equal by value hashable and survive pickling."""
    method, same = gclip(amf_blocks=[5, 6]), gclip(amf_blocks=(np.int64(5), np.int64(6)))
    assert method == same
    assert hash(method) == hash(same)
    assert pickle.loads(pickle.dumps(method)) == method
    assert len({method, same, gclip(amf_blocks=[6, 5]), gclip(amf_blocks=iter([5, 6, 5]))}) == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"amf_blocks": "6 7"},
        {"amf_blocks": []},
        {"amf_blocks": [-1]},
        {"cs_blocks": [1.0]},
        {"cs_blocks": "all"},
        {"n_fused": 0},
        {"n_fused": 1.5},
        {"heads": "all"},
        {"cs_target": "max"},
        {"global_threshold": float("nan")},
        {"channel_threshold": "2"},
    ],
    ids=str,
)
def test_unusable_settings(settings: dict) -> None:
    """Settings out of range are refused in words."""
    name = next(iter(settings)).replace("_blocks", " blocks").removeprefix("cs_")
    with pytest.raises(MethodError, match=f"(?i)^{name} "):
        gclip(**settings)


CALIBRATED = METHODS["scclip"]


@pytest.mark.parametrize(
    ("part", "setting", "reason"),
    [
        (Fusion(), {"weight": 1.1}, "weight must"),
        (Fusion(), {"attention": "x"}, "qk, own"),
        (Fusion(), {"blocks": [5, 6]}, "a tuple"),
        (Suppression(), {"blocks": [6]}, "a tuple"),
        (Suppression(), {"blocks": (1.5,)}, "whole numbers from 0"),
        (Suppression(), {"blocks": (-1,)}, "count from 0"),
        (CALIBRATED.calibration, {"outliers": "x"}, "lof, som"),
        (CALIBRATED.calibration, {"isolated": "x"}, "kept, zero"),
        (CALIBRATED.calibration, {"second_pass": "x"}, "same, gate"),
        (CALIBRATED, {"attention": "quick"}, "qq, kk"),
        (CALIBRATED, {"attention": "kk+gaussian"}, "plain attention"),
        (CALIBRATED, {"fusion": Fusion()}, "calibration goes with"),
        (CALIBRATED, {"ffn": True}, "calibration goes with"),
    ],
)
def test_unusable_parts(part: Any, setting: dict, reason: str) -> None:
    """A method and its parts check their own settings."""
    with pytest.raises(MethodError, match=reason):
        replace(part, **setting)


def test_unknown_method() -> None:
    """An unknown method is refused with the valid names."""
    with pytest.raises(MethodError, match="clearclip") as refused:
        METHODS["clip++"]
    assert "clip++" in str(refused.value)
