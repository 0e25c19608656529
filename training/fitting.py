"""How a step fits weights: the schedule of the rate, a step of AdamW, and the mean of the map."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

_LEAST = 0.02
"""The rate falls to this part of the largest one."""
BETAS = (0.9, 0.98)
"""AdamW's, of the map and the text tower. The second is below its usual 0.999, which remembers more
steps than a short run has: 50 instead of 1,000."""


def warm_up(step: int, steps: int) -> float:
    """A rate that rises over `steps` steps, as a part of the largest one."""
    return min(1.0, (step + 1) / steps)


def half_cosine(part: float) -> float:
    """From 1 at a part of 0 down to 0 at a part of 1."""
    return 0.5 * (1 + math.cos(math.pi * part))


def schedule(step: int, steps: int, rising: int, constant: float = 0.0) -> float:
    """The rate of a step as a part of the largest one: it rises over `rising` steps, is constant up
    to the part `constant` of all `steps`, and falls by half a cosine, at least to a fiftieth."""
    falling = max(0.0, step / steps - constant) / (1 - constant)
    return warm_up(step, rising) * max(_LEAST, half_cosine(falling))


def optimise(
    optimiser: torch.optim.Optimizer, loss: Tensor, factor: float, clipped: Iterable[nn.Parameter]
) -> None:
    """One step down the gradient of `loss`, at `factor` times the largest rate of each group of
    parameters (its "most"). The gradient of `clipped` is scaled down to a norm of 1."""
    for group in optimiser.param_groups:
        group["lr"] = group["most"] * factor
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(clipped, 1.0)
    optimiser.step()


class MapOptimiser(nn.Module):
    """AdamW for the map's weights, for others (not decayed) and for the scale of cosines.

    At the end the map's weights are their exponential mean over about the last hundred steps. The
    scale begins at 14 and is stored as its logarithm, as CLIP's is.
    """

    def __init__(self, learned: Sequence[nn.Parameter], others: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(math.log(14.0)))
        self.learned, self.others = nn.ParameterList(learned), nn.ParameterList(others)
        self.mean = nn.ParameterList(
            nn.Parameter(parameter.detach().clone(), requires_grad=False) for parameter in learned
        )
        groups = [
            {"params": [*self.learned], "most": 2e-3},
            {"params": [self.scale, *self.others], "most": 2e-3, "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=0.0, betas=BETAS, weight_decay=0.02)
        self.count = 0

    def step(self, loss: Tensor, factor: float) -> None:
        """One step at `factor` times the largest rate; the scale's gradient is not clipped."""
        optimise(self.optimiser, loss, factor, [*self.learned, *self.others])
        self.count += 1
        decay = min(0.99, self.count / (self.count + 10))  # the first steps are forgotten sooner
        with torch.no_grad():
            for mean, new in zip(self.mean, self.learned, strict=True):
                mean.lerp_(new, 1 - decay)

    @torch.no_grad()
    def average(self) -> None:
        """Give the map the mean of its weights."""
        for parameter, mean in zip(self.learned, self.mean, strict=True):
            parameter.copy_(mean)

    def get_extra_state(self) -> dict[str, Any]:
        return {"optimiser": self.optimiser.state_dict(), "count": self.count}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.optimiser.load_state_dict(state["optimiser"])
        self.count = state["count"]
