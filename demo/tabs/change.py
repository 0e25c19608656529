"""The largest region that changed between two masks, and why: attention, cosines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from demo import wording
from demo.answer import Answer
from demo.drawing import render
from demo.engine import Engine, Mask
from gclip_core import amf, cs
from gclip_core.masks import class_logits
from gclip_core.types import Method

SIDE = 128
"""Regions are counted at this size of the longer side, in pixels."""
AROUND = 0.5
"""A box is so much larger than its region, on each side."""
LEAST = 0.25
"""Of the picture's sides a box has at least this share."""


@dataclass(frozen=True, eq=False)
class Change:
    """A region that was one word and is another (``pair``).

    ``box`` (top, left, bottom, right) are shares of the picture's height and width. Of the patches
    in it whose best word changes likewise, ``looks`` are shares of their attention on what else has
    the new word, before and after; ``cosines`` are before and after, of the old word and the new.
    Both are None where there is no such patch: only the edge moved.
    """

    pair: tuple[str, str]
    box: tuple[float, float, float, float]
    looks: tuple[float, float] | None
    cosines: tuple[tuple[float, float], tuple[float, float]] | None


def sentence(change: Change, subject: str) -> str:
    """Why the region changed; ``subject`` is the switch or method that changed it."""
    if change.looks is None or change.cosines is None:
        return wording.edge_moved(subject, change.pair)
    return wording.region_changed(subject, change.pair, change.looks, change.cosines)


def compute(engine: Engine, answer: Answer, before: Mask, after: Mask) -> Change:
    """The largest connected region that changed from one word to another; some pixel must.

    It is cached, as the masks are.
    """
    question = answer.question
    key = ("change", *question.key, question.settings.refine, before.method, after.method)
    return engine.cache.get_or_make(key, lambda: _change(engine, answer, before, after))


def _change(engine: Engine, answer: Answer, before: Mask, after: Mask) -> Change:
    names, background = (*after.names, "background"), len(after.names)
    old, new = (_classes(mask, render.fitting(mask.labels.shape, SIDE)) for mask in (before, after))
    if (old == new).all():  # this size loses a small change
        old, new = (_classes(mask, mask.labels.shape) for mask in (before, after))
    # A region is of one pair of words: the pair is coded as one number.
    region = largest_region(np.where(old != new, len(names) * old + new, -1))
    pair = int(old[region][0]), int(new[region][0])
    patches = cs.majority_labels(torch.from_numpy(region.astype(np.int64)), answer.grid) == 1
    patches = patches.flatten()
    if not patches.any():  # it is smaller than half a patch
        patches[_patch_at(region, answer.grid)] = True
    logits = [class_logits(mask.result, answer.grid) for mask in (before, after)]
    patches = supporting(patches, logits, pair)
    words, box = (names[pair[0]], names[pair[1]]), box_of(region)
    if not patches.any():
        return Change(words, box, None, None)
    after_label = -1 if pair[1] == background else pair[1]
    methods, is_new = (before.method, after.method), after.labels == after_label
    scale = answer.question.scene.segmenter.logit_scale
    return Change(
        pair=words,
        box=box,
        looks=_looks(engine, answer, methods, patches, is_new),
        cosines=_cosines(logits, patches, pair, scale),
    )


def _classes(mask: Mask, shape: tuple[int, int]) -> NDArray[np.integer]:
    """The class of each pixel (H, W) at another size; of no class, the number after the last."""
    labels = render.nearest(mask.labels, shape).astype(int)
    labels[labels < 0] = len(mask.names)
    return labels


def supporting(
    patches: torch.Tensor, logits: Sequence[torch.Tensor], pair: tuple[int, int]
) -> torch.Tensor:
    """Those of the patches (N,) bool whose best class was the first of ``pair``, and is the second.

    ``logits`` (C, N) are before and after. A mask's edges may move without any.
    """
    best = [rows.argmax(0) for rows in logits]
    return patches & (best[0] == pair[0]) & (best[1] == pair[1])


def largest_region(codes: NDArray[np.integer]) -> NDArray[np.bool_]:
    """The largest connected region (H, W) of one code; -1 is no region."""
    pixels = {(int(row), int(column)) for row, column in np.argwhere(codes >= 0)}
    largest: list[tuple[int, int]] = []
    while pixels:
        region = [pixels.pop()]
        for row, column in region:  # it grows while it is read
            for near in (
                (row - 1, column),
                (row + 1, column),
                (row, column - 1),
                (row, column + 1),
            ):
                if near in pixels and codes[near] == codes[row, column]:
                    pixels.remove(near)
                    region.append(near)
        largest = max(largest, region, key=len)
    mask = np.zeros(codes.shape, bool)
    mask[tuple(np.transpose(largest))] = True
    return mask


def box_of(region: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """The box around a region (H, W) with room on each side, in shares of height and width."""
    ends = []
    for axis in (0, 1):
        places, size = np.flatnonzero(region.any(1 - axis)), region.shape[axis]
        low, high = places[0] / size, (places[-1] + 1) / size
        side = min(1.0, max(LEAST, (1 + 2 * AROUND) * (high - low)))
        start = min(max(0.0, (low + high - side) / 2), 1 - side)
        ends.append((float(start), float(start + side)))
    (top, bottom), (left, right) = ends
    return top, left, bottom, right


def _patch_at(region: NDArray[np.bool_], grid: tuple[int, int]) -> int:
    row, column = np.argwhere(region)[0]
    return int(row * grid[0] // region.shape[0] * grid[1] + column * grid[1] // region.shape[1])


def _looks(
    engine: Engine,
    answer: Answer,
    methods: Sequence[Method],
    patches: torch.Tensor,
    is_new: NDArray[np.bool_],
) -> tuple[float, float]:
    """Shares of these patches' attention on others where the mask ``is_new``, before and after."""
    scene = answer.question.scene
    others = cs.majority_labels(torch.from_numpy(is_new.astype(np.int64)), answer.grid) == 1
    others = others.flatten() & ~patches
    shares = []
    for method in methods:
        whole = scene.segmenter.last_attention(engine.trunk(scene, method), method, None)
        rows = amf.patch_attention(whole[1:])[patches]
        shares.append(float(rows[:, others].sum(1).mean()))
    return shares[0], shares[1]


def _cosines(
    logits: Sequence[torch.Tensor], patches: torch.Tensor, pair: tuple[int, int], scale: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Mean cosines of these patches, before and after, with the old word and with the new."""
    old, new = (
        tuple(float(rows[word][patches].mean()) / scale for rows in logits) for word in pair
    )
    return old, new
