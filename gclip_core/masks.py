"""From logits on the patch grid to scores and labels of pixels, one strip of rows at a time.

Logits are (prompts, h, w) float32: an entry for each synonym, then for each background prompt.
``classes[p]`` is the class of prompt ``p``, -1 for the background.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.types import Grid, Segmentation

BACKGROUND_WEIGHT = 0.5
"""Weight of the background, chosen on photos with masks (see METHOD.md, Background)."""
MOST_ROWS = 32
"""Rows of pixels that are computed at a time, to save memory."""


def weigh_background(logits: Tensor, n_background: int, weight: float) -> Tensor:
    """Logits (prompts, ...) with the last ``n_background`` moved towards the mean of all prompts.

    Each becomes ``mean + weight (logit - mean)``: a weight of 1 changes nothing.
    """
    if not n_background or weight == 1:
        return logits
    typed, background = logits[:-n_background], logits[-n_background:]
    return torch.cat([typed, logits.mean(0).lerp(background, weight)])


@dataclass(frozen=True, eq=False)
class Strip:
    """Rows of pixels between two neighbouring rows of a grid of maps (n, h, w).

    ``above`` and ``below`` (n, width) are these rows of the grid, interpolated to the image's
    width; ``share`` (rows, 1) is how far each row of pixels is from the one above.
    """

    rows: slice
    above: Tensor
    below: Tensor
    share: Tensor

    def pixels(self, chosen: Tensor | slice = slice(None)) -> Tensor:
        """The chosen maps at the strip's pixels, bilinear: (chosen, rows, width)."""
        return torch.lerp(self.above[chosen, None], self.below[chosen, None], self.share)


def strips(maps: Tensor, size: Grid) -> Iterator[tuple[int, Strip]]:
    """The strips of an image of ``size``, each with the index of the row of the grid above it."""
    h, (height, width) = maps.shape[1], size
    at = ((torch.arange(height) + 0.5) * (h / height) - 0.5).clamp_(0, h - 1)

    def widened(row: int) -> Tensor:
        line = maps[None, :, row : row + 1]
        return F.interpolate(line, (1, width), mode="bilinear")[0, :, 0]

    top, below = 0, widened(0)
    for row, n_rows in enumerate(at.long().bincount().tolist()):
        above, below = below, widened(min(row + 1, h - 1))
        for start in range(top, top + n_rows, MOST_ROWS):
            rows = slice(start, min(start + MOST_ROWS, top + n_rows))
            yield row, Strip(rows, above, below, (at[rows] - row)[:, None])
        top += n_rows


def scores(logits: Tensor, classes: Sequence[int], size: Grid) -> Tensor:
    """Softmax over prompts, then the maximum over a class's synonyms: (classes, *size) float32.

    With synonyms or a background the scores of a pixel sum to less than 1.
    """
    out = torch.empty(max(classes) + 1, *size)
    for _, strip in strips(logits, size):
        out[:, strip.rows] = per_class(strip.pixels().softmax(dim=0), classes)
    return out


def labels(logits: Tensor, classes: Sequence[int], size: Grid, threshold: float = 0.0) -> Tensor:
    """The best class of each pixel: (height, width) int16.

    -1 if a background prompt is best, or if the best score is under ``threshold``.
    """
    out = torch.empty(size, dtype=torch.int16)
    class_of = torch.tensor(classes, dtype=torch.int16)
    # Between four points of the grid a logit is between its smallest and its largest there. So a
    # prompt cannot be best whose largest is below the smallest of another: it is left out.
    corners = F.pad(logits, (0, 1, 0, 1), mode="replicate")
    largest, smallest = F.max_pool2d(corners, 2, 1), -F.max_pool2d(-corners, 2, 1)
    can_win = ~(largest < smallest.amax(0) - 1e-4).all(2)  # (prompts, h); also True for nan
    for row, strip in strips(logits, size):
        prompts = can_win[:, row].nonzero()[:, 0]
        best, index = strip.pixels(prompts).max(dim=0)
        out[strip.rows] = class_of[prompts][index]
        if threshold > 0:
            score = (best - strip.pixels().logsumexp(dim=0)).exp()
            out[strip.rows][score < threshold] = -1
    return out


def per_class(prompts: Tensor, classes: Sequence[int]) -> Tensor:
    """Maximum over the prompts of a class: (prompts, ...) to (classes, ...)."""
    n = max(classes) + 1
    typed = [index for index in classes if index >= 0]
    prompts = prompts[: len(typed)]
    if n == len(typed):
        return prompts
    index = torch.tensor(typed).view(-1, *[1] * (prompts.dim() - 1)).expand_as(prompts)
    out = prompts.new_full((n, *prompts.shape[1:]), float("-inf"))
    return out.scatter_reduce_(0, index, prompts, "amax")


def class_logits(result: Segmentation, grid: Grid) -> Tensor:
    """Logits of patches, (classes, N) float32, each the largest of a class's synonyms.

    With a background, a last row is the largest of its prompts.
    """
    logits = result.logits
    if tuple(logits.shape[1:]) != grid:
        logits = F.interpolate(logits[None], grid, mode="bilinear")[0]
    logits = logits.flatten(1)
    by_class, n_background = per_class(logits, result.prompt_classes), len(result.background)
    if not n_background:
        return by_class
    return torch.cat([by_class, logits[-n_background:].amax(0, keepdim=True)])


def probabilities(result: Segmentation, grid: Grid) -> Tensor:
    """Why a patch has its word: (classes + 1, N) float32, which add up to 1 for each patch.

    It is the softmax over one logit per class, that of its best synonym, and one for the
    background, that of its best prompt. So the largest is that of the patch's plain label, and no
    probability of a losing synonym counts for the background. The last row is the background's, 0
    without one.
    """
    shares = class_logits(result, grid).softmax(0)
    return shares if result.background else F.pad(shares, (0, 0, 0, 1))
