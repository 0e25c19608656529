"""The words, which of them a mask has, and which are not compared with each other."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from torch import Tensor

from training.data import FIRST, Photo, with_masks

CALLED = {
    "rug": "carpet",
    "counter": "countertop",
    "sports ball": "ball",
    "skis": "ski",
    "light": "lamp",
    "cardboard": "box",
    "wall stone": "wall",
    "stone": "rock",
    "sea": "ocean",
    "sidewalk": "pavement",
    "tv": "television",
    "wall brick": "wall",
    "wall tile": "wall",
    "wall wood": "wall",
    "wooden floor": "floor",
    "hair drier": "hair dryer",
    "vehicle": "car",
}
"""What a mask's word is called by the first model."""
ALIKE = (
    ("ocean", "water"),
    ("water", "river"),
    ("mountain", "rock"),
    ("dirt", "sand"),
    ("grass", "playingfield"),
    ("table", "dining table"),
)
"""Words so alike that a region of one may be called by the other."""
_NEAR = 0.5
"""Words whose vectors have a larger cosine are alike, too (dog and puppy)."""


class Words:
    """The words that the first model learned from photos, and those of masks that it knows; `masks`
    are the photos with masks."""

    def __init__(self, data: Path) -> None:
        groups = json.loads((data / FIRST / "words.json").read_text("utf-8"))
        seen, others = ([group[0] for group in groups[kind]] for kind in ("seen", "neighbours"))
        self.masks = with_masks(data)
        masked = {_called(word) for photo in self.masks for word in photo.words.values()}
        self.all = [*seen, *sorted(masked.intersection(others))]
        self._number = {word: number for number, word in enumerate(self.all)}

    def numbers(self, words: Iterable[str]) -> list[int]:
        """The numbers of words, each once; words that are not known are left out."""
        called = dict.fromkeys(map(_called, words))
        return [self._number[word] for word in called if word in self._number]

    def of_mask(self, photo: Photo) -> np.ndarray:
        """The word of each value of a photo's mask (256,): -1 is unknown, -2 none of the words."""
        table = np.full(256, -1)
        for value, word in photo.words.items():
            for number in self.numbers([word]):
                table[value] = number
        table[list(photo.none)] = -2
        return table

    def alike(self, vectors: Tensor) -> Tensor:
        """Which words are not compared with each other (V, V), by vectors (V, WIDTH)."""
        alike = vectors @ vectors.T > _NEAR
        for numbers in map(self.numbers, ALIKE):
            if len(numbers) == 2:
                a, b = numbers
                alike[a, b] = alike[b, a] = True
        return alike


def _called(word: str) -> str:
    """What the first model calls a word of a mask."""
    return CALLED.get(word, word)
