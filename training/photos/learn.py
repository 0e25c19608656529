"""Teach the photo model where words are, from words of whole photos.

    python -m training.photos.learn DATA CACHE RUN --minutes 10                # the first map
    python -m training.photos.learn DATA CACHE RUN --minutes 5 --name map-2    # after the text
    python -m training.photos.join RUN map map-2                               # -> map.pt
    python -m training.photos.learn DATA CACHE RUN --minutes 20 --blocks 4     # then the tower

A photo of a thing: patches that speak for it to the teacher are the thing, those that do not are
not; what they are else is not said. A photo of a place: its patches are shared out among the words
that are there or may be (`shares`), by what the network says so far and by what people know of such
words (`priors`), and learned as such. The class token learns the words of the whole photo. With
`--blocks` the words' vectors stay, the shares come mostly from the map that was learned first, and
so many of the first eleven blocks run in each step; in the last part all do. Resumable.
"""

import argparse
import copy
import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.photos import features, priors, text
from training.photos.features import GRID, Cache
from training.photos.student import BLOCKS, Student, near, opened
from training.photos.words import Label, Words, names

SHARE = {
    "mini-imagenet": 0.12, "imagenet-sample": 0.06, "imagenette": 0.02, "caltech-101": 0.07,
    "pacs-photo": 0.06, "grocery": 0.02, "clothing": 0.02, "scenes": 0.08, "houses": 0.05,
    "flickr8k-1000": 0.10, "idd-lite": 0.03, "camvid": 0.03, "sun-scenes": 0.08, "coco-mini": 0.08,
    "rooms": 0.08, "corel-5k": 0.12, "emoji": 0.08,
}  # fmt: skip
"""How many of a batch's photos come from each source."""
SHARING_SCALE = 11.0  # of cosines where patches are shared out: it must not outgrow the priors
APPEARANCE = 168  # channels of the two shallower stages: they tell where, the deepest tells what
_NEVER = -1e4
_OTHERS = 160  # words drawn from the table that a step compares with, beside its own


