"""Patches of photos with masks: their labels, and how they are sampled."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evaluation import EvaluationError
from training.data import TrainingPhoto
from training.features import FINE, file_of, has_file
from training.words import NONE, UNKNOWN, WordList

_MOST_OF = 0.6
"""A patch has the label that covers at least this share of it; other patches are unknown."""


def stored(work: Path, photo: TrainingPhoto) -> dict[str, np.ndarray]:
    """What ``features`` stored of a photo. Raises EvaluationError if that step must run first."""
    if not has_file(work, photo):
        raise EvaluationError(
            f"The features of {photo.name} are missing, or were computed with another photo, mask, "
            "list of words or model; run `features` first."
        )
    with np.load(file_of(work, photo)) as arrays:
        return dict(arrays)


def labels(words: WordList, photo: TrainingPhoto, mask: np.ndarray) -> np.ndarray:
    """The label of each patch: mask (V, 4h, 4w) to (V, h, w) numbers of words, UNKNOWN or NONE."""
    views, height, width = mask.shape
    table = words.of_labels(photo.source.words, photo.source.background)
    cells = table[mask].reshape(views, height // FINE, FINE, width // FINE, FINE)
    cells = cells.swapaxes(2, 3).reshape(views, height // FINE, width // FINE, FINE * FINE)
    ordered = np.sort(cells, axis=-1)
    middle = ordered[..., FINE * FINE // 2]  # a label of more than half the cells is here
    share = (cells == middle[..., None]).mean(-1)
    return np.where(share >= _MOST_OF, middle, UNKNOWN)


class Patches:
    """All patches of photos. Labelled ones are sampled with probability ∝ 1/√(number of patches
    with that label); ``unknown`` (n, FEATURES) float16 are the features of the others.

    ``words_of`` (S, V) are the words for which each source has masks, ``present`` (views, V) the
    words in each view.
    """

    def __init__(self, words: WordList, work: Path, photos: Sequence[TrainingPhoto]) -> None:
        sources = list(dict.fromkeys(photo.source for photo in photos))
        self.words_of = torch.zeros(len(sources), len(words.all), dtype=torch.bool)
        features, unknown, label, view, present, source = [], [], [], [], [], []
        for photo in photos:
            arrays = stored(work, photo)
            number = sources.index(photo.source)
            self.words_of[number, words.numbers(photo.source.words)] = True
            for x, y in zip(
                arrays["features"], labels(words, photo, arrays["labels"]), strict=True
            ):
                known = y != UNKNOWN
                features.append(x[known])
                unknown.append(x[~known])
                label.append(y[known])
                view.append(np.full(known.sum(), len(present)))
                here = torch.zeros(len(words.all), dtype=torch.bool)
                here[np.unique(y[y >= 0])] = True
                present.append(here)
                source.append(number)
        self.features = np.concatenate(features)  # (patches, FEATURES) float16
        self.unknown = np.concatenate(unknown)
        self.label, self.view = np.concatenate(label), np.concatenate(view)
        self.present, self.source = torch.stack(present), torch.tensor(source)
        if not (self.label != NONE).any():
            raise EvaluationError(
                "No patch of these photos has a word. Add photos with masks of words."
            )
        count = np.bincount(self.label - NONE)
        self._cumulative = np.cumsum(1 / np.sqrt(count[self.label - NONE]))

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each feature (FEATURES,)."""
        some = self.features[:: max(1, len(self.features) // 20_000)].astype(np.float32)
        return torch.from_numpy(some.mean(0)), torch.from_numpy(some.std(0) + 1e-3)

    def sample(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features (count, FEATURES), labels and views (count,) of sampled patches."""
        rows = np.searchsorted(self._cumulative, rng.random(count) * self._cumulative[-1])
        features = torch.from_numpy(self.features[rows].astype(np.float32))
        return features, torch.from_numpy(self.label[rows]), torch.from_numpy(self.view[rows])
