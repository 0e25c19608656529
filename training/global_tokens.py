"""Draw the lesson's picture of global tokens: an attention matrix of DINO on a photo that ships.

    python -m training.global_tokens astronaut        # -> assets/learn/global-tokens.webp

DINO has what the built-in model lacks before its last block: patches to which nearly all others
attend.
"""

import argparse
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
"""The shorter side of a photo in pixels."""
BRIGHT = 8.0
"""The multiple of uniform attention drawn at full brightness."""


def save(photo: str, file: Path) -> None:
    """Draw the attention of the block with the most global tokens on a photo that ships."""
    pixels = _pixels(shipped_photos()[photo].image())
    heads = _heads(Dino(load_backbone().visual.conv1.transformer), pixels)
    _drawn(max(heads, key=_global_tokens)).save(file, quality=70)


def _global_tokens(heads: Heads) -> int:
    """The number of a block's global tokens."""
    return len(amf.global_tokens(amf.received(heads), amf.GLOBAL_THRESHOLD))


def _pixels(photo: Image.Image) -> Tensor:
    """A photo resized to whole patches, (1, 3, H, W) from 0 to 255."""
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
    """The attention between patches as a picture with one pixel per pair."""
    weights = amf.patch_attention(attention.mean_weights(heads.q[None], heads.k[None])[0, 1:])
    light = (weights * len(weights) / BRIGHT).clamp(0, 1).sqrt()
    colours = matplotlib.colormaps["magma"](light.numpy(), bytes=True)
    return Image.fromarray(colours[..., :3])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="DINO's global tokens on a photo that ships.")
    parser.add_argument("photo", choices=shipped_photos())
    save(parser.parse_args().photo, assets.path("learn") / "global-tokens.webp")
