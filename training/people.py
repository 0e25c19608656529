"""Teach the map where people are, from a network that tells them from what is behind them.

The vectors of patches without people stay nearly as they are. See "People" in README.md.
"""

import math
import random
from pathlib import Path

import torch
from torch import Tensor, nn

from gclip_core import word_lists
from training.map import Judge, Lessons, in_map, read, thing_losses, told
from training.network import Student, opened
from training.sharing import Course
from training.state import State, report
from training.words import Label, Words, names

_KEPT = 30.0  # how much it counts that patches without people stay as they are
_RATE = 5e-4


class PeopleSampler:
    """Draws photos, half of them of people. The others may show people that no label names, so
    they teach only where there are none."""

    def __init__(self, words: Words, lessons: Lessons) -> None:
        self.single, self.labels = lessons.single, lessons.labels
        rows = {
            source: [row for row in some if words.has_people(self.labels[row])]
            for source, some in lessons.rows.items()
        }
        self.rows = [some for some in rows.values() if some]

    def draw(self, student: Student, size: int) -> tuple[Tensor, Tensor, list[Label]]:
        """Features made even (B, N, F), people's places (B, N) in terms of activations, labels."""
        named = [random.choice(random.choice(self.rows)) for _ in range(size // 2)]
        rows = named + random.choices(range(len(self.labels)), k=size - len(named))
        where = told(read(self.single.people, rows))
        where[len(named) :].clamp_(max=0.3)
        even = student.even(read(self.single.features, rows))
        return even, where, [self.labels[row] for row in rows]


def learn(data: Path, work: Path, steps: int = 200, size: int = 32) -> None:
    """Write `people.pt` by `map.pt`. Words for what people wear, and for their kinds and parts, are
    not compared: a patch of a person may have them, too."""
    torch.manual_seed(0)
    random.seed(0)
    words, held = Words(data), torch.load(work / "map.pt", weights_only=True)
    vectors, scale = held["vectors"], held["scale"].exp()
    before, student = (opened(held["student"]).requires_grad_(False) for _ in range(2))
    lessons, course = Lessons(words, work), Course(words)
    sampler = PeopleSampler(words, lessons)
    favour, person = Judge(course, lessons, before).favoured(vectors), words.number("person")
    named = (*names()["people"], *word_lists.read("worn"))
    also = {*words.numbers([word for word in named if words.knows(word)])} - {person}
    learned = [p.requires_grad_() for name, p in student.named_parameters() if in_map(name)]
    optimiser = torch.optim.AdamW(learned, lr=0.0, betas=(0.9, 0.98), weight_decay=0.0)
    state = State(work, "people", student=student, optimiser=optimiser)
    for step in state.steps(steps):
        falling = max(0.02, 0.5 * (1 + math.cos(math.pi * step / steps)))
        optimiser.param_groups[0]["lr"] = _RATE * min(1, (step + 1) / 15) * falling
        even, where, labels = sampler.draw(student, size)
        said, used = student.mapped(even), course.compared(labels)
        used = used[~torch.isin(used, torch.tensor([*also]))]
        against = (scale * said @ vectors[used].T + favour[used]).logsumexp(-1)
        logits = scale * said @ vectors[person] + favour[person]
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
