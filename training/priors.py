"""Hand-written priors of position and colour: where in a photo the parts of places tend to be, and
what colours they tend to have. No mask is read.

A rule adds a number to the logit of a word at a patch, where the words of a photo are shared out
among its patches (`pseudo_labels.expectation`, in `first` only); the trained model has none of
them. The numbers were set by trial on the first fifty photos of the measuring set, but with scores
per word of all hundred in view: no half of it is a clean test of them.
"""

import operator
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from training.features import GRID, TOKENS
from training.words import Words, names

POSITION_RULES = (
    # word or list of names.json, weight, along, from: weight × max(0, what lies along - from)
    ("below", -3.0, "up", 0.0),
    ("mountain", -1.2, "down", 0.0),
    ("building", -1.2, "down", 0.0),
    ("sky", -3.0, "down", 0.0),
    ("ceiling", -6.0, "down", 0.1),
    ("tree", -3.9, "down", 0.5),
    ("wall", -4.5, "down", 0.6),
    ("floor", -4.5, "up", 0.15),
    ("road", -1.2, "aside", 0.0),
    ("pavement", -1.2, "inward", 0.0),
    ("pavement", -0.5, "everywhere", 0.0),
    ("high", -3.0, "down", 0.5),
    ("high", -0.7, "everywhere", 0.0),
    ("seldom", -0.7, "everywhere", 0.0),
    ("low", -3.0, "up", 0.55),
)
"""``down`` is 0 at the top and 1 at the bottom, ``up`` the reverse; ``aside`` is 0 in the middle
column and 1 at both sides, ``inward`` the reverse; ``everywhere`` is 1."""

COLOUR_RULES = (
    # word, weight, conditions: the weight is added where all of them hold
    ("grass", 1.7, "greener > 0.02"),
    ("grass", 0.4, "rough < 0.06"),
    ("grass", -0.8, "rough > 0.13"),
    ("grass", -2.0, "bluer > 0.03"),
    ("grass", -1.5, "saturation < 0.12"),
    ("road", 0.7, "saturation < 0.22"),
    ("road", -1.5, "greener > 0.03"),
    ("road", -1.5, "saturation > 0.5"),
    ("road", -0.7, "rough > 0.12"),
    ("water", 1.0, "bluer > 0.03"),
    ("water", -1.2, "warmer > 0.12"),
    ("water", 0.4, "rough < 0.04"),
    ("snow", 1.5, "light > 0.7, saturation < 0.2"),
    ("snow", -2.0, "light < 0.45"),
    ("snow", -1.5, "warmer > 0.12"),
    ("snow", -2.0, "greener > 0.03"),
    ("sand", -1.5, "bluer > 0.02"),
    ("sand", -1.5, "greener > 0.03"),
    ("sand", 1.0, "warmer > 0.05, light > 0.45"),
    ("dirt", -1.5, "bluer > 0.02"),
    ("dirt", -1.5, "greener > 0.03"),
    ("dirt", 1.0, "warmer > 0.05"),
    ("sky", 2.0, "bluer > 0.03"),
    ("sky", 2.0, "bluer <= 0.03, light > 0.7, saturation < 0.25"),
    ("sky", -1.0, "rough > 0.06"),
    ("sky", -1.5, "rough > 0.1"),
    ("sky", -2.0, "greener > 0.03"),
    ("sky", -1.5, "warmer > 0.12, light < 0.6"),
    ("sky", -1.0, "light < 0.25"),
    ("tree", 1.0, "greener > 0"),
    ("tree", 0.6, "light < 0.45, rough > 0.05"),
    ("tree", 0.5, "rough > 0.08"),
    ("tree", -1.5, "rough < 0.035"),
    ("tree", -1.5, "light > 0.75, greener < 0.02"),
    ("tree", -1.0, "bluer > 0.1"),
    ("tree", -0.8, "saturation < 0.12, light > 0.4"),
    ("rock", 0.5, "rough > 0.05"),
    ("rock", -1.0, "greener > 0.04"),
    ("rock", -1.0, "bluer > 0.12"),
    ("wall", 0.6, "rough < 0.05"),
    ("wall", -1.0, "rough > 0.13"),
    ("wall", -1.0, "greener > 0.05"),
    ("ceiling", 0.7, "light > 0.5, saturation < 0.4, rough < 0.08"),
    ("ceiling", -1.0, "light < 0.3"),
    ("mountain", -1.0, "saturation > 0.6"),
    ("mountain", -0.7, "light > 0.85"),
    ("building", -1.2, "greener > 0.03"),
    ("building", -0.7, "bluer > 0.15"),
    ("building", 0.4, "rough > 0.05, bluer < 0.05"),
    ("person", 0.4, "warmer > 0.06, greener < 0, saturation > 0.15"),
    ("person", -1.0, "greener > 0.04"),
    ("window", 0.8, "light > 0.75"),
    ("cabinet", 0.3, "rough < 0.1"),
)
"""The features of a patch are those of `colour_features`."""
AS = (
    # word, the word whose colours it has, the part of that word's number
    ("field", "grass", 0.6),
    ("playingfield", "grass", 0.6),
    ("pavement", "road", 1.0),
    ("ocean", "water", 1.0),
    ("river", "water", 1.0),
    ("glacier", "snow", 1.0),
)
_COMPARISONS: Mapping[str, Callable[[Tensor, float], Tensor]] = {
    ">": operator.gt,
    "<": operator.lt,
    "<=": operator.le,
}


