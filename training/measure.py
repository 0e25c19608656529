"""What the model makes of photos with true masks: the figures of its card.

    python -m training.measure COCO_VAL [--out FILE]

COCO_VAL holds photos, masks and ``index.json`` as ``evaluation.photo_set.photo_folder`` reads them.
Words are those of regions of at least one percent of a photo (smaller ones are void); all kinds of
wall are "wall". The score is the mean over photos of the mean IoU of the words that are there, once
among themselves and once beside ten distractors, which are drawn from the other words of the set.
Then the photos that ship, with and without a planted channel, and where attention in the middle
blocks goes.
"""

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from evaluation import metric
from evaluation.photos import star_photos
from evaluation.sheets import PLANTED, WAYS
from gclip_core import masks
from gclip_core.backbone import Backbone, load_backbone, plant_channel
from gclip_core.methods import METHODS
from gclip_core.segmenter import Segmenter
from gclip_core.types import Method, Vocabulary

EIGHT = ("chelsea", "flower", "china", "teddy", "dog", "astronaut", "jockey", "coffee")
"""Photos whose scores earlier versions were judged by."""
_LEAST, _LARGE = 0.01, 0.05
_FIVE = ("person", "sky", "grass", "tree", "wall")
_MIDDLE, _MOST = (5, 6), 10
_METHODS: dict[str, Method] = {**METHODS, "AMF": WAYS["AMF"], "CS": WAYS["CS"]}


@dataclass(frozen=True)
class Case:
    """One photo: its words, ten that are not there, and its truth (H, W), -1 where void."""

    image: Path
    words: tuple[str, ...]
    distractors: tuple[str, ...]
    truth: NDArray[np.int64]


def one_name(word: str) -> str:
    """COCO's finer names for walls, floors and the sea, as one word each."""
    walls = "wall" if word.startswith("wall") else word
    return {"wooden floor": "floor", "sea": "ocean"}.get(word, walls)


def cases(folder: Path) -> Iterator[Case]:
    """The photos of a measuring set in order."""
    index = json.loads((folder / "index.json").read_text("utf-8"))
    pool = sorted({one_name(word) for item in index for word in item["words"].values()})
    rng = random.Random(0)
    for item in index:
        mask = np.array(Image.open(folder / f"{item['file']}.png"))
        regions: dict[str, NDArray[np.bool_]] = {}
        for value, word in item["words"].items():
            name = one_name(word)
            regions[name] = regions.get(name, False) | (mask == int(value))
        words = tuple(word for word, region in regions.items() if region.mean() >= _LEAST)
        distractors = tuple(rng.sample([word for word in pool if word not in words], 10))
        truth = np.full(mask.shape, -1)
        for number, word in enumerate(words):
            truth[regions[word]] = number
        if words:
            yield Case(folder / f"{item['file']}.jpg", words, distractors, truth)


