"""Pseudo-labels of things: the class activation maps (Zhou et al. 2016) of the image classifier.

The classifier averages what it computes of patches and multiplies it by a row of weights per class;
the same row times a patch says how much that patch speaks for the class. Labels that ImageNet's
classes lack get rows of a linear classifier of our own, learned here on the averages of photos:
cross-entropy over these labels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from training.batches import Cell, Views
from training.features import rows_as_float
from training.network import low_precision
from training.teachers import Classifier

ON, OFF = 0.5, 0.2
"""Above this part of the maximum a patch is the thing; below that part it is not."""


class Activation:
    """Where the named thing of a photo is, by the classifier."""

    def __init__(self, views: Views) -> None:
        self.views, self.classifier = views, Classifier()
        classes = views.words.classes
        rows = self.classifier.stem.classes.weight.flip(0)
        known = dict(zip(reversed(classes), rows, strict=True))
        self.rows = {**self._learned_rows(), **known}

    def of_views(self, rows: Sequence[int]) -> Tensor:
        """Labels (B, N) of single views: 1 on the thing, -1 beside it, 0 unknown."""
        features = rows_as_float(self.views.single.features, rows)
        names = [self._name(self.views.single.views[row][0]) for row in rows]
        return torch.stack([self._label(x, name) for x, name in zip(features, names, strict=True)])

    def of_cells(self, mosaics: Sequence[int], cells: Sequence[Cell]) -> Tensor:
        """Labels (cells, N / 4) of the photos of mosaics."""
        features = rows_as_float(self.views.mosaic.features, mosaics)
        labels = []
        for number, cell in enumerate(cells):
            photo = self.views.mosaic.views[mosaics[cell.mosaic]][number % 4]
            labels.append(self._label(features[cell.mosaic, cell.patches], self._name(photo)))
        return torch.stack(labels)

    def _name(self, photo: int) -> str | None:
        words, photo = self.views.words, self.views.words.photos[photo]
        return photo["words"][0] if words.label(photo).kind == "thing" else None

    def _label(self, features: Tensor, name: str | None) -> Tensor:
        """Labels (N,) of patches' features (N, C) by the class of that name."""
        if name is None:
            return torch.zeros(len(features))
        with low_precision():
            activation = self.classifier.deep(features).float() @ self.rows[name]
        part = activation / activation.max().clamp_min(1e-3)
        return (part > ON).float() - (part < OFF).float()

    def _learned_rows(self) -> dict[str, Tensor]:
        """Rows of a linear classifier (1280,) for the labels of things."""
        single = self.views.single
        names = [self._name(photo) for photo, _ in single.views]
        things = [row for row, name in enumerate(names) if name is not None]
        labels = sorted({names[row] for row in things})
        targets = torch.tensor([labels.index(names[row]) for row in things])
        means = torch.stack(
            [
                self.classifier.deep(rows_as_float(single.features, [row])[0]).mean(0)
                for row in things
            ]
        )
        spread = means.std(0) + 1e-3
        means = (means - means.mean(0)) / spread
        torch.manual_seed(0)
        layer = torch.nn.Linear(means.shape[1], len(labels))
        optimiser = torch.optim.AdamW(layer.parameters(), lr=3e-3, weight_decay=0.3)
        for _ in range(12):
            for rows in torch.randperm(len(targets)).split(256):
                loss = F.cross_entropy(layer(means[rows]), targets[rows], label_smoothing=0.05)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            for group in optimiser.param_groups:
                group["lr"] *= 0.8
        return dict(zip(labels, (layer.weight / spread).detach(), strict=True))
