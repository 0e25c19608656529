"""How the map is fitted: AdamW, a warm-up and a cosine, and a running mean of the weights."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

_WARM_UP = 30
_FALLING_FROM = 0.3
"""Up to this part of the steps the rate is constant."""


def schedule(step: int, steps: int) -> float:
    """The rate of a step as a part of the largest one: a warm-up, a constant, half a cosine."""
    part = step / steps
    rate = min(1, (step + 1) / _WARM_UP)
    if part > _FALLING_FROM:
        falling = math.pi * (part - _FALLING_FROM) / (1 - _FALLING_FROM)
        rate *= max(0.02, 0.5 * (1 + math.cos(falling)))
    return rate


class Fit(nn.Module):
    """Parameters of a map and others (not decayed), the scale of cosines, and their optimiser.

    The map's weights are at the end their exponential mean over about the last hundred steps.
    """

    def __init__(self, learned: Sequence[nn.Parameter], others: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(math.log(14.0)))
        self.learned, self.others = nn.ParameterList(learned), nn.ParameterList(others)
        self.mean = nn.ParameterList(
            nn.Parameter(parameter.detach().clone(), requires_grad=False) for parameter in learned
        )
        groups = [
            {"params": [*self.learned]},
            {"params": [self.scale, *self.others], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), weight_decay=0.02)
        self.count = 0

    def step(self, loss: Tensor, rate: float) -> None:
        """One step of the optimiser at this rate."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*self.learned, *self.others], 1.0)
        self.optimiser.step()
        self.count += 1
        with torch.no_grad():
            for mean, new in zip(self.mean, self.learned, strict=True):
                mean.lerp_(new, 1 - min(0.99, self.count / (self.count + 10)))

    @torch.no_grad()
    def average(self) -> None:
        """Give the map the mean of its weights."""
        for parameter, mean in zip(self.learned, self.mean, strict=True):
            parameter.copy_(mean)

    def get_extra_state(self) -> dict:
        return {"optimiser": self.optimiser.state_dict(), "count": self.count}

    def set_extra_state(self, state: dict) -> None:
        self.optimiser.load_state_dict(state["optimiser"])
        self.count = state["count"]
