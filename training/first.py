"""Step 3, `first`: a first map from features to words, from words of whole photos alone.

The map and the vectors of stuff (sky, wall, …), which CLIP's published nouns lack, are learned
together, of the first 8,000 views:

- things: `thing_loss` with class activation maps (`activation`) as pseudo-labels, on single views
  and, with half the weight, on mosaics;
- places: `place_loss` with shares (`pseudo_labels.FIRST`) by what the map itself says so far and by
  priors of place and colour.

    loss = place_loss + on + off + (on + off of mosaics) / 2
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import pseudo_labels
from training.activation import Activation
from training.batches import Cell, Views, statistics
from training.fitting import Fit, schedule
from training.losses import Scorer, place_loss, thing_loss
from training.network import Network
from training.pseudo_labels import Course, padded
from training.state import State, report, seed
from training.words import Label, Words

VIEWS = 8000
PATCHES = 48
"""Patches of a view that a step learns from."""


class FirstLosses:
    """The losses of a step of the first map."""

    def __init__(self, course: Course, views: Views, activation: Activation) -> None:
        self.course, self.views, self.activation = course, views, activation

    def __call__(self, network: Network, scorer: Scorer, size: int) -> dict[str, Tensor]:
        """Losses of `size` single views, some patches of each, and of a few mosaics."""
        batch = self.views.batch(network, self.views.draw(size))
        labels = batch.labels
        with torch.no_grad():
            share = self.course.shares(
                labels,
                network.mapped(batch.inputs),
                scorer.vectors,
                batch.colours,
                batch.likeness,
                pseudo_labels.FIRST,
            )
        thing = self.activation.of_views(batch.rows)
        return {
            **single_losses(network, scorer, batch.inputs, labels, share, thing),
            "mosaics": self._mosaics(network, scorer, max(1, size // 16)),
        }

    def _mosaics(self, network: Network, scorer: Scorer, count: int) -> Tensor:
        rows, inputs, cells = self.views.draw_mosaics(network, count)
        return mosaic_loss(network, scorer, inputs, cells, self.activation.of_cells(rows, cells))


def single_losses(
    network: Network,
    scorer: Scorer,
    inputs: Tensor,
    labels: Sequence[Label],
    share: Tensor,
    thing: Tensor,
) -> dict[str, Tensor]:
    """`place_loss` of places with shares (B, N, K) and `thing_loss` of things with labels (B, N),
    at some patches of views (B, N, C)."""
    patches = torch.rand(inputs.shape[:2]).argsort(1)[:, :PATCHES]
    rows = torch.arange(len(labels))[:, None]
    vectors, share = network.mapped(inputs[rows, patches], patches), share[rows, patches]
    log_z = scorer.log_z(vectors, labels)
    numbers, _ = padded([label.words for label in labels])
    there, counts = padded([label.there for label in labels])
    is_thing = torch.tensor([label.kind == "thing" for label in labels])
    place = place_loss(
        scorer.scores(vectors, numbers)[~is_thing], log_z[~is_thing], share[~is_thing]
    )
    on, off = thing_loss(
        scorer.scores(vectors, there)[is_thing],
        log_z[is_thing],
        counts[is_thing],
        thing[rows, patches][is_thing],
    )
    return {"places": place, "on": on, "off": off}


def mosaic_loss(
    network: Network, scorer: Scorer, inputs: Tensor, cells: Sequence[Cell], thing: Tensor
) -> Tensor:
    """Half of `thing_loss` of the photos of mosaics (B, N, C) with labels (cells, N / 4)."""
    vectors = network.mapped(inputs)
    vectors = torch.stack([vectors[cell.mosaic][cell.patches] for cell in cells])
    labels = [cell.label for cell in cells]
    there, counts = padded([label.there for label in labels])
    log_z = scorer.log_z(vectors, labels)
    on, off = thing_loss(scorer.scores(vectors, there), log_z, counts, thing)
    return 0.5 * (on + off)


def learn(data: Path, work: Path, steps: int = 300, size: int = 64) -> None:
    """Write `first.pt`: the network, the words' vectors and the scale."""
    seed()
    words = Words(data)
    views, course = Views(words, work, VIEWS), Course(words)
    losses = FirstLosses(course, views, Activation(views))
    network = Network(*statistics(views.single))
    free = nn.Parameter(words.vectors.clone())
    fit = Fit(network.map_parameters(), [free])
    state = State(work, "first", network=network, fit=fit)
    for step in state.steps(steps):
        vectors = F.normalize(torch.where(words.given[:, None], words.vectors, free), dim=1)
        scorer = Scorer(course, vectors, fit.scale.exp(), torch.zeros(len(vectors)))
        terms = losses(network, scorer, size)
        fit.step(sum(terms.values()), 2e-3 * schedule(step, steps))
        if step % 25 == 24:
            report(step, terms)
    fit.average()
    vectors = F.normalize(torch.where(words.given[:, None], words.vectors, free), dim=1).detach()
    torch.save(
        {
            "network": network.state_dict(),
            "vectors": words.settle(vectors),
            "scale": fit.scale.detach(),
        },
        work / "first.pt",
    )
