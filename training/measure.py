"""Measure a backbone on emoji scenes, with the library itself.

    python -m training.measure --out assets/built-in/measured.json --card assets/built-in/README.md

mIoU is per scene: the mean over its words of intersection over union, then the mean over scenes.
The words are exactly what is there, or that plus ten things that are not. Prints Markdown tables,
which are the card's, and writes the figures as JSON.
"""

import argparse
import json
import multiprocessing
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import gclip_core as gclip
from gclip_core import masks, scenes
from gclip_core.types import Method, Trunk
from training import model

FIRST_SEED = 1_000_000  # training's own scenes come from pools, its validation from seeds above
SINGLES_FROM = 2_000_000
DISTRACTORS = 10
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
SIDE = model.CONFIG["vision_cfg"]["image_size"]  # scenes are as large as training's largest
SIDES = (SIDE // 2, SIDE * 3 // 4, SIDE, SIDE * 3 // 2, SIDE * 2)
FEWER = 100  # scenes for what is measured beside the main tables


def methods() -> dict[str, Method]:
    """The six methods, and GCLIP's two parts on their own."""
    return {
        **{m.title: m for m in gclip.METHODS.values()},
        "GCLIP, AMF only": gclip.gclip(amf=True, cs=False),
        "GCLIP, CS only": gclip.gclip(amf=False, cs=True),
    }


@dataclass(frozen=True)
class Example:
    """A scene, and ten things that are not in it."""

    scene: scenes.Scene
    distractors: tuple[str, ...]


def examples(style: str, count: int, side: int = SIDE) -> list[Example]:
    """Square scenes of unseen seeds, with their distractors."""
    names = [word.name for word in scenes.things()]
    made = []
    for i in range(count):
        scene = scenes.compose(FIRST_SEED + i, (side, side), style)
        rng = np.random.Generator(np.random.PCG64(FIRST_SEED + i))
        absent = [name for name in names if name not in scene.things]
        chosen = rng.permutation(len(absent))[:DISTRACTORS]
        made.append(Example(scene, tuple(absent[int(j)] for j in chosen)))
    return made


def ious(labels: np.ndarray, truth: np.ndarray, count: int) -> list[float]:
    """Intersection over union of each of the first `count` labels of two maps (H, W)."""
    found = []
    for i in range(count):
        ours, theirs = labels == i, truth == i
        found.append(float((ours & theirs).sum() / max(1, (ours | theirs).sum())))
    return found


class Sums:
    """Means by name, of numbers that come one by one."""

    def __init__(self) -> None:
        self._all: dict[str, list[float]] = defaultdict(list)

    def add(self, name: str, value: float) -> None:
        self._all[name].append(value)

    def percent(self) -> dict[str, float]:
        """Each mean in per cent, to a tenth."""
        return {name: round(100 * float(np.mean(v)), 1) for name, v in self._all.items()}


def _size_of(scene: scenes.Scene, thing: int) -> str:
    """Small, middle or large: the square root of a thing's area, in the scene's short side."""
    h, w = scene.labels.shape
    share = ((scene.labels == thing).sum() ** 0.5) / min(h, w)
    return "small (< 0.2)" if share < 0.2 else "middle" if share < 0.35 else "large (> 0.35)"


def segmentation(
    segmenter: gclip.Segmenter, made: Iterable[Example], chosen: dict[str, Method]
) -> dict[str, dict[str, float]]:
    """Per method: mIoU with the exact words and with distractors, and what it is made of."""
    sums = {name: Sums() for name in chosen}
    for example in made:
        scene = example.scene
        encoded = segmenter.encode(scene.image)
        count, things = len(scene.words), len(scene.things)
        words = segmenter.embed_words([*scene.words, *example.distractors])
        for name, method in chosen.items():
            keep = sums[name]
            # The library's own two steps; `segment` would also gather findings for each answer.
            features = segmenter.dense_features(encoded, method)
            logits = (words @ features.patches.T).reshape(len(words), *features.grid)
            exact, more = (
                masks.labels(logits[:n], range(n), scene.labels.shape).numpy()
                for n in (count, len(words))
            )
            found = ious(exact, scene.labels, count)
            keep.add("exact", float(np.mean(found)))
            if things:
                keep.add("things", float(np.mean(found[:things])))
                keep.add(f"{things} things", float(np.mean(found)))
            if count > things:
                keep.add("backgrounds", float(np.mean(found[things:])))
            for i in range(things):
                keep.add(_size_of(scene, i), found[i])
            keep.add("distracted", float(np.mean(ious(more, scene.labels, count))))
    return {name: keep.percent() for name, keep in sums.items()}


@torch.no_grad()
def recognition(segmenter: gclip.Segmenter, style: str, count: int) -> float:
    """Zero-shot top-1 of the class token, in per cent: one thing a scene, among all things."""
    embeddings = segmenter.embed_words([word.name for word in scenes.things()])
    names = [word.name for word in scenes.things()]
    right = 0
    for i in range(count):
        scene = scenes.compose(SINGLES_FROM + i, (SIDE, SIDE), style, things=1)
        pooled = class_embedding(segmenter, segmenter.encode(scene.image))
        right += names[int((embeddings @ pooled).argmax())] == scene.things[0]
    return round(100 * right / count, 1)


def class_embedding(segmenter: gclip.Segmenter, encoded: Trunk) -> Tensor:
    """The image embedding that CLIP itself would give: (E,), of unit length."""
    tower = segmenter.backbone.model.visual
    x = tower.transformer.resblocks[-1](encoded.inputs[-1][None])
    return F.normalize(tower.ln_post(x[0, 0]) @ tower.proj, dim=-1)


def phenomena(segmenter: gclip.Segmenter, made: list[Example]) -> list[dict[str, float]]:
    """Per block, counted from 1: global tokens, and the largest channel's norm over the median."""
    scores, tokens = [], []
    for example in made:
        found = segmenter.globality(segmenter.encode(example.scene.image))
        scores.append(found.scores)
        tokens.append([len(t) for t in found.tokens])
    ratios = segmenter.findings(segmenter.encode(made[0].scene.image), gclip.gclip()).ratios
    return [
        {
            "block": block + 1,
            "score": round(float(np.mean([s[block] for s in scores])), 2),
            "global tokens": round(float(np.mean([t[block] for t in tokens])), 2),
            "max / median norm": round(ratios[block], 2),
        }
        for block in range(len(ratios))
    ]


def planted(
    segmenter: gclip.Segmenter, made: list[Example], channel: int = 77, gain: float = 100.0
) -> dict[str, float]:
    """ClearCLIP's mIoU as it is, with a planted channel in blocks 7 to 11, and with CS besides."""
    clear, repaired = gclip.METHODS["clearclip"], gclip.gclip(amf=False, cs=True)
    blocks = range(6, segmenter.backbone.n_blocks - 1)
    sick = replace(
        segmenter, backbone=gclip.plant_channel(segmenter.backbone, channel, gain, blocks)
    )
    return {
        "as it is": segmentation(segmenter, made, {"m": clear})["m"]["exact"],
        "planted": segmentation(sick, made, {"m": clear})["m"]["exact"],
        "planted, CS": segmentation(sick, made, {"m": repaired})["m"]["exact"],
    }


def ceiling(made: Iterable[Example], side: int) -> float:
    """mIoU of the best that a grid can do: each patch says its most frequent true label."""
    sums = Sums()
    for example in made:
        truth, count = torch.from_numpy(example.scene.labels), len(example.scene.words)
        hot = F.one_hot(truth, count).permute(2, 0, 1)[None].float()
        grid = F.interpolate(hot, size=(side, side), mode="area").argmax(1)
        logits = F.one_hot(grid, count).permute(0, 3, 1, 2).float()
        full = F.interpolate(logits, size=truth.shape, mode="bilinear", align_corners=False)
        labels = full[0].argmax(0).numpy()
        sums.add("grid", float(np.mean(ious(labels, example.scene.labels, count))))
    return sums.percent()["grid"]


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
    some = {side: examples(style, min(count, FEWER), side) for side in SIDES}
    clear = {"m": gclip.METHODS["clearclip"]}
    return {
        "methods": segmentation(segmenter, examples(style, count), methods()),
        "by size": {
            str(side): segmentation(replace(segmenter, short_side=side), made, clear)["m"]
            for side, made in some.items()
        },
        "ceiling": {
            str(side): ceiling(made, side // segmenter.backbone.patch)
            for side, made in some.items()
        },
        "top-1": recognition(segmenter, style, count),
    }


def _rest(segmenter: gclip.Segmenter, count: int) -> dict[str, Any]:
    """The hardest style, and what the model has of what AMF and CS act on."""
    clear = {"m": gclip.METHODS["clearclip"]}
    few = examples("seen", min(count, FEWER))
    return {
        "openmoji": {
            **segmentation(segmenter, examples("openmoji", len(few)), clear)["m"],
            "top-1": recognition(segmenter, "openmoji", len(few)),
        },
        "blocks": phenomena(segmenter, few[:50]),
        "planted": planted(segmenter, few[:50]),
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
    measured: dict[str, Any] = {"scenes": count, "fewer": min(count, FEWER)}
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = [
            pool.submit(section, name, weights, short_side, count)
            for name in ("held-out", "seen", "rest")
        ]
        for part in parts:
            measured.update(part.result())
    return measured


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
    if arguments.figures:
        measured = json.loads(arguments.figures.read_text())
    else:
        measured = measure(
            arguments.weights, arguments.short_side, arguments.scenes, arguments.jobs
        )
    if arguments.out:
        arguments.out.write_text(json.dumps(measured, indent=1) + "\n")
    if arguments.card:
        write_card(arguments.card, measured)
    print(report(measured))


if __name__ == "__main__":
    main()
