"""Step 6, `localise`: the map learns where people and things are, from networks that find them.

Three networks give pseudo-labels of patches (1: is one of these words, -1: is not, 0: unknown):

- people, by the selfie network: "person" where people cover more than six tenths of a patch, not
  where they cover less than an eighth. On photos that name no people, or animals, which it takes
  for people, only the latter counts;
- things of the detector's words but animals, by its boxes and DINO's affinities (`things`), and,
  of each view, one word that the detector does not find there;
- the thing that a photo is named after, by saliency: above 0.6, and below 0.1, if it covers from 4
  to 80 % of the view.

The map learns `thing_loss` of each pair of a view and a word. All other patches keep the vectors
that they had: `1 - cos(before, after)`, the mean over patches that no pair says are a thing.

    loss = on + off + 30 kept

At the end the change of the map's weights is taken one and a half times as far (task arithmetic,
Ilharco et al. 2023), since `kept` holds it back everywhere. The log prior of a word is the
logarithm of its part of all pseudo-labels, those of `map` included.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from gclip_core import word_lists
from training import features, things
from training.detector import Labels
from training.features import read_cache, rows_as_float
from training.losses import Scorer, thing_loss
from training.network import Network, restored
from training.pseudo_labels import Course, padded
from training.state import State, report, seed
from training.words import Label, Words, names

_KEPT = 30.0
_FURTHER = 1.5
"""How far the change of the weights is taken. By choose.txt 1.3 and 1.6 are as good, and 1, 1.8, 2
and 2.4 worse."""
_RATE = 5e-4
_PERSON, _NO_PERSON = 0.6, 0.125
_SALIENT, _NOT_SALIENT, _SMALLEST, _LARGEST = 0.6, 0.1, 0.04, 0.8
ANIMALS = {"dog", "cat", "cow"}
"""Things that are not learned of boxes: photos that are named after one teach them better."""
ALSO = {
    "table": ("table", "dining table"),
    "cup": ("cup", "mug"),
    "television": ("television", "computer monitor"),
}
"""Words that a found thing may be called: the loss wants one of them."""
SIZES = {"single": 36, "scene": 8}  # views of each kind in a step
_SEEN = 10  # views that have a word at least, for it to be drawn
_COUNTED = 25  # steps' views by which log priors are computed


@dataclass(frozen=True)
class Pair:
    """A view (its place in the batch) and what is known of some words there: the words as a label,
    and 1, -1 or 0 for every patch (N,)."""

    view: int
    label: Label
    patches: Tensor


class Localisers:
    """What the three networks say of the views of one kind."""

    def __init__(self, words: Words, work: Path, kind: str, boxes: Labels) -> None:
        self.words, self.kind, self.boxes = words, kind, boxes
        self.cache = read_cache(work, kind)
        grid = features.SIDES[kind] // features.PATCH
        self.grid = grid, grid
        self.photos = [words.photos[photo] for photo, _ in self.cache.views]
        self.labels = [words.label(photo) for photo in self.photos]
        self.person = words.number("person")
        self.pools = self._pools()

    def _pools(self) -> list[list[list[int]]]:
        """Rows of views to draw from: a pool of any, of people, of named things, and for each word
        that the detector finds in at least `_SEEN` views, often as the root of how many."""
        rows = range(len(self.labels))
        people = [row for row in rows if self.words.has_people(self.labels[row])]
        named = [row for row in rows if self.photos[row]["source"] in features.THINGS]
        detected: dict[str, list[int]] = {}
        for row in rows:
            for word in self._certain(row) - ANIMALS:
                detected.setdefault(word, []).append(row)
        by_word = [seen for _, seen in sorted(detected.items()) if len(seen) >= _SEEN]
        pools = [[[*rows]], [people], [named], by_word]
        return [pool for pool in pools if any(pool)]

    def draw(self, size: int) -> list[int]:
        """Rows of views, as many of every pool."""
        rows: list[int] = []
        for pool in self.pools:
            weights = [len(views) ** 0.5 for views in pool]
            chosen = random.choices(pool, weights, k=max(1, size // len(self.pools)))
            rows.extend(random.choice(views) for views in chosen)
        return rows

    def pairs(self, rows: list[int]) -> list[Pair]:
        """All that is known of some views."""
        return [
            Pair(view, Label(numbers, (), "thing", self.labels[row].source), patches)
            for view, row in enumerate(rows)
            for numbers, patches in (self._people(row), *self._things(row), *self._salient(row))
            if patches.any()
        ]

    def _place(self, row: int) -> tuple[float, float, float, float]:
        return features.window_of(tuple(self.photos[row]["size"]), row, self.kind).place()

    def _people(self, row: int) -> tuple[tuple[int, ...], Tensor]:
        covered = self.boxes.people(self.photos[row]["file"], self._place(row), self.grid)
        patches = (covered > _PERSON).float() - (covered < _NO_PERSON).float()
        if not self.words.has_people(self.labels[row]):
            patches.clamp_(max=0)
        return (self.person,), patches

    def _certain(self, row: int) -> set[str]:
        """The words of which the view's photo has a certain box."""
        return {
            things.CALLED[box.name]
            for box in self.boxes.boxes(self.photos[row]["file"])
            if things.certain(box, self.labels[row], self.words)
        }

    def _things(self, row: int) -> Iterator[tuple[tuple[int, ...], Tensor]]:
        """The things that the detector finds, and one word, by lot, that it does not find."""
        boxes = self.boxes.boxes(self.photos[row]["file"])
        affinity = rows_as_float(self.cache.affinity, [row])[0]
        place, label = self._place(row), self.labels[row]
        labels = things.view_labels(boxes, label, self.words, place, affinity, self.grid)
        signs = (labels == things.THING).float() - (labels == things.ABSENT).float()
        there = (signs > 0).any(1)
        absent = torch.where(there, 0.0, 1.0).multinomial(1)
        for index in (*there.nonzero().flatten(), *absent):
            word = things.WORDS[index]
            if word not in ANIMALS:
                yield self.words.numbers(ALSO.get(word, (word,))), signs[index]

    def _salient(self, row: int) -> Iterator[tuple[tuple[int, ...], Tensor]]:
        if self.photos[row]["source"] in features.THINGS:
            saliency = rows_as_float(self.cache.saliency, [row])[0]
            on, off = saliency > _SALIENT, saliency < _NOT_SALIENT
            if _SMALLEST <= on.float().mean() <= _LARGEST:
                yield self.labels[row].there, on.float() - off.float()


