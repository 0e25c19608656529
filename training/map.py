"""Teach the map from features to tokens where words are, from words of whole photos.

README.md says what learns from what ("Things", "Places", "Anew"). The first map shares photos of
places out by what it says so far, and knows things by the classifier's activation. The new one
learns of what the first one says, of things too, and the vectors that the text tower says stay.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training import attention, features, sharing, text
from training.features import TOKENS
from training.network import Student, opened
from training.sharing import Course, padded
from training.state import State, report
from training.words import WIDTH, Label, Words

SHARE = {
    "mini-imagenet": 0.12, "imagenet-sample": 0.06, "imagenette": 0.02, "caltech-101": 0.07,
    "pacs-photo": 0.06, "grocery": 0.02, "clothing": 0.02, "scenes": 0.08, "houses": 0.05,
    "flickr8k-1000": 0.10, "idd-lite": 0.03, "camvid": 0.03,
}  # fmt: skip
"""How many of a batch's photos come from each source, in parts."""
APPEARANCE = 168  # channels of the two shallower stages: they tell where, the deepest tells what
OF_TEACHER = 0.5  # how much the grouping teacher counts in how alike patches are
_FAVOUR = 1.0  # by how much of the logarithm of how often patches have them words are favoured
_SELDOM = 0.002  # how often the rarest words are taken to be
_PATCHES = 48  # of a view in a step
_COUNTED = 160  # photos of each source by which it is counted how often words are


@dataclass
class Batch:
    """Views (B, N, …): features made even, activations, colours, how alike patches are, and that
    by the grouping teacher alone."""

    even: Tensor
    activation: Tensor
    colours: Tensor
    alike: Tensor
    grouped: Tensor
    labels: list[Label]


class Lessons:
    """Draws batches from the caches."""

    def __init__(self, words: Words, work: Path) -> None:
        self.words = words
        kinds = ("single", "mosaic", "large")
        self.single, self.mosaic, self.large = (features.opened(work, kind) for kind in kinds)
        self.labels = [words.label(words.photos[photo]) for photo, _ in self.single.views]
        self.rows: dict[str, list[int]] = {}
        for row, label in enumerate(self.labels):
            if label.there:
                self.rows.setdefault(label.source, []).append(row)
        there = {source: share for source, share in SHARE.items() if source in self.rows}
        self.parts = {source: share / sum(there.values()) for source, share in there.items()}

    def statistics(self) -> tuple[Tensor, Tensor]:
        rows = np.linspace(0, len(self.single.views) - 1, 600).astype(int)
        some = torch.from_numpy(self.single.features[rows].astype(np.float32)).flatten(0, 1)
        return some.mean(0), some.std(0) + 1e-3

    def draw(self, student: Student, size: int) -> Batch:
        """Photos of all sources."""
        return self.batch(
            student,
            [
                row
                for source, part in self.parts.items()
                for row in random.choices(self.rows[source], k=max(1, round(size * part)))
            ],
        )

    def batch(self, student: Student, rows: Sequence[int]) -> Batch:
        """Single views; how alike patches are by appearance and by the grouping teacher."""
        cache = self.single
        parts = (cache.features, cache.activation, cache.colours, cache.affinity)
        found, activation, colours, taught = (read(part, rows) for part in parts)
        even = student.even(found)
        look = F.normalize(even[..., :APPEARANCE], dim=-1)
        alike = (1 - OF_TEACHER) * look @ look.mT + OF_TEACHER * taught
        return Batch(even, activation, colours, alike, taught, [self.labels[row] for row in rows])

    def draw_mosaics(self, student: Student, count: int) -> tuple[Tensor, list[tuple]]:
        """Whole mosaics made even, and their things' cells: (row, patches, label, activation)."""
        rows = random.choices(range(len(self.mosaic.views)), k=count)
        activation = read(self.mosaic.activation, rows)
        cells = [
            (index, patches, self.words.label(self.words.photos[photo]), activation[index, patches])
            for index, row in enumerate(rows)
            for patches, photo in features.cells(self.mosaic.views[row])
        ]
        return student.even(read(self.mosaic.features, rows)), cells


def read(part: NDArray, rows: Sequence[int]) -> Tensor:
    """Rows of a cached array as float32."""
    return torch.from_numpy(part[rows]).float()


def thing_losses(
    scores: Tensor, against: Tensor, counts: Tensor, activation: Tensor
) -> tuple[Tensor, Tensor]:
    """Patches that speak for the thing say one of its words, those that do not say none of them.

    scores (B, N, K): logits of the thing's words; against (B, N): log of the sum over all words.
    """
    scores = scores.masked_fill(~counts[:, None], -1e4)
    any_of = scores.logsumexp(-1)
    each = (scores * counts[:, None]).sum(-1) / counts.sum(1)[:, None]
    on, off = (activation > 0.5).float(), ((activation < 0.2) & (activation != 0)).float()
    said = (any_of - against).exp().clamp(0, 1 - 1e-4)
    loss_on = ((against - 0.5 * each - 0.5 * any_of) * on).sum() / on.sum().clamp_min(1)
    return loss_on, (-(1 - said).log() * off).sum() / off.sum().clamp_min(1)


