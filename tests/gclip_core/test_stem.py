"""The transformer of the stem."""

import torch
import torch.nn.functional as F
from open_clip.model import convert_weights_to_lp

from gclip_core.backbones.stem import TransformerTrunk

TRUNK = {"width": 24, "heads": 3, "depth": 2, "patch": 14, "grid": 5}


def trunk() -> TransformerTrunk:
    torch.manual_seed(0)
    trunk = TransformerTrunk(**TRUNK).eval().requires_grad_(False)
    for parameter in trunk.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    return trunk


def test_trunk() -> None:
    """The transformer computes the same as open_clip's blocks, and nearly the same in bfloat16."""
    blocks, pixels = trunk(), torch.randn(2, 3, 64, 96)
    x = blocks.embed(pixels, (4, 6))
    for block in blocks.blocks:
        x = block(x)
    patches = blocks(pixels, (4, 6))
    assert torch.allclose(patches, x[:, 1:].unflatten(1, (4, 6)), atol=1e-5)
    convert_weights_to_lp(blocks, torch.bfloat16)
    rounded = blocks(pixels.bfloat16(), (4, 6)).float()
    assert F.cosine_similarity(patches, rounded, dim=-1).min() > 0.99