@dataclass
class Batch:
    even: Tensor
    activation: Tensor
    colours: Tensor
    labels: list[Label]
    sources: list[str]


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Word numbers (B, K), filled up with 0, and which of them count."""
    width = max(1, *(len(row) for row in rows))
    numbers, counts = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width)
    for index, row in enumerate(rows):
        numbers[index, : len(row)] = torch.tensor(row, dtype=torch.long)
        counts[index, : len(row)] = 1
    return numbers, counts.bool()


def shares(
    logits: Tensor,
    allowed: Tensor,
    must: Tensor,
    least: Tensor,
    appearance: Tensor,
    look: float = 5.0,
    power: int = 2,
    even: float = 0.0,
) -> Tensor:
    """Share every patch out among a photo's words: (B, N, K), one per patch.

    `logits` (B, N, K) with their priors; `allowed` and `must` (B, K), `least` (B, K) the part of
    the photo that a word that must be there gets; `appearance` (B, N, C). A word's patches look
    alike (mean appearance, two rounds), words that need not be there are held back by how little
    they have, and what is shared out is spread over near patches of like appearance. `look` is how
    much that mean counts, in which patches count by their share to the `power`; `even` says how far
    words that must be there are made equally large.
    """
    logits = logits.masked_fill(~allowed[:, None], _NEVER)
    appearance = F.normalize(appearance, dim=-1)
    part = 1 / allowed.sum(1, keepdim=True)

    def settled(by: Tensor) -> Tensor:
        share = by.masked_fill(~allowed[:, None], _NEVER).softmax(-1)
        for _ in range(3):
            has = share.mean(1).clamp_min(1e-4)
            lack = (least / has).clamp(1, 8) * (part / has).clamp(0.2, 5) ** even
            share = share * torch.where(must, lack, torch.ones_like(lack))[:, None]
            share = share / share.sum(-1, keepdim=True)
        return share

    share = settled(logits)
    for _ in range(2):
        like = F.normalize(torch.einsum("bnk,bnc->bkc", share**power, appearance), dim=-1)
        rare = torch.where(must, 0.0, 0.5 * share.mean(1).clamp_min(1e-4).log())
        by_look = torch.einsum("bnc,bkc->bnk", appearance, like)
        share = settled(logits + look * by_look + rare[:, None])
    alike = torch.baddbmm(near().expand(len(share), -1, -1), appearance, appearance.mT, alpha=10)
    share = (alike.softmax(-1) @ share) ** 1.5
    return share / share.sum(-1, keepdim=True).clamp_min(1e-8)


class Lessons:
    """Draws batches from the caches."""

    def __init__(self, words: Words, cache: Path) -> None:
        self.words = words
        self.single, self.mosaic = (features.opened(cache, kind) for kind in ("single", "mosaic"))
        self.labels = {n: words.label(words.photos[n]) for n, *_ in self.single.views}
        self.rows: dict[str, list[int]] = {}
        for row, (photo, _) in enumerate(self.single.views):
            if self.labels[photo].there:
                self.rows.setdefault(words.photos[photo]["source"], []).append(row)

    def statistics(self) -> tuple[Tensor, Tensor]:
        rows = np.linspace(0, len(self.single.views) - 1, 600).astype(int)
        some = torch.from_numpy(self.single.features[rows].astype(np.float32)).flatten(0, 1)
        return some.mean(0), some.std(0) + 1e-3

    def draw(self, student: Student, size: int) -> Batch:
        """Photos of all sources; half of the batches are mirrored."""
        rows = [
            row
            for source, share in SHARE.items()
            if source in self.rows
            for row in random.choices(self.rows[source], k=max(1, round(size * share)))
        ]
        photos = [self.words.photos[self.single.views[row][0]] for row in rows]
        found = _read(self.single, rows)
        if random.random() < 0.5:
            found = [x.unflatten(1, (GRID, GRID)).flip(2).flatten(1, 2) for x in found]
        return Batch(
            student.even(found[0]), found[1], found[2],
            [self.labels[self.single.views[row][0]] for row in rows],
            [photo["source"] for photo in photos],
        )  # fmt: skip

    def draw_mosaics(self, student: Student, count: int) -> tuple[Tensor, list[tuple]]:
        """Whole mosaics made even, and their cells: (row, patches, label, activation)."""
        rows = random.choices(range(len(self.mosaic.views)), k=count)
        found = _read(self.mosaic, rows)
        cells = []
        for index, row in enumerate(rows):
            for patches, photo in features.cells(self.mosaic.views[row]):
                label = self.words.label(self.words.photos[photo])
                cells.append((index, patches, label, found[1][index, patches]))
        return student.even(found[0]), cells


def _read(cache: Cache, rows: Sequence[int]) -> list[Tensor]:
    parts = (cache.features, cache.activation, cache.colours)
    read = [torch.from_numpy(np.stack([part[row] for row in rows])) for part in parts]
    return [read[0].float(), read[1].float(), read[2]]


class Course:
    """The losses of one batch, and what they need to know of words."""

    def __init__(self, words: Words) -> None:
        self.words = words
        stuff = words.numbers(names()["stuff"])
        self.people = torch.tensor(words.numbers(names()["people"]))
        self.always = {*stuff, *words.numbers(names()["anywhere"]), *self.people.tolist()}
        whole = words.numbers(["tree", "building", "person", "cabinet", "bed", "house"])
        self.wide = {*stuff, *whole}
        self.places = priors.positions(words)

    def compared(self, labels: Sequence[Label]) -> Tensor:
        """Words that a step compares: those of its photos, stuff, and some drawn from the rest."""
        used = self.always.union(*(label.there + label.may_be for label in labels))
        return torch.tensor(sorted(used | set(random.sample(range(len(self.words.all)), _OTHERS))))

    def not_judged(self, labels: Sequence[Label], sources: Sequence[str], used: Tensor) -> Tensor:
        """Words that might be there unsaid: near to those that are, or people who wear them."""
        out = torch.zeros(len(labels), len(used), dtype=torch.bool)
        for row, label in enumerate(labels):
            there = torch.tensor(label.there)
            out[row] = self.words.alike[there].any(0)[used]
            if label.kind == "thing":
                if sources[row] == "clothing" or torch.isin(there, self.people).any():
                    out[row] |= torch.isin(used, self.people)
            else:
                out[row] &= ~torch.isin(used, torch.tensor(label.may_be))
            out[row] &= ~torch.isin(used, there)
        return out

    def priors(self, numbers: Tensor, colours: Tensor) -> Tensor:
        """Logits by place and colour of words (B, K): (B, TOKENS, K)."""
        prior = self.places[numbers].mT.clone()
        for word, by in priors.by_colour(colours).items():
            prior += (numbers == self.words.number(word))[:, None] * by[..., None]
        return prior


def thing_losses(
    scores: Tensor, against: Tensor, counts: Tensor, activation: Tensor
) -> tuple[Tensor, Tensor]:
    """Patches that speak for the thing say one of its words, those that do not say none of them.

    scores (B, N, K): logits of the thing's words; against (B, N): log of the sum over all words.
    """
    scores = scores.masked_fill(~counts[:, None], _NEVER)
    any_of = scores.logsumexp(-1)
    each = (scores * counts[:, None]).sum(-1) / counts.sum(1)[:, None]
    on, off = (activation > 0.5).float(), ((activation < 0.2) & (activation != 0)).float()
    said = (any_of - against).exp().clamp(0, 1 - 1e-4)
    loss_on = ((against - 0.5 * each - 0.5 * any_of) * on).sum() / on.sum().clamp_min(1)
    return loss_on, (-(1 - said).log() * off).sum() / off.sum().clamp_min(1)


def losses(
    course: Course,
    student: Student,
    first_map: Student | None,
    batch: Batch,
    mosaics: tuple[Tensor, list[tuple]],
    vectors: Tensor,
    scales: tuple[Tensor, Tensor],
    kept: frozenset[int] | None,
) -> dict[str, Tensor]:
    """All losses of a step. `first_map` is the map that was learned first, while blocks learn."""
    labels, size = batch.labels, len(batch.labels)
    patch_scale, whole_scale = scales
    with torch.autocast(batch.even.device.type, torch.bfloat16):
        patches, whole = student(torch.cat([batch.even, mosaics[0]]), kept)
    used = course.compared([*labels, *(label for _, _, label, _ in mosaics[1])])
    hidden = course.not_judged(labels, batch.sources, used) * _NEVER
    against = (patch_scale * patches[:size] @ vectors[used].T + hidden[:, None]).logsumexp(-1)

    def scores(of: Tensor, numbers: Tensor) -> Tensor:
        return torch.einsum("bne,bke->bnk", of, vectors[numbers])

    there, counts = padded([label.there for label in labels])
    thing = torch.tensor([label.kind == "thing" for label in labels])
    on, off = thing_losses(
        (patch_scale * scores(patches[:size], there))[thing],
        against[thing], counts[thing], batch.activation[thing],
    )  # fmt: skip
    found = {"on": on, "off": off}

    place = ~thing
    places = [label for label in labels if label.kind == "place"]
    numbers, allowed = padded([label.there + label.may_be for label in places])
    must = torch.zeros_like(allowed)
    least = torch.full(allowed.shape, 0.015)
    for row, label in enumerate(places):
        must[row, : len(label.there)] = True
        for column, word in enumerate(label.there):
            least[row, column] = 0.06 if word in course.wide else 0.015
    own = scores(patches[:size][place], numbers)
    with torch.no_grad():
        by = own
        if first_map is not None:
            taught, _ = first_map(batch.even, frozenset())
            by = 0.7 * scores(taught[place], numbers) + 0.3 * own
            found["map"] = torch.zeros(())
        prior = course.priors(numbers, batch.colours[place])
        look = batch.even[place][..., :APPEARANCE]
        share = shares(SHARING_SCALE * by + prior, allowed, must, least, look)
    own = patch_scale * own
    found["shares"] = (against[place] - (share * own * allowed[:, None]).sum(-1)).mean()
    if first_map is not None:
        found["map"] = 0.5 * (1 - (patches[:size] * taught).sum(-1)).mean()
    row, column = must.nonzero(as_tuple=True)
    best = (own[row, :, column] - against[place][row]).topk(10, dim=1).values
    wide = torch.isin(numbers[row, column], torch.tensor(sorted(course.wide)))
    found["wins"] = -0.3 * torch.where(wide, best.mean(1), best[:, :3].mean(1)).mean()

    all_words = whole_scale * whole[:size] @ vectors[used].T + hidden
    own_words = whole_scale * torch.einsum("be,bke->bk", whole[:size], vectors[there])
    said = (own_words * counts).sum(1) / counts.sum(1)
    found["whole"] = 0.5 * (all_words.logsumexp(-1) - said).mean()

    small = [cell for cell in mosaics[1] if cell[2].kind == "thing"]
    if small:
        of = torch.stack([patches[size + index][cell] for index, cell, _, _ in small])
        there, counts = padded([label.there for _, _, label, _ in small])
        unsaid = course.not_judged([cell[2] for cell in small], [""] * len(small), used) * _NEVER
        against = (patch_scale * of @ vectors[used].T + unsaid[:, None]).logsumexp(-1)
        activation = torch.stack([found_there for *_, found_there in small])
        on, off = thing_losses(patch_scale * scores(of, there), against, counts, activation)
        found["mosaics"] = 0.5 * (on + off)
    return found


def learn(
    words: Words, cache: Path, run: Path, minutes: float, blocks: int = 0, size: int = 64,
    name: str = "",
) -> None:  # fmt: skip
    """Learn a map (`blocks` = 0) or, from `map.pt`, the tower; writes `name`.pt.

    Maps but the first, `map.pt`, take the words' vectors from `text.pt`.
    """
    name = name or ("tower" if blocks else "map")
    lessons, course = Lessons(words, cache), Course(words)
    student = Student(*lessons.statistics())
    vectors, given, first_map = words.vectors.clone(), words.given, None
    if name != "map" and not blocks:
        vectors, given = text.said(words, run), torch.ones_like(given)
    if blocks:
        start = torch.load(run / "map.pt", weights_only=True)
        student = opened(start["averaged"]).train()
        vectors, given = start["vectors"], torch.ones_like(given)
        first_map = copy.deepcopy(student).eval().requires_grad_(False)
    free = nn.Parameter(vectors.clone(), requires_grad=not blocks)
    scales = nn.ParameterList([torch.tensor(math.log(14.0)), torch.tensor(math.log(12.0))])
    averaged = copy.deepcopy(student)
    stem = [p for n, p in student.named_parameters() if n.startswith(("linear", "hidden", "out"))]
    rest = [
        p for n, p in student.named_parameters() if not n.startswith(("linear", "hidden", "out"))
    ]
    groups = [
        {"params": stem, "base": 5e-5 if blocks else 2e-3},
        {"params": rest, "base": 5e-4 if blocks else 0.0},
        {"params": [*scales, free], "base": 5e-4 if blocks else 2e-3, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), weight_decay=0.02)
    step, spent = 0, 0.0
    saved = run / f"{name}-state.pt"
    run.mkdir(parents=True, exist_ok=True)
    if saved.exists():
        held = torch.load(saved, weights_only=True)
        for part, of in (("student", student), ("averaged", averaged), ("optimiser", optimiser)):
            of.load_state_dict(held[part])
        scales.load_state_dict(held["scales"])
        free.data, step, spent = held["free"], held["step"], held["spent"]
    began, kept_at = time.monotonic() - spent, time.monotonic()
    while (part := (time.monotonic() - began) / (60 * minutes)) < 1:
        rate = min(1, (step + 1) / 60)
        if part > 0.4:
            rate *= max(0.02, 0.5 * (1 + math.cos(math.pi * (part - 0.4) / 0.6)))
        for group in optimiser.param_groups:
            group["lr"] = group["base"] * rate
        every = blocks and part > 0.55
        some = frozenset(random.sample(range(BLOCKS - 1), blocks))
        now = F.normalize(torch.where(given[:, None], vectors, free), dim=1)
        found = losses(
            course, student, first_map, lessons.draw(student, size),
            lessons.draw_mosaics(student, max(1, size // 10)), now,
            tuple(scale.exp() for scale in scales), None if every else some,
        )  # fmt: skip
        optimiser.zero_grad()
        sum(found.values()).backward()
        nn.utils.clip_grad_norm_([*student.parameters(), free], 1.0)
        optimiser.step()
        step += 1
        keep = min(0.99, step / (step + 10))
        with torch.no_grad():
            for mean, new in zip(averaged.parameters(), student.parameters(), strict=True):
                mean.lerp_(new, 1 - keep)
        if step % 25 == 0:
            log_line(run / f"{name}.jsonl", step, part, found)
        if time.monotonic() - kept_at > 120:
            kept_at = time.monotonic()
            torch.save(
                {
                    "student": student.state_dict(), "averaged": averaged.state_dict(),
                    "optimiser": optimiser.state_dict(), "scales": scales.state_dict(),
                    "free": free.data, "step": step, "spent": time.monotonic() - began,
                },
                saved,
            )  # fmt: skip
    now = F.normalize(torch.where(given[:, None], vectors, free.data), dim=1)
    now = words.settle(now) if name == "map" else now
    result = {"averaged": averaged.state_dict(), "vectors": now, "scale": scales[0].data}
    torch.save(result, run / f"{name}.pt")


def log_line(log: Path, step: int, part: float, found: Mapping[str, Tensor]) -> None:
    """Add the losses of a step, and which part of the time is over, to a log."""
    line = {"step": step, "part": round(part, 3)}
    line.update((key, round(value.item(), 4)) for key, value in found.items())
    with log.open("a") as file:
        file.write(json.dumps(line) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Teach the photo model where words are.")
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--blocks", type=int, default=0, help="blocks a step; 0 learns the map")
    parser.add_argument("--size", type=int, default=64, help="photos a step")
    parser.add_argument("--name", default="", help="what to write, beside map.pt or tower.pt")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    words = Words(given.data)
    learn(words, given.cache, given.run, given.minutes, given.blocks, given.size, given.name)


if __name__ == "__main__":
    main()
