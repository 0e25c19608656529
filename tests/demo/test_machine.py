"""The machine's value: the numbers of the look, packed, and words at every part."""

import json
import math
from typing import Any

import numpy as np
import pytest

from demo.look import Look, Request
from demo.settings import Settings
from demo.tabs import machine
from gclip_core.methods import METHODS
from tests.demo import studio
from tests.demo.test_widgets import read

SMALL: dict[str, Any] = {"example": "teddy", "words": "teddy bear, person, floor", "short_side": 96}


def look_at(**changes: Any) -> Look:
    return studio().look(Request(Settings(**{**SMALL, **changes})))


def test_what_travels_is_what_was_found_to_half_a_level() -> None:
    look = look_at(plant=True)
    exact, value = machine.arrays(look), machine.value(look)
    back = read(value["data"])
    assert value["square"] == 1
    for name in ("local", "used", *(f"block {b - 1}" for b in value["fused"])):
        step = np.abs(np.sqrt(back[name]) - np.sqrt(exact[name])).max()
        assert step <= 0.51 / 31 * math.sqrt(exact[name].max())
    shown = np.sqrt(back["scores"][: len(exact["scores"])])
    assert np.abs(shown - np.sqrt(exact["scores"])).max() <= 0.51 / 255
    assert (back["cosines"] == exact["cosines"]).all()
    assert (back["norms"] == exact["norms"]).all()


def test_the_matrix_used_is_the_mean_of_those_that_are_drawn() -> None:
    exact = machine.arrays(look_at())
    fused = [matrix for name, matrix in exact.items() if name.startswith("block ")]
    assert np.allclose(np.mean([exact["local"], *fused], axis=0), exact["used"], atol=1e-6)


def test_where_a_patch_looks_most_comes_from_the_exact_row() -> None:
    look = look_at()
    used, back = machine.arrays(look)["used"], read(machine.value(look)["data"])
    shares = np.sort(used / used.sum(1, keepdims=True))[:, :-4:-1]
    assert (back["looks"][0] == used.argmax(1)).all()
    assert np.allclose(back["times"], shares.T * len(used), rtol=1e-3)


def test_many_patches_are_drawn_in_squares_and_the_picture_says_so() -> None:
    look = look_at(short_side=336)
    value = machine.value(look)
    square, scores = value["square"], read(value["data"])["scores"]
    assert square > 1
    assert f"squares of {square} × {square}" in value["parts"]["picture"]["sentence"]
    assert scores.shape[1] == math.prod(look.grid), "words are of every patch"


def test_a_fault_is_called_a_simulation_and_says_where_it_sits() -> None:
    value = machine.value(look_at(plant=True))
    assert value["fault"] == [77, 200.0, [7, 8, 9, 10, 11]]
    assert [one["number"] for one in value["blocks"] if one["planted"]] == [7, 8, 9, 10, 11]
    said = value["parts"]["values"]["sentence"]
    assert "on purpose, channel 77’s weights × 200 in blocks 7 to 11" in said
    assert machine.value(look_at())["fault"] is None


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_its_machine_and_words_at_every_part(method: str) -> None:
    look = look_at(method=method)
    value = machine.value(look)
    json.dumps(value, allow_nan=False)
    for part in value["parts"].values():
        assert part["name"] and part["value"] and part["sentence"]
    assert value["blocks"][-1]["idle"] is not METHODS[method].ffn