def log_priors(kinds: Sequence[tuple[Localisers, int]], before: Tensor) -> Tensor:
    """Log priors (V,) of words by `before`, those of the map, and by what the networks find."""
    count, patches = torch.zeros(len(before)), 0
    for localisers, size in kinds:
        rows = localisers.draw(_COUNTED * size)
        patches += len(rows) * math.prod(localisers.grid)
        for pair in localisers.pairs(rows):
            numbers = torch.tensor(pair.label.there)
            share = (pair.patches > 0).sum() / len(numbers)
            count.index_add_(0, numbers, share.expand(len(numbers)))
    rest = (1 - count.sum() / patches).clamp_min(0)
    return (before.softmax(0) * rest + count / patches).log()


def learn(data: Path, work: Path, steps: int = 250) -> None:
    """Write `localise.pt` by `map.pt`."""
    seed()
    words, saved = Words(data), torch.load(work / "map.pt", weights_only=True)
    before, network = (restored(saved["network"]) for _ in range(2))
    boxes, course = Labels(work), Course(words)
    kinds = [(Localisers(words, work, kind, boxes), size) for kind, size in SIZES.items()]
    log_prior = log_priors(kinds, saved["log prior"])
    scorer = Scorer(course, saved["vectors"], saved["scale"].exp(), log_prior)
    learned = network.map_parameters()
    optimiser = torch.optim.AdamW(learned, lr=0.0, betas=(0.9, 0.98), weight_decay=0.0)
    state = State(work, "localise", network=network, optimiser=optimiser)
    for step in state.steps(steps):
        falling = max(0.02, 0.5 * (1 + math.cos(math.pi * step / steps)))
        optimiser.param_groups[0]["lr"] = _RATE * min(1, (step + 1) / 15) * falling
        optimiser.zero_grad()
        for localisers, size in kinds:
            terms = losses(network, before, scorer, localisers, size)
            (terms["on"] + terms["off"] + _KEPT * terms["kept"]).backward()
            if step % 25 == 24:
                report(step, terms)
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
    extrapolate(before, network)
    torch.save({**saved, "network": network.state_dict()}, work / "localise.pt")


@torch.no_grad()
def extrapolate(before: Network, after: Network) -> None:
    """Move `after`'s map `_FURTHER` times as far from that of `before`."""
    earlier = dict(before.named_parameters())
    for name, parameter in after.named_parameters():
        parameter.copy_(earlier[name] + _FURTHER * (parameter - earlier[name]))


def losses(
    network: Network, before: Network, scorer: Scorer, localisers: Localisers, size: int
) -> dict[str, Tensor]:
    """The losses of `size` views of a kind."""
    rows = localisers.draw(size)
    pairs = localisers.pairs(rows)
    inputs = network.standardised(rows_as_float(localisers.cache.features, rows))
    patches = network.mapped(inputs)
    thing = torch.zeros(inputs.shape[:2], dtype=torch.bool)
    for pair in pairs:
        thing[pair.view] |= pair.patches > 0
    apart = 1 - (patches * before.mapped(inputs)).sum(-1)
    return {**pair_losses(scorer, localisers, patches, pairs), "kept": apart[~thing].mean()}


def pair_losses(
    scorer: Scorer, localisers: Localisers, patches: Tensor, pairs: Sequence[Pair]
) -> dict[str, Tensor]:
    """Both parts of `thing_loss` of pairs, by the patches' vectors (B, N, WIDTH) of their views."""
    view = torch.tensor([pair.view for pair in pairs])
    labels = [pair.label for pair in pairs]
    numbers, counts = padded([label.there for label in labels])
    log_z = scorer.log_z(patches[view], labels, _unnamed(localisers, labels))
    signs = torch.stack([pair.patches for pair in pairs])
    on, off = thing_loss(scorer.scores(patches[view], numbers), log_z, counts, signs)
    return {"on": on, "off": off}


def _unnamed(localisers: Localisers, labels: list[Label]) -> Tensor:
    """Words that a person's patches may have, too: what people wear, their kinds and parts; for
    pairs of "person" (P, V) bool."""
    words = localisers.words
    worn = [word for word in (*names()["people"], *word_lists.read("worn")) if words.knows(word)]
    unnamed = torch.zeros(len(labels), len(words.all), dtype=torch.bool)
    for row, label in enumerate(labels):
        if localisers.person in label.there:
            unnamed[row, list(words.numbers(worn))] = True
            unnamed[row, list(label.there)] = False
    return unnamed
