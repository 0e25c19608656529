"""Suggested words for an image: those that fit its patches best, the thing that it shows first.

Words are chosen one by one. Each must fit some patches better than all chosen words. So a synonym
of a chosen word, or a part of a chosen thing, adds little and is left out. Garments, face and hair
are in the class "person": otherwise a photo of a man in a suit gets the words suit and wall. If
the backbone has an image classifier, words that it finds in the whole image get more. Things come
before stuff (sky, wall, grass), which is seldom what a photo is of.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import word_lists
from gclip_core.backbone import Backbone
from gclip_core.masks import per_class
from gclip_core.text import TEMPLATES, embed_new

PERSON = "person"
LEAST_PROBABILITY = 1e-3
"""A word of this probability or less by the image classifier gets nothing. The logarithm of the
probability determines what it gets, up to one standard deviation of the scores."""


@dataclass(frozen=True)
class Thresholds:
    """What a word must reach to be suggested, and what is added to its fit.

    ``gain`` is the least mean squared gain of a word over all patches, in variances of the scores:
    squaring prefers a word that clearly fits some patches to one that fits many a little better.
    ``share`` is the least share of the patches that it fits best, and ``certainty`` its least mean
    probability there: a softmax over all candidates, of inverse temperature ``sharpness``. "person"
    needs no certainty: it shares its fit with garments, and is nearly always right. ``stuff`` is
    the least certainty of stuff: a wrong word on a large background spoils a photo more than none.
    ``thing`` is the least mean probability over all patches of the thing that is added to stuff
    alone.
    ``everyday`` and ``people`` are added to the fit of everyday words and of the class "person",
    in standard deviations of the scores: half of all photos show people. ``evidence`` is the weight
    of the image classifier's evidence.
    """

    gain: float = 0.5
    share: float = 0.03
    certainty: float = 0.2
    stuff: float = 0.35
    thing: float = 0.04
    sharpness: float = 3.0
    everyday: float = 0.8
    people: float = 0.2
    evidence: float = 1.5


DEFAULT = Thresholds()
"""Gain, stuff and people were chosen on 100 photos by `training/choose.py`."""


@dataclass(frozen=True)
class Candidates:
    """Words that may be suggested.

    ``classes`` has the class of each word: the index of its first word, which names it.
    ``everyday`` (words,) and ``stuff`` (classes,) are bool.
    """

    words: Sequence[str]
    classes: Sequence[int]
    everyday: Tensor
    stuff: Tensor


@dataclass(frozen=True, eq=False)
class Matches:
    """How the candidates match an image.

    ``cosines`` (words, h, w) float32 are those of the patches. ``evidence`` (words,) float32 is
    added to the fit on all patches, in standard deviations of the cosines.
    """

    cosines: Tensor
    evidence: Tensor


def choose(
    candidates: Candidates, matches: Matches, most: int = 5, thresholds: Thresholds = DEFAULT
) -> tuple[str, ...]:
    """At most ``most`` words: things before stuff, each by the share of patches that it fits best.

    Words are left out that do not reach the thresholds, but for the most certain one; the most
    probable thing is added to stuff alone.
    """
    words, stuff = candidates.words, candidates.stuff
    fit, before = _fit(candidates, matches, thresholds)
    probability = (thresholds.sharpness * fit).softmax(0)
    chosen = _best(fit, before, most, thresholds.gain)
    owned = F.one_hot(fit[chosen].argmax(0), len(chosen)).T  # (chosen, h*w)
    share = owned.float().mean(1)
    certainty = (probability[chosen] * owned).sum(1) / owned.sum(1).clamp(min=1)
    least = torch.where(stuff[chosen], thresholds.stuff, thresholds.certainty)
    least[[words[index] == PERSON for index in chosen]] = 0  # needs no certainty
    good = (share >= thresholds.share) & (certainty >= least)
    good[certainty.argmax()] = True
    shares = {index: float(share[i]) for i, index in enumerate(chosen) if good[i]}
    if all(stuff[index] for index in shares):
        thing_share, thing = (probability.mean(1) * ~stuff).max(0)
        if thing_share >= thresholds.thing:
            shares[int(thing)] = float(thing_share)
    order = sorted(shares, key=lambda index: (bool(stuff[index]), -shares[index]))
    return tuple(words[index] for index in order[:most])


def _fit(candidates: Candidates, matches: Matches, thresholds: Thresholds) -> tuple[Tensor, Tensor]:
    """The fit of each class at each patch, (classes, h*w), and the mean of all words', (h*w,)."""
    classes = torch.tensor(candidates.classes)
    person = candidates.words.index(PERSON) if PERSON in candidates.words else -1
    bonus = thresholds.everyday * candidates.everyday + thresholds.people * (classes == person)
    means = F.avg_pool2d(matches.cosines, 3, 1, 1, count_include_pad=False).flatten(1)
    by_word = means / matches.cosines.std(0).mean() + bonus[:, None]
    evidence = thresholds.evidence * per_class(matches.evidence, candidates.classes)
    return per_class(by_word, candidates.classes) + evidence[:, None], by_word.mean(0)


