"""How a step fits weights: AdamW with warm-up and decay."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from gclip_core.backbones.load import has_bfloat16

_RISING = 0.1
"""The share of the steps over which the rate rises."""
_LEAST = 0.02
"""The rate falls to this share of its maximum."""


def low_precision() -> torch.autocast:
    """Matrix products in bfloat16 where the processor supports it: in a third of the time."""
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(torch.device("cpu")))


def fit(
    parameters: Sequence[nn.Parameter],
    terms: Callable[[int], Mapping[str, Tensor]],
    weights: Mapping[str, float],
    steps: int,
    rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    longest: float = torch.inf,
) -> None:
    """Minimise the weighted sum of `terms(step)`, and print them about ten times.

    The learning rate rises to `rate` and decays with half a cosine. Gradients are clipped to a norm
    of `longest`.
    """
    for parameter in parameters:
        parameter.requires_grad_()
    optimiser = torch.optim.AdamW(parameters, rate, betas=betas, weight_decay=0.01)

    def share(step: int) -> float:
        fall = max(_LEAST, (1 + math.cos(math.pi * step / steps)) / 2)
        return fall * min(1.0, (step + 1) / (_RISING * steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, share)
    start = time.time()
    for step in range(steps):
        values = terms(step)
        optimiser.zero_grad()
        sum(weights[name] * term for name, term in values.items()).backward()
        nn.utils.clip_grad_norm_(parameters, longest)
        optimiser.step()
        schedule.step()
        if (step + 1) % max(1, steps // 10) == 0:
            shown = (f"{name} {term.item():.4f}" for name, term in values.items())
            print(step + 1, *shown, f"{time.time() - start:.0f} s", flush=True)
    for parameter in parameters:
        parameter.requires_grad_(False)
