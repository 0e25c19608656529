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
from training.sources import SOURCES
from training.words import Label, Words

APPEARANCE = sum(features.STAGES[:2])
"""Channels of the two shallower stages, of which appearance is the cosine; the deepest stage and
DINO's tokens are left out."""
BATCH = sum(source.per_batch for source in SOURCES.values())
"""Single views of a batch: 66."""


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
class MosaicTile:
    """One photo of a mosaic: the mosaic's index in the batch, the patches (N / 4,), the photo's
    number and its label."""

    mosaic: int
    patches: Tensor
    photo: int
    label: Label


class Views:
    """Single views and mosaics of the caches, drawn as often as `sources.py` tells.

    `count` is how many single views there are; None is all.
    """

    def __init__(self, words: Words, work: Path, count: int | None = None) -> None:
        self.words = words
        self.single = read_cache(work, "single", count)
        self.mosaic = read_cache(work, "mosaic")
        self.labels = [words.label(words.photos[photo]) for photo, _ in self.single.views]
        self.rows: dict[str, list[int]] = {}
        for row, label in enumerate(self.labels):
            if label.there:
                self.rows.setdefault(label.source, []).append(row)
        drawn = [s for s in SOURCES.values() if s.per_batch and s.name in self.rows]
        total = sum(source.per_batch for source in drawn)
        self.parts = {source.name: source.per_batch / total for source in drawn}

    def draw(self, size: int) -> list[int]:
        """Rows of about `size` single views: of every source its part, rounded."""
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

    def draw_mosaics(
        self, network: Network, count: int
    ) -> tuple[list[int], Tensor, list[MosaicTile]]:
        """Rows of mosaics, their standardised features (count, N, C), and all of their photos."""
        rows = random.choices(range(len(self.mosaic.views)), k=count)
        tiles = [
            MosaicTile(index, patches, photo, self.words.label(self.words.photos[photo]))
            for index, row in enumerate(rows)
            for patches, photo in zip(features.quarters(), self.mosaic.views[row], strict=True)
        ]
        return rows, network.standardised(rows_as_float(self.mosaic.features, rows)), tiles


def likeness(inputs: Tensor, affinity: Tensor) -> Tensor:
    """How alike patches are (B, N, N): `(cos + a) / 2`, where `cos` is that of the appearance in
    standardised features (B, N, C), and `a` (B, N, N) is DINO's affinity."""
    appearance = F.normalize(inputs[..., :APPEARANCE], dim=-1)
    return 0.5 * appearance @ appearance.mT + 0.5 * affinity


def statistics(cache: Cache) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each feature (C,), over 600 views."""
    rows = np.linspace(0, len(cache.views) - 1, 600).astype(int)
    values = rows_as_float(cache.features, rows.tolist()).flatten(0, 1)
    return values.mean(0), values.std(0) + 1e-3