def _best(fit: Tensor, before: Tensor, most: int, least: float) -> list[int]:
    """The classes that gain most over the fit ``before``, one by one."""
    chosen: list[int] = []
    while len(chosen) < min(most, len(fit)):
        gain = (fit - before).clamp(min=0).square().mean(1)
        index = int(gain.argmax())
        if chosen and gain[index] <= least:
            break
        chosen.append(index)
        before = torch.maximum(before, fit[index])
    return chosen


def match(backbone: Backbone, features: Tensor, probabilities: Tensor | None) -> Matches:
    """How the backbone's :func:`candidates_of` match features (h, w, E) of a whole image.

    ``probabilities`` (classes,) float32 are the image classifier's, if there is one. The evidence
    for a word is from 0 to 1: the logarithm of its classes' probability.
    """
    words, plain = candidates_of(backbone).words, TEMPLATES["plain"]
    # One entry of the cache for all candidates.
    text = backbone.text_cache.get_or_make(
        (plain, *words), lambda: embed_new(backbone, words, plain)
    )
    total = dict.fromkeys(words, 0.0)
    if probabilities is not None:
        class_words = backbone.known.class_words
        for names, probability in zip(class_words, probabilities.tolist(), strict=True):
            for name in names:
                total[name] += probability
    logarithms = torch.tensor([*total.values()]).clamp(min=LEAST_PROBABILITY).log()
    evidence = 1 - logarithms / math.log(LEAST_PROBABILITY)
    return Matches(torch.einsum("pe,hwe->phw", text, features), evidence)


def word_groups(backbone: Backbone) -> tuple[tuple[str, ...], ...]:
    """The words of the backbone's training photos, each with its synonyms; everyday words for an
    open vocabulary."""
    return backbone.known.seen if backbone.known else _everyday()


def candidates_of(backbone: Backbone) -> Candidates:
    """The words that may be suggested with this backbone."""
    return _candidates(word_groups(backbone))


@cache
def _candidates(groups: tuple[tuple[str, ...], ...]) -> Candidates:
    # What a person wears is part of the person, if the backbone knows the word.
    worn = word_lists.read("worn") if any(group[0] == PERSON for group in groups) else ()
    stuff = word_lists.read("stuff")
    usual = {word for group in _everyday() for word in group}
    groups = tuple(sorted(groups, key=lambda group: group[0] in worn))
    words = [group[0] for group in groups]
    classes = [words.index(PERSON) if word in worn else i for i, word in enumerate(words)]
    return Candidates(
        words,
        classes,
        torch.tensor([not usual.isdisjoint(group) for group in groups]),
        torch.tensor([word in stuff for word in words[: max(classes) + 1]]),
    )


@cache
def _everyday() -> tuple[tuple[str, ...], ...]:
    return tuple((word, *others) for word, others in word_lists.read("everyday").items())
