"""Muon: momentum whose update is made orthogonal, for the matrices of the transformer blocks.

Written out here, forty lines, for two reasons. PyTorch's own (from 2.9) iterates in bfloat16, which
a processor without bfloat16 arithmetic runs twelve times slower than float32, and matrix by matrix,
where twelve equal blocks can go through one batched product. And PyTorch 2.8 has none.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# Quintic Newton-Schulz coefficients (Jordan 2024): all singular values to about 1 in five steps.
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonal(matrices: Tensor, steps: int = 5) -> Tensor:
    """The nearest (roughly) orthogonal matrices to a batch of matrices, (n, rows, columns)."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Muon over 2-D parameters; a stacked QKV weight (3D, D) is taken as three matrices.

    The update's root mean square is 0.2 of the learning rate, as AdamW's typically is, so that
    both optimisers can share a schedule.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.05,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            buckets: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state: dict[str, Any] = self.state[weight]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(weight)
                average = state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                nesterov = weight.grad.lerp(average, group["momentum"])
                parts = 3 if weight.shape[0] == 3 * weight.shape[1] else 1
                for w, update in zip(weight.chunk(parts), nesterov.chunk(parts), strict=True):
                    buckets[(w.shape[0], w.shape[1])].append((w, update))
            for (rows, columns), pairs in buckets.items():
                updates = orthogonal(torch.stack([update for _, update in pairs]))
                size = 0.2 * max(rows, columns) ** 0.5 * group["lr"]
                for (w, _), update in zip(pairs, updates, strict=True):
                    w.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-size)
