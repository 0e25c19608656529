"""Teach a map anew, by what the map before it says of the training photos, made better once.

    python -m training.photos.relearn DATA CACHE RUN --name map-3     # by RUN/map.pt

Who is where is worked out before learning, photo by photo: what the earlier map says, and far more
than in `learn` what the patches of a word look like in that photo. Of a thing's photo, too: where
its word has hardly a share, it is not. Then a new map learns from single patches of many photos.
Words that patches have often are favoured while it learns, by the logarithm of how often, and not
afterwards: else walls, skies and people take what is rare. The words' vectors stay. Resumable
between working out and learning.
"""

import argparse
import math
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.photos import text
from training.photos.features import TOKENS
from training.photos.learn import (
    APPEARANCE,
    SHARE,
    SHARING_SCALE,
    Course,
    Lessons,
    log_line,
    padded,
    shares,
    thing_losses,
)
from training.photos.student import Student, opened
from training.photos.words import Label, Words

_WIDEST = 40  # words of a photo; no source has more
_PATCHES = 48  # of a view in a step
_SELDOM = 0.002  # how often the rarest words are taken to be


def work_out(lessons: Lessons, course: Course, teacher: Student, vectors: Tensor, to: Path) -> None:
    """Write the shares (n, TOKENS, _WIDEST) uint8, of 255, of all single views' words."""
    count = len(lessons.single.views)
    out = np.lib.format.open_memmap(to, "w+", np.uint8, (count, TOKENS, _WIDEST))
    for start in range(0, count, 32):
        rows = slice(start, min(start + 32, count))
        labels = [lessons.labels[photo] for photo, _ in lessons.single.views[rows]]
        even = teacher.even(torch.from_numpy(lessons.single.features[rows].astype(np.float32)))
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            said = teacher.mapped(even)
        colours = torch.from_numpy(lessons.single.colours[rows].copy())
        share = worked_out(course, labels, said @ vectors.T, colours, even)
        out[rows, :, : share.shape[-1]] = (255 * share).round().byte().numpy()


def worked_out(
    course: Course, labels: Sequence[Label], said: Tensor, colours: Tensor, even: Tensor
) -> Tensor:
    """Shares (B, TOKENS, K) of the words there and then those that may be, from cosines with all
    words (B, TOKENS, V). A thing's first word stands for all of its words."""
    numbers, allowed = padded([label.there + label.may_be for label in labels])
    must, least = torch.zeros_like(allowed), torch.full(allowed.shape, 0.015)
    by = said.gather(2, numbers[:, None].expand(-1, TOKENS, -1)).float()
    for row, label in enumerate(labels):
        names = len(label.there)
        if label.kind == "thing":
            by[row, :, 0] = by[row, :, :names].amax(-1)
            allowed[row, 1:names], names = False, 1
            least[row, 0] = 0.1
        else:
            least[row, :names] = torch.tensor([0.06 if n in course.wide else 0.015
                                               for n in label.there])  # fmt: skip
        must[row, :names] = True
    logits = SHARING_SCALE * by + 0.5 * course.priors(numbers, colours)
    return shares(
        logits, allowed, must, least, even[..., :APPEARANCE], look=25.0, power=4, even=0.2
    )


def told(share: Tensor) -> Tensor:
    """What a thing's share of patches says in terms of activations, as `thing_losses` wants."""
    return torch.where(share > 0.6, 1.0, torch.where(share < 0.12, 0.1, 0.3))


