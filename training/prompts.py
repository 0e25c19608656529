"""What training says about a scene: prompts for every word, captions, and their tokens."""

import functools
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from open_clip import SimpleTokenizer

from gclip_core import scenes
from gclip_core.vocabulary import TEMPLATES
from training.model import CONTEXT

SIMPLE: tuple[str, ...] = (
    "{}",
    "a photo of {}",
    "a picture of {}",
    "an image of {}",
    "a drawing of {}",
    "there is {}",
    "{} in the scene",
    "a scene with {}",
)
IMAGENET = TEMPLATES["imagenet80"]

OPENINGS = (
    "a photo of ",
    "a picture of ",
    "an image of ",
    "",
    "there is ",
    "a scene with ",
    "a drawing of ",
)
_MASS = frozenset({"bread", "cheese", "corn", "maize", "popcorn", "coffee", "beer", "fire"})


def all_words() -> tuple[scenes.Word, ...]:
    """Things, then backgrounds: the columns of every label matrix in training."""
    return scenes.things() + scenes.backgrounds()


def names_of(word: scenes.Word) -> tuple[str, ...]:
    """Everything a word can be called."""
    return (word.name, *word.synonyms, *word.plurals)


def prompt(rng: np.random.Generator, word: scenes.Word) -> str:
    """A random short text about a word: half by its name, else any name, in any template."""
    names = names_of(word)
    name = names[0] if rng.random() < 0.5 else names[int(rng.integers(len(names)))]
    if rng.random() < 0.7:
        return IMAGENET[int(rng.integers(len(IMAGENET)))].format(name)
    if name not in word.plurals and rng.random() < 0.5:
        name = with_article(name)
    return SIMPLE[int(rng.integers(len(SIMPLE)))].format(name)


def with_article(word: str) -> str:
    """ "cat" -> "a cat"; words that take none stay as they are."""
    if word.endswith("s") or word in _MASS:
        return word
    return ("an " if word[0] in "aeiou" and not word.startswith("uni") else "a ") + word


def _any_name(rng: np.random.Generator, word: scenes.Word) -> str:
    """A word's name, or, three times in ten, one of its synonyms."""
    if word.synonyms and rng.random() < 0.3:
        return word.synonyms[int(rng.integers(len(word.synonyms)))]
    return word.name


def caption(rng: np.random.Generator, seen: Sequence[int], behind: Sequence[int]) -> str:
    """A sentence about things on backgrounds, each by their places among all."""
    things, grounds = scenes.things(), scenes.backgrounds()
    names = [with_article(_any_name(rng, things[seen[i]])) for i in rng.permutation(len(seen))]
    text = ", ".join(names[:-1])
    text = text + (" and " if text else "") + names[-1] if names else "nothing"
    if rng.random() < 0.75:
        link = (" on ", " and ", " with ")[int(rng.integers(3))]
        text += link + "the " + _any_name(rng, grounds[behind[-1]])
        if len(behind) > 1 and rng.random() < 0.6:
            text += " under the " + _any_name(rng, grounds[behind[0]])
    return OPENINGS[int(rng.integers(len(OPENINGS)))] + text


def _everything() -> Iterable[str]:
    """Texts that together hold every token that training can meet."""
    for word in all_words():
        for name in names_of(word):
            yield from (name, with_article(name), f"{name}.", f"{name}, {name}")
    for template in IMAGENET + SIMPLE:
        yield template.format("cat")
    for opening in OPENINGS:
        yield f"{opening}a cat, an egg and the sky on the sand with the snow under the grass"


class Tokens:
    """CLIP's byte-pair tokens, renumbered 0.. over those that training can meet.

    Number 0 stays 0 (padding), and the order is kept, so that the end token is still the largest.
    """

    def __init__(self) -> None:
        self._tokenize = SimpleTokenizer(context_length=CONTEXT)
        texts = sorted(set(_everything()))
        met = np.unique(self._tokenize(texts).numpy())
        self.ids: npt.NDArray[np.int64] = np.union1d(met, [0]).astype(np.int64)
        self._row = {int(token): i for i, token in enumerate(self.ids)}
        self.encode_one = functools.lru_cache(maxsize=200_000)(self._encode_one)

    def _encode_one(self, text: str) -> npt.NDArray[np.int64]:
        tokens = self._tokenize([text])[0].tolist()
        return np.array([self._row[t] for t in tokens], np.int64)

    def encode(self, texts: Iterable[str]) -> npt.NDArray[np.int64]:
        """Texts -> rows of the small token table, (texts, CONTEXT)."""
        return np.stack([self.encode_one(text) for text in texts])
