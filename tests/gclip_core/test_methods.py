"""The METHODS table, the settings of GCLIP, how people write blocks, and norms of channels."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gclip_core import Attended, Encoded, Method, MethodError, cs, gclip
from gclip_core.last_block import LastBlock
from gclip_core.methods import GCLIP, add
from gclip_core.numbering import block_choice
from gclip_core.relatives import METHODS
from gclip_core.relatives.proxy import Proxy
from tests import reference


@dataclass
class Unfrozen(LastBlock):
    """A last block whose author forgot ``frozen=True``."""

    rule = "nothing"

    def patches(self, encoded: Encoded) -> Tensor:
        return encoded.inputs[-1][1:].unflatten(0, encoded.grid)

    def matrix(self, encoded: Encoded, head: int | None) -> Tensor:
        tokens = encoded.inputs[-1]
        return tokens @ tokens.T


def test_table() -> None:
    """Every method is in the reference, and methods are in the order of their years."""
    assert METHODS.keys() == reference.METHODS.keys(), "add it to tests/reference.py"
    years = [method.paper.year for method in METHODS.values() if method.paper]
    assert years == sorted(years)


def test_equality() -> None:
    """Methods are equal by value, hashable, and survive pickling."""
    assert pickle.loads(pickle.dumps(METHODS["scclip"])) == METHODS["scclip"] != METHODS["sfp"]
    method, same = gclip(amf_blocks=[5, 6]), gclip(amf_blocks=(np.int64(5), np.int64(6)))
    assert method == same
    assert hash(method) == hash(same)
    assert pickle.loads(pickle.dumps(method)) == method
    assert len({method, same, gclip(amf_blocks=[6, 5]), gclip(amf_blocks=iter([5, 6, 5]))}) == 2


@pytest.mark.parametrize(
    ("make", "setting", "reason"),
    [
        (gclip, {"amf_blocks": "6 7"}, "AMF blocks must"),
        (gclip, {"amf_blocks": []}, "AMF blocks must"),
        (gclip, {"amf_blocks": [-1]}, "AMF blocks must"),
        (gclip, {"cs_blocks": [1.0]}, "CS blocks must"),
        (gclip, {"amf": "off"}, "amf must be one of True, False, not 'off'"),
        (gclip, {"cs": None}, "cs must be"),
        (gclip, {"n_fused": 1.5}, "n_fused must"),
        (gclip, {"global_threshold": float("nan")}, "global_threshold must"),
        (gclip, {"channel_threshold": "2"}, "channel_threshold must"),
        (Attended, {"attention": ""}, "'' is not a kind of attention"),
        (partial(Method, "mine", "Mine"), {"last": "kk"}, "last must be a LastBlock, not 'kk'"),
        (partial(Method, "mine", "Mine"), {"last": Unfrozen()}, r"use @dataclass\(frozen=True\)"),
        (METHODS.__getitem__, "clip++", r"'clip\+\+' is not a method.*clearclip"),
        (add, GCLIP, "There is a method named 'gclip' already"),
        (Proxy, {"gamma": float("nan"), "beta": 1.2}, "gamma must"),
    ],
)
def test_unusable_settings(make: Callable, setting: Any, reason: str) -> None:
    """Settings out of range, and a name that is taken, are refused with a message."""
    with pytest.raises(MethodError, match=reason):
        make(**setting) if isinstance(setting, dict) else make(setting)


def test_ratios() -> None:
    """The largest norm over the median; a block of zeros has nothing to suppress, and no nan."""
    assert cs.norm_ratios(torch.tensor([[1.0, 9, 2, 3], [1, 2, 3, 8]])) == pytest.approx((3.6, 3.2))
    zeros = torch.zeros(8)
    assert cs.norm_ratios(zeros[None]) == (1.0,)
    assert cs.channel_factors(zeros).tolist() == [1] * 8
    single = torch.tensor([0.0, 0.0, 3.0, 0.0])
    assert cs.norm_ratios(single[None]) == (float("inf"),)
    assert cs.outlier_blocks((1.9, 2, 3), cs.Suppression().channel_threshold) == (1, 2)


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        (" 6 , 7 ", (5, 6)),
        ("1 3-4, 3", (0, 2, 3)),
        ("auto", "auto"),
    ],
)
def test_block_choice(text: str, indices: tuple[int, ...]) -> None:
    """How people write blocks."""
    assert block_choice(text) == indices


@pytest.mark.parametrize(
    "text", ["0", "1001", "7-6", "six", "1.5", "-3", "6-", "5-x", "²", "9" * 50, "1--2", "", " , "]
)
def test_unusable_blocks(text: str) -> None:
    """Anything that is not a block is refused with a message."""
    with pytest.raises(MethodError, match="not a block number"):
        block_choice(text)
