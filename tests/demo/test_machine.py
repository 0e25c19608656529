"""The machine's value: the numbers of the look, packed, and words at every part."""

import json
import math
from typing import Any

import numpy as np
import pytest

from demo.answer import compute, resolve
from demo.request import Request
from demo.settings import Settings
from demo.tabs import machine
from demo.tabs.machine import MachineContent
from demo.widgets import values
from gclip_core.methods import METHODS
from tests.demo import engine
from tests.demo.test_widgets import read, unpacked

SMALL: dict[str, Any] = {"example": "teddy", "words": "teddy bear, person, floor", "short_side": 96}


def numbers(**changes: Any) -> MachineContent:
    request = Request(Settings(**{**SMALL, **changes}))
    return machine.compute(engine(), compute(engine(), resolve(engine(), request)))


def test_what_travels_is_what_was_found_to_half_a_level() -> None:
    computed = numbers(plant=True)
    exact, value = computed.arrays, machine.view(computed)
    back = read(value["data"])
    assert value["pooled"] == 1
    for name in ("local", "used", *(f"block {b - 1}" for b in value["fused"])):
        step = np.abs(np.sqrt(back[name]) - np.sqrt(exact[name])).max()
        assert step <= 0.51 / 31 * math.sqrt(exact[name].max())
    shown = np.sqrt(back["scores"][: len(exact["scores"])])
    assert np.abs(shown - np.sqrt(exact["scores"])).max() <= 0.51 / 255
    assert (back["cosines"] == exact["cosines"]).all()
    assert (back["norms"] == exact["norms"]).all()


def test_the_matrix_used_is_the_mean_of_those_that_are_drawn() -> None:
    exact = numbers().arrays
    fused = [matrix for name, matrix in exact.items() if name.startswith("block ")]
    assert np.allclose(np.mean([exact["local"], *fused], axis=0), exact["used"], atol=1e-6)


def test_where_a_patch_looks_most_comes_from_the_exact_row() -> None:
    computed = numbers()
    used, back = computed.arrays["used"], read(machine.view(computed)["data"])
    shares = np.sort(used / used.sum(1, keepdims=True))[:, :-4:-1]
    assert (back["looks"][0] == used.argmax(1)).all()
    assert np.allclose(back["times"], shares.T * len(used), rtol=1e-3)


def test_many_patches_are_drawn_in_squares_and_the_picture_says_so() -> None:
    computed = numbers(short_side=336)
    value = machine.view(computed)
    pooled, scores = value["pooled"], read(value["data"])["scores"]
    assert pooled > 1
    assert f"squares of {pooled} × {pooled}" in value["parts"]["picture"]["sentence"]
    assert scores.shape[1] == math.prod(computed.grid), "words are of every patch"


def test_a_fault_is_called_a_simulation_and_says_where_it_sits() -> None:
    value = machine.view(numbers(plant=True))
    assert value["fault"] == [77, 300.0, [7, 8, 9, 10, 11]]
    assert [one["number"] for one in value["blocks"] if one["planted"]] == [7, 8, 9, 10, 11]
    said = value["parts"]["values"]["sentence"]
    assert "on purpose, channel 77’s weights × 300 in blocks 7 to 11" in said
    assert "CS repairs it in blocks 7 to 11: switch CS off to see the fault." in said
    assert machine.view(numbers())["fault"] is None


@pytest.mark.parametrize("changes", [{}, {"background": "on"}, {"method": "clip"}, {"plant": True}])
def test_masks_by_block_end_with_the_best_words_of_the_patches(changes: dict[str, Any]) -> None:
    computed = numbers(**changes)
    value = machine.view(computed)
    labels = unpacked(value["by_block"].make().body)["labels"]
    assert labels.shape == (len(computed.report.channels), math.prod(computed.grid))
    assert (labels[-1] == read(value["data"])["fits"][0]).all(), "0 is a hidden word in both"
    assert value["by_block"] == numbers(**changes).by_block
    assert value["by_block"] != numbers(**changes, amf=False, words="bear, person").by_block


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_its_machine_and_words_at_every_part(method: str) -> None:
    value = machine.view(numbers(method=method))
    assert json.loads(values.as_json(value, {}))["kind"] == "machine"
    for part in value["parts"].values():
        assert part["name"] and part["value"] and part["sentence"]
    assert value["blocks"][-1]["idle"] is not METHODS[method].ffn
