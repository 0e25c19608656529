"""Pseudo-labels of places: which word each patch of a photo is, from the photo's words alone.

The patches of a photo are shared out among the words that are there or may be: by a map's cosines,
by hand-written priors (`priors`), so that every word that is there has some patches, and so that
patches that belong together have the same words. It is the expectation step of an
expectation-maximisation; the map that learns these shares is the maximisation.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from training import priors
from training.affinity import SHARPNESS
from training.batches import Batch, Views
from training.network import Network
from training.sources import SOURCES
from training.words import Label, Words, names

SCALE = 11.0
"""Of cosines where patches are shared out: fixed, unlike the scale that is learned, which might
outgrow the priors."""
LEAST, LEAST_WIDE, LEAST_THING = 0.015, 0.06, 0.1
"""The part of a photo that a word gets at least if it is there: two of 144 patches; of stuff and
what else is wide, nine; of the thing that a photo is named after, 14."""
_RAISED = 8.0
"""At most this many times more shares for a word that has less: one that fits nowhere gets no
patch."""
_EVENED = (0.2, 5.0)
"""A word's equal part, divided by what it has, counts between these."""
_ROUNDS, _BALANCING = 2, 3
"""How often words are compared with their patches anew, and balanced each time."""
_RARE = 0.5
"""Words that need not be there lose this times the logarithm of how little they have."""
_SHARPENED = 1.5
"""The power of the smoothed shares, which smoothing has made more alike."""
_NEAR = 0.25
"""The standard deviation of positions that smooth each other, as a part of the view's side."""
_SURROUNDINGS = 0.3
"""What a thing's surroundings count in log priors: in its photos nothing is learned of them."""
_COUNTED = 160
"""Photos of each source from which log priors are computed."""
_SELDOM = 0.002
"""Added to each word's part, so that no log prior is below -6.2."""
_OTHERS = 160
"""Words by lot that a step compares beside those of its photos."""
_NEVER = -1e4


@dataclass(frozen=True)
class EStep:
    """How an expectation step shares patches out.

    With or without priors; how much the likeness to a word's patches counts (`likeness`); by which
    power of its share a patch counts as one of them (`power`); and how far words that are there
    become equally large (`even`, 0 to 1).
    """

    priors: bool
    likeness: float
    power: int
    even: float


