"""What a step of training leaves behind: a state to go on from, and lines on its losses."""

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_EVERY = 50


def seed() -> None:
    """Begin both sequences of random numbers at 0."""
    torch.manual_seed(0)
    random.seed(0)


class State:
    """Things with a `state_dict`, saved beside the step they are at; random numbers, too.

    A run that was interrupted goes on as if it had not been.
    """

    def __init__(self, work: Path, name: str, **parts: Any) -> None:
        self.path, self.parts = work / f"{name}-state.pt", parts

    def steps(self, count: int) -> Iterator[int]:
        """Step numbers that are left to do, saved as they are done."""
        start = 0
        if self.path.exists():
            saved = torch.load(self.path, weights_only=False)
            for name, part in self.parts.items():
                part.load_state_dict(saved[name])
            start = saved["step"]
            torch.set_rng_state(saved["torch"])
            random.setstate(saved["python"])
        for step in range(start, count):
            yield step
            if (step + 1) % _EVERY == 0 or step + 1 == count:
                self._save(step + 1)

    def _save(self, step: int) -> None:
        saved = {name: part.state_dict() for name, part in self.parts.items()}
        saved.update(step=step, torch=torch.get_rng_state(), python=random.getstate())
        unfinished = self.path.with_suffix(".half")
        torch.save(saved, unfinished)
        unfinished.replace(self.path)


def report(step: int, losses: Mapping[str, Tensor]) -> None:
    """Print the losses of a step, counted from 0."""
    values = (f"{name} {loss.item():.4f}" for name, loss in losses.items())
    print(step + 1, *values, flush=True)