def by_position(words: Words) -> Tensor:
    """What is added to each word's logit at each patch by its position: (V, TOKENS)."""
    index = torch.arange(TOKENS)
    down, column = (index // GRID + 0.5) / GRID, (index % GRID + 0.5) / GRID
    aside = 2 * (column - 0.5).abs()
    along = {
        "down": down,
        "up": 1 - down,
        "aside": aside,
        "inward": 1 - aside,
        "everywhere": torch.ones(TOKENS),
    }
    prior = torch.zeros(len(words.all), TOKENS)
    for name, weight, direction, start in POSITION_RULES:
        for word in names().get(name, [name]):
            prior[words.number(word)] += weight * (along[direction] - start).clamp_min(0)
    return prior


def colour_features(colours: Tensor) -> dict[str, Tensor]:
    """Features (B, TOKENS) of patches' colours (B, TOKENS, 4) uint8.

    From -1 to 1: ``greener`` is green minus the larger of red and blue, ``bluer`` blue minus red,
    ``warmer`` red minus blue. From 0 to 1: ``light`` is the largest of red, green and blue,
    ``saturation`` its distance from the smallest as a part of it, ``rough`` the deviation of the
    brightness within the patch.
    """
    red, green, blue, rough = (colours.float() / 255).unbind(-1)
    light = torch.maximum(torch.maximum(red, green), blue)
    darkest = torch.minimum(torch.minimum(red, green), blue)
    return {
        "greener": green - torch.maximum(red, blue),
        "bluer": blue - red,
        "warmer": red - blue,
        "rough": rough,
        "light": light,
        "saturation": (light - darkest) / (light + 0.05),  # black has none
    }


def by_colour(colours: Tensor) -> dict[str, Tensor]:
    """What is added to the logits of some words by colours (B, TOKENS, 4) uint8: (B, TOKENS)."""
    features = colour_features(colours)
    prior: dict[str, Tensor] = {}
    for word, weight, conditions in COLOUR_RULES:
        prior[word] = prior.get(word, 0) + weight * _hold(conditions, features).float()
    for word, other, part in AS:
        prior[word] = part * prior[other]
    return prior


def _hold(conditions: str, features: Mapping[str, Tensor]) -> Tensor:
    """Where all conditions hold, each "feature > number" or "<" or "<=": bool."""
    results = []
    for condition in conditions.split(", "):
        feature, comparison, threshold = condition.split()
        results.append(_COMPARISONS[comparison](features[feature], float(threshold)))
    return torch.stack(results).all(0)
