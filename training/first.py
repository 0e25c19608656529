"""Step 3, `first`: a first map from features to words, from words of whole photos alone.

Learned are the map and the vectors of stuff (sky, wall, …) and of names (abacus, …) that the table
of CLIP's embeddings lacks, on the first 8,000 views. The logit of word k at a patch is
`s_k = scale cos(patch, word k)`, and `log Z = log sum_j exp(s_j)` (`losses.py`):

- places: pseudo-labels are shares of patches by what the map itself finds so far and by priors of
  position and colour (`pseudo_labels.FIRST`); `place = log Z - sum_k share_k s_k`;
- things: pseudo-labels are class activation maps (`activation`). On the thing
  `on = log Z - (mean_k s_k + log sum_k exp(s_k)) / 2` over its names k, beside it
  `off = -log(1 - sum_k exp(s_k) / Z)`; on single views and, with half the weight, on mosaics.

    loss = place + on + off + (on + off of mosaics) / 2
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import pseudo_labels
from training.activation import Activation
from training.batches import BATCH, MosaicTile, Views, statistics
from training.fitting import MapOptimiser, schedule
from training.losses import Scorer, place_loss, thing_loss
from training.network import Network
from training.pseudo_labels import LabelSpace, padded
from training.state import State, report, seed
from training.words import Label, Words

VIEWS = 8000
PATCHES = 48
"""Patches of a view that a step learns from: neighbours are alike, and a third costs a third."""
_RISING, _CONSTANT = 30, 0.3


class FirstLosses:
    """The losses of a step of the first map."""

    def __init__(self, space: LabelSpace, views: Views, activation: Activation) -> None:
        self.space, self.views, self.activation = space, views, activation

    def __call__(self, network: Network, scorer: Scorer, size: int) -> dict[str, Tensor]:
        """Losses of `size` single views, some patches of each, and of a few mosaics."""
        batch = self.views.batch(network, self.views.draw(size))
        with torch.no_grad():
            share = self.space.shares(
                batch.labels,
                network.map_vectors(batch.inputs),
                scorer.vectors,
                batch.colours,
                batch.likeness,
                pseudo_labels.FIRST,
            )
        thing = self.activation.of_views(batch.rows)
        return {
            **single_losses(network, scorer, batch.inputs, batch.labels, share, thing),
            "mosaics": self._mosaics(network, scorer, max(1, size // 16)),
        }

    def _mosaics(self, network: Network, scorer: Scorer, count: int) -> Tensor:
        rows, inputs, tiles = self.views.draw_mosaics(network, count)
        return mosaic_loss(network, scorer, inputs, tiles, self.activation.of_tiles(rows, tiles))


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
    patches = torch.rand(inputs.shape[:2]).argsort(1)[:, :PATCHES]  # (B, PATCHES)
    rows = torch.arange(len(labels))[:, None]
    vectors = network.map_vectors(inputs[rows, patches], patches)  # (B, PATCHES, WIDTH)
    share, thing = share[rows, patches], thing[rows, patches]
    log_z = scorer.log_z(vectors, labels)
    numbers, _ = padded([label.words for label in labels])
    there, counts = padded([label.there for label in labels])
    is_thing = torch.tensor([label.kind == "thing" for label in labels])
    place = place_loss(
        scorer.scores(vectors, numbers)[~is_thing], log_z[~is_thing], share[~is_thing]
    )
    on, off = thing_loss(
        scorer.scores(vectors, there)[is_thing], log_z[is_thing], counts[is_thing], thing[is_thing]
    )
    return {"places": place, "on": on, "off": off}


def mosaic_loss(
    network: Network, scorer: Scorer, inputs: Tensor, tiles: Sequence[MosaicTile], thing: Tensor
) -> Tensor:
    """Half of `thing_loss` of the photos of mosaics (B, N, C) with labels (tiles, N / 4)."""
    vectors = network.map_vectors(inputs)
    vectors = torch.stack([vectors[tile.mosaic][tile.patches] for tile in tiles])
    labels = [tile.label for tile in tiles]
    there, counts = padded([label.there for label in labels])
    log_z = scorer.log_z(vectors, labels)
    on, off = thing_loss(scorer.scores(vectors, there), log_z, counts, thing)
    return 0.5 * (on + off)


def run(data: Path, work: Path, steps: int = 300, size: int = BATCH) -> None:
    """Write `first.pt`: the network, the words' vectors and the logarithm of the scale."""
    seed()
    words = Words(data)
    views, space = Views(words, work, VIEWS), LabelSpace(words)
    losses = FirstLosses(space, views, Activation(views))
    network = Network(*statistics(views.single))
    free = nn.Parameter(words.vectors.clone())

    def vectors() -> Tensor:
        """Published vectors as they are, and the others as they are learned: (V, WIDTH)."""
        return F.normalize(torch.where(words.given[:, None], words.vectors, free), dim=1)

    fit = MapOptimiser(network.map_parameters(), [free])
    inputs = ("single.json", "mosaic.json")
    state = State(work, "first", steps, inputs, network=network, fit=fit)
    for step in state.steps():
        scorer = Scorer(space, vectors(), fit.scale.exp(), torch.zeros(len(words.all)))
        terms = losses(network, scorer, size)
        fit.step(sum(terms.values()), schedule(step, steps, _RISING, _CONSTANT))
        report(step, steps, terms)
    fit.average()
    saved = {
        "network": network.state_dict(),
        "vectors": words.with_neighbours(vectors().detach()),
        "scale": fit.scale.detach(),
    }
    torch.save(saved, work / "first.pt")
