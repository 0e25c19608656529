"""Attention as it is wanted: which patches belong together, by the grouping teacher."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.network import HEADS

SHARPNESS = 10.0


def target(alike: Tensor) -> Tensor:
    """Which patches a patch shall attend to, from cosines (B, N, N): rows add up to 1."""
    return (SHARPNESS * alike).masked_fill(alike < 0, -1e9).softmax(-1)


def divergence(logits: Tensor, wanted: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the head mean of attention from what is wanted, in nats.

    logits (B, HEADS, N, N) of patches; wanted (B, N, N).
    """
    mean = logits.softmax(-1).mean(1)
    return (torch.xlogy(wanted, wanted) - wanted * mean.clamp_min(1e-8).log()).sum(-1).mean()


def scores(queries: Tensor, keys: Tensor) -> Tensor:
    """Attention logits among patches of heads (B, HEADS, 1 + N, d)."""
    return queries[..., 1:, :] @ keys[..., 1:, :].mT / queries.shape[-1] ** 0.5


def read(look: nn.Linear, x: Tensor) -> Tensor:
    """Attention logits of the Queries and Keys that a linear layer reads from what a block reads
    (B, 1 + N, WIDTH): (B, HEADS, N, N)."""
    stacked = look(F.layer_norm(x, x.shape[-1:])).unflatten(-1, (2, HEADS, -1))
    return scores(*stacked.permute(2, 0, 3, 1, 4))