FIRST = EStep(priors=True, likeness=5.0, power=2, even=0.0)
"""While a map knows nothing yet."""
SELF_TRAINING = EStep(priors=False, likeness=25.0, power=4, even=0.2)
"""By a map that has learned."""


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Word numbers (B, K), filled up with 0, and which of them count (B, K) bool."""
    numbers = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    counts = pad_sequence([torch.ones(len(row)) for row in rows], batch_first=True)
    return numbers, counts.bool()


def log_nearness(count: int) -> Tensor:
    """`-d² / 2σ²` of the distance `d` of the patches of a square view: (count, count)."""
    grid = math.isqrt(count)
    deviation = grid * _NEAR
    index = torch.arange(count)
    position = torch.stack([index // grid, index % grid], 1).float()  # (count, 2)
    return -torch.cdist(position, position).square() / (2 * deviation**2)


def smoothed(share: Tensor, likeness: Tensor) -> Tensor:
    """Shares (B, N, K) averaged over near and alike patches, sharpened: (B, N, K), 1 per patch.

    A bilateral filter (Tomasi and Manduchi 1998), `softmax(-d² / 2σ² + 10 a) share`, of which the
    power 1.5 is taken. Unlike in `affinity_attention`, `a` (B, N, N) is also a likeness of
    appearance, and negative ones count as they are.
    """
    weights = (log_nearness(likeness.shape[1]) + SHARPNESS * likeness).softmax(-1)  # (B, N, N)
    share = (weights @ share) ** _SHARPENED
    return share / share.sum(-1, keepdim=True).clamp_min(1e-8)


def balanced(
    logits: Tensor, allowed: Tensor, required: Tensor, least: Tensor, even: float
) -> Tensor:
    """Shares (B, N, K) by logits (B, N, K), such that every required word has its part.

        share_k <- share_k min(max(least_k / m_k, 1), 8) (1 / (K m_k))^even,  m_k = mean share_k

    for words k that are required (B, K), divided by the sum over words, three times.
    """
    equal = 1 / allowed.sum(1, keepdim=True)  # (B, 1)
    share = logits.masked_fill(~allowed[:, None], _NEVER).softmax(-1)
    for _ in range(_BALANCING):
        mean = share.mean(1).clamp_min(1e-4)  # (B, K)
        factor = (least / mean).clamp(1, _RAISED) * (equal / mean).clamp(*_EVENED) ** even
        share = share * torch.where(required, factor, torch.ones_like(factor))[:, None]
        share = share / share.sum(-1, keepdim=True)
    return share


def expectation(
    logits: Tensor, allowed: Tensor, required: Tensor, least: Tensor, likeness: Tensor, how: EStep
) -> Tensor:
    """Share every patch out among a photo's words: (B, N, K), one per patch.

        share = balanced(logits);  twice:
            w = share^power
            c_nk = (A w)_nk / sqrt(sum_n w_nk (A w)_nk)
            share = balanced(logits + strength c + 0.5 log mean share_k of words not required)
        share = smoothed(share)

    `c_nk` is the cosine of patch n with the sum of word k's patches, `A` their cosines: `likeness`
    (B, N, N). `logits` (B, N, K) are with their priors; `allowed` and `required` (B, K) bool;
    `least` (B, K) is the part of the photo that a required word gets.
    """
    logits = logits.masked_fill(~allowed[:, None], _NEVER)
    share = balanced(logits, allowed, required, least, how.even)
    for _ in range(_ROUNDS):
        weight = share**how.power  # (B, N, K)
        similarity = likeness @ weight  # (B, N, K)
        length = (weight * similarity).sum(1, keepdim=True).clamp_min(1e-8).sqrt()  # (B, 1, K)
        rare = torch.where(required, 0.0, _RARE * share.mean(1).clamp_min(1e-4).log())  # (B, K)
        logits_now = logits + how.likeness * similarity / length + rare[:, None]
        share = balanced(logits_now, allowed, required, least, how.even)
    return smoothed(share, likeness)


class LabelSpace:
    """The words that photos are shared out among and compared with, and what is known of them."""

    def __init__(self, words: Words) -> None:
        self.words = words
        stuff = words.numbers(names()["stuff"])
        self.people = torch.tensor(words.numbers(names()["people"]))
        self.always = {*stuff, *words.numbers(names()["anywhere"]), *self.people.tolist()}
        self.wide = {*stuff, *words.numbers(names()["wide"])}
        self.by_position = priors.by_position(words)

    def compared(self, labels: Sequence[Label]) -> Tensor:
        """Words that a step compares: those of its photos, stuff, and some drawn from the rest."""
        used = self.always.union(*(label.words for label in labels))
        drawn = torch.randperm(len(self.words.all))[:_OTHERS].tolist()
        return torch.tensor(sorted(used | set(drawn)))

    def not_compared(self, labels: Sequence[Label], used: Tensor) -> Tensor:
        """Which of the words `used` (U,) a photo may show though its label does not name them:
        (B, U) bool. They are near to words that are there; and people who wear a named thing."""
        out = torch.zeros(len(labels), len(used), dtype=torch.bool)
        for row, label in enumerate(labels):
            there = torch.tensor(label.there)
            out[row] = self.words.alike[there].any(0)[used]
            if label.kind == "thing":
                if SOURCES[label.source].worn or torch.isin(there, self.people).any():
                    out[row] |= torch.isin(used, self.people)
            else:
                out[row] &= ~torch.isin(used, torch.tensor(label.may_be))
            out[row] &= ~torch.isin(used, there)
        return out

    def prior_logits(self, numbers: Tensor, colours: Tensor) -> Tensor:
        """What priors add to the logits of words (B, K) by position and colour (B, TOKENS, 4):
        (B, TOKENS, K)."""
        prior = self.by_position[numbers].mT.clone()
        for word, logits in priors.by_colour(colours).items():
            prior += (numbers == self.words.number(word))[:, None] * logits[..., None]
        return prior

    def shares(
        self,
        labels: Sequence[Label],
        patches: Tensor,
        vectors: Tensor,
        colours: Tensor,
        likeness: Tensor,
        how: EStep,
    ) -> Tensor:
        """Shares (B, TOKENS, K) of the words there and then those that may be, by patches' vectors
        (B, TOKENS, WIDTH). A thing's first word has the share of all of its words."""
        numbers, allowed = padded([label.words for label in labels])
        required, least = torch.zeros_like(allowed), torch.full(allowed.shape, LEAST)
        cosines = torch.einsum("bne,bke->bnk", patches, vectors[numbers])
        for row, label in enumerate(labels):
            count = len(label.there)
            if label.kind == "thing":
                cosines[row, :, 0] = cosines[row, :, :count].amax(-1)
                allowed[row, 1:count] = False
                required[row, 0] = True
                least[row, 0] = LEAST_THING
            else:
                wide = [LEAST_WIDE if number in self.wide else LEAST for number in label.there]
                required[row, :count] = True
                least[row, :count] = torch.tensor(wide)
        logits = SCALE * cosines
        if how.priors:
            logits = logits + self.prior_logits(numbers, colours)
        return expectation(logits, allowed, required, least, likeness, how)


def log_priors(
    views: Views, network: Network, space: LabelSpace, shares_of: Callable[[Batch], Tensor]
) -> Tensor:
    """The logarithm of each word's part of all pseudo-labels (V,), over some photos of each source.

    `shares_of` gives a batch's shares (B, N, K).
    """
    total = torch.zeros(len(space.words.all))
    for source, part in views.parts.items():
        rows = views.rows[source]
        rows = random.sample(rows, min(_COUNTED, len(rows)))
        for start in range(0, len(rows), 32):
            batch = views.batch(network, rows[start : start + 32])
            means = shares_of(batch).mean(1) * part / len(rows)  # (B, K)
            for mean, label in zip(means, batch.labels, strict=True):
                numbers = torch.tensor(label.words)
                total.index_add_(0, numbers, _counted(mean[: len(numbers)], label))
    return (total / total.sum() + _SELDOM).log()


def _counted(mean: Tensor, label: Label) -> Tensor:
    """What a photo's words (K,) count in log priors, by their mean shares (K,)."""
    if label.kind != "thing":
        return mean
    count = len(label.there)
    return torch.cat([mean[:1].expand(count), _SURROUNDINGS * mean[count:]])
