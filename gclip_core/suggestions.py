"""Suggested words for a picture: those that fit its patches best.

Words are chosen one by one. Each must fit some patches better than all words before it. So a
synonym of a chosen word, or a part of a chosen thing, adds little and is left out. What people
wear counts as a person: else a photo of a man in a suit shows a suit and a wall.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import vocabulary, word_lists
from gclip_core.backbone import Backbone
from gclip_core.masks import per_class
from gclip_core.types import Grid

LEAST_GAIN = 0.43
"""The minimum of the mean squared gain of a word over all patches, in variances of the scores.
Squaring prefers a word that clearly fits some patches to one that fits many a little better."""
LEAST_SHARE = 0.03
"""The minimum share of the patches that a word fits best."""
EVERYDAY = 0.8
"""What is added to the fit of an everyday word, in standard deviations of the scores."""
PERSON = "person"
PEOPLE = 0.3
"""What is added to the fit of a person and of what people wear: half of all photos show people."""
MOST_WORN = 2
"""The maximum number of words for what a person wears: they make a person's mask whole."""


def candidates(backbone: Backbone) -> tuple[tuple[str, ...], ...]:
    """Words that may be suggested, each with its synonyms.

    These are the words of the backbone's training photos, or the everyday words if its vocabulary
    is open.
    """
    return backbone.known.seen if backbone.known else _everyday()


def choose(
    scores: Tensor, everyday: Tensor, owner: Sequence[int], grid: Grid, most: int, strict: bool
) -> list[list[int]]:
    """Words of at most ``most`` classes; the first class is the one that fits most patches best.

    ``scores`` (words, h*w) float32 are cosines on the patch grid, ``everyday`` (words,) bool.
    ``owner`` is the class of each word; the first word of a class names it. A class is returned as
    this word and at most :data:`MOST_WORN` other everyday words, which fit its patches.
    ``strict`` leaves out classes below :data:`LEAST_GAIN` or :data:`LEAST_SHARE`.
    """
    classes = torch.tensor(owner)
    maps = F.avg_pool2d(scores.unflatten(1, grid), 3, 1, 1, count_include_pad=False)
    bonus = EVERYDAY * everyday + PEOPLE * (classes.bincount() > 1)[classes]
    by_word = maps.flatten(1) / scores.std(0).mean() + bonus[:, None]
    fit = per_class(by_word, owner)
    best, chosen = by_word.mean(0), []
    while len(chosen) < min(most, len(fit)):
        gain = (fit - best).clamp(min=0).square().mean(1)
        index = int(gain.argmax())
        if chosen and gain[index] <= (LEAST_GAIN if strict else 0):
            break
        chosen.append(index)
        best = torch.maximum(best, fit[index])
    winner = fit[chosen].argmax(0)
    share = winner.bincount(minlength=len(chosen)) / len(winner)
    found = []
    for i in share.argsort(descending=True, stable=True).tolist():
        if share[i] >= LEAST_SHARE or not strict:
            words = (classes == chosen[i]).nonzero().flatten()
            wins = Counter(words[by_word[words][:, winner == i].argmax(0)].tolist())
            worn = (w for w, _ in wins.most_common() if everyday[w] and w != words[0])
            found.append([int(words[0]), *islice(worn, MOST_WORN)])
    return found


def suggest(
    backbone: Backbone, patches: Tensor, grid: Grid, most: int, strict: bool
) -> tuple[str, ...]:
    """Words for the dense features ``patches``, (h*w, E) float32, best first.

    A person may come with what they wear, as synonyms: "person; dress; tie".
    """
    worn, usual = word_lists.read("worn"), {word for group in _everyday() for word in group}
    # The name of a class comes first.
    groups = sorted(candidates(backbone), key=lambda group: group[0] in worn)
    words = [group[0] for group in groups]
    everyday = torch.tensor([not usual.isdisjoint(group) for group in groups])
    scores = vocabulary.embed_together(backbone, words, "plain") @ patches.T
    person = words.index(PERSON)
    owner = [person if word in worn else i for i, word in enumerate(words)]
    chosen = choose(scores, everyday, owner, grid, most, strict)
    return tuple("; ".join(words[i] for i in one) for one in chosen)


@cache
def _everyday() -> tuple[tuple[str, ...], ...]:
    return tuple((word, *others) for word, others in word_lists.read("everyday").items())
