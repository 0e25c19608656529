"""The photos of a measuring set as cases (words, distractors, truth), and how masks are judged.

Words are those of regions of at least one percent of a photo (smaller ones are void); all kinds of
wall are "wall". Distractors are drawn from the other words of the set.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from evaluation import metric
from evaluation.photos import photo_lists

_LEAST = 0.01
"""Regions of a smaller part of a photo are void."""
_DISTRACTORS = 10
_MOST = 10
"""Of a patch's attended patches so many count."""


@dataclass(frozen=True)
class Case:
    """One photo: its half of the set, its words, ten that are not there, and its truth (H, W), -1
    where void."""

    image: Path
    half: str
    words: tuple[str, ...]
    distractors: tuple[str, ...]
    truth: NDArray[np.int64]


def one_name(word: str) -> str:
    """COCO's finer names for walls, floors and the sea, as one word each."""
    walls = "wall" if word.startswith("wall") else word
    return {"wooden floor": "floor", "sea": "ocean"}.get(word, walls)


def read_cases(folder: Path) -> Iterator[Case]:
    """The photos of a measuring set in order."""
    index = json.loads((folder / "index.json").read_text("utf-8"))
    half_of = {name: half for half, names in photo_lists(folder).items() for name in names}
    pool = sorted({one_name(word) for item in index for word in item["words"].values()})
    rng = random.Random(0)
    for item in index:
        mask = np.array(Image.open(folder / f"{item['file']}.png"))
        regions: dict[str, NDArray[np.bool_]] = {}
        for value, word in item["words"].items():
            name = one_name(word)
            regions[name] = regions.get(name, False) | (mask == int(value))
        words = tuple(word for word, region in regions.items() if region.mean() >= _LEAST)
        distractors = tuple(rng.sample([word for word in pool if word not in words], _DISTRACTORS))
        truth = np.full(mask.shape, -1)
        for number, word in enumerate(words):
            truth[regions[word]] = number
        if words:
            half = half_of[item["file"]]
            yield Case(folder / f"{item['file']}.jpg", half, words, distractors, truth)


def iou(case: Case, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """IoU of each word of a photo; labels beyond its words are distractors."""
    counts = metric.confusion(case.truth, labels, len(case.words) + len(case.distractors))
    return metric.scores(counts).iou[: len(case.words)]


def largest_everywhere(case: Case) -> float:
    """The mean IoU of saying the largest region's word everywhere."""
    sizes = np.bincount(case.truth[case.truth >= 0], minlength=len(case.words))
    return float(sizes.max() / sizes.sum() / len(case.words))


def patch_truth(truth: NDArray[np.int64], grid: tuple[int, int]) -> Tensor:
    """The true word at the centre of each patch of a grid (h, w), -1 where void: (N,)."""
    rows, columns = (
        ((np.arange(n) + 0.5) * size / n).astype(int)
        for n, size in zip(grid, truth.shape, strict=True)
    )
    return torch.from_numpy(truth[rows[:, None], columns].flatten())


def same_region(attention: Tensor, truth: NDArray, grid: tuple[int, int]) -> tuple[float, ...]:
    """How many of a patch's most attended patches lie on its region, and of patches at random of
    the same distance: shares, of attention (N, N) and truth (H, W)."""
    region = patch_truth(truth, grid)
    position = torch.cartesian_prod(*(torch.arange(n) for n in grid)).float()
    distance = torch.cdist(position, position).round().long()
    same = (region[:, None] == region[None]).float()
    known = (region >= 0).float()
    rings = int(distance.max()) + 1
    blank = torch.zeros(len(region), rings)
    there = blank.scatter_add(1, distance, known.expand(len(region), -1))
    alike = blank.scatter_add(1, distance, same * known)
    by_chance = alike / there.clamp_min(1)
    hidden = torch.eye(len(region), dtype=torch.bool) | (region < 0)
    best = attention.masked_fill(hidden, -1).topk(min(_MOST, len(region) - 1), dim=1).indices
    asking = region >= 0
    chance = by_chance.gather(1, distance.gather(1, best))
    return tuple(float(of[asking].mean()) for of in (same.gather(1, best), chance))
