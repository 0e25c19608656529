"""Step 5, `map`: the map that ships, by self-training on what the first map makes of photos.

The vectors of the words are now the text tower's. The first map shares patches out among a photo's
words (`pseudo_labels.ANEW`, without priors), of photos named after one thing, too:

- places: `place_loss` with these shares;
- things: a patch is the thing where its share is above 0.6, and not where it is below 0.12;
  `thing_loss`, on single views and, with half the weight, on mosaics;
- attention: a linear layer on the map's tokens reads Queries and Keys, whose attention learns
  DINO's affinities (`attention.target`), so that tokens have what the blocks will need:
  the Kullback-Leibler divergence, on single and on large views.

    loss = place_loss + on + off + (on + off of mosaics) / 2 + KL(single) + KL(large)

While it learns, words have log priors: the logarithm of how much of the pseudo-labels is theirs.
Afterwards they have none; else walls, skies and people would take what is rare.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from training import attention, features, pseudo_labels, text
from training.batches import Batch, Cell, Views
from training.features import Cache
from training.first import mosaic_loss, single_losses
from training.fitting import Fit, schedule
from training.losses import Scorer
from training.network import Network, restored
from training.pseudo_labels import Course, log_priors
from training.state import State, report, seed
from training.words import WIDTH, Label, Words

ON, OFF = 0.6, 0.12
"""Above this share a patch is the thing; below that share it is not."""


def thing_labels(share: Tensor) -> Tensor:
    """Labels 1 on the thing, -1 beside it, 0 unknown, of a thing's share of patches."""
    return (share > ON).float() - (share < OFF).float()


class MapLosses:
    """The losses of a step of the map; `first` is the first map."""

    def __init__(self, course: Course, views: Views, large: Cache, first: Network) -> None:
        self.course, self.views, self.large, self.first = course, views, large, first

    @torch.no_grad()
    def shares(self, batch: Batch, vectors: Tensor) -> Tensor:
        """Shares (B, N, K) of the words of a batch by the first map."""
        patches = self.first.mapped(batch.inputs)
        return self.course.shares(
            batch.labels, patches, vectors, batch.colours, batch.likeness, pseudo_labels.ANEW
        )

    def __call__(
        self, network: Network, look: nn.Linear, scorer: Scorer, size: int
    ) -> dict[str, Tensor]:
        """Losses of `size` single views, and of some mosaics and large views."""
        batch = self.views.batch(network, self.views.draw(size))
        share = self.shares(batch, scorer.vectors)
        thing = thing_labels(share[..., 0])
        _, inputs, cells = self.views.draw_mosaics(network, max(1, size // 16))
        labels = self._cell_labels(inputs, cells, scorer.vectors)
        some = torch.randperm(len(batch.rows))[: max(1, size // 4)]
        large = attention.draw(self.large, network, max(1, size // 16))
        return {
            **single_losses(network, scorer, batch.inputs, batch.labels, share, thing),
            "mosaics": mosaic_loss(network, scorer, inputs, cells, labels),
            "looking": looking(network, look, batch.inputs[some], batch.affinity[some]),
            "looking at large": looking(network, look, *large),
        }

    @torch.no_grad()
    def _cell_labels(self, inputs: Tensor, cells: list[Cell], vectors: Tensor) -> Tensor:
        """Labels (cells, N / 4) of the photos of mosaics (B, N, C)."""
        patches = self.first.mapped(inputs)
        shares = [cell_share(patches[c.mosaic][c.patches], c.label, vectors) for c in cells]
        return thing_labels(torch.stack(shares))


def looking(network: Network, look: nn.Linear, inputs: Tensor, affinity: Tensor) -> Tensor:
    """Divergence of the attention that `look` reads from the tokens from the target."""
    x = network.block_input(network.tokens(inputs))
    return attention.divergence(attention.read(look, x), attention.target(affinity))


def cell_share(patches: Tensor, label: Label, vectors: Tensor) -> Tensor:
    """A thing's share of each patch (N,) of its photo in a mosaic, by the patches' vectors (N,
    WIDTH). It has a quarter of them at least."""
    logits = pseudo_labels.SCALE * patches @ vectors[list(label.words)].T
    names = len(label.there)
    best = logits[:, :names].amax(1, keepdim=True)
    share = torch.cat([best, logits[:, names:]], 1).softmax(1)
    thing = share[:, 0] * (0.25 / share[:, 0].mean().clamp_min(1e-3)).clamp(1, 8)
    return thing / (thing + share[:, 1:].sum(1))


def learn(data: Path, work: Path, steps: int = 700, size: int = 64) -> None:
    """Write `map.pt` by `first.pt` and `text.pt`: network, vectors, scale, and the layer `look`."""
    seed()
    words = Words(data)
    vectors = text.vectors(words, work)
    views, course = Views(words, work), Course(words)
    first = restored(torch.load(work / "first.pt", weights_only=True)["network"])
    losses = MapLosses(course, views, features.read_cache(work, "large"), first)
    log_prior = log_priors(views, first, course, lambda batch: losses.shares(batch, vectors))
    network, look = Network(first.mean, first.spread), nn.Linear(WIDTH, 2 * WIDTH)
    fit = Fit(network.map_parameters(), [look.weight, look.bias])
    state = State(work, "map", network=network, look=look, fit=fit)
    for step in state.steps(steps):
        scorer = Scorer(course, vectors, fit.scale.exp(), log_prior)
        terms = losses(network, look, scorer, size)
        fit.step(sum(terms.values()), 2e-3 * schedule(step, steps))
        if step % 25 == 24:
            report(step, terms)
    fit.average()
    saved = {"network": network.state_dict(), "vectors": vectors, "scale": fit.scale.detach()}
    torch.save({**saved, "look": look.state_dict(), "log prior": log_prior}, work / "map.pt")
