"""The machine's value: what travels is what came, light enough, and says so in words."""

import base64
import json
import math
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from demo import wording
from demo.tabs.machine import Machine, Tile
from demo.widgets import diagram
from demo.widgets.diagram import LEVELS, MAX_DATA
from gclip_core.numbering import named
from gclip_core.types import FusionReason, class_shares

GRID, SIZE = (4, 6), (80, 120)
N, D, C, L = 24, 16, 3, 5


def rows(rng: np.random.Generator, n: int = N) -> np.ndarray:
    a = rng.random((n, n)) ** 4 + 1e-3
    return (0.9 * a / a.sum(1, keepdims=True)).astype(np.float32)  # the class token has the rest


def a_machine(grid: tuple[int, int] = GRID, n_blocks: int = L, words: int = C) -> Machine:
    rng = np.random.default_rng(0)
    n = grid[0] * grid[1]
    received = rng.random((n_blocks, n)) * 2
    local, one, two = rows(rng, n), rows(rng, n), rows(rng, n)
    before = np.ones(D, np.float32)
    before[7] = 30
    scores = rng.dirichlet(np.full(words, 0.3), n).T
    fits = np.argsort(-scores, axis=0)[:2]
    tiles = [
        Tile(m, (3,) if i == 2 else (), float(m.max()), 0.5 if i == 2 else math.nan, 7, 30, 1)
        for i, m in enumerate(received)
    ]
    labels = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % (words + 1) - 1
    return Machine(
        model="m", size=SIZE, grid=grid, tiles=tiles,
        heads={name: rng.normal(size=(n, D)) for name in "qkv"},
        local=local, fused={1: one, 2: two}, used=(local + one + two) / 3, attention="qq", keeps=(),
        amf=True, amf_reason=FusionReason.BY_HAND, cs=True, cs_reason="", suppressed=(3,),
        planted=(7, 30.0, (3,)), norms_of=3, before=before, after=np.ones(D, np.float32),
        similar=(0.8, 0.3, "the truth"), names=[f"w{i}" for i in range(words)], scores=scores,
        rest=None, fits=fits, cosines=np.take_along_axis(scores, fits, 0) - 0.5,
        labels=labels, shares=class_shares(torch.from_numpy(labels), words),
    )  # fmt: skip


def machine_value(m: Machine) -> dict[str, Any]:
    return diagram.machine_value(m, "name")


def unpacked(value: dict[str, Any]) -> dict[str, np.ndarray]:
    data, out, start = zlib.decompress(base64.b64decode(value["data"])), {}, 0
    for name, shape, levels, gamma, top in value["arrays"]:
        kind, n = np.dtype("u1" if levels < 256 else "<u2"), math.prod(shape)
        level = np.frombuffer(data, kind, n, start).reshape(shape)
        out[name] = top * (level / levels) ** (1 / gamma)
        start += n * kind.itemsize
    assert start == len(data)
    return out


def test_what_travels_is_what_came_to_half_a_level() -> None:
    m = a_machine()
    value = machine_value(m)
    back = unpacked(value)
    assert value["square"] == 1 and value["fused"] == [2, 3]
    for name, matrix in (("local", m.local), ("block 1", m.fused[1]), ("block 2", m.fused[2])):
        step = np.abs(np.sqrt(back[name]) - np.sqrt(matrix)).max()
        assert step <= 0.51 / (LEVELS[0] - 1) * math.sqrt(np.max(matrix))
    mean = (back["local"] + back["block 1"] + back["block 2"]) / 3
    assert np.abs(mean - m.used).max() < 0.03 * np.max(m.used)
    assert np.abs(back["scores"] - m.scores).max() <= 0.51 / 255
    assert (back["fits"] == m.fits + 1).all()
    assert np.abs(back["cosines"] - 1 - m.cosines).max() <= 0.00051
    assert np.abs(back["norms"] - m.before).max() < 30 / 65000
    assert value["repaired"] == [[7, 1.0]] and value["channel"] == 7 and value["norms_of"] == 4


