"""Step 6, `localise`: the map learns where people and things are, from networks that find them.

Learned is the map of `self_training.pt`. Pseudo-labels of patches (1: is one of these words, -1: is
none of them, 0: unknown) come from three frozen networks:

- people, from the selfie network: "person" where people cover more than six tenths of a patch, not
  where they cover less than an eighth. Where a photo's label names no people, or also animals, or
  where the named thing is worn (it takes animals and clothes for people), only the latter counts;
- the detector's words, from its boxes and DINO's affinities (`boxes`): each word that it finds in
  the view, and one of all 16 by lot that it does not find. Animals (3 of the 16) are dropped, so 13
  words are learned. "person" is one of them, so people are taught twice;
- the thing that a photo is named after, from saliency: above 0.6, and below 0.1, if it covers from
  4 to 80 % of the view.

A pair is a view and a word (or words, of which the patch is one). `on` and `off` are those of
`first`, the means over the patches of all pairs of a kind of views (single, scene); in pairs of
"person", `Z` leaves out garments (`word_lists/worn.txt`), which people wear. All other patches keep
the vectors that they had: `preservation = 1 - cos(before, after)`, the mean over patches that are
no thing in any pair.

    loss = sum over single and scene views of (on + off + 30 preservation)

At the end the change of the map's weights is taken one and a half times as far (task arithmetic,
Ilharco et al. 2023), since `preservation` makes it smaller everywhere. The log prior of a word is
the logarithm of its part of all pseudo-labels, those of `self_training` included.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gclip_core import word_lists
from training import boxes, features
from training.detector import Detections
from training.features import read_cache, rows_as_float
from training.fitting import BETAS, optimise, schedule
from training.losses import Scorer, thing_loss
from training.network import Network, restored
from training.pseudo_labels import LabelSpace, padded
from training.sources import SOURCES
from training.state import State, report, seed
from training.teachers import PATCH
from training.words import Label, Words

PRESERVATION = 30.0
"""Weight of what other patches keep: two thirds of it at twice the rate make the map no better."""
EXTRAPOLATION = 1.5
"""How far the change of the weights is taken. On choose.txt 1.3 and 1.6 are as good, and 1, 1.8, 2
and 2.4 worse."""
_RATE, _RISING = 5e-4, 15
PERSON, NO_PERSON = 0.6, 0.125
"""A patch of which people cover more is a person, one of which they cover less is none."""
SALIENT, NOT_SALIENT = 0.6, 0.1
_SMALLEST, _LARGEST = 0.04, 0.8
"""Parts of a view that a salient thing covers; less or more is taken for a mistake of saliency."""
ANIMALS = {"dog", "cat", "cow"}
"""Words that are not learned from boxes: with them cats fall from 71.0 to 62.8 on choose.txt."""
ALSO = {
    "table": ("table", "dining table"),
    "cup": ("cup", "mug"),
    "television": ("television", "computer monitor"),
}
"""Words that a found thing may be called: the loss wants one of them."""
SIZES = {"single": 36, "scene": 8}
"""Views of each kind in a step."""
_SEEN = 10
"""A word that the detector finds in fewer views is not drawn by itself."""
_COUNTED = 25
"""Steps' views from which log priors are computed."""


@dataclass(frozen=True)
class Pair:
    """A view (its index in the batch), the numbers of words, and their pseudo-label: 1, -1 or 0 for
    every patch (N,). `source` is that of the view's photo."""

    view: int
    words: tuple[int, ...]
    source: str
    patches: Tensor

    def as_label(self) -> Label:
        """The words as a photo's label, which decides what `LabelSpace` compares them with."""
        return Label(self.words, (), "thing", self.source)


@dataclass(frozen=True)
class Pool:
    """Rows of views in groups, from which a group is drawn, as often as the root of its size, and
    then a row of it: rare words come more often than their photos would."""

    groups: Sequence[Sequence[int]]

    def draw(self, count: int) -> list[int]:
        """Rows, by lot."""
        roots = [len(rows) ** 0.5 for rows in self.groups]
        return [random.choice(rows) for rows in random.choices(self.groups, roots, k=count)]


