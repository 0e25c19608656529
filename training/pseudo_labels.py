"""Pseudo-labels of places: which word each patch of a photo is, from the photo's words alone.

The patches of a photo are shared out among the words that are there or may be: by a map's cosines,
by what is known of such words (`priors`), so that every word that is there has some patches, and so
that patches that belong together have the same words. It is an expectation step; the map that
learns of the shares is the maximisation.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from training import priors
from training.batches import Batch, Views
from training.network import Network
from training.words import Label, Words, names

SCALE = 11.0  # of cosines where patches are shared out: it must not outgrow the priors
_NEVER = -1e4
_COUNTED = 160  # photos of each source by which log priors are computed
_SELDOM = 0.002  # added to each word's part


@dataclass(frozen=True)
class Sharing:
    """How shares are worked out: how much priors count, how much the likeness to a word's patches
    (`look`), of which patches count by their share to the `power`, and how far words that must be
    there are made equally large (`even`)."""

    prior: float
    look: float
    power: int
    even: float


FIRST = Sharing(prior=1.0, look=5.0, power=2, even=0.0)
"""While a map knows nothing yet."""
ANEW = Sharing(prior=0.0, look=25.0, power=4, even=0.2)
"""By a map that has learned."""


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Word numbers (B, K), filled up with 0, and which of them count."""
    numbers = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    counts = pad_sequence([torch.ones(len(row)) for row in rows], batch_first=True)
    return numbers, counts.bool()


def near(count: int) -> Tensor:
    """Minus half the squared distance of the patches of a square, in deviations: (count, count).
    A deviation is a quarter of its side."""
    grid = math.isqrt(count)
    deviation = grid / 4
    index = torch.arange(count)
    place = torch.stack([index // grid, index % grid], 1).float()
    return -torch.cdist(place, place).square() / (2 * deviation**2)


def shares(
    logits: Tensor, allowed: Tensor, must: Tensor, least: Tensor, alike: Tensor, how: Sharing
) -> Tensor:
    """Share every patch out among a photo's words: (B, N, K), one per patch.

    `logits` (B, N, K) with their priors; `allowed` and `must` (B, K), `least` (B, K) the part of
    the photo that a word that must be there gets; `alike` (B, N, N) cosines of patches. Words that
    need not be there are held back by how little they have.
    """
    logits = logits.masked_fill(~allowed[:, None], _NEVER)
    part = 1 / allowed.sum(1, keepdim=True)

    def settled(by: Tensor) -> Tensor:
        share = by.masked_fill(~allowed[:, None], _NEVER).softmax(-1)
        for _ in range(3):
            has = share.mean(1).clamp_min(1e-4)
            lack = (least / has).clamp(1, 8) * (part / has).clamp(0.2, 5) ** how.even
            share = share * torch.where(must, lack, torch.ones_like(lack))[:, None]
            share = share / share.sum(-1, keepdim=True)
        return share

    share = settled(logits)
    for _ in range(2):
        weight = share**how.power
        look = alike @ weight  # cosines with the sum of a word's patches, times its length
        length = (weight * look).sum(1, keepdim=True).clamp_min(1e-8).sqrt()
        rare = torch.where(must, 0.0, 0.5 * share.mean(1).clamp_min(1e-4).log())
        share = settled(logits + how.look * look / length + rare[:, None])
    share = ((near(alike.shape[1]) + 10 * alike).softmax(-1) @ share) ** 1.5
    return share / share.sum(-1, keepdim=True).clamp_min(1e-8)


class Course:
    """What is known of words when a photo is shared out and judged."""

    def __init__(self, words: Words) -> None:
        self.words = words
        stuff = words.numbers(names()["stuff"])
        self.people = torch.tensor(words.numbers(names()["people"]))
        self.always = {*stuff, *words.numbers(names()["anywhere"]), *self.people.tolist()}
        self.wide = {*stuff, *words.numbers(names()["wide"])}
        self.places = priors.positions(words)

    def compared(self, labels: Sequence[Label], others: int = 160) -> Tensor:
        """Words that a step compares: those of its photos, stuff, and some drawn from the rest."""
        used = self.always.union(*(label.words for label in labels))
        drawn = torch.randperm(len(self.words.all))[:others].tolist()
        return torch.tensor(sorted(used | set(drawn)))

    def not_judged(self, labels: Sequence[Label], used: Tensor) -> Tensor:
        """Words that might be there unsaid: near to those that are, or people who wear them."""
        out = torch.zeros(len(labels), len(used), dtype=torch.bool)
        for row, label in enumerate(labels):
            there = torch.tensor(label.there)
            out[row] = self.words.alike[there].any(0)[used]
            if label.kind == "thing":
                if label.source == "clothing" or torch.isin(there, self.people).any():
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

    def shares(
        self,
        labels: Sequence[Label],
        patches: Tensor,
        vectors: Tensor,
        colours: Tensor,
        likeness: Tensor,
        how: Sharing,
    ) -> Tensor:
        """Shares (B, TOKENS, K) of the words there and then those that may be, by patches' vectors
        (B, TOKENS, WIDTH). A thing's first word has the share of all of its words."""
        numbers, allowed = padded([label.words for label in labels])
        must, least = torch.zeros_like(allowed), torch.full(allowed.shape, 0.015)
        cosines = torch.einsum("bne,bke->bnk", patches, vectors[numbers])
        for row, label in enumerate(labels):
            count = len(label.there)
            if label.kind == "thing":
                cosines[row, :, 0] = cosines[row, :, :count].amax(-1)
                allowed[row, 1:count], count = False, 1
                least[row, 0] = 0.1
            else:
                wide = [0.06 if n in self.wide else 0.015 for n in label.there]
                least[row, :count] = torch.tensor(wide)
            must[row, :count] = True
        logits = SCALE * cosines
        if how.prior:
            logits = logits + how.prior * self.priors(numbers, colours)
        return shares(logits, allowed, must, least, likeness, how)


def log_priors(
    views: Views, network: Network, course: Course, shares_of: Callable[[Batch], Tensor]
) -> Tensor:
    """The logarithm of each word's part of all pseudo-labels (V,), over some photos of each source.

    Of a thing's surroundings nothing is learned; they count for three tenths.
    """
    total = torch.zeros(len(course.words.all))
    for source, part in views.parts.items():
        rows = views.rows[source]
        rows = random.sample(rows, min(_COUNTED, len(rows)))
        for some in (rows[i : i + 32] for i in range(0, len(rows), 32)):
            batch = views.batch(network, some)
            means = shares_of(batch).mean(1) * part / len(rows)
            for mean, label in zip(means, batch.labels, strict=True):
                count, numbers = len(label.there), torch.tensor(label.words)
                mean = mean[: len(numbers)]
                if label.kind == "thing":
                    mean = torch.cat([mean[:1].expand(count), 0.3 * mean[count:]])
                total.index_add_(0, numbers, mean)
    return (total / total.sum() + _SELDOM).log()
