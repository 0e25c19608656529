"""Teach the map where people are, from a network that tells them from what is behind them.

What patches without people say is kept. README.md says what learns from what ("People").
"""

import math
import random
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.map import FAVOUR, SELDOM, Judge, Lessons, in_map, thing_losses, told
from training.network import Student, opened
from training.sharing import Course
from training.state import State, report
from training.words import Label, Words

_KEPT = 30.0  # the weight of what patches without people say
_RATE = 5e-4


class PeopleSampler:
    """Draws photos, half of them of people. On the others there may be people that nobody names, so
    they teach only where nobody is."""

    def __init__(self, words: Words, lessons: Lessons) -> None:
        self.single, self.labels = lessons.single, lessons.labels
        rows = {
            source: [row for row in some if words.has_people(self.labels[row])]
            for source, some in lessons.rows.items()
        }
        self.rows = [some for some in rows.values() if some]

    def draw(self, student: Student, size: int) -> tuple[Tensor, Tensor, list[Label]]:
        """Features made even (B, N, F), where people are (B, N) as activations, and labels."""
        named = [random.choice(random.choice(self.rows)) for _ in range(size // 2)]
        rows = named + random.choices(range(len(self.labels)), k=size - len(named))
        found, covered = (
            torch.from_numpy(of[rows].astype(np.float32))
            for of in (self.single.features, self.single.people)
        )
        where = told(covered)
        where[len(named) :].clamp_(max=0.3)
        return student.even(found), where, [self.labels[row] for row in rows]


def learn(data: Path, work: Path, steps: int = 200, size: int = 32) -> None:
    """Write `people.pt` by `map.pt`."""
    torch.manual_seed(0)
    random.seed(0)
    words, held = Words(data), torch.load(work / "map.pt", weights_only=True)
    vectors, scale = held["vectors"], held["scale"].exp()
    before, student = (opened(held["student"]).requires_grad_(False) for _ in range(2))
    lessons, course = Lessons(words, work), Course(words)
    sampler = PeopleSampler(words, lessons)
    favour = FAVOUR * (Judge(course, lessons, before).often(vectors) + SELDOM).log()
    learned = [p.requires_grad_() for name, p in student.named_parameters() if in_map(name)]
    optimiser = torch.optim.AdamW(learned, lr=0.0, betas=(0.9, 0.98), weight_decay=0.0)
    state = State(work, "people", student=student, optimiser=optimiser)
    for step in state.steps(steps):
        falling = max(0.02, 0.5 * (1 + math.cos(math.pi * step / steps)))
        optimiser.param_groups[0]["lr"] = _RATE * min(1, (step + 1) / 15) * falling
        even, where, labels = sampler.draw(student, size)
        said, used = student.mapped(even), course.compared(labels)
        used = used[~torch.isin(used, course.worn)]
        against = (scale * said @ vectors[used].T + favour[used]).logsumexp(-1)
        logits = scale * said @ vectors[course.person] + favour[course.person]
        once = torch.ones(len(labels), 1, dtype=torch.bool)
        on, off = thing_losses(logits[..., None], against, once, where)
        apart = 1 - (said * before.mapped(even)).sum(-1)
        found = {"on": on, "off": off, "kept": apart[where < 1].mean()}
        optimiser.zero_grad()
        (on + off + _KEPT * found["kept"]).backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        if step % 25 == 24:
            report(step, found)
    torch.save({**held, "student": student.state_dict()}, work / "people.pt")