class Rows:
    """Draws patches of single views, and what was worked out of them."""

    def __init__(self, lessons: Lessons, shared: Path) -> None:
        self.lessons, self.shares = lessons, np.load(shared, mmap_mode="r")
        there = {source: share for source, share in SHARE.items() if source in lessons.rows}
        self.parts = {source: share / sum(there.values()) for source, share in there.items()}

    def often(self) -> Tensor:
        """How much of what is learned of is each word: (V,), 1 together. Of a thing's surroundings
        nothing is learned; they count for three tenths."""
        often = torch.zeros(len(self.lessons.words.all))
        for source, part in self.parts.items():
            rows = self.lessons.rows[source]
            some = random.sample(rows, min(300, len(rows)))
            for row in some:
                label = self._label(row)
                mean = torch.from_numpy(self.shares[row].astype(np.float32)).mean(0) / 255
                mean, names = part / len(some) * mean, len(label.there)
                numbers = torch.tensor(label.there + label.may_be)
                mean = mean[: len(numbers)]
                if label.kind == "thing":
                    mean = torch.cat([mean[:1].expand(names), 0.3 * mean[names:]])
                often.index_add_(0, numbers, mean)
        return often / often.sum()

    def draw(self, size: int) -> tuple[Tensor, Tensor, Tensor, list[Label], list[str]]:
        """Features (B, N, FEATURES), which patches (B, N), shares (B, N, K), labels, sources."""
        drawn = [
            (row, source)
            for source, part in self.parts.items()
            for row in random.choices(self.lessons.rows[source], k=max(1, round(size * part)))
        ]
        labels = [self._label(row) for row, _ in drawn]
        widest = max(len(label.there + label.may_be) for label in labels)
        patches = torch.rand(len(drawn), TOKENS).argsort(1)[:, :_PATCHES]
        single = self.lessons.single.features
        found, share = (
            torch.from_numpy(np.stack([of[row][some] for (row, _), some in
                                       zip(drawn, patches.numpy(), strict=True)]))
            for of in (single, self.shares)
        )  # fmt: skip
        share = share[..., :widest].float()
        share = share / share.sum(-1, keepdim=True).clamp_min(1)
        return found.float(), patches, share, labels, [source for _, source in drawn]

    def _label(self, row: int) -> Label:
        return self.lessons.labels[self.lessons.single.views[row][0]]


