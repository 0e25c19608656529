"""Priors of place and colour, without any mask: where in a photo the parts of places tend to be,
and what colours they tend to have.

Numbers are added to a word's logit where the words of a photo are shared out among its patches
(`pseudo_labels.shares`, in `first` only); the trained model sees none of them. They were chosen by
the first fifty photos of the measuring set, but with scores per word of all hundred in view: no
half of it is a clean test of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.features import GRID, TOKENS
from training.words import Words, names

WEIGHT = 3.0


def positions(words: Words) -> Tensor:
    """Prior logits by place: (V, TOKENS)."""
    index = torch.arange(TOKENS)
    row, column = (index // GRID + 0.5) / GRID, (index % GRID + 0.5) / GRID
    side = 2 * (column - 0.5).abs()
    prior = torch.zeros(len(words.all), TOKENS)

    def add(name: str, by: Tensor | float) -> None:
        prior[words.number(name)] += by

    for name in names()["below"]:
        add(name, -WEIGHT * (1 - row))
    for name in ("mountain", "building"):
        add(name, -0.4 * WEIGHT * row)
    add("sky", -WEIGHT * row)
    add("ceiling", -2 * WEIGHT * (row - 0.1).clamp_min(0))
    add("tree", -1.3 * WEIGHT * (row - 0.5).clamp_min(0))
    add("wall", -1.5 * WEIGHT * (row - 0.6).clamp_min(0))
    add("floor", WEIGHT * (1 - row) - 1.5 * WEIGHT * (0.85 - row).clamp_min(0))
    add("road", -1.2 * side)
    add("pavement", -1.2 * (1 - side) - 0.5)
    for name in names()["high"]:
        add(name, -WEIGHT * (row - 0.5).clamp_min(0) - 0.7)
    for name in names()["seldom"]:
        add(name, -0.7)
    for name in names()["low"]:
        add(name, -WEIGHT * (0.45 - row).clamp_min(0))
    return prior


@dataclass(frozen=True)
class Look:
    """Features of the patches' colours (B, TOKENS), from 0 to 1: `greener` than red and blue,
    `bluer` than red, `warmer` (redder than blue), and how `rough` and `light` they are."""

    greener: Tensor
    bluer: Tensor
    warmer: Tensor
    rough: Tensor
    light: Tensor
    saturation: Tensor


def by_colour(colours: Tensor) -> dict[str, Tensor]:
    """Prior logits of some words by mean colour and roughness (B, TOKENS, 4) uint8: (B, TOKENS)."""
    red, green, blue, rough = (colours.float() / 255).unbind(-1)
    light = torch.maximum(torch.maximum(red, green), blue)
    saturation = (light - torch.minimum(torch.minimum(red, green), blue)) / (light + 0.05)
    greener = green - torch.maximum(red, blue)
    look = Look(greener, blue - red, red - blue, rough, light, saturation)
    return {**_surfaces(look), **_others(look)}


def _sum(*terms: tuple[float, Tensor]) -> Tensor:
    """The sum of the numbers whose conditions hold."""
    return sum(number * holds.float() for number, holds in terms)


def _surfaces(look: Look) -> dict[str, Tensor]:
    """Prior logits of what lies below: grass, roads, water, snow and earth."""
    grass = _sum(
        (1.7, look.greener > 0.02), (0.4, look.rough < 0.06), (-0.8, look.rough > 0.13),
        (-2, look.bluer > 0.03), (-1.5, look.saturation < 0.12),
    )  # fmt: skip
    paved = _sum(
        (0.7, look.saturation < 0.22), (-1.5, look.greener > 0.03),
        (-1.5, look.saturation > 0.5), (-0.7, look.rough > 0.12),
    )  # fmt: skip
    water = _sum((1, look.bluer > 0.03), (-1.2, look.warmer > 0.12), (0.4, look.rough < 0.04))
    snow = _sum(
        (1.5, (look.light > 0.7) & (look.saturation < 0.2)), (-2, look.light < 0.45),
        (-1.5, look.warmer > 0.12), (-2, look.greener > 0.03),
    )  # fmt: skip
    earth = _sum((-1.5, look.bluer > 0.02), (-1.5, look.greener > 0.03))
    return {
        "grass": grass, "field": 0.6 * grass, "playingfield": 0.6 * grass,
        "road": paved, "pavement": paved,
        "water": water, "ocean": water, "river": water,
        "snow": snow, "glacier": snow,
        "sand": earth + _sum((1, (look.warmer > 0.05) & (look.light > 0.45))),
        "dirt": earth + _sum((1, look.warmer > 0.05)),
    }  # fmt: skip


def _others(look: Look) -> dict[str, Tensor]:
    """Prior logits of the rest: sky, trees, rocks, buildings, people, and parts of rooms."""
    greener, bluer, warmer = look.greener, look.bluer, look.warmer
    rough, light, saturation = look.rough, look.light, look.saturation
    return {
        "sky": _sum(
            (2, (bluer > 0.03) | ((light > 0.7) & (saturation < 0.25))), (-1, rough > 0.06),
            (-1.5, rough > 0.1), (-2, greener > 0.03), (-1.5, (warmer > 0.12) & (light < 0.6)),
            (-1, light < 0.25),
        ),
        "tree": _sum(
            (1, greener > 0), (0.6, (light < 0.45) & (rough > 0.05)), (0.5, rough > 0.08),
            (-1.5, rough < 0.035), (-1.5, (light > 0.75) & (greener < 0.02)), (-1, bluer > 0.1),
            (-0.8, (saturation < 0.12) & (light > 0.4)),
        ),
        "rock": _sum((0.5, rough > 0.05), (-1, greener > 0.04), (-1, bluer > 0.12)),
        "wall": _sum((0.6, rough < 0.05), (-1, rough > 0.13), (-1, greener > 0.05)),
        "ceiling": _sum(
            (0.7, (light > 0.5) & (saturation < 0.4) & (rough < 0.08)), (-1, light < 0.3)
        ),
        "mountain": _sum((-1, saturation > 0.6), (-0.7, light > 0.85)),
        "building": _sum(
            (-1.2, greener > 0.03), (-0.7, bluer > 0.15), (0.4, (rough > 0.05) & (bluer < 0.05))
        ),
        "person": _sum(
            (0.4, (warmer > 0.06) & (greener < 0) & (saturation > 0.15)), (-1, greener > 0.04)
        ),
        "window": _sum((0.8, light > 0.75)),
        "cabinet": _sum((0.3, rough < 0.1)),
    }  # fmt: skip