def told(share: Tensor) -> Tensor:
    """What a thing's share of patches says in terms of activations, as `thing_losses` wants."""
    return torch.where(share > 0.6, 1.0, torch.where(share < 0.12, 0.1, 0.3))


class Judge:
    """The losses of a step: `favour` (V,) is added to the logits of words; `teacher` is the first
    map while a new one learns, else None."""

    def __init__(self, course: Course, lessons: Lessons, teacher: Student | None) -> None:
        self.course, self.lessons, self.teacher = course, lessons, teacher
        self.how = sharing.FIRST if teacher is None else sharing.ANEW
        self.favour = torch.zeros(len(course.words.all))

    def shared(self, student: Student, batch: Batch, vectors: Tensor) -> Tensor:
        with torch.no_grad():
            said = (self.teacher or student).mapped(batch.even)
            return self.course.shared(
                batch.labels, said, vectors, batch.colours, batch.alike, self.how
            )

    def often(self, vectors: Tensor) -> Tensor:
        """How much of what is learned of is each word: (V,), 1 together. Of a thing's surroundings
        nothing is learned; they count for three tenths."""
        often = torch.zeros(len(self.course.words.all))
        for source, part in self.lessons.parts.items():
            rows = self.lessons.rows[source]
            rows = random.sample(rows, min(_COUNTED, len(rows)))
            for some in (rows[i : i + 32] for i in range(0, len(rows), 32)):
                batch = self.lessons.batch(self.teacher, some)
                means = self.shared(self.teacher, batch, vectors).mean(1) * part / len(rows)
                for mean, label in zip(means, batch.labels, strict=True):
                    count, numbers = len(label.there), torch.tensor(label.words)
                    mean = mean[: len(numbers)]
                    if label.kind == "thing":
                        mean = torch.cat([mean[:1].expand(count), 0.3 * mean[count:]])
                    often.index_add_(0, numbers, mean)
        return often / often.sum()

    def favoured(self, vectors: Tensor) -> Tensor:
        """What is added to the logits of each word: the more, the more often patches have it."""
        return _FAVOUR * (self.often(vectors) + _SELDOM).log()

    def losses(
        self, student: Student, look: nn.Linear, vectors: Tensor, scale: Tensor, size: int
    ) -> dict[str, Tensor]:
        """Of a batch of views, some patches of each, and of some mosaics; what `look` reads."""
        batch = self.lessons.draw(student, size)
        labels = batch.labels
        share = self.shared(student, batch, vectors.detach())
        patches = torch.rand(len(labels), TOKENS).argsort(1)[:, :_PATCHES]
        rows = torch.arange(len(labels))[:, None]
        said, share = student.mapped(batch.even[rows, patches], patches), share[rows, patches]
        against = self._against(said, labels, vectors, scale)
        numbers, _ = padded([label.words for label in labels])
        there, counts = padded([label.there for label in labels])
        thing = torch.tensor([label.kind == "thing" for label in labels])
        right = (share * self._logits(said, numbers, vectors, scale)).sum(-1)
        speaks = batch.activation[rows, patches] if self.teacher is None else told(share[..., 0])
        on, off = thing_losses(
            self._logits(said, there, vectors, scale)[thing],
            against[thing],
            counts[thing],
            speaks[thing],
        )
        found = {"shares": (against[~thing] - right[~thing]).mean(), "on": on, "off": off}
        if self.teacher is not None:
            some = torch.randperm(len(labels))[: max(1, size // 4)]
            apart = []
            for even, alike in (
                (batch.even[some], batch.grouped[some]),
                attention.draw(self.lessons.large, student, size // 16),
            ):
                x = student.inputs(student.tokens(even))
                wanted = attention.target(alike)
                apart.append(attention.divergence(attention.read(look, x), wanted))
            found["looking"] = torch.stack(apart).sum()
        found["mosaics"] = self._mosaics(student, vectors, scale, max(1, size // 16))
        return found

    def _mosaics(self, student: Student, vectors: Tensor, scale: Tensor, count: int) -> Tensor:
        even, cells = self.lessons.draw_mosaics(student, count)
        said = student.mapped(even)
        said = torch.stack([said[row][cell] for row, cell, _, _ in cells])
        labels = [label for _, _, label, _ in cells]
        there, counts = padded([label.there for label in labels])
        against = self._against(said, labels, vectors, scale)
        speaks = torch.stack([activation for *_, activation in cells])
        if self.teacher is not None:
            with torch.no_grad():
                taught = self.teacher.mapped(even)
            apart = [_apart(taught[row][cell], label, vectors) for row, cell, label, _ in cells]
            speaks = told(torch.stack(apart))
        on, off = thing_losses(self._logits(said, there, vectors, scale), against, counts, speaks)
        return 0.5 * (on + off)

    def _logits(self, said: Tensor, numbers: Tensor, vectors: Tensor, scale: Tensor) -> Tensor:
        by = torch.einsum("bne,bke->bnk", said, vectors[numbers])
        return scale * by + self.favour[numbers][:, None]

    def _against(
        self, said: Tensor, labels: Sequence[Label], vectors: Tensor, scale: Tensor
    ) -> Tensor:
        """The logarithm of the sum over all words that a step compares: (B, N)."""
        used = self.course.compared(labels)
        hidden = -1e4 * self.course.not_judged(labels, used)
        return (scale * said @ vectors[used].T + hidden[:, None] + self.favour[used]).logsumexp(-1)


def _apart(said: Tensor, label: Label, vectors: Tensor) -> Tensor:
    """A thing's share of each patch of its cell in a mosaic (N,), of which it has a quarter."""
    logits = sharing.SCALE * said @ vectors[list(label.words)].T
    names = len(label.there)
    share = torch.cat([logits[:, :names].amax(1, keepdim=True), logits[:, names:]], 1).softmax(1)
    own = share[:, 0] * (0.25 / share[:, 0].mean().clamp_min(1e-3)).clamp(1, 8)
    return own / (own + share[:, 1:].sum(1))


def learn(data: Path, work: Path, steps: int = 300, size: int = 64, anew: bool = False) -> None:
    """Write `first.pt`, or `map.pt` by `first.pt` and `text.pt`."""
    name = "map" if anew else "first"
    torch.manual_seed(0)
    random.seed(0)
    words, teacher = Words(data), None
    lessons, course = Lessons(words, work), Course(words)
    vectors, given = words.vectors.clone(), words.given
    student = Student(*lessons.statistics())
    if anew:
        vectors, given = text.said(words, work), torch.ones_like(given)
        held = torch.load(work / "first.pt", weights_only=True)["student"]
        teacher = opened(held).requires_grad_(False)
        student = Student(teacher.mean, teacher.spread)
        student.load_state_dict({k: v for k, v in held.items() if not in_map(k)}, strict=False)
    judge = Judge(course, lessons, teacher)
    if anew:
        judge.favour = judge.favoured(vectors)
    student.requires_grad_(False)
    look = nn.Linear(WIDTH, 2 * WIDTH)
    learned = {n: p.requires_grad_() for n, p in student.named_parameters() if in_map(n)}
    if anew:
        learned["places"] = student.positional_embedding.requires_grad_()
    averaged = nn.ParameterList([p.detach().clone() for p in learned.values()])
    free = nn.Parameter(vectors.clone(), requires_grad=not anew)
    scale = nn.Parameter(torch.tensor(math.log(14.0)))
    others = nn.ParameterList([scale, free, look.weight, look.bias])
    groups = [{"params": [*learned.values()]}, {"params": [*others], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), weight_decay=0.02)
    state = State(
        work, name, student=student, averaged=averaged, others=others, optimiser=optimiser
    )
    for step in state.steps(steps):
        rate, part = min(1, (step + 1) / 30), step / steps
        if part > 0.3:
            rate *= max(0.02, 0.5 * (1 + math.cos(math.pi * (part - 0.3) / 0.7)))
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * rate
        now = F.normalize(torch.where(given[:, None], vectors, free), dim=1)
        found = judge.losses(student, look, now, scale.exp(), size)
        optimiser.zero_grad()
        sum(found.values()).backward()
        nn.utils.clip_grad_norm_([*learned.values(), free], 1.0)
        optimiser.step()
        with torch.no_grad():
            for mean, new in zip(averaged, learned.values(), strict=True):
                mean.lerp_(new, 1 - min(0.99, (step + 1) / (step + 11)))
        if step % 25 == 24:
            report(step, found)
    with torch.no_grad():
        for parameter, mean in zip(learned.values(), averaged, strict=True):
            parameter.copy_(mean)
        vectors = F.normalize(torch.where(given[:, None], vectors, free), dim=1)
    vectors = vectors if anew else words.settle(vectors)
    result = {"student": student.state_dict(), "vectors": vectors, "scale": scale.data}
    torch.save({**result, "look": look.state_dict()}, work / f"{name}.pt")


def in_map(name: str) -> bool:
    return name.split(".")[0] in ("linear", "hidden", "out")
