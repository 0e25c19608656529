"""The METHODS table and the settings of GCLIP."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from gclip_core import METHODS, Method, MethodError, gclip
from gclip_core.amf import Fusion
from gclip_core.cs import Suppression
from gclip_core.methods import GCLIP
from gclip_core.numbering import BlocksOf12
from gclip_core.relatives.calibration import SCCLIP
from gclip_core.relatives.proxy import Proxy
from gclip_core.tables import Table
from tests import reference


def test_table() -> None:
    """Every method is in the reference."""
    assert METHODS.keys() == reference.METHODS.keys(), "add it to tests/reference.py"


def test_equality() -> None:
    """Methods are equal by value, hashable, and survive pickling."""
    assert pickle.loads(pickle.dumps(METHODS["scclip"])) == METHODS["scclip"] != METHODS["sfp"]
    method, same = gclip(amf_blocks=[5, 6]), gclip(amf_blocks=(np.int64(5), np.int64(6)))
    assert method == same
    assert hash(method) == hash(same)
    assert pickle.loads(pickle.dumps(method)) == method
    assert len({method, same, gclip(amf_blocks=[6, 5]), gclip(amf_blocks=iter([5, 6, 5]))}) == 2


CALIBRATED, PROXIED, RFCLIP = (METHODS[name] for name in ("scclip", "proxyclip", "rfclip"))


@pytest.mark.parametrize(
    ("make", "setting", "reason"),
    [
        (gclip, {"amf_blocks": "6 7"}, "AMF blocks must"),
        (gclip, {"amf_blocks": []}, "AMF blocks must"),
        (gclip, {"amf_blocks": [-1]}, "count from 0"),
        (gclip, {"cs_blocks": [1.0]}, "whole numbers from 0"),
        (gclip, {"amf": "off"}, "amf must be one of True, False, not 'off'"),
        (gclip, {"cs": None}, "cs must be"),
        (gclip, {"n_fused": 1.5}, "n_fused must"),
        (gclip, {"global_threshold": float("nan")}, "global_threshold must"),
        (gclip, {"channel_threshold": "2"}, "channel_threshold must"),
        (Fusion, {"weight": 1.1}, "weight must"),
        (Fusion, {"attention": "x"}, "qk, own"),
        (Suppression, {"blocks": [6]}, "a tuple"),
        (partial(replace, SCCLIP), {"attention": "quick"}, "qq, kk"),
        (partial(replace, SCCLIP), {"attention": "kk+gaussian"}, "of Calibration must be"),
        (partial(replace, SCCLIP), {"attention": "aligned qk"}, "of Calibration must be"),
        (partial(replace, CALIBRATED), {"fusion": Fusion()}, "SC-CLIP.* not use fusion. Leave"),
        (partial(replace, PROXIED), {"attention": "kk"}, "Proxy, does not use attention. Leave"),
        (partial(replace, PROXIED), {"residual": True}, "ProxyCLIP.* not use residual. Leave"),
        (partial(replace, RFCLIP), {"ffn": True}, "RF-CLIP.* not use ffn. Leave"),
        (partial(replace, RFCLIP), {"suppression": Suppression()}, "not use suppression. Leave"),
        (partial(Method, "mine", "Mine"), {}, "'' is not a kind of attention"),
        (partial(Method, "mine", "Mine"), {"attention": ["kk"]}, "is not a kind of attention"),
        (partial(Method, "mine", "Mine"), {"last": Proxy}, "last must be a LastBlock or None"),
        (partial(Method, "mine", "Mine", "kk"), {"residual": "no"}, "residual must be one of True"),
        (partial(Method, "mine", "Mine", "kk"), {"fusion": True}, "fusion must be a Fusion"),
        (BlocksOf12, {"blocks": ()}, "BlocksOf12 must"),
        (BlocksOf12, {"blocks": "auto"}, "BlocksOf12 must"),
        (BlocksOf12, {"blocks": (-3,)}, "BlocksOf12 count from 0"),
        (BlocksOf12, {"blocks": ([1],)}, "BlocksOf12 must"),
        (BlocksOf12, {"blocks": (5.0,)}, "BlocksOf12 must"),
        (BlocksOf12, {"blocks": (5, 5)}, "different"),
        (BlocksOf12, {"blocks": (7, 11)}, "from 0 to 10.*not \\(7, 11\\)"),
        (
            partial(Table, GCLIP, gclip(amf=False)),
            {"what": "method", "error": MethodError},
            "are named 'gclip'. Rename",
        ),
        (Proxy, {"gamma": float("nan"), "beta": 1.2}, "gamma must"),
    ],
)
def test_unusable_settings(make: Callable, setting: dict[str, Any], reason: str) -> None:
    """Settings out of range, and parts that exclude each other, are refused with a message."""
    with pytest.raises(MethodError, match=reason):
        make(**setting)


def test_unknown_method() -> None:
    """An unknown method is refused with the valid names."""
    with pytest.raises(MethodError, match="clearclip") as refused:
        METHODS["clip++"]
    assert "clip++" in str(refused.value)