def test_where_a_patch_looks_most_comes_from_the_exact_row() -> None:
    m = a_machine()
    back = unpacked(machine_value(m))
    used = np.asarray(m.used)
    assert (back["looks"] == np.argsort(-used, axis=1)[:, :3].T).all()
    shares = np.sort(used / used.sum(1, keepdims=True))[:, :-4:-1]
    assert np.allclose(back["times"], shares.T * N, rtol=1e-3)


def test_many_patches_are_drawn_in_squares_and_the_picture_says_so() -> None:
    value = machine_value(replace(a_machine((24, 32)), fused={}))
    assert value["square"] == 2 and "squares of 2 × 2" in value["parts"]["picture"]["sentence"]
    assert unpacked(value)["local"].shape == (192, 192)
    assert unpacked(value)["scores"].shape == (C, 768), "words are told of every patch"


@pytest.mark.parametrize(("grid", "n_blocks", "words"), [((24, 32), 12, 40), ((24, 24), 24, 200)])
def test_a_request_stays_light_whatever_comes(
    grid: tuple[int, int], n_blocks: int, words: int
) -> None:
    value = machine_value(a_machine(grid, n_blocks, words))  # noise packs worse than any real one
    assert len(value["data"]) <= MAX_DATA
    assert len(json.dumps(value, allow_nan=False, separators=(",", ":")).encode()) <= 60_000
    assert len(value["blocks"]) == n_blocks


def test_a_fault_is_called_a_simulation_and_says_where_it_sits() -> None:
    value = machine_value(a_machine())
    assert value["fault"] == [7, 30.0, [4]]
    assert [block["planted"] for block in value["blocks"]] == [False, False, False, True, False]
    said = value["parts"]["values"]["sentence"]
    assert "channel 7 times 30 in block 4, which makes its norm 30 to 30 times the median" in said
    assert machine_value(replace(a_machine(), planted=None))["fault"] is None


@pytest.mark.parametrize(
    ("reason", "said"),
    [(FusionReason.GLOBAL_TOKENS, "2 and 3, the paper’s first with them"),
     (FusionReason.MIDDLE, "2 and 3, the middle: no run up to 4 has them"),
     (FusionReason.BY_HAND, "2 and 3, blocks chosen by hand")],
)  # fmt: skip
def test_beside_the_blocks_stands_why_amf_takes_these(reason: FusionReason, said: str) -> None:
    m = replace(a_machine(), amf_reason=reason, suppressed=())
    part = machine_value(m)["parts"]["blocks"]
    assert (
        part["more"] == f"Violet: AMF takes {said}"
        and wording.FUSION_REASONS[reason] in part["sentence"]
    )
    assert machine_value(replace(m, fused={}))["parts"]["blocks"]["more"] == ""
    if reason is not FusionReason.BY_HAND:  # what AMF decided by may be gone from the tiles
        mended = machine_value(replace(m, suppressed=(1,)))["parts"]["blocks"]["more"]
        assert mended.endswith("before CS")


def test_the_last_block_s_channel_is_idle_where_its_ffn_is_left_out() -> None:
    for keeps, idle in (((), True), (("residual path", "FFN"), False)):
        blocks = machine_value(replace(a_machine(), keeps=keeps))["blocks"]
        assert [block["idle"] for block in blocks] == [False] * (L - 1) + [idle]


def test_every_part_has_a_name_a_value_and_a_sentence() -> None:
    plain = replace(a_machine(), amf=False, fused={}, cs=False, suppressed=(), planted=None)
    for m in (a_machine(), plain, replace(plain, similar=(math.nan, math.nan, ""))):
        value = machine_value(m)
        json.dumps(value, allow_nan=False)
        assert all(part["name"] and part["value"] and part["sentence"]
                   for part in value["parts"].values())  # fmt: skip
    assert "1/3 each" in machine_value(a_machine())["parts"]["matrix"]["value"]
    assert "block 5 alone" in machine_value(plain)["parts"]["matrix"]["value"]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([], "no block"), ([6], "block 6"), ([6, 7], "blocks 6 and 7"), ([7, 8, 9], "blocks 7 to 9"),
     ([3, 5, 8], "blocks 3, 5 and 8")],
)  # fmt: skip
def test_blocks_are_listed_as_a_person_says_them(numbers: list[int], words: str) -> None:
    assert named(numbers) == words
