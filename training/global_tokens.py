"""Draw the lesson's picture of global tokens: an attention matrix of DINO on a photo that ships.

    python -m training.global_tokens astronaut        # -> assets/learn/global-tokens.webp

DINO has what the built-in model lacks before its last block: patches to which nearly all others
attend.
"""

import argparse

import matplotlib
import numpy as np
import torch
from PIL import Image

from evaluation.photos import shipped_photos
from gclip_core import amf, assets, attention, blocks
from gclip_core.backbones.load import load_backbone
from gclip_core.pixels import images
from training.dino import Dino
from training.features import MEAN, PATCH, STD

SIDE = 320
"""The shorter side of a photo in pixels."""
BRIGHT = 8.0
"""The multiple of uniform attention drawn at full brightness."""


@torch.no_grad()
def drawn(photo: Image.Image) -> Image.Image:
    """The attention between patches of the block with the most global tokens, a pixel per pair."""
    size = images.target_size((photo.height, photo.width), SIDE, PATCH)
    pixels = torch.from_numpy(np.array(images.resize(photo, size), np.float32))
    dino = Dino(load_backbone().visual.conv1.transformer)
    x, by_block = dino.trunk.embed((pixels.permute(2, 0, 1)[None] - MEAN) / STD), []
    for block in [*dino.trunk.blocks, *dino.rest]:
        heads = blocks.project(block, x)
        x = blocks.run(block, x, heads)
        by_block.append(heads[0])
    most = max(by_block, key=lambda heads: (amf.received(heads) >= amf.GLOBAL_THRESHOLD).sum())
    weights = amf.patch_attention(attention.mean_weights(most.q, most.k)[1:])
    light = (weights * len(weights) / BRIGHT).clamp(0, 1).sqrt()
    return Image.fromarray(matplotlib.colormaps["magma"](light.numpy(), bytes=True)[..., :3])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="DINO's global tokens on a photo that ships.")
    parser.add_argument("photo", choices=shipped_photos())
    photo = shipped_photos()[parser.parse_args().photo].image()
    drawn(photo).save(assets.path("learn") / "global-tokens.webp", quality=70)
