"""What a step of training leaves behind: a state to go on from, and lines on its losses."""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_EVERY = 50
"""Steps after which the state is saved."""


def seed() -> None:
    """Begin both sequences of random numbers at 0."""
    torch.manual_seed(0)
    random.seed(0)


class State:
    """Things with a `state_dict`, saved beside the step they are at; random numbers, too.

    A run that was interrupted goes on as if it had not been. The state belongs to a number of steps
    and to the content of `inputs`, files in `work`. Of caches these are the lists of views, not the
    arrays. A change of photos' pixels, of labels, of vectors of words or of code is not noticed.
    """

    def __init__(
        self, work: Path, name: str, count: int, inputs: Sequence[str] = (), **parts: Any
    ) -> None:
        self.path, self.name, self.count, self.parts = work / f"{name}-state.pt", name, count, parts
        self.begun = self.path.exists()
        self._made_of = {"steps": str(count)} | {
            file: hashlib.sha256((work / file).read_bytes()).hexdigest() for file in inputs
        }

    def steps(self) -> Iterator[int]:
        """Numbers of the steps that are left to do, saved as they are done.

        Raises ValueError if the saved state is of another number of steps or of other inputs.
        """
        start = self._restore() if self.begun else 0
        for step in range(start, self.count):
            yield step
            if (step + 1) % _EVERY == 0 or step + 1 == self.count:
                self._save(step + 1)

    def _restore(self) -> int:
        """Give the saved state to the parts; the number of the step to go on with."""
        saved = torch.load(self.path, weights_only=False)
        made_of = saved.get("made of", {})
        changed = [key for key, value in self._made_of.items() if made_of.get(key) != value]
        if changed:
            raise ValueError(
                f"{self.path} is the state of a run with other {', '.join(changed)}. Delete it to "
                f"repeat {self.name}."
            )
        for name, part in self.parts.items():
            part.load_state_dict(saved[name])
        torch.set_rng_state(saved["torch"])
        random.setstate(saved["python"])
        done = saved["step"]
        state = "finished" if done == self.count else f"goes on after step {done} of {self.count}"
        print(f"{self.name}: {state}; delete {self.path.name} to repeat it", flush=True)
        return done

    def _save(self, step: int) -> None:
        saved = {name: part.state_dict() for name, part in self.parts.items()}
        saved.update(step=step, torch=torch.get_rng_state(), python=random.getstate())
        saved["made of"] = self._made_of
        unfinished = self.path.with_suffix(".half")
        torch.save(saved, unfinished)
        unfinished.replace(self.path)


def report(step: int, count: int, losses: Mapping[str, Tensor]) -> None:
    """Print the losses of a step, counted from 0, about ten times in `count` steps and at the last
    one."""
    interval = max(1, count // 10)
    if (step + 1) % interval == 0 or step + 1 == count:
        values = (f"{name} {loss.item():.4f}" for name, loss in losses.items())
        print(step + 1, *values, flush=True)
