"""What the model makes of photos with true masks: the figures of its card.

    python -m training.measure COCO_VAL [--out FILE] [--teacher]

COCO_VAL has photos, masks, ``index.json`` as ``evaluation.photos.photo_folder`` reads them, and
``choose.txt`` and ``report.txt``: the photos by which choices were made, and the others. Words are
those of regions of at least one percent of a photo (smaller ones are void); all kinds of wall are
"wall". The score is the mean over photos of the mean IoU of the words that are there, once among
themselves and once beside ten distractors, which are drawn from the other words of the set. So it
is no figure of ``python -m evaluation``, which counts every word of the masks and draws distractors
by a hash. Then the photos that ship, with and without a planted channel, and where attention in the
middle blocks goes. The figures of ``report.txt`` come first. ``--teacher`` adds AMF with the
teacher's own affinities instead of the middle blocks' attention; it needs the packages of the
recipe.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from evaluation import metric
from evaluation.photos import shipped_photos
from gclip_core import encoder, images, last_block, masks, vocabulary
from gclip_core.attention import Heads
from gclip_core.backbone import Backbone, damage, load_backbone
from gclip_core.methods import METHODS, gclip
from gclip_core.segmenter import Segmenter
from gclip_core.types import Encoded, Method, Vocabulary
from training.affinity import affinity_attention
from training.cases import Case, iou, largest_everywhere, read_cases, same_region
from training.teachers import PATCH, Dino

WAYS: dict[str, Method] = {
    "neither": METHODS["clearclip"],
    "AMF": gclip(amf=True, cs=False),
    "CS": gclip(amf=False, cs=True),
    "both": gclip(amf=True, cs=True),
}
"""ClearCLIP without and with the paper's two ideas."""
PLANTED: dict[str, Any] = {"channel": 77, "gain": 300.0, "blocks": range(6, 11)}
"""The channel that is planted to show what CS repairs."""
SMALL_THINGS = ("table", "chair", "bottle", "cup", "car", "dog", "cat")
"""Words of which each photo counts where they cover a hundredth."""
_LARGE = 0.05
"""A word has a figure of its own where it covers this part of a photo."""
_FIVE = ("person", "sky", "grass", "tree", "wall")
_MIDDLE = (5, 6)
"""The middle blocks, from 0."""
_METHODS: dict[str, Method] = {**METHODS, "AMF": WAYS["AMF"], "CS": WAYS["CS"]}

Affinity = Callable[[Path, tuple[int, int]], Tensor]
"""A photo and a grid of patches (h, w) to the attention of patches, (hw, hw)."""


def _percent(scores: Sequence[float]) -> float:
    return round(100 * float(np.mean(scores)), 1)


def with_affinity(
    segmenter: Segmenter, encoded: Encoded, case: Case, affinity: Tensor
) -> tuple[Tensor, Tensor]:
    """Logits (words, h, w) and their owners of AMF with an affinity (hw, hw) instead of the
    middle blocks' attention.

    Queries are the affinity's logarithm and Keys the identity: their softmax is the affinity.
    """
    backbone, (window,) = segmenter.backbone, encoded.passes
    tokens = len(affinity) + 1
    queries = F.pad(affinity.clamp_min(1e-12), (1, 0, 1, 0), value=1e-12).log() * tokens**0.5
    taught = Heads(queries[None, None], torch.eye(tokens)[None, None])

    def heads_of(block: int, values: bool = False) -> Heads:
        return taught if block in _MIDDLE else encoder.block_heads(backbone, window, block, values)

    patches = last_block.apply(
        backbone.visual, WAYS["AMF"], window.inputs, heads_of, encoded.grid, _MIDDLE
    )
    asked = [*case.words, *case.distractors]
    parsed = vocabulary.prompts(backbone, asked, False, segmenter.templates)
    logits = (segmenter.logit_scale * (parsed.text @ patches[0].T)).unflatten(1, encoded.grid)
    return logits, parsed.prompt_classes


def scored(
    segmenter: Segmenter, case: Case, encoded: Encoded, affinity: Affinity | None
) -> dict[str, tuple[NDArray, NDArray]]:
    """IoU of each word of a photo by each method: with its words alone, and with distractors."""
    results = {
        name: segmenter.segment(encoded, [*case.words, *case.distractors], method)
        for name, method in _METHODS.items()
    }
    logits = {name: (result.logits, result.prompt_classes) for name, result in results.items()}
    if affinity is not None:
        by_teacher = with_affinity(segmenter, encoded, case, affinity(case.image, encoded.grid))
        logits["AMF by the teacher's affinities"] = by_teacher
    size, count = encoded.image_size, len(case.words)
    return {
        name: (
            iou(case, masks.labels(by[:count], owner[:count], size).numpy()),
            iou(case, masks.labels(by, owner, size).numpy()),
        )
        for name, (by, owner) in logits.items()
    }


@dataclass(frozen=True)
class Measured:
    """A photo, each method's IoU of its words (with its words alone, and with distractors), and the
    shares of attended and of random patches on the same region."""

    case: Case
    iou: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    attended: tuple[float, ...]


