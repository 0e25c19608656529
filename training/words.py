"""The words of a model, which of them masks label, and which are not compared with each other."""

import json
from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gclip_core import assets
from gclip_core.backbones import builtin
from gclip_core.backbones.registry import BUILT_IN
from gclip_core.words import vocabulary

UNKNOWN, NONE = -1, -2
"""Labels of patches: unknown, and none of the source's words."""
ALIKE = (
    ("ocean", "water"),
    ("water", "river"),
    ("mountain", "rock"),
    ("dirt", "sand"),
    ("grass", "playingfield"),
    ("table", "dining table"),
)
"""Words so similar that a region of one may be labelled as the other."""
_NEAR = 0.5
"""Words whose vectors have a larger cosine are similar, too (dog and puppy)."""
_SHOWN = 3
"""At most this many known words of similar spelling are shown for an unknown word."""


class Known:
    """The words that the built-in model knows; it learned those in ``seen`` from photos."""

    def __init__(self) -> None:
        folder = assets.path(BUILT_IN)
        groups = json.loads((folder / "words.json").read_text("utf-8"))
        self.seen = [group[0] for group in groups["seen"]]
        every = [*groups["neighbours"], *groups["seen"]]
        self._first = {word.lower(): group[0] for group in every for word in group}
        self._known = builtin.known_words(folder)

    def find(self, phrases: Iterable[str]) -> str | None:
        """The model's word for the first of the phrases that it knows: wall for "brick walls"."""
        for phrase in phrases:
            is_known, word = vocabulary.look_up(self._known, phrase)
            if is_known:
                return self._first[word]
        return None

    def about(self, phrase: str) -> str:
        """Whether a phrase can be taught, and if not, which known words are near."""
        if word := self.find([phrase]):
            return f"'{phrase}' can be taught" + (f" as '{word}'" if word != phrase else "")
        _, near = vocabulary.look_up(self._known, phrase)
        similar = get_close_matches(phrase.lower(), self._first, _SHOWN, 0.8)
        found = dict.fromkeys([*filter(None, [near]), *(self._first[other] for other in similar)])
        return f"'{phrase}' is unknown ({'near: ' + ', '.join(found) if found else 'none is near'})"


class WordList:
    """The words that a map learns: those that the model has seen, and ``others`` from masks."""

    def __init__(self, seen: Iterable[str], others: Iterable[str]) -> None:
        seen = list(seen)
        self.all = [*seen, *sorted(set(others) - {*seen})]
        self._number = {word: number for number, word in enumerate(self.all)}

    def numbers(self, words: Iterable[str | None]) -> list[int]:
        """The numbers of words, each once; None is left out."""
        return [self._number[word] for word in dict.fromkeys(words) if word is not None]

    def of_labels(self, words: Iterable[str | None], background: int | None) -> NDArray[np.int64]:
        """The number of the word of each label of a source; the last entry is for label -1."""
        table = [UNKNOWN if word is None else self._number[word] for word in words]
        if background is not None:
            table[background] = NONE
        return np.array([*table, UNKNOWN])

    def alike(self, vectors: Tensor) -> Tensor:
        """Which words are not compared with each other (V, V), by vectors (V, D)."""
        alike = vectors @ vectors.T > _NEAR
        for a, b in ALIKE:
            if a in self._number and b in self._number:
                first, second = self.numbers([a, b])
                alike[first, second] = alike[second, first] = True
        return alike.fill_diagonal_(False)
