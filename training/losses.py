"""What is learned from. Only words of whole images: no loss ever sees where a thing is."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Sharpness of the soft maximum over patches: between a mean (0) and a maximum (infinity).
_SHARPNESS = 8.0
# Each word of an image must win one patch in this many, and two at least.
_WON = 32


def captions(scores: Tensor, present: Tensor) -> Tensor:
    """InfoNCE between images and their captions, both directions.

    scores: (B, B), image by caption. present: (B, words) bool. A caption all of whose words are
    true of another image is no wrong answer for it, and is left out there.
    """
    words = present.float()
    true_as_well = words @ words.T >= words.sum(1)[None, :]
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    scores = scores.masked_fill(true_as_well & ~own, -1e4)
    target = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2


def words(scores: Tensor, present: Tensor, things: int) -> tuple[Tensor, Tensor, Tensor]:
    """Every true word against all untrue ones: of things, of backgrounds, and by word.

    scores, present: (B, words). Two true words of an image do not compete.
    """
    untrue = scores.masked_fill(present, -1e4)
    by_image = F.softplus(untrue.logsumexp(1, keepdim=True) - scores) * present
    by_word = F.softplus(untrue.logsumexp(0, keepdim=True) - scores) * present
    seen, behind = present[:, :things], present[:, things:]
    return (
        by_image[:, :things].sum() / seen.sum(),
        by_image[:, things:].sum() / behind.sum(),
        by_word.sum() / present.sum(),
    )


def patches(cosines: Tensor, present: Tensor, scale: Tensor) -> Tensor:
    """The weak patch term: the words of an image, somewhere among its patches.

    cosines: (B, patches, words). Three parts. The soft maximum over patches of each true word
    against those of untrue words. Every patch must be about one of the true words. And each true
    word must win some patches, over every other word, true ones too: without this a background
    spreads over everything in front of it, since nothing says that it is not there as well.
    """
    count = cosines.shape[1]
    highest = (torch.logsumexp(_SHARPNESS * cosines, 1) - math.log(count)) / _SHARPNESS * scale
    untrue = highest.masked_fill(present, -1e4).logsumexp(1, keepdim=True)
    somewhere = (F.softplus(untrue - highest) * present).sum() / present.sum()
    shares = (cosines * scale).softmax(-1)
    about = (shares * present[:, None]).sum(-1).clamp_min(1e-6).log().mean()
    won = shares.topk(max(2, count // _WON), dim=1).values.mean(1).clamp_min(1e-6).log()
    return somewhere - 0.5 * about - (won * present).sum() / present.sum()


def follow(texts: Tensor, table: Tensor, which: Tensor, scale: Tensor) -> Tensor:
    """Text embeddings (n, E) shall be where their words' rows `which` (n,) of a table (words, E)
    are, and nearer to them than to any other row."""
    cosines = texts @ table.T
    own = cosines.gather(1, which[:, None])
    return F.cross_entropy(scale * cosines, which) + 2 * (1 - own).mean()