class Localisers:
    """The pseudo-labels of three networks for the views of one kind."""

    def __init__(self, words: Words, work: Path, kind: str, detections: Detections) -> None:
        self.words, self.kind, self.detections = words, kind, detections
        self.cache = read_cache(work, kind)
        side = features.KINDS[kind].side // PATCH
        self.grid = side, side
        self.photos = [words.photos[photo] for photo, _ in self.cache.views]
        self.labels = [words.label(photo) for photo in self.photos]
        self.person = words.number("person")
        self.pools = self._pools()

    def _pools(self) -> list[Pool]:
        """Pools of any views, of those with people, of named things, and of detected things with a
        group for each word; without those that have no views."""
        rows = range(len(self.labels))
        people = [row for row in rows if self.words.has_people(self.labels[row])]
        named = [row for row in rows if SOURCES[self.labels[row].source].one_thing]
        detected: dict[str, list[int]] = {}
        for row in rows:
            for word in self._certain(row) - ANIMALS:
                detected.setdefault(word, []).append(row)
        by_word = [of_word for _, of_word in sorted(detected.items()) if len(of_word) >= _SEEN]
        groups = ([rows], [people], [named], by_word)
        return [Pool(of_pool) for of_pool in groups if any(of_pool)]

    def draw(self, size: int) -> list[int]:
        """Rows of views, as many of every pool."""
        count = max(1, size // len(self.pools))
        return [row for pool in self.pools for row in pool.draw(count)]

    def pairs(self, rows: Sequence[int]) -> list[Pair]:
        """All pairs of some views in which something is known of a patch."""
        return [
            Pair(view, words, self.labels[row].source, patches)
            for view, row in enumerate(rows)
            for words, patches in (self._people(row), *self._things(row), *self._salient(row))
            if patches.any()
        ]

    def _corners(self, row: int) -> tuple[float, float, float, float]:
        """Top, left, bottom and right of a view as shares of its photo."""
        return features.window_of(tuple(self.photos[row]["size"]), row, self.kind).corners()

    def _people(self, row: int) -> tuple[tuple[int, ...], Tensor]:
        """Where people are in a view, and where not."""
        covered = self.detections.people(self.photos[row]["file"], self._corners(row), self.grid)
        return (self.person,), people_labels(covered, self.words.has_people(self.labels[row]))

    def _certain(self, row: int) -> set[str]:
        """The words of which the view's photo has a certain box."""
        return {
            boxes.CALLED[box.name]
            for box in self.detections.boxes(self.photos[row]["file"])
            if boxes.certain(box, self.labels[row], self.words)
        }

    def _things(self, row: int) -> Iterator[tuple[tuple[int, ...], Tensor]]:
        """The words that the detector finds in a view, and one, by lot, that it does not find."""
        affinity = rows_as_float(self.cache.affinity, [row])[0]  # (N, N)
        labels = boxes.view_labels(
            self.detections.boxes(self.photos[row]["file"]),
            self.labels[row],
            self.words,
            self._corners(row),
            affinity,
            self.grid,
        ).float()  # (16, N)
        there = (labels > 0).any(1)
        absent = torch.where(there, 0.0, 1.0).multinomial(1)
        for index in (*there.nonzero().flatten(), *absent):
            word = boxes.WORDS[index]
            if word not in ANIMALS:
                yield self.words.numbers(ALSO.get(word, (word,))), labels[index]

    def _salient(self, row: int) -> Iterator[tuple[tuple[int, ...], Tensor]]:
        """The thing that a view's photo is named after."""
        if SOURCES[self.labels[row].source].one_thing:
            saliency = rows_as_float(self.cache.saliency, [row])[0]  # (N,)
            on, off = saliency > SALIENT, saliency < NOT_SALIENT
            if _SMALLEST <= on.float().mean() <= _LARGEST:
                yield self.labels[row].there, on.float() - off.float()


def people_labels(covered: Tensor, named: bool) -> Tensor:
    """Labels (N,) of "person", 1, -1 or 0, by how much of each patch people cover (N,). `named` is
    whether the photo's label names people; else no patch is 1."""
    labels = (covered > PERSON).float() - (covered < NO_PERSON).float()
    return labels if named else labels.clamp(max=0)


def updated_log_priors(kinds: Sequence[tuple[Localisers, int]], before: Tensor) -> Tensor:
    """Log priors (V,) of words by `before`, those of `self_training`, and by the pairs.

    The part of patches that pairs label 1 is shared among their words; of the rest words have the
    parts that they had.
    """
    count, patches = torch.zeros(len(before)), 0
    for localisers, size in kinds:
        rows = localisers.draw(_COUNTED * size)
        patches += len(rows) * math.prod(localisers.grid)
        for pair in localisers.pairs(rows):
            numbers = torch.tensor(pair.words)
            share = (pair.patches > 0).sum() / len(numbers)
            count.index_add_(0, numbers, share.expand(len(numbers)))
    rest = (1 - count.sum() / patches).clamp_min(0)
    return (before.softmax(0) * rest + count / patches).log()


def run(data: Path, work: Path, steps: int = 250) -> None:
    """Write `localise.pt` by `self_training.pt`, the boxes and people of `detector`, and caches."""
    seed()
    words, saved = Words(data), torch.load(work / "self_training.pt", weights_only=True)
    before, network = (restored(saved["network"]) for _ in range(2))
    detections, space = Detections(work), LabelSpace(words)
    kinds = [(Localisers(words, work, kind, detections), size) for kind, size in SIZES.items()]
    log_prior = updated_log_priors(kinds, saved["log prior"])
    scorer = Scorer(space, saved["vectors"], saved["scale"].exp(), log_prior)
    learned = network.map_parameters()
    groups = [{"params": learned, "most": _RATE}]
    optimiser = torch.optim.AdamW(groups, lr=0.0, betas=BETAS, weight_decay=0.0)
    inputs = ("self_training.pt", "boxes.jsonl", "people.u8", *(f"{kind}.json" for kind in SIZES))
    state = State(work, "localise", steps, inputs, network=network, optimiser=optimiser)
    for step in state.steps():
        by_kind = [losses(network, before, scorer, *of_kind) for of_kind in kinds]
        loss = sum(total(terms) for terms in by_kind)
        optimise(optimiser, loss, schedule(step, steps, _RISING), learned)
        for terms in by_kind:
            report(step, steps, terms)
    extrapolate(before, network)
    torch.save({**saved, "network": network.state_dict()}, work / "localise.pt")


def total(terms: Mapping[str, Tensor]) -> Tensor:
    """The loss of one kind of views."""
    return terms["on"] + terms["off"] + PRESERVATION * terms["preservation"]


@torch.no_grad()
def extrapolate(before: Network, after: Network) -> None:
    """Move `after`'s weights `EXTRAPOLATION` times as far from those of `before`."""
    earlier = dict(before.named_parameters())
    for name, parameter in after.named_parameters():
        parameter.copy_(earlier[name] + EXTRAPOLATION * (parameter - earlier[name]))


def losses(
    network: Network, before: Network, scorer: Scorer, localisers: Localisers, size: int
) -> dict[str, Tensor]:
    """The losses of `size` views of a kind."""
    rows = localisers.draw(size)
    pairs = localisers.pairs(rows)
    inputs = network.standardised(rows_as_float(localisers.cache.features, rows))
    patches = network.map_vectors(inputs)  # (B, N, WIDTH)
    kept = preservation(patches, before.map_vectors(inputs), pairs)
    return {**pair_losses(scorer, localisers, patches, pairs), "preservation": kept}


def preservation(patches: Tensor, before: Tensor, pairs: Sequence[Pair]) -> Tensor:
    """`1 - cos` of patches' vectors and those before (B, N, WIDTH), the mean over patches that are
    no thing in any pair."""
    thing = torch.zeros(patches.shape[:2], dtype=torch.bool)
    for pair in pairs:
        thing[pair.view] |= pair.patches > 0
    return (1 - (patches * before).sum(-1))[~thing].mean()


def pair_losses(
    scorer: Scorer, localisers: Localisers, patches: Tensor, pairs: Sequence[Pair]
) -> dict[str, Tensor]:
    """Both parts of `thing_loss` of pairs, by the patches' vectors (B, N, WIDTH) of their views."""
    view = torch.tensor([pair.view for pair in pairs])
    labels = [pair.as_label() for pair in pairs]
    numbers, counts = padded([pair.words for pair in pairs])
    worn = _worn(localisers, pairs)
    log_z = scorer.log_z(patches[view], labels, worn)
    signs = torch.stack([pair.patches for pair in pairs])  # (P, N)
    on, off = thing_loss(scorer.scores(patches[view], numbers), log_z, counts, signs)
    return {"on": on, "off": off}


def _worn(localisers: Localisers, pairs: Sequence[Pair]) -> Tensor:
    """What a person's patches may show, too: what people wear, in pairs of "person" (P, V) bool."""
    words = localisers.words
    worn = words.numbers([word for word in word_lists.read("worn") if words.knows(word)])
    ignored = torch.zeros(len(pairs), len(words.all), dtype=torch.bool)
    for row, pair in enumerate(pairs):
        if localisers.person in pair.words:
            ignored[row, list(worn)] = True
            ignored[row, list(pair.words)] = False
    return ignored