def losses(
    course: Course,
    student: Student,
    teacher: Student,
    rows: Rows,
    vectors: Tensor,
    favour: Tensor,
    scale: Tensor,
    size: int,
) -> dict[str, Tensor]:
    """All losses of a step; `favour` (V,) is added to the logits of words."""
    found, patches, share, labels, sources = rows.draw(size)
    with torch.autocast("cpu", torch.bfloat16):
        said = student.mapped(student.even(found), patches)
    against = _against(course, said, labels, sources, vectors, favour, scale)

    def logits(of: Tensor, numbers: Tensor) -> Tensor:
        by = torch.einsum("bne,bke->bnk", of, vectors[numbers])
        return scale * by + favour[numbers][:, None]

    numbers, _ = padded([label.there + label.may_be for label in labels])
    there, counts = padded([label.there for label in labels])
    thing = torch.tensor([label.kind == "thing" for label in labels])
    place = ~thing
    right = (share * logits(said, numbers)).sum(-1)
    on, off = thing_losses(
        logits(said, there)[thing], against[thing], counts[thing], told(share[thing][..., 0])
    )
    loss = {"shares": (against[place] - right[place]).mean(), "on": on, "off": off}

    lessons, count = rows.lessons, max(1, size // 16)
    small, cells = lessons.draw_mosaics(student, count)
    with torch.autocast("cpu", torch.bfloat16):
        said = student.mapped(small)
        with torch.no_grad():
            taught = teacher.mapped(small)
    labels = [label for _, _, label, _ in cells]
    said = torch.stack([said[row][cell] for row, cell, _, _ in cells])
    taught = torch.stack([taught[row][cell] for row, cell, _, _ in cells])
    there, counts = padded([label.there for label in labels])
    against = _against(course, said, labels, [""] * len(cells), vectors, favour, scale)
    apart = torch.stack([_apart(one, label, vectors) for one, label in
                         zip(taught, labels, strict=True)])  # fmt: skip
    on, off = thing_losses(logits(said, there), against, counts, told(apart))
    loss["mosaics"] = 0.5 * (on + off)
    return loss


def _against(
    course: Course, said: Tensor, labels: Sequence[Label], sources: Sequence[str],
    vectors: Tensor, favour: Tensor, scale: Tensor,
) -> Tensor:  # fmt: skip
    """The logarithm of the sum over all words that a step compares: (B, N)."""
    used = course.compared(labels)
    hidden = -1e4 * course.not_judged(labels, sources, used)
    return (scale * said @ vectors[used].T + hidden[:, None] + favour[used]).logsumexp(-1)


def _apart(said: Tensor, label: Label, vectors: Tensor) -> Tensor:
    """A thing's share of each patch of its cell in a mosaic (N,), of which it has a quarter."""
    logits = SHARING_SCALE * said @ vectors[list(label.there + label.may_be)].T
    names = len(label.there)
    share = torch.cat([logits[:, :names].amax(1, keepdim=True), logits[:, names:]], 1).softmax(1)
    own = share[:, 0] * (0.25 / share[:, 0].mean().clamp_min(1e-3)).clamp(1, 8)
    return own / (own + share[:, 1:].sum(1))


def relearn(
    words: Words, cache: Path, run: Path, name: str, minutes: float, favour: float = 0.8,
    size: int = 96,
) -> None:  # fmt: skip
    """Write `name`.pt: a new map, by `map.pt`, of the vectors that `text.pt` says."""
    lessons, course, vectors = Lessons(words, cache), Course(words), text.said(words, run)
    teacher = opened(torch.load(run / "map.pt", weights_only=True)["averaged"])
    shared = run / "shares.npy"
    if not shared.exists():
        half = run / "half-shares.npy"
        work_out(lessons, course, teacher, vectors, half)
        half.replace(shared)
    rows = Rows(lessons, shared)
    favoured = favour * (rows.often() + _SELDOM).log()
    student = Student(teacher.mean, teacher.spread).train()
    state = {k: v for k, v in teacher.state_dict().items() if k.split(".")[0] not in _MAP}
    student.load_state_dict(state, strict=False)
    learned = [p for n, p in student.named_parameters() if n.split(".")[0] in _MAP]
    for parameter in student.parameters():
        parameter.requires_grad_(False)
    for parameter in learned:
        parameter.requires_grad_(True)
    averaged = [p.detach().clone() for p in learned]
    scale = nn.Parameter(torch.tensor(math.log(14.0)))
    groups = [
        {"params": learned, "base": 2e-3}, {"params": [scale], "base": 2e-3, "weight_decay": 0.0},
    ]  # fmt: skip
    optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), weight_decay=0.02)
    began, step = time.process_time(), 0
    while (part := (time.process_time() - began) / (60 * minutes)) < 1:
        rate = min(1, (step + 1) / 30)
        if part > 0.3:
            rate *= max(0.02, 0.5 * (1 + math.cos(math.pi * (part - 0.3) / 0.7)))
        for group in optimiser.param_groups:
            group["lr"] = group["base"] * rate
        found = losses(course, student, teacher, rows, vectors, favoured, scale.exp(), size)
        optimiser.zero_grad()
        sum(found.values()).backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            for mean, new in zip(averaged, learned, strict=True):
                mean.lerp_(new, 1 - min(0.99, step / (step + 10)))
        if step % 25 == 0:
            log_line(run / f"{name}.jsonl", step, part, found)
    with torch.no_grad():
        for parameter, mean in zip(learned, averaged, strict=True):
            parameter.copy_(mean)
    result = {"averaged": student.state_dict(), "vectors": vectors, "scale": scale.data}
    torch.save(result, run / f"{name}.pt")


_MAP = ("linear", "hidden", "out")


def main() -> None:
    parser = argparse.ArgumentParser(description="Teach a map by what the one before it says.")
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--name", required=True, help="what to write, beside map.pt")
    parser.add_argument("--minutes", type=float, default=2, help="of the processor")
    parser.add_argument("--favour", type=float, default=0.8, help="how much frequent words are")
    given = parser.parse_args()
    torch.set_num_threads(1)
    relearn(Words(given.data), given.cache, given.run, given.name, given.minutes, given.favour)


if __name__ == "__main__":
    main()
