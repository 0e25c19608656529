"""Measure a backbone on emoji scenes, with the library and the evaluation.

    python -m training.measure --out assets/built-in/measured.json --card assets/built-in/README.md

mIoU is per scene: the mean over the words that are there, then the mean over scenes. Asked for are
exactly these words, or they and ten others. Prints Markdown tables, which are the card's, and
writes the figures as JSON.
"""

import argparse
import json
import multiprocessing
import operator
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from evaluation.scene_set import FIRST_SEED, scene_set
from open_clip.model import CLIP
from torch import Tensor

import gclip_core as gclip
from evaluation import metric
from evaluation.datasets import OpenSet
from evaluation.experiment import Experiment
from evaluation.phenomena import look_into
from evaluation.rows import Row, method_rows
from evaluation.runner import count_image
from gclip_core import masks, scenes
from gclip_core.types import Encoded
from training import model
from training.prompts import IMAGENET, Tokens

SINGLES_FROM = 2_000_000  # training's own scenes come from pools, its validation from seeds above
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
SIDE = model.CONFIG["vision_cfg"]["image_size"]  # scenes are as large as training's largest
SIDES = (SIDE // 2, SIDE * 3 // 4, SIDE, SIDE * 3 // 2, SIDE * 2)
FEWER = 100  # scenes for what is measured beside the main tables
SMALL = 96  # scenes while training goes on
CLEAR, VALUES = method_rows(["clearclip"], gclip.gclip), method_rows(["maskclip"], gclip.gclip)


def rows() -> tuple[Row, ...]:
    """Every method, and GCLIP's two parts on their own."""
    return (
        *(Row(method.title, method) for method in gclip.METHODS.values()),
        Row("GCLIP, AMF only", gclip.gclip(amf=True, cs=False)),
        Row("GCLIP, CS only", gclip.gclip(amf=False, cs=True)),
    )


def unseen(style: str, count: int, side: int = SIDE, first_seed: int = FIRST_SEED) -> OpenSet:
    """Square scenes of seeds that training never uses."""
    return scene_set(count, style, (side, side), first_seed)


def percent(fractions: Sequence[float]) -> float:
    """The mean in per cent, to a tenth."""
    return round(100 * float(np.mean(fractions)), 1)


def _size_of(thing: np.ndarray) -> str:
    """Small, middle or large: the square root of a mask's (H, W) area, in its short side."""
    share = (thing.sum() ** 0.5) / min(thing.shape)
    return "small (< 0.2)" if share < 0.2 else "middle" if share < 0.35 else "large (> 0.35)"


def segmentation(
    segmenter: gclip.Segmenter, dataset: OpenSet, chosen: Sequence[Row]
) -> dict[str, dict[str, float]]:
    """Per row: mIoU with the exact words and with distractors, and what it is made of."""
    rules = ("present", "present+10")
    asked = [Experiment(segmenter, dataset, tuple(chosen), rule) for rule in rules]
    n_things = len(scenes.things())  # the first classes of the set
    kept: list[dict[str, list[float]]] = [defaultdict(list) for _ in chosen]
    for sample in dataset.samples:
        image, truth = sample.load()
        encoded = segmenter.encode(image)
        there = np.unique(truth)
        things = there[there < n_things]
        counts = [count_image(one, sample, encoded, truth) for one in asked]
        for found, exact, distracted in zip(kept, *counts, strict=True):
            iou = metric.scores(exact).iou
            found["exact"].append(iou[there].mean())
            found["distracted"].append(metric.scores(distracted).iou[there].mean())
            if len(things):
                found["things"].append(iou[things].mean())
                found[f"{len(things)} things"].append(iou[there].mean())
            if len(there) > len(things):
                found["backgrounds"].append(iou[there[len(things) :]].mean())
            for thing in things:
                found[_size_of(truth == thing)].append(iou[thing])
    return {
        row.label: {name: percent(values) for name, values in found.items()}
        for row, found in zip(chosen, kept, strict=True)
    }


@torch.no_grad()
def recognition(
    segmenter: gclip.Segmenter,
    style: str,
    count: int,
    side: int = SIDE,
    first_seed: int = SINGLES_FROM,
) -> float:
    """Zero-shot top-1 of the class token, in per cent: one thing a scene, among all things."""
    names = [word.name for word in scenes.things()]
    embeddings = segmenter.embed_words(names)
    right = []
    for seed in range(first_seed, first_seed + count):
        scene = scenes.compose(seed, (side, side), style, things=1)
        pooled = class_embedding(segmenter, segmenter.encode(scene.image)).cpu()
        right.append(names[int((embeddings @ pooled).argmax())] == scene.things[0])
    return percent(right)


def class_embedding(segmenter: gclip.Segmenter, encoded: Encoded) -> Tensor:
    """The image embedding that CLIP itself would give: (E,), of unit length."""
    tower = segmenter.backbone.model.visual
    x = tower.transformer.resblocks[-1](encoded.inputs[-1][None])
    return F.normalize(tower.ln_post(x[0, 0]) @ tower.proj, dim=-1)


def phenomena(segmenter: gclip.Segmenter, dataset: OpenSet) -> list[dict[str, float]]:
    """Per block, counted from 1: global tokens, and the largest channel's norm over the median."""
    found = look_into(segmenter, dataset.samples, gclip.gclip(amf=False, cs=True))
    return [
        {
            "block": block + 1,
            "score": round(float(found.scores[block]), 2),
            "global tokens": round(float(found.tokens[block]), 2),
            "max / median norm": round(ratio, 2),
        }
        for block, ratio in enumerate(found.found.ratios)
    ]


def planted(
    segmenter: gclip.Segmenter, dataset: OpenSet, channel: int = 77, gain: float = 100.0
) -> dict[str, float]:
    """ClearCLIP's mIoU as it is, with a planted channel in blocks 7 to 11, and with CS besides."""
    repaired = (Row("with CS", gclip.gclip(amf=False, cs=True)),)
    blocks = range(6, segmenter.backbone.n_blocks - 1)
    sick = replace(
        segmenter, backbone=gclip.plant_channel(segmenter.backbone, channel, gain, blocks)
    )
    both = segmentation(sick, dataset, CLEAR + repaired)
    return {
        "as it is": segmentation(segmenter, dataset, CLEAR)["ClearCLIP"]["exact"],
        "planted": both["ClearCLIP"]["exact"],
        "planted, CS": both["with CS"]["exact"],
    }


def ceiling(dataset: OpenSet, side: int) -> float:
    """mIoU of the best that a grid can do: each patch says its most frequent true label."""
    found = []
    for sample in dataset.samples:
        there, truth = np.unique(sample.load()[1], return_inverse=True)
        count = len(there)
        hot = F.one_hot(torch.from_numpy(truth), count).permute(2, 0, 1)[None].float()
        patches = F.interpolate(hot, size=(side, side), mode="area")[0].argmax(0)
        logits = F.one_hot(patches, count).permute(2, 0, 1).float()
        best = masks.labels(logits, range(count), truth.shape).numpy()
        found.append(metric.scores(metric.confusion(truth, best, count)).iou.mean())
    return percent(found)


def while_training(net: CLIP, tokens: Tokens, count: int = 128) -> dict[str, float]:
    """Per style, small and quick: top-1 of a single thing, and mIoU of the last block's Values.

    On the same scenes every time, of seeds that neither training nor the card uses.
    """
    backbone = gclip.wrap_backbone(
        net, lambda texts: torch.from_numpy(tokens.encode(texts)), short_side=SMALL
    )
    segmenter = gclip.Segmenter(backbone, templates=IMAGENET[::12])  # seven of the eighty
    found = {}
    for style in ("seen", "held-out"):
        made = unseen(style, count, SMALL, 9_100_000)
        found[f"{style} top-1"] = recognition(segmenter, style, count, SMALL, 9_000_000)
        found[f"{style} mIoU"] = segmentation(segmenter, made, VALUES)["MaskCLIP"]["exact"]
    return found


def table(columns: list[str], rows: Iterable[list[Any]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def report(measured: dict[str, Any]) -> str:
    """The figures as Markdown: methods, sizes, numbers and sizes of things, blocks, planting."""
    styles = ("held-out", "seen")
    parts = []
    for style in styles:
        rows = [
            [name, f["exact"], f["distracted"], f["things"], f["backgrounds"]]
            for name, f in measured[style]["methods"].items()
        ]
        columns = ["method", "exact words", "+ 10 distractors", "things", "backgrounds"]
        parts.append(f"{style}\n\n" + table(columns, rows))
    rows = []
    for style in styles:
        sizes, best = measured[style]["by size"], measured[style]["ceiling"]
        for kind, cells in (
            ("exact words", [sizes[str(s)]["exact"] for s in SIDES]),
            ("+ 10 distractors", [sizes[str(s)]["distracted"] for s in SIDES]),
            ("the grid's ceiling", [best[str(s)] for s in SIDES]),
        ):
            rows.append([style, kind, *cells])
    parts.append(table(["style", "words", *(f"{s} px" for s in SIDES)], rows))
    kinds = ["1 things", "2 things", "3 things", "4 things", "5 things"]
    kinds += ["small (< 0.2)", "middle", "large (> 0.35)"]
    rows = [[s, *(measured[s]["methods"]["ClearCLIP"].get(k, "") for k in kinds)] for s in styles]
    parts.append(table(["style", *kinds], rows))
    rows = [[s, measured[s]["top-1"]] for s in (*styles, "openmoji")]
    parts.append(table(["style", "top-1"], rows))
    hardest = measured["openmoji"]
    parts.append(f"openmoji: {hardest['exact']} exact, {hardest['distracted']} distracted")
    blocks = measured["blocks"]
    parts.append(table(list(blocks[0]), [list(b.values()) for b in blocks]))
    parts.append(table(list(measured["planted"]), [list(measured["planted"].values())]))
    return "\n\n".join(parts) + "\n"


def write_card(card: Path, measured: dict[str, Any]) -> None:
    """Put the tables between the card's two marks."""
    before, rest = card.read_text().split(BEGIN)
    _, after = rest.split(END)
    card.write_text(f"{before}{BEGIN}\n\n{report(measured)}\n{END}{after}")


def _style(segmenter: gclip.Segmenter, style: str, count: int) -> dict[str, Any]:
    """A style's methods on all scenes, and ClearCLIP by encoded size on fewer."""
    by_size, best = {}, {}
    for side in SIDES:
        few = unseen(style, min(count, FEWER), side)
        sized = replace(segmenter, short_side=side)
        by_size[str(side)] = segmentation(sized, few, CLEAR)["ClearCLIP"]
        best[str(side)] = ceiling(few, side // segmenter.backbone.patch)
    return {
        "methods": segmentation(segmenter, unseen(style, count), rows()),
        "by size": by_size,
        "ceiling": best,
        "top-1": recognition(segmenter, style, count),
    }


def _rest(segmenter: gclip.Segmenter, count: int) -> dict[str, Any]:
    """The hardest style, and what the model has of what AMF and CS act on."""
    few, fewest = min(count, FEWER), unseen("seen", min(count, FEWER // 2))
    return {
        "openmoji": {
            **segmentation(segmenter, unseen("openmoji", few), CLEAR)["ClearCLIP"],
            "top-1": recognition(segmenter, "openmoji", few),
        },
        "blocks": phenomena(segmenter, fewest),
        "planted": planted(segmenter, fewest),
    }


def section(name: str, weights: Path | None, short_side: int | None, count: int) -> dict[str, Any]:
    """One part of the measurement, in a process of its own."""
    torch.set_num_threads(1)
    backbone = gclip.load_backbone("built-in", weights=weights)
    segmenter = gclip.Segmenter(backbone, short_side=short_side)
    if name == "rest":
        return _rest(segmenter, count)
    return {name: _style(segmenter, name, count)}


def measure(weights: Path | None, short_side: int | None, count: int, jobs: int) -> dict[str, Any]:
    """Everything the card states."""
    part = partial(section, weights=weights, short_side=short_side, count=count)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = reduce(operator.or_, pool.map(part, ("held-out", "seen", "rest")))
    return {"scenes": count, "fewer": min(count, FEWER)} | found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the built-in model on emoji scenes.")
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--weights", type=Path, help="a weight file other than the shipped one")
    parser.add_argument("--short-side", type=int, help="pixels; the backbone's own by default")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, help="where the figures go, as JSON")
    parser.add_argument("--card", type=Path, help="a card whose tables to renew")
    parser.add_argument(
        "--figures", type=Path, help="figures measured before, instead of measuring"
    )
    arguments = parser.parse_args()
    given = (arguments.weights, arguments.short_side, arguments.scenes, arguments.jobs)
    before = arguments.figures
    measured = json.loads(before.read_text()) if before else measure(*given)
    if arguments.out:
        arguments.out.write_text(json.dumps(measured, indent=1) + "\n")
    if arguments.card:
        write_card(arguments.card, measured)
    print(report(measured))


if __name__ == "__main__":
    main()
