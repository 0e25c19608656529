"""The stem: convolutions, and the blocks of a transformer."""

import torch
import torch.nn.functional as F
from open_clip.model import convert_weights_to_lp

from gclip_core.backbones.stem import Stem, TransformerTrunk

TRUNK = {"width": 24, "heads": 3, "depth": 2, "patch": 14, "grid": 5}
SMALL = {
    "first": 8,
    "channels": [8, 8, 8, 16, 16, 24, 24],
    "repeats": [1, 1, 2, 1, 2, 2, 1],
    "hidden": 16,
    "pooled": 32,
    "classes": 5,
    "transformer": TRUNK,
}


def stem() -> Stem:
    torch.manual_seed(0)
    return Stem(32, SMALL).eval().requires_grad_(False)


def trunk() -> TransformerTrunk:
    torch.manual_seed(0)
    trunk = TransformerTrunk(**TRUNK).eval().requires_grad_(False)
    for parameter in trunk.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    return trunk


def test_classified() -> None:
    """Tokens equal a plain pass; classes have probabilities, patches the transformer's output."""
    pixels = torch.randn(2, 3, 32, 48)
    tokens, classes, patches = stem().classified(pixels)
    assert torch.equal(patches, stem().transformer(pixels, (2, 3)))
    assert tokens.shape == (2, 32, 2, 3)
    assert torch.equal(tokens, stem()(pixels))
    assert torch.allclose(classes.sum(1), torch.ones(2))


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


def test_trunk_positions() -> None:
    """The transformer's positions are unchanged on its own grid, and resized on others."""
    blocks = trunk()
    blocks.patch.weight.zero_()
    blocks.patch.bias.zero_()
    own = blocks.embed(torch.zeros(1, 3, 80, 80), (5, 5))[0, 1:]
    square = blocks.positional_embedding.flatten(1).T
    assert (own - square).abs().mean() < 0.1 * square.abs().mean()
    assert blocks.embed(torch.zeros(1, 3, 48, 112), (3, 7)).shape == (1, 1 + 21, 24)
