"""Which features of the frozen networks tell words apart: a probe that learns from true masks.

    python -m training.probe COCO_VAL

For each set of features a layer from a patch's features to words is taught with the masks of one
half of the measuring photos and tested on the other half, both ways round: one linear layer, and
for some sets a linear plus a two-layer one as the stem's map is. Words of which the taught half has
no region are void. The loss is the cross-entropy over the words of the taught half with their log
priors, which are left out when it is tested. Nothing that is learned here ships.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core import blocks, images, masks
from training.cases import Case, iou, patch_truth, read_cases
from training.state import seed
from training.teachers import MEAN, PATCH, STD, STEM, Classifier, Dino

_LAYERS = (6, 8, 9, 10, 12)
_SIDE = 320
_STEPS, _SIZE, _RATE, _DECAY = 400, 1024, 1e-3, 0.1
_STAGES = "EfficientNet's three stages"
_DEEPEST = "EfficientNet's deepest stage"
FEATURES: Mapping[str, tuple[str, ...]] = {
    _STAGES: (_STAGES,),
    _DEEPEST: (_DEEPEST,),
    **{f"DINO's block {n}": (f"DINO's block {n}",) for n in _LAYERS},
    "deepest stage and block 9": (_DEEPEST, "DINO's block 9"),
    **{f"three stages and block {n}": (_STAGES, f"DINO's block {n}") for n in (8, 9, 10)},
}
"""Sets of features by name, and their parts."""
_DEEP = (_STAGES, "DINO's block 8", "DINO's block 9", "three stages and block 9")
"""Sets that a two-layer map is taught of, too."""


@dataclass(frozen=True)
class Photo:
    """A measuring photo, its grid, and its features by part, each (N, C)."""

    case: Case
    grid: tuple[int, int]
    parts: Mapping[str, Tensor]

    def features(self, names: Sequence[str]) -> Tensor:
        return torch.cat([self.parts[name] for name in names], dim=1).float()


@torch.inference_mode()
def describe(case: Case, classifier: Classifier, dino: Dino) -> Photo:
    """All parts of a photo's features at a shorter side of 320 pixels."""
    photo = images.check(case.image)
    scale = _SIDE / min(photo.size)
    width, height = (round(length * scale / PATCH) for length in photo.size)
    scaled = images.resize(photo, (height * PATCH, width * PATCH))
    pixels = (torch.from_numpy(np.array(scaled)).permute(2, 0, 1)[None].float() - MEAN) / STD
    stages = classifier.stem.convolutions(pixels).flatten(1, 2)[0]
    parts = {_STAGES: stages, _DEEPEST: stages[:, classifier.stem.deepest]}
    x = dino.trunk.embed(pixels)
    for number, block in enumerate(dino.all_blocks, 1):
        x = blocks.run(block, x, blocks.project(block, x))
        if number in _LAYERS:
            parts[f"DINO's block {number}"] = x[0, 1:]
    return Photo(case, (height, width), {name: part.half() for name, part in parts.items()})


class Map(nn.Module):
    """Features to words: a linear layer, and a two-layer one beside it if it is `deep`."""

    def __init__(self, features: int, words: int, deep: bool) -> None:
        super().__init__()
        hidden = STEM["hidden"]
        self.linear = nn.Linear(features, words)
        self.deep = None
        if deep:
            out = nn.Linear(hidden, words, bias=False)
            self.deep = nn.Sequential(nn.Linear(features, hidden), nn.GELU(), out)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) if self.deep is None else self.linear(x) + self.deep(x)


def fit(features: Tensor, truth: Tensor, words: int, deep: bool) -> Map:
    """A map of standardised features (P, C) to words (P,)."""
    seed()
    log_prior = (torch.bincount(truth, minlength=words) / len(truth) + 1e-4).log()
    network = Map(features.shape[1], words, deep)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, _STEPS)
    for _ in range(_STEPS):
        rows = torch.randint(len(features), (_SIZE,))
        loss = F.cross_entropy(network(features[rows]) + log_prior, truth[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        falling.step()
    return network


def known(case: Case, words: Sequence[str]) -> Case:
    """A case with only those words and distractors that are among `words`; the rest is void."""
    kept = tuple(word for word in case.words if word in words)
    truth = np.full_like(case.truth, -1)
    for number, word in enumerate(kept):
        truth[case.truth == case.words.index(word)] = number
    distractors = tuple(word for word in case.distractors if word in words)
    return replace(case, words=kept, distractors=distractors, truth=truth)


def probe(
    taught: Sequence[Photo], tested: Sequence[Photo], names: Sequence[str], deep: bool
) -> tuple[float, float]:
    """Mean IoU of the words that are there, among themselves and beside distractors."""
    words = sorted({word for photo in taught for word in photo.case.words})
    number = {word: n for n, word in enumerate(words)}
    features = torch.cat([photo.features(names) for photo in taught])
    truth = []
    for photo in taught:
        of = torch.tensor([*(number[word] for word in photo.case.words), -1])
        truth.append(of[patch_truth(photo.case.truth, photo.grid)])
    labels = torch.cat(truth)
    mean, spread = features.mean(0), features.std(0) + 1e-3
    standardised = (features - mean) / spread
    network = fit(standardised[labels >= 0], labels[labels >= 0], len(words), deep)
    scores = []
    for photo in tested:
        case = known(photo.case, words)
        if not case.words:
            continue
        with torch.inference_mode():
            logits = network((photo.features(names) - mean) / spread).T
        rows = [number[word] for word in (*case.words, *case.distractors)]
        logits = logits[rows].unflatten(1, photo.grid)
        owner, count = range(len(rows)), len(case.words)
        alone = masks.labels(logits[:count], owner[:count], case.truth.shape).numpy()
        beside = masks.labels(logits, owner, case.truth.shape).numpy()
        scores.append((iou(case, alone).mean(), iou(case, beside).mean()))
    there, with_others = 100 * np.mean(scores, axis=0)
    return float(there), float(with_others)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Probe features with true masks.")
    parser.add_argument("folder", type=Path, help="the measuring photos")
    folder: Path = parser.parse_args().folder
    classifier, dino = Classifier(), Dino()
    photos = [describe(case, classifier, dino) for case in read_cases(folder)]
    halves = [[photo for photo in photos if photo.case.half == h] for h in ("choose", "report")]
    for name, parts in FEATURES.items():
        for deep in (False, True) if name in _DEEP else (False,):
            forth, back = (
                probe(taught, tested, parts, deep) for taught, tested in (halves, halves[::-1])
            )
            scores = " | ".join(f"{there:.1f}, {beside:.1f}" for there, beside in (forth, back))
            print(f"{name} | {'two layers' if deep else 'linear'} | {scores}", flush=True)
