"""Suggested words for a picture: those that fit its patches best.

Words are chosen one by one. Each must fit some patches better than all words before it. So a
synonym of a chosen word, or a part of a chosen thing, adds little and is left out.
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import vocabulary, word_lists
from gclip_core.backbone import Backbone
from gclip_core.types import Grid

LEAST_GAIN = 0.43
"""The minimum of the mean squared gain of a word over all patches, in variances of the scores.
Squaring prefers a word that clearly fits some patches to one that fits many a little better."""
LEAST_SHARE = 0.03
"""The minimum share of the patches that a word fits best."""
EVERYDAY = 0.8
"""What is added to the fit of an everyday word, in standard deviations of the scores."""


def candidates(backbone: Backbone) -> tuple[tuple[str, ...], ...]:
    """Words that may be suggested, each with its synonyms.

    These are the words of the backbone's training photos, or the everyday words if its vocabulary
    is open.
    """
    return backbone.known.seen if backbone.known else _everyday()


def choose(scores: Tensor, everyday: Tensor, grid: Grid, most: int, strict: bool) -> list[int]:
    """Indices of at most ``most`` words; the first is the one that fits most patches best.

    ``scores`` (words, h*w) float32 are cosines on the patch grid, ``everyday`` (words,) bool.
    ``strict`` leaves out words below :data:`LEAST_GAIN` or :data:`LEAST_SHARE`.
    """
    maps = F.avg_pool2d(scores.unflatten(1, grid), 3, 1, 1, count_include_pad=False)
    fit = maps.flatten(1) / scores.std(0).mean() + EVERYDAY * everyday[:, None]
    best, chosen = fit.mean(0), []
    while len(chosen) < min(most, len(fit)):
        gain = (fit - best).clamp(min=0).square().mean(1)
        word = int(gain.argmax())
        if chosen and gain[word] <= (LEAST_GAIN if strict else 0):
            break
        chosen.append(word)
        best = torch.maximum(best, fit[word])
    share = fit[chosen].argmax(0).bincount(minlength=len(chosen)) / fit.shape[1]
    order = share.argsort(descending=True, stable=True).tolist()
    return [chosen[i] for i in order if share[i] >= LEAST_SHARE or not strict]


def suggest(
    backbone: Backbone, patches: Tensor, grid: Grid, most: int, strict: bool
) -> tuple[str, ...]:
    """Words for the dense features ``patches``, (h*w, E) float32, best first."""
    groups, usual = candidates(backbone), {word for group in _everyday() for word in group}
    words = [group[0] for group in groups]
    scores = vocabulary.embed_together(backbone, words, "plain") @ patches.T
    everyday = torch.tensor([not usual.isdisjoint(group) for group in groups])
    return tuple(words[i] for i in choose(scores, everyday, grid, most, strict))


@cache
def _everyday() -> tuple[tuple[str, ...], ...]:
    return tuple((word, *others) for word, others in word_lists.read("everyday").items())
