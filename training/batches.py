"""Batches of cached views: which photos a step learns from, and what is known of their patches."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from training import features
from training.features import Cache, read_cache, rows_as_float
from training.network import Network
from training.words import Label, Words

SHARE = {
    "mini-imagenet": 0.12, "imagenet-sample": 0.06, "imagenette": 0.02, "caltech-101": 0.07,
    "pacs-photo": 0.06, "grocery": 0.02, "clothing": 0.02, "scenes": 0.08, "houses": 0.05,
    "flickr8k-1000": 0.10, "idd-lite": 0.03, "camvid": 0.03,
}  # fmt: skip
"""How many of a batch's photos come from each source, in parts."""
APPEARANCE = sum(features.STAGES[:2])
"""Channels of the two shallower stages, of which appearance is the cosine."""
OF_AFFINITY = 0.5
"""How much DINO's affinity counts in how alike patches are; the rest is appearance."""


@dataclass(frozen=True)
class Batch:
    """B single views of N patches: their rows in the cache, standardised features (B, N, C),
    colours (B, N, 4), DINO's affinity and how alike patches are (B, N, N), and their labels."""

    rows: list[int]
    inputs: Tensor
    colours: Tensor
    affinity: Tensor
    likeness: Tensor
    labels: list[Label]


@dataclass(frozen=True)
class Cell:
    """One photo of a mosaic: the mosaic's place in the batch, the patches (N / 4,), the label."""

    mosaic: int
    patches: Tensor
    label: Label


class Views:
    """Single views and mosaics of the caches, drawn by `SHARE`; `count` single views or all."""

    def __init__(self, words: Words, work: Path, count: int | None = None) -> None:
        self.words = words
        self.single, self.mosaic = (
            read_cache(work, "single", count),
            read_cache(work, "mosaic"),
        )
        self.labels = [words.label(words.photos[photo]) for photo, _ in self.single.views]
        self.rows: dict[str, list[int]] = {}
        for row, label in enumerate(self.labels):
            if label.there:
                self.rows.setdefault(label.source, []).append(row)
        parts = {source: part for source, part in SHARE.items() if source in self.rows}
        self.parts = {source: part / sum(parts.values()) for source, part in parts.items()}

    def draw(self, size: int) -> list[int]:
        """Rows of single views, of every source its part."""
        return [
            row
            for source, part in self.parts.items()
            for row in random.choices(self.rows[source], k=max(1, round(size * part)))
        ]

    def batch(self, network: Network, rows: Sequence[int]) -> Batch:
        """What is known of single views."""
        cache = self.single
        inputs = network.standardised(rows_as_float(cache.features, rows))
        affinity = rows_as_float(cache.affinity, rows)
        colours = rows_as_float(cache.colours, rows)
        labels = [self.labels[row] for row in rows]
        alike = likeness(inputs, affinity)
        return Batch(list(rows), inputs, colours, affinity, alike, labels)

    def draw_mosaics(self, network: Network, count: int) -> tuple[list[int], Tensor, list[Cell]]:
        """Rows of mosaics, their standardised features (count, N, C), and all of their photos."""
        rows = random.choices(range(len(self.mosaic.views)), k=count)
        cells = [
            Cell(place, patches, self.words.label(self.words.photos[photo]))
            for place, row in enumerate(rows)
            for patches, photo in features.cells(self.mosaic.views[row])
        ]
        return rows, network.standardised(rows_as_float(self.mosaic.features, rows)), cells


def likeness(inputs: Tensor, affinity: Tensor) -> Tensor:
    """How alike patches are (B, N, N): half the cosine of standardised appearance (of B, N, C),
    half DINO's affinity."""
    look = F.normalize(inputs[..., :APPEARANCE], dim=-1)
    return (1 - OF_AFFINITY) * look @ look.mT + OF_AFFINITY * affinity


def statistics(cache: Cache) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each feature (C,), over 600 views."""
    rows = np.linspace(0, len(cache.views) - 1, 600).astype(int)
    some = rows_as_float(cache.features, rows.tolist()).flatten(0, 1)
    return some.mean(0), some.std(0) + 1e-3