def measure(
    segmenter: Segmenter, cases: Sequence[Case], affinity: Affinity | None = None
) -> dict[str, Any]:
    """Each method's mean IoU in percent, by word with the number of its photos, and where attention
    goes, for each half of the photos and for all."""
    photos = []
    for case in cases:
        encoded = segmenter.encode(case.image)
        maps = [segmenter.attention_map(encoded, block)[1:, 1:] for block in _MIDDLE]
        attended = same_region(sum(maps), case.truth, encoded.grid)
        photos.append(Measured(case, scored(segmenter, case, encoded, affinity), attended))
    halves = sorted({case.half for case in cases})
    columns = {half: column([p for p in photos if p.case.half == half]) for half in halves}
    return {**columns, "all": column(photos)}


def column(photos: Sequence[Measured]) -> dict[str, Any]:
    """The figures of some photos."""
    attended, by_chance = np.nanmean([photo.attended for photo in photos], axis=0)
    words = by_word([(photo.case, photo.iou["clearclip"][0]) for photo in photos])
    return {
        "photos": len(photos),
        "methods": {
            name: {
                "there": _percent([photo.iou[name][0].mean() for photo in photos]),
                "+10": _percent([photo.iou[name][1].mean() for photo in photos]),
            }
            for name in photos[0].iou
        },
        "words of ClearCLIP": words,
        "attended patches of the same region": [_percent([attended]), _percent([by_chance])],
    }


def by_word(scores: Sequence[tuple[Case, NDArray]]) -> dict[str, Any]:
    """Mean IoU and the number of photos by word.

    Where a word covers a twentieth, for the five most usual words and those of at least five
    photos; and for `SMALL_THINGS` where it covers a hundredth.
    """
    large, things = defaultdict(list), defaultdict(list)
    for case, values in scores:
        for number, word in enumerate(case.words):
            if (case.truth == number).mean() >= _LARGE:
                large[word].append(values[number])
            if (thing := word.removeprefix("dining ")) in SMALL_THINGS:
                things[thing].append(values[number])
    usual = sorted(large.items(), key=lambda item: -len(item[1]))
    small = {w: [_percent(things[w]), len(things[w])] for w in SMALL_THINGS if w in things}
    return {
        "a twentieth": {
            word: [_percent(values), len(values)]
            for word, values in usual
            if word in _FIVE or len(values) >= 5
        },
        "a hundredth": small,
        "mean of these": round(float(np.mean([mean for mean, _ in small.values()])), 1)
        if small
        else None,
    }


def shipped(backbone: Backbone) -> dict[str, dict[str, dict[str, float]]]:
    """Each photo that ships, with and without a planted channel, in each of the four ways."""
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for title, model in (("as it is", backbone), ("planted", damage(backbone, **PLANTED))):
        segmenter, rows = Segmenter(model), scores.setdefault(title, {})
        for name, photo in shipped_photos().items():
            encoded, words = segmenter.encode(photo.image()), Vocabulary(photo.words)
            rows[name] = {}
            for way, method in WAYS.items():
                labels = segmenter.segment(encoded, words, method).labels.numpy()
                miou = metric.against_truth(photo.labels(), photo.words, labels, words).miou
                rows[name][way] = _percent([miou])
        rows["mean of all"] = {
            way: round(float(np.mean([row[way] for row in rows.values()])), 1) for way in WAYS
        }
    return scores


def planted(backbone: Backbone, cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """Mean IoU of the photos' words with a planted channel, in each of the four ways, by half."""
    segmenter = Segmenter(damage(backbone, **PLANTED))
    rows: dict[str, list[dict[str, float]]] = defaultdict(list)
    for case in cases:
        encoded, scores = segmenter.encode(case.image), dict[str, float]()
        for way, method in WAYS.items():
            labels = segmenter.segment(encoded, case.words, method).labels.numpy()
            scores[way] = float(iou(case, labels).mean())
        rows[case.half].append(scores)
        rows["all"].append(scores)
    return {
        half: {way: _percent([scores[way] for scores in of_half]) for way in WAYS}
        for half, of_half in rows.items()
    }


def teacher_affinity() -> Affinity:
    """DINO's affinities of a photo, as `attention` learns them."""
    dino = Dino()

    @torch.inference_mode()
    def affinity(photo: Path, grid: tuple[int, int]) -> Tensor:
        size = grid[0] * PATCH, grid[1] * PATCH
        pixels = torch.from_numpy(np.array(images.resize(images.check(photo), size)))
        return affinity_attention(dino(pixels.permute(2, 0, 1)[None].float()).affinity)[0]

    return affinity


def figures(backbone: Backbone, cases: Sequence[Case], affinity: Affinity | None) -> dict[str, Any]:
    """All figures of the card: those of ``report.txt`` first, then those of the other columns."""
    columns = measure(Segmenter(backbone), cases, affinity)
    largest = {
        name: _percent([largest_everywhere(case) for case in cases if name in (case.half, "all")])
        for name in columns
    }
    first = columns.get("report", columns["all"])
    return {
        "the largest word everywhere": largest,
        **first,
        **{name: of_column for name, of_column in columns.items() if of_column is not first},
        "planted": planted(backbone, cases),
        "shipped photos": shipped(backbone),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Measure the built-in model by true masks.")
    parser.add_argument("folder", type=Path, help="photos with masks and an index.json")
    parser.add_argument("--out", type=Path, help="a file for what is printed")
    parser.add_argument("--teacher", action="store_true", help="AMF by the teacher's affinities")
    args = parser.parse_args(arguments)
    affinity = teacher_affinity() if args.teacher else None
    text = json.dumps(figures(load_backbone(), list(read_cases(args.folder)), affinity), indent=1)
    print(text)
    if args.out is not None:
        args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
