"""Suggested words for an image: those that fit its patches best.

Words are chosen one by one. Each must fit some patches better than all chosen words. So a synonym
of a chosen word, or a part of a chosen thing, adds little and is left out. Garments, face and hair
are in the class "person": otherwise a photo of a man in a suit gets the words suit and wall. If
the backbone has an image classifier, words that it finds in the whole image get more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import vocabulary, word_lists
from gclip_core.backbone import Backbone
from gclip_core.masks import per_class
from gclip_core.types import Grid, KnownWords

LEAST_GAIN = 0.6
"""The minimum of the mean squared gain of a word over all patches, in variances of the scores.
Squaring prefers a word that clearly fits some patches to one that fits many a little better."""
LEAST_SHARE = 0.03
"""The minimum share of the patches that a word fits best."""
LEAST_CERTAINTY = 0.35
"""The minimum of the mean probability of a word, over the patches that it fits best: a softmax over
all words that may be suggested. "person" needs none: it shares its fit with garments, and is nearly
always right."""
SHARPNESS = 3.0
"""The inverse temperature of that softmax, for scores in standard deviations."""
EVERYDAY = 0.8
"""What is added to the fit of an everyday word, in standard deviations of the scores."""
PERSON = "person"
PEOPLE = 0.45
"""What is added to the fit of the class "person": half of all photos show people."""
LEAST_PROBABILITY = 1e-3
"""A word of this probability or less by the image classifier gets nothing. The logarithm of the
probability determines what it gets, up to one standard deviation of the scores."""


@dataclass(frozen=True)
class Candidates:
    """Words that may be suggested.

    ``owner`` is the class of each word: the index of its first word, which names it. ``everyday``
    (words,) is bool.
    """

    words: Sequence[str]
    owner: Sequence[int]
    everyday: Tensor


def word_groups(backbone: Backbone) -> tuple[tuple[str, ...], ...]:
    """Words that may be suggested, each with its synonyms.

    These are the words of the backbone's training photos, or the everyday words if its vocabulary
    is open.
    """
    return backbone.known.seen if backbone.known else _everyday()


def choose(
    scores: Tensor, evidence: Tensor, candidates: Candidates, grid: Grid, most: int, strict: bool
) -> list[int]:
    """At most ``most`` classes; the first is the one that fits most patches best.

    ``scores`` (words, h*w) float32 are cosines on the patch grid. ``evidence`` (words,) float32 is
    added to the fit on all patches, in standard deviations of the scores. ``strict`` leaves out
    classes below :data:`LEAST_GAIN`, :data:`LEAST_SHARE` or :data:`LEAST_CERTAINTY`, but for the
    most certain one.
    """
    owner = torch.tensor(candidates.owner)
    people = owner.bincount() > 1  # the class with more than one word
    bonus = EVERYDAY * candidates.everyday + PEOPLE * people[owner]
    maps = F.avg_pool2d(scores.unflatten(1, grid), 3, 1, 1, count_include_pad=False)
    by_word = maps.flatten(1) / scores.std(0).mean() + bonus[:, None]
    fit = per_class(by_word, candidates.owner) + per_class(evidence, candidates.owner)[:, None]
    chosen = _best(fit, by_word.mean(0), most, LEAST_GAIN if strict else 0.0)
    winner = fit[chosen].argmax(0)
    share = winner.bincount(minlength=len(chosen)) / len(winner)
    owned = F.one_hot(winner, len(chosen)).T  # (classes, h*w)
    certainty = ((SHARPNESS * fit).softmax(0)[chosen] * owned).sum(1) / owned.sum(1).clamp(min=1)
    good = (share >= LEAST_SHARE) & ((certainty >= LEAST_CERTAINTY) | people[chosen])
    good[certainty.argmax()] = True
    by_share = share.argsort(descending=True, stable=True).tolist()
    return [chosen[i] for i in by_share if good[i] or not strict]


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


def suggest(
    backbone: Backbone,
    patches: Tensor,
    probabilities: Tensor | None,
    grid: Grid,
    most: int,
    strict: bool,
) -> tuple[str, ...]:
    """Words for the dense features ``patches``, (h*w, E) float32, best first.

    ``probabilities`` (classes,) float32 are the image classifier's, if there is one.
    """
    some = _candidates(word_groups(backbone))
    scores = vocabulary.embed_together(backbone, some.words, "plain") @ patches.T
    evidence = _evidence(some.words, backbone.known, probabilities)
    chosen = choose(scores, evidence, some, grid, most, strict)
    return tuple(some.words[i] for i in chosen)


def _evidence(
    words: Sequence[str], known: KnownWords | None, probabilities: Tensor | None
) -> Tensor:
    """What the image classifier adds to the fit of each word, from 0 to 1: (words,) float32."""
    total = dict.fromkeys(words, 0.0)
    if probabilities is not None:
        for names, probability in zip(known.class_words, probabilities.tolist(), strict=True):
            for name in names:
                total[name] += probability
    logarithms = torch.tensor([*total.values()]).clamp(min=LEAST_PROBABILITY).log()
    return 1 - logarithms / math.log(LEAST_PROBABILITY)


@cache
def _candidates(groups: tuple[tuple[str, ...], ...]) -> Candidates:
    worn = word_lists.read("worn")
    usual = {word for group in _everyday() for word in group}
    groups = tuple(sorted(groups, key=lambda group: group[0] in worn))
    words = [group[0] for group in groups]
    person = words.index(PERSON)
    return Candidates(
        words,
        [person if word in worn else i for i, word in enumerate(words)],
        torch.tensor([not usual.isdisjoint(group) for group in groups]),
    )


@cache
def _everyday() -> tuple[tuple[str, ...], ...]:
    return tuple((word, *others) for word, others in word_lists.read("everyday").items())
