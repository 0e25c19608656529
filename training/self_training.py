"""Step 5, `self_training`: the map that ships, from what the first map finds in the photos.

Learned is a new map; the words' vectors are now the text tower's. The first map shares patches out
among a photo's words (`pseudo_labels.SELF_TRAINING`, without priors), of photos named after one
thing, too. With `log prior_k`, the logarithm of word k's part of these pseudo-labels, the logit of
word k at a patch is `s_k = scale cos(patch, word k) + log prior_k`:

- places: `place = log Z - sum_k share_k s_k`;
- things: a patch is the thing where its share is above 0.6, and not where it is below 0.12; `on`
  and `off` as in `first`, on single views and, with half the weight, on mosaics;
- attention: a linear layer (the `probe`) reads Queries and Keys from the map's tokens, whose
  attention learns DINO's affinities: `KL(affinity attention, attention)`, on single and on large
  views. So tokens have what the blocks will need.

    loss = place + on + off + (on + off of mosaics) / 2 + KL(single) + KL(large)

Afterwards words have no log priors; else walls, skies and people would take what is rare.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from training import attention, features, pseudo_labels, text
from training.affinity import affinity_attention
from training.batches import BATCH, Batch, MosaicTile, Views
from training.features import Cache
from training.first import mosaic_loss, single_losses
from training.fitting import MapOptimiser, schedule
from training.losses import Scorer
from training.network import Network, restored
from training.pseudo_labels import LabelSpace, log_priors
from training.state import State, report, seed
from training.words import WIDTH, Label, Words

ON, OFF = 0.6, 0.12
"""Above this share a patch is the thing; below that share it is not."""
_TILE, _RAISED = 0.25, 8.0
"""A thing has at least this part of its photo in a mosaic, as far as at most eight times more share
can give it: there photos are small, and the first map misses things."""
_RISING, _CONSTANT = 30, 0.3


def thing_labels(share: Tensor) -> Tensor:
    """Labels 1 on the thing, -1 beside it, 0 unknown, of a thing's share of patches."""
    return (share > ON).float() - (share < OFF).float()


class SelfTrainingLosses:
    """The losses of a step of the map; `first` is the first map."""

    def __init__(self, space: LabelSpace, views: Views, large: Cache, first: Network) -> None:
        self.space, self.views, self.large, self.first = space, views, large, first

    @torch.no_grad()
    def shares(self, batch: Batch, vectors: Tensor) -> Tensor:
        """Shares (B, N, K) of the words of a batch by the first map."""
        patches = self.first.map_vectors(batch.inputs)
        how = pseudo_labels.SELF_TRAINING
        return self.space.shares(batch.labels, patches, vectors, batch.colours, batch.likeness, how)

    def __call__(
        self, network: Network, probe: nn.Linear, scorer: Scorer, size: int
    ) -> dict[str, Tensor]:
        """Losses of `size` single views, and of some mosaics and large views."""
        batch = self.views.batch(network, self.views.draw(size))
        share = self.shares(batch, scorer.vectors)
        thing = thing_labels(share[..., 0])
        _, inputs, tiles = self.views.draw_mosaics(network, max(1, size // 16))
        labels = self._tile_labels(inputs, tiles, scorer.vectors)
        probed = torch.randperm(len(batch.rows))[: max(1, size // 4)]
        large = attention.draw(self.large, network, max(1, size // 16))
        return {
            **single_losses(network, scorer, batch.inputs, batch.labels, share, thing),
            "mosaics": mosaic_loss(network, scorer, inputs, tiles, labels),
            "probe": probe_loss(network, probe, batch.inputs[probed], batch.affinity[probed]),
            "probe of large": probe_loss(network, probe, *large),
        }

    @torch.no_grad()
    def _tile_labels(self, inputs: Tensor, tiles: Sequence[MosaicTile], vectors: Tensor) -> Tensor:
        """Labels (tiles, N / 4) of the photos of mosaics (B, N, C)."""
        patches = self.first.map_vectors(inputs)
        shares = [tile_share(patches[t.mosaic][t.patches], t.label, vectors) for t in tiles]
        return thing_labels(torch.stack(shares))


def probe_loss(network: Network, probe: nn.Linear, inputs: Tensor, affinity: Tensor) -> Tensor:
    """Divergence of the attention that the probe reads from the tokens of features (B, N, C) from
    that of affinities (B, N, N)."""
    x = network.block_input(network.tokens(inputs))
    return attention.divergence(attention.read(probe, x), affinity_attention(affinity))


def tile_share(patches: Tensor, label: Label, vectors: Tensor) -> Tensor:
    """A thing's share of each patch (N,) of its photo in a mosaic, by the patches' vectors (N,
    WIDTH): a softmax over its best name and its surroundings, raised to a quarter on the mean."""
    logits = pseudo_labels.SCALE * patches @ vectors[list(label.words)].T  # (N, K)
    names = len(label.there)
    best = logits[:, :names].amax(1, keepdim=True)
    share = torch.cat([best, logits[:, names:]], 1).softmax(1)
    factor = (_TILE / share[:, 0].mean().clamp_min(1e-3)).clamp(1, _RAISED)
    thing = share[:, 0] * factor
    return thing / (thing + share[:, 1:].sum(1))


def run(data: Path, work: Path, steps: int = 700, size: int = BATCH) -> None:
    """Write `self_training.pt` by `first.pt` and `text.pt`: the network, the words' vectors, the
    logarithm of the scale, the probe, and log priors."""
    seed()
    words = Words(data)
    vectors = text.vectors(words, work)
    views, space = Views(words, work), LabelSpace(words)
    first = restored(torch.load(work / "first.pt", weights_only=True)["network"])
    losses = SelfTrainingLosses(space, views, features.read_cache(work, "large"), first)
    log_prior = log_priors(views, first, space, lambda batch: losses.shares(batch, vectors))
    network, probe = Network(first.mean, first.spread), nn.Linear(WIDTH, 2 * WIDTH)
    fit = MapOptimiser(network.map_parameters(), [probe.weight, probe.bias])
    inputs = ("first.pt", "text.pt", "single.json", "mosaic.json", "large.json")
    state = State(work, "self_training", steps, inputs, network=network, probe=probe, fit=fit)
    for step in state.steps():
        scorer = Scorer(space, vectors, fit.scale.exp(), log_prior)
        terms = losses(network, probe, scorer, size)
        fit.step(sum(terms.values()), schedule(step, steps, _RISING, _CONSTANT))
        report(step, steps, terms)
    fit.average()
    saved = {"network": network.state_dict(), "vectors": vectors, "scale": fit.scale.detach()}
    saved |= {"probe": probe.state_dict(), "log prior": log_prior}
    torch.save(saved, work / "self_training.pt")
