"""Pseudo-labels of things: the class activation maps (Zhou et al. 2016) of the image classifier.

EfficientNet-Lite2's classifier averages the features of patches and multiplies the average by a row
of weights per class. The same row `w` times the features `x` of one patch is how much that patch
adds to the class's logit: `activation = w x`. Many labels are no classes of ImageNet. So a linear
classifier is learned here, on the averages of the single views, by the cross-entropy over all
labels of things; its row is used for a label that is no class.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from training.batches import MosaicTile, Views
from training.features import rows_as_float
from training.network import low_precision
from training.teachers import Classifier

ON, OFF = 0.5, 0.2
"""Above this part of the maximum a patch is the thing; below that part it is not."""
_FLOOR = 1e-3
"""A maximum below it counts as this: where the class adds to no patch, none is the thing."""
_EPOCHS, _BATCH, _SMOOTHING = 12, 256, 0.05
_RATE, _FALL, _DECAY = 3e-3, 0.8, 0.3
"""The classifier that is learned: its rate falls by a fifth after each epoch; its weights decay
strongly, since labels have few photos."""


class Activation:
    """Where the named thing of a photo is, by the classifier."""

    def __init__(self, views: Views) -> None:
        self.views, self.classifier = views, Classifier()
        published: dict[str, Tensor] = {}
        rows = self.classifier.stem.classes.weight
        for name, weight in zip(views.words.classes, rows, strict=True):
            published.setdefault(name, weight)  # "crane" is two classes, a bird and then a machine
        self.weights = {**self._learned_weights(), **published}

    def of_views(self, rows: Sequence[int]) -> Tensor:
        """Labels (B, N) of single views: 1 on the thing, -1 beside it, 0 unknown."""
        features = rows_as_float(self.views.single.features, rows)
        names = [self._name(self.views.single.views[row][0]) for row in rows]
        return torch.stack([self._label(x, name) for x, name in zip(features, names, strict=True)])

    def of_tiles(self, mosaics: Sequence[int], tiles: Sequence[MosaicTile]) -> Tensor:
        """Labels (tiles, N / 4) of the photos of mosaics in these rows of the cache."""
        features = rows_as_float(self.views.mosaic.features, mosaics)
        labels = [
            self._label(features[tile.mosaic, tile.patches], self._name(tile.photo))
            for tile in tiles
        ]
        return torch.stack(labels)

    def _name(self, number: int) -> str | None:
        """The label that a photo of a thing has in `index.jsonl`."""
        words = self.views.words
        photo = words.photos[number]
        return photo["words"][0] if words.label(photo).kind == "thing" else None

    def _label(self, features: Tensor, name: str | None) -> Tensor:
        """Labels (N,) of patches' features (N, C) by the class of that name."""
        if name is None:
            return torch.zeros(len(features))
        with low_precision():
            activation = self.classifier.deep(features).float() @ self.weights[name]
        return activation_labels(activation)

    def _learned_weights(self) -> dict[str, Tensor]:
        """A row of weights (1280,) for each label of things, from single views."""
        single = self.views.single
        names = [self._name(photo) for photo, _ in single.views]
        things = [row for row, name in enumerate(names) if name is not None]
        labels = sorted({names[row] for row in things})
        targets = torch.tensor([labels.index(names[row]) for row in things])
        means = torch.stack([self._mean(row) for row in things])  # (things, 1280)
        spread = means.std(0) + 1e-3
        layer = _classifier((means - means.mean(0)) / spread, targets, len(labels))
        return dict(zip(labels, (layer.weight / spread).detach(), strict=True))

    def _mean(self, row: int) -> Tensor:
        """The average (1280,) that the classifier reads, of a single view."""
        features = rows_as_float(self.views.single.features, [row])[0]
        return self.classifier.deep(features).mean(0)


def activation_labels(activation: Tensor) -> Tensor:
    """Labels (N,) of a class activation map (N,): 1 on the thing, -1 beside it, 0 unknown."""
    part = activation / activation.max().clamp_min(_FLOOR)
    return (part > ON).float() - (part < OFF).float()


def _classifier(inputs: Tensor, targets: Tensor, count: int) -> torch.nn.Linear:
    """A linear classifier of inputs (B, 1280) into `count` labels."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(inputs.shape[1], count)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=_RATE, weight_decay=_DECAY)
    for _ in range(_EPOCHS):
        for rows in torch.randperm(len(targets)).split(_BATCH):
            logits = layer(inputs[rows])
            loss = F.cross_entropy(logits, targets[rows], label_smoothing=_SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] *= _FALL
    return layer
