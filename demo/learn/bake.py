"""Bakes the pictures and numbers that Learn shows while no model answers.

``python -m demo.learn.bake`` writes ``assets/learn/`` from the built-in model; ``--backbone NAME``
takes any other, ``--photo NAME`` another example. What is written is only what was measured here,
by the functions that measure what a visitor sees.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from demo import variants
from demo.drawing import render
from demo.learn import facts as measured
from demo.learn import lesson, opening
from demo.look import Look, Studio
from demo.settings import Settings
from evaluation.photos import star_photos
from gclip_core import amf, assets
from gclip_core.backbone import load_backbone
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS
from gclip_core.registry import BUILT_IN

SIDE = 480


def bake(
    backbone_name: str = BUILT_IN,
    folder: Path | None = None,
    photo: str = opening.PHOTO,
) -> dict[str, Any]:
    """Write every picture and ``facts.json`` of Learn; returns the facts.

    Raises:
        GclipError: the backbone or the photo cannot be used.
    """
    folder = folder or assets.path("README.md").parent / "learn"
    folder.mkdir(parents=True, exist_ok=True)
    studio = Studio(load_backbone(backbone_name))
    shown = Settings(backbone=studio.default.name, example=photo)
    look = opening.look_at(studio, shown)
    backbone = studio.default
    own = measured.has_own_fault(backbone, look.settings.channel_threshold)
    facts: dict[str, Any] = {"weights": backbone.digest, "picture": look.picture.title}
    for turn in lesson.turns(own):
        facts |= lesson.measure(look, turn)
    facts["means"] = None
    _draw(look, own, folder)
    text = json.dumps(facts, indent=1, ensure_ascii=False)
    (folder / "facts.json").write_text(text + "\n", encoding="utf-8")
    return facts


def _plain(look: Look) -> Any:
    return variants.ablation(look.settings, amf=False, cs=False)


def _draw(look: Look, own: bool, folder: Path) -> None:
    """The pictures of every step that ``lesson.toml`` names."""
    image, seg, grid = look.picture.image, look.segmenter, look.grid
    plain, cs = _plain(look), variants.ablation(look.settings, amf=False, cs=True)
    fused = variants.ablation(look.settings, amf=True, cs=False)
    ill = look if own else look.changed(plant=True)

    def save(name: str, picture: Image.Image) -> None:
        render.fit(picture, SIDE).save(folder / f"{name}.webp", quality=84, method=6)

    def mask(name: str, at: Look, method: Any) -> None:
        found = at.mask(method)
        save(name, render.overlay(image, found.labels, found.names, 0.62, SIDE))

    save("picture", image)
    mask("clip", look, METHODS["clip"])
    mask("clearclip", look, plain)
    mask("amf", look, fused)
    mask("sick", ill, plain)
    mask("cured", ill, cs)
    strongest = int(np.argmax(look.globality.scores[:-1]))
    for name, block in (("early", 1), ("global", strongest)):
        patches = amf.patch_attention(seg.attention_map(look.encoded, block))
        save(f"matrix-{name}", render.matrix_picture(patches, SIDE))
    seen = render.heat_map(image, amf.received(patches), grid, max_side=SIDE)
    save("seen-global", render.token_outlines(seen, look.globality.tokens[strongest], grid))
    middle = grid[0] // 2 * grid[1] + grid[1] // 2
    rows = [
        amf.patch_attention(seg.last_attention(look.encoded, method)).numpy()[middle]
        for method in (plain, fused)
    ]
    top = render.full_scale(np.stack(rows))
    for name, row in zip(("row-plain", "row-fused"), rows, strict=True):
        save(name, render.heat_map(image, row, grid, middle, top, SIDE))
    left = measured.without_largest(look)
    if left is not None:
        mask("left-out", left, plain)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.learn.bake", description=__doc__)
    parser.add_argument("--backbone", default=BUILT_IN, help="a name of the BACKBONES table")
    parser.add_argument(
        "--photo", choices=sorted(star_photos()), default=opening.PHOTO, help="which is shown"
    )
    parser.add_argument("--out", type=Path, help="folder (default: assets/learn)")
    given = parser.parse_args(arguments)
    try:
        facts = bake(given.backbone, given.out, given.photo)
    except GclipError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(facts, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
