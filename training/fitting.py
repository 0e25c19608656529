"""How a step fits weights: AdamW with warm-up and decay."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from gclip_core.backbones.load import has_bfloat16

_RISING = 0.1
"""The share of the steps over which the learning rate rises."""
_LEAST = 0.02
"""The learning rate falls to this share of its maximum."""


def low_precision() -> torch.autocast:
    """Matrix products in bfloat16 where the processor supports it: in a third of the time."""
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(torch.device("cpu")))


def fit(
    parameters: Sequence[nn.Parameter],
    losses: Callable[[int], Mapping[str, Tensor]],
    weights: Mapping[str, float],
    steps: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    max_norm: float = torch.inf,
) -> None:
    """Minimises the weighted sum of ``losses(step)``, and prints them about ten times.

    The learning rate rises to ``lr`` and decays with half a cosine. Gradients are clipped to a norm
    of ``max_norm``.
    """
    for parameter in parameters:
        parameter.requires_grad_()
    optimiser = torch.optim.AdamW(parameters, lr, betas=betas, weight_decay=0.01)

    def share(step: int) -> float:
        fall = max(_LEAST, (1 + math.cos(math.pi * step / steps)) / 2)
        return fall * min(1.0, (step + 1) / (_RISING * steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, share)
    start = time.time()
    for step in range(steps):
        values = losses(step)
        optimiser.zero_grad()
        sum(weights[name] * loss for name, loss in values.items()).backward()
        nn.utils.clip_grad_norm_(parameters, max_norm)
        optimiser.step()
        schedule.step()
        if (step + 1) % max(1, steps // 10) == 0:
            shown = (f"{name} {loss.item():.4f}" for name, loss in values.items())
            print(step + 1, *shown, f"{time.time() - start:.0f} s", flush=True)
    for parameter in parameters:
        parameter.requires_grad_(False)
