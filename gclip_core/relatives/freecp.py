"""FreeCP: spreads class maps along the tower's own attention, and drops redundant classes.

It can follow any method: a class is kept if its map is similar before and after spreading.
``class_maps`` and ``affinity`` take all windows of an encoding, the other functions one; matrices
are float32.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from gclip_core import attention
from gclip_core.encoder import Encoded
from gclip_core.pixels.masks import connected_parts, per_class
from gclip_core.types import Grid
from gclip_core.words.background import HiddenWords
from gclip_core.words.vocabulary import Prompts

PURIFICATIONS = ("freecp",)
"""Names of the steps that can follow a method."""
REDUNDANT = 0.15
"""Classes whose overlap before and after spreading is not above this are dropped."""
SOURCES = 0.4
"""Patches above this fraction of a class's largest value determine the boxes that spread."""
BACKGROUND_THRESHOLD = 0.5
"""FreeCP's background is ``1 - max R``: it wins where no class is above one half."""


@torch.no_grad()
def class_maps(
    encoded: Encoded, features: Tensor, prompts: Prompts, hidden: HiddenWords | None
) -> Tensor:
    """Maps of the classes from 0 to 1, averaged where windows overlap: (C, h, w) float32.

    ``features`` (W, h', w', E) float32 are the windows' own, on their grid or a finer one. The
    words of ``hidden`` take part in the softmax over prompts.
    """
    text, classes = prompts.text, prompts.vocabulary.prompt_classes
    offsets = torch.zeros(len(text))
    if hidden is not None:
        text, offsets = torch.cat([text, hidden.text]), torch.cat([offsets, hidden.offsets])
        classes = (*classes, *[-1] * len(hidden.words))
    scale = encoded.backbone.model.logit_scale.exp().cpu()
    maps = []
    affinities = (one for some in encoded.split() for one in affinity(some))
    for weights, window in zip(affinities, features, strict=True):
        shares = (scale * (window @ text.T + offsets)).softmax(-1).to(weights.device)
        shares = F.adaptive_avg_pool2d(shares.permute(2, 0, 1), encoded.window_grid).flatten(1)
        maps.append(purified(weights, shares, classes, encoded.window_grid).permute(1, 2, 0).cpu())
    return encoded.average(torch.stack(maps)).permute(2, 0, 1)


@torch.no_grad()
def affinity(encoded: Encoded) -> Tensor:
    """The weights by which patches spread to each other, for each window: (W, N, N), symmetric.

    It is the mean attention over all heads and all blocks but the last, with columns and rows
    divided by their sums three times, averaged with its transpose.
    """
    n = encoded.backbone.n_blocks - 1
    total = torch.zeros((), device=encoded.inputs[0].device)
    for block in range(n):
        heads = encoded.heads(block)
        total = total + attention.head_mean(heads.q, heads.k)[..., 1:, 1:]
    A = total / n
    tiny = torch.finfo(A.dtype).tiny  # columns and rows without attention stay zero
    for _ in range(3):
        A /= A.sum(-2, keepdim=True).clamp_min(tiny)
        A /= A.sum(-1, keepdim=True).clamp_min(tiny)
    return (A + A.mT) / 2


def purified(affinity: Tensor, probabilities: Tensor, classes: Sequence[int], grid: Grid) -> Tensor:
    """Maps of classes from 0 to 1, (C, h, w), from probabilities of prompts (prompts, N).

    ``classes`` are those of the prompts, -1 for the background, which has no map. A dropped class
    is 0 everywhere.
    """
    least, most = probabilities.aminmax()
    span = (most - least).clamp_min(torch.finfo(probabilities.dtype).tiny)
    before = per_class(probabilities, classes)
    scaled = per_class((probabilities - least) / span, classes)
    sources = boxes(scaled.unflatten(1, grid)).flatten(1) * scaled
    maps = (affinity @ (affinity @ sources.T)).T  # (C, N)
    low, high = maps.amin(1, keepdim=True), maps.amax(1, keepdim=True)
    maps = (maps - low) / (high - low + 1e-8)
    overlap = (before * maps).sum(1) / (before.sum(1) + maps.sum(1) + 1e-8)
    return (maps * (overlap > REDUNDANT)[:, None]).unflatten(1, grid)


def boxes(maps: Tensor) -> Tensor:
    """The patches from which each class spreads, (C, h, w): 1 in the boxes of its connected parts.

    A part is above 0.4 times the largest value, in steps of 1/255. As in the authors' code, a box
    never contains the last row or the last column.
    """
    out = np.zeros(maps.shape, np.float32)
    for levels, sends in zip((255 * maps).byte().numpy(force=True), out, strict=True):
        parts = connected_parts(levels > int(SOURCES * levels.max()), corners=True)
        for down, across in ndimage.find_objects(parts):
            sends[down, across] = 1
        sends[-1], sends[:, -1] = 0, 0
    return torch.from_numpy(out).to(maps.device)
