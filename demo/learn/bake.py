"""Bakes the pictures and numbers of Learn, so that it needs no model to be shown.

``python -m demo.learn.bake`` writes ``assets/learn/`` from the built-in model; ``--backbone NAME``
takes any other, ``--photo NAME`` a shipped photo instead of a scene (then no scenes are measured).
What is written is only what was measured here: ``facts.json`` decides what Learn says.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import gclip_core as gclip
from demo.drawing import plots, render
from demo.settings import Settings
from demo.source import Picture, Sources
from gclip_core import amf, assets, cs, metric
from gclip_core.errors import GclipError
from gclip_core.photos import star_photos
from gclip_core.registry import BUILT_IN, find_backbone
from gclip_core.types import Method

TRIED = 12
"""From how many scenes the one that is shown is taken: the one with the best ClearCLIP mask."""
SCENES = 24
FIRST_SCENE = 20_000
SIDE = 480
CHANNEL, GAIN = 77, 100.0


@dataclass(frozen=True, eq=False)
class Baking:
    """One backbone and one picture, being baked into ``folder``."""

    folder: Path
    segmenter: gclip.Segmenter
    picture: Picture
    model: str

    def labels(self, segmenter: gclip.Segmenter, method: Method) -> NDArray[np.int16]:
        return segmenter.segment(self.picture.image, self.picture.words, method).labels.numpy()

    def names(self) -> tuple[str, ...]:
        return self.segmenter.segment(
            self.picture.image, self.picture.words, gclip.METHODS["clearclip"]
        ).vocabulary.names

    def save(self, name: str, image: Image.Image) -> None:
        image = render.fit(image, SIDE)
        image.save(self.folder / f"{name}.webp", quality=84, method=6)

    def save_mask(self, name: str, labels: NDArray[np.int16]) -> None:
        self.save(name, render.overlay(self.picture.image, labels, self.names(), 0.62, SIDE))

    def plot(self, name: str, svg: str) -> None:
        (self.folder / f"{name}.svg").write_text(svg, encoding="utf-8")


def bake(
    backbone_name: str = BUILT_IN,
    folder: Path | None = None,
    photo: str | None = None,
    seed: int | None = None,
    n_scenes: int = SCENES,
) -> dict[str, Any]:
    """Write every picture, plot and ``facts.json`` of Learn; returns the facts.

    Raises:
        GclipError: the backbone or the photo cannot be used.
    """
    folder = folder or assets.path("README.md").parent / "learn"
    folder.mkdir(parents=True, exist_ok=True)
    entry = find_backbone(backbone_name)
    backbone = gclip.load_backbone(backbone_name)
    if photo is None and backbone_name != BUILT_IN:
        photo = next(iter(star_photos()))
    segmenter = gclip.Segmenter(backbone)
    if photo is not None:
        settings = Settings(source="example", example=photo)
    else:
        settings = _scene(seed if seed is not None else _telling_seed(segmenter))
    picture = Sources().picture(settings)
    baking = Baking(folder, segmenter, picture, entry.title)
    scenes = _scenes(n_scenes) if settings.source == "scene" else []
    facts = {
        "backbone": entry.title,
        "built_in": backbone_name == BUILT_IN,
        "weights": _digest() if backbone_name == BUILT_IN else "",
        "picture": picture.title,
        "chosen_of": TRIED if photo is None and seed is None else None,
        "words": picture.words,
        "n_blocks": backbone.n_blocks,
        "scenes": len(scenes),
        "clip": _clip(baking, scenes),
        "tokens": _tokens(baking),
        "amf": _amf(baking, scenes),
        "cs": _cs(baking, scenes),
        "own": _own(baking),
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False)
    (folder / "facts.json").write_text(text + "\n", encoding="utf-8")
    return facts


def _scene(seed: int) -> Settings:
    return Settings(seed=seed, scene_size=288, things=3)


def _telling_seed(segmenter: gclip.Segmenter) -> int:
    """The seed whose scene ClearCLIP segments best, of the first few: Learn says so."""
    sources, method = Sources(), gclip.METHODS["clearclip"]
    return max(
        range(1, TRIED + 1),
        key=lambda seed: _mean_miou(segmenter, method, [sources.picture(_scene(seed))]) or 0.0,
    )


def _scenes(n: int) -> list[Picture]:
    """Fresh scenes in the art style no training saw."""
    sources = Sources()
    settings = (Settings(seed=FIRST_SCENE + i, scene_size=192) for i in range(n))
    return [sources.picture(one) for one in settings]


def _mean_miou(
    segmenter: gclip.Segmenter, method: Method, scenes: Sequence[Picture]
) -> float | None:
    """mIoU per scene, averaged; None without scenes."""
    found = []
    for scene in scenes:
        result = segmenter.segment(scene.image, scene.words, method)
        if scene.truth is not None:
            truth, labels = scene.truth, result.labels.numpy()
            score = metric.against_truth(truth.labels, truth.names, labels, result.vocabulary)
            found.append(score.miou)
    return float(np.mean(found)) if found else None


def _clip(baking: Baking, scenes: Sequence[Picture]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    baking.save("picture", baking.picture.image)
    for name in ("clip", "clearclip"):
        method = gclip.METHODS[name]
        baking.save_mask(name, baking.labels(baking.segmenter, method))
        facts[name] = _mean_miou(baking.segmenter, method, scenes)
    return facts


def _tokens(baking: Baking) -> dict[str, Any]:
    segmenter, image = baking.segmenter, baking.picture.image
    trunk = segmenter.encode(image)
    found = segmenter.globality(trunk)
    grid, strongest = trunk.grid, int(np.argmax(found.scores[:-1]))
    blocks = {"early": 1, "global": strongest}
    for name, block in blocks.items():
        patches = amf.patch_attention(segmenter.attention_map(trunk, block)).numpy()
        baking.save(f"matrix-{name}", render.matrix_picture(patches)[0])
        seen = amf.received(torch.from_numpy(patches)).numpy()
        picture = render.heat_map(image, seen, grid, max_side=SIDE)
        baking.save(f"seen-{name}", render.token_outlines(picture, found.tokens[block], grid))
    method = gclip.gclip(cs=False, amf_blocks="backbone")
    amf_blocks = segmenter.findings(trunk, method).amf_blocks
    baking.plot(
        "scores",
        plots.scores_plot(found.scores, found.threshold, baking.model, amf_blocks, found.agreement),
    )
    return {
        "scores": [round(score, 2) for score in found.scores],
        "counts": [len(tokens) for tokens in found.tokens],
        "agreement": [None if np.isnan(a) else round(a, 3) for a in found.agreement],
        "threshold": found.threshold,
        "early": blocks["early"] + 1,
        "strongest": strongest + 1,
        "patches": grid[0] * grid[1],
    }


def _amf(baking: Baking, scenes: Sequence[Picture]) -> dict[str, Any]:
    segmenter, image = baking.segmenter, baking.picture.image
    trunk = segmenter.encode(image)
    plain, fused = gclip.METHODS["clearclip"], gclip.gclip(cs=False, amf_blocks="backbone")
    found = segmenter.findings(trunk, fused)
    grid = trunk.grid
    middle = grid[0] // 2 * grid[1] + grid[1] // 2
    rows = [
        amf.patch_attention(segmenter.last_attention(trunk, method)).numpy()[middle]
        for method in (plain, fused)
    ]
    top = render.full_scale(np.stack(rows))
    for name, row in zip(("row-plain", "row-fused"), rows, strict=True):
        baking.save(name, render.heat_map(image, row, grid, middle, top, SIDE))
    before, after = (baking.labels(segmenter, method) for method in (plain, fused))
    baking.save_mask("amf", after)
    changed, share = render.change_map(image, before, after, len(baking.names()), SIDE)
    baking.save("amf-changed", changed)
    return {
        "blocks": [block + 1 for block in found.amf_blocks],
        "reason": found.reason,
        "changed": share,
        "off": _mean_miou(segmenter, plain, scenes),
        "on": _mean_miou(segmenter, fused, scenes),
    }


def _cs(baking: Baking, scenes: Sequence[Picture]) -> dict[str, Any]:
    """Channel suppression, on the model's own abnormal channel or else on a planted one."""
    own = baking.segmenter
    plain = gclip.METHODS["clearclip"]
    suppressed = gclip.gclip(amf=False, cs_blocks="auto")
    trunk = own.encode(baking.picture.image)
    found = own.findings(trunk, suppressed)
    planted = not found.suppressed  # the last block may have one, which CS leaves alone
    n_blocks = own.backbone.n_blocks
    if planted:
        blocks = list(range(n_blocks // 2, n_blocks - 1))
        channel = min(CHANNEL, own.backbone.width - 1)
        sick = gclip.Segmenter(gclip.plant_channel(own.backbone, channel, GAIN, blocks))
        found = sick.findings(sick.encode(baking.picture.image), suppressed)
    else:
        sick = own
    block = found.suppressed[len(found.suppressed) // 2]
    baking.plot(
        "norms",
        plots.norms_plot(
            found.norms_before[block], found.norms_after[block], block, n_blocks,
            baking.model + (", planted" if planted else ""), abnormal=True,
        ),
    )  # fmt: skip
    baking.save_mask("sick", baking.labels(sick, plain))
    baking.save_mask("cured", baking.labels(sick, suppressed))
    return {
        "planted": planted,
        "gain": GAIN if planted else None,
        "channel": int(found.channels[block]),
        "block": block + 1,
        "blocks": [b + 1 for b in found.suppressed],
        "ratio": float(found.ratios[block]),
        "own_ratio": float(np.nanmax(own.findings(trunk, suppressed).ratios[:-1])),
        "healthy": _mean_miou(own, plain, scenes) if planted else None,
        "sick": _mean_miou(sick, plain, scenes),
        "cured": _mean_miou(sick, suppressed, scenes),
        "similar": {
            "sick": _similarity(baking, sick, plain),
            "cured": _similarity(baking, sick, suppressed),
        },
    }


def _similarity(baking: Baking, segmenter: gclip.Segmenter, method: Method) -> list[float]:
    trunk = segmenter.encode(baking.picture.image)
    truth = baking.picture.truth
    labels = (
        torch.from_numpy(truth.labels)
        if truth is not None
        else torch.from_numpy(baking.labels(segmenter, method))
    )
    regions = cs.majority_labels(labels, trunk.grid)
    return [round(x, 4) for x in cs.in_in_out(segmenter.values(trunk, method), regions)]


def _own(baking: Baking) -> dict[str, Any]:
    """What becomes of a thing whose word was not typed."""
    names = baking.names()
    method = gclip.METHODS["clearclip"]
    full = baking.labels(baking.segmenter, method)
    shares = [float((full == i).mean()) for i in range(len(names))]
    missing = _largest_thing(shares, baking)
    kept = [name for i, name in enumerate(names) if i != missing]
    result = baking.segmenter.segment(baking.picture.image, kept, method)
    labels = result.labels.numpy()
    inside = labels[full == missing]
    taker = int(np.bincount(inside[inside >= 0], minlength=len(kept)).argmax())
    shown = np.array([names.index(name) for name in kept])[labels].astype(np.int16)
    baking.save_mask("left-out", shown)
    return {
        "missing": names[missing],
        "words": kept,
        "taker": kept[taker],
        "share": float((inside == taker).mean()),
    }


def _largest_thing(shares: Sequence[float], baking: Baking) -> int:
    """The largest class that is not the background behind everything, where truth tells."""
    order = np.argsort(shares)[::-1]
    return int(order[1] if len(order) > 2 and baking.picture.truth is not None else order[0])


def _digest() -> str:
    path = assets.path("built-in", "model.safetensors")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.learn.bake", description=__doc__)
    parser.add_argument("--backbone", default=BUILT_IN, help="a name of the BACKBONES table")
    parser.add_argument("--photo", choices=sorted(star_photos()), help="a photo instead of a scene")
    parser.add_argument("--seed", type=int, help="which scene is shown")
    parser.add_argument("--scenes", type=int, default=SCENES, help="how many scenes are measured")
    parser.add_argument("--out", type=Path, help="folder (default: assets/learn)")
    given = parser.parse_args(arguments)
    try:
        facts = bake(given.backbone, given.out, given.photo, given.seed, given.scenes)
    except GclipError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(facts, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
