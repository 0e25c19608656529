"""Attention as it is wanted: which patches belong together, by the grouping teacher."""

import random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.features import PATCH, SIDES, Cache
from training.network import HEADS, Student

SHARPNESS = 10.0


class Photos:
    """Draws views of one kind: features made even (B, N, F) and affinities (B, N, N)."""

    def __init__(self, cache: Cache, kind: str) -> None:
        self.cache, self.grid = cache, SIDES[kind] // PATCH

    def draw(self, student: Student, size: int) -> tuple[Tensor, Tensor]:
        rows = sorted(random.sample(range(len(self.cache.views)), min(size, len(self.cache.views))))
        even, alike = (
            torch.from_numpy(np.stack([of[row] for row in rows]).astype(np.float32))
            for of in (self.cache.features, self.cache.affinity)
        )
        if random.random() < 0.5:
            mirrored = torch.arange(self.grid**2).unflatten(0, (-1, self.grid)).flip(1).flatten()
            even, alike = even[:, mirrored], alike[:, mirrored][..., mirrored]
        return student.even(even), alike


def target(alike: Tensor) -> Tensor:
    """Which patches a patch shall attend to, from cosines (B, N, N): rows add up to 1."""
    return (SHARPNESS * alike).masked_fill(alike < 0, -1e9).softmax(-1)


def divergence(attention: Tensor, wanted: Tensor) -> Tensor:
    """Kullback-Leibler divergence of attention (B, N, N) from what is wanted, in nats."""
    return (torch.xlogy(wanted, wanted) - wanted * attention.clamp_min(1e-8).log()).sum(-1).mean()


def among_patches(queries: Tensor, keys: Tensor) -> Tensor:
    """Head mean of attention among patches, of heads (B, HEADS, 1 + N, d): (B, N, N)."""
    scores = queries[..., 1:, :] @ keys[..., 1:, :].mT / queries.shape[-1] ** 0.5
    return scores.softmax(-1).mean(1)


def read(look: nn.Linear, x: Tensor) -> Tensor:
    """Attention by the Queries and Keys that a linear layer reads from what a block reads
    (B, 1 + N, WIDTH): (B, N, N)."""
    stacked = look(F.layer_norm(x, x.shape[-1:])).unflatten(-1, (2, HEADS, -1))
    return among_patches(*stacked.permute(2, 0, 3, 1, 4))