def iou(case: Case, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """IoU of each word of a photo; labels beyond its words are distractors."""
    counts = metric.confusion(case.truth, labels, len(case.words) + len(case.distractors))
    return metric.scores(counts).iou[: len(case.words)]


def largest_everywhere(case: Case) -> float:
    """The mean IoU of saying the largest region's word everywhere."""
    sizes = np.bincount(case.truth[case.truth >= 0], minlength=len(case.words))
    return float(sizes.max() / sizes.sum() / len(case.words))


def _percent(scores: Sequence[float]) -> float:
    return round(100 * float(np.mean(scores)), 1)


def measure(segmenter: Segmenter, some: Sequence[Case]) -> dict[str, Any]:
    """Each method's mean IoU in percent, also by word with the number of its photos, and where
    attention goes; a photo is encoded once."""
    photos, words = ({name: defaultdict(list) for name in _METHODS} for _ in range(2))
    looked = []
    for case in some:
        encoded = segmenter.encode(case.image)
        for name, method in _METHODS.items():
            found = segmenter.segment(encoded, [*case.words, *case.distractors], method)
            there = found.logits[: len(case.words)], found.owner[: len(case.words)]
            alone = iou(case, masks.labels(*there, encoded.image_size).numpy())
            photos[name]["there"].append(alone.mean())
            photos[name]["+10"].append(iou(case, found.labels.numpy()).mean())
            for number, word in enumerate(case.words):
                if (case.truth == number).mean() >= _LARGE:
                    words[name][word].append(alone[number])
        maps = [segmenter.attention_map(encoded, block)[1:, 1:] for block in _MIDDLE]
        looked.append(same_region(sum(maps), case.truth, encoded.grid))
    methods: dict[str, dict[str, Any]] = {}
    for name in _METHODS:
        methods[name] = {column: _percent(scores) for column, scores in photos[name].items()}
        often = sorted(words[name].items(), key=lambda item: -len(item[1]))
        methods[name]["words"] = {
            word: [_percent(scores), len(scores)]
            for word, scores in often
            if word in _FIVE or len(scores) >= 5
        }
    most, random_ones = np.nanmean(looked, axis=0)
    return {
        "methods": methods,
        "attended patches of the same region": [_percent([most]), _percent([random_ones])],
    }


def same_region(attention: Tensor, truth: NDArray, grid: tuple[int, int]) -> tuple[float, ...]:
    """How many of a patch's most attended patches lie on its region, and of patches at random of
    the same distance: shares, of attention (N, N) and truth (H, W)."""
    rows, columns = (
        ((np.arange(n) + 0.5) * size / n).astype(int)
        for n, size in zip(grid, truth.shape, strict=True)
    )
    region = torch.from_numpy(truth[rows[:, None], columns].flatten())
    place = torch.cartesian_prod(*(torch.arange(n) for n in grid)).float()
    distance = torch.cdist(place, place).round().long()
    same = (region[:, None] == region[None]).float()
    known = (region >= 0).float()
    rings = int(distance.max()) + 1
    blank = torch.zeros(len(region), rings)
    there = blank.scatter_add(1, distance, known.expand(len(region), -1))
    alike = blank.scatter_add(1, distance, same * known)
    by_chance = alike / there.clamp_min(1)
    hidden = torch.eye(len(region), dtype=torch.bool) | (region < 0)
    best = attention.masked_fill(hidden, -1).topk(min(_MOST, len(region) - 1), dim=1).indices
    asking = region >= 0
    chance = by_chance.gather(1, distance.gather(1, best))
    return tuple(float(of[asking].mean()) for of in (same.gather(1, best), chance))


def shipped(backbone: Backbone) -> dict[str, dict[str, list[float]]]:
    """Each photo that ships, with and without a planted channel, in each of the four ways."""
    found: dict[str, dict[str, list[float]]] = {}
    for title, one in (("as it is", backbone), ("planted", plant_channel(backbone, **PLANTED))):
        segmenter, rows = Segmenter(one), found.setdefault(title, {})
        for name, photo in star_photos().items():
            encoded, words = segmenter.encode(photo.image()), Vocabulary(photo.words)
            rows[name] = []
            for method in WAYS.values():
                labels = segmenter.segment(encoded, words, method).labels.numpy()
                scores = metric.against_truth(photo.labels(), photo.words, labels, words)
                rows[name].append(_percent([scores.miou]))
        eight = [rows[name] for name in EIGHT]
        for mean, of in (("mean of eight", eight), ("mean of all", [*rows.values()])):
            rows[mean] = [round(float(np.mean(column)), 1) for column in zip(*of, strict=True)]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the built-in model by true masks.")
    parser.add_argument("folder", type=Path, help="photos with masks and an index.json")
    parser.add_argument("--out", type=Path, help="a file for what is printed")
    given = parser.parse_args()
    some, backbone = list(cases(given.folder)), load_backbone()
    measured = {
        "the largest word everywhere": _percent([largest_everywhere(case) for case in some]),
        **measure(Segmenter(backbone), some),
        f"shipped photos: {', '.join(WAYS)}": shipped(backbone),
    }
    text = json.dumps(measured, indent=1)
    print(text)
    if given.out is not None:
        given.out.write_text(text + "\n", encoding="utf-8")
