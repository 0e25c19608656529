"""How well each class fits each patch of a mask."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.pixels.masks import per_class
from gclip_core.result import Segmentation
from gclip_core.types import Grid


def class_logits(result: Segmentation, grid: Grid) -> Tensor:
    """Logits of patches, (classes, N) float32, each the largest of a class's synonyms.

    With a background, the last row is its own.
    """
    logits = result.logits
    if tuple(logits.shape[1:]) != grid:
        logits = F.interpolate(logits[None], grid, mode="bilinear")[0]
    logits = logits.flatten(1)
    by_class = per_class(logits, result.prompt_classes)
    return torch.cat([by_class, logits[-1:]]) if result.background else by_class


def probabilities(result: Segmentation, grid: Grid) -> Tensor:
    """Why a patch has its word: (classes + 1, N) float32, which sum to 1 for each patch.

    The softmax is taken over one logit per class, that of its best synonym, and the background's.
    The largest is thus that of the patch's plain label, and losing synonyms do not add to the
    background. The last row is the background's, 0 without one.
    """
    shares = class_logits(result, grid).softmax(0)
    return shares if result.background else F.pad(shares, (0, 0, 0, 1))


def class_fits(result: Segmentation, grid: Grid) -> Tensor:
    """The mean probability of each class on the patches that it wins: (classes + 1,) float32, NaN
    for a class that wins none."""
    shares = probabilities(result, grid)
    winner = shares.argmax(0)
    return torch.stack([row[winner == c].mean() for c, row in enumerate(shares)])
