"""One pass through the tower, and through the stem's transformer, against open_clip's blocks."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from open_clip.model import convert_weights_to_lp
from torch import nn

from gclip_core import blocks
from gclip_core.backbones.stem import TransformerTrunk
from tests.models import tiny_clip

TOWERS: dict[str, dict[str, Any]] = {
    "12 blocks": {},
    "24 blocks": {"layers": 24},
    "patches of 14": {"patch": 14, "image": 56},
    "patches of 4": {"patch": 4, "image": 24},
    "LayerScale": {"ls_init_value": 0.3},
    "quickgelu": {"quick_gelu": True},
    "no norm before": {"no_ln_pre": True},
    "native size not square": {"image": (24, 40)},
    "fixed positions": {"pos_embed_type": "sin_cos_2d"},
}


def stock_inputs(model: nn.Module, pixels: torch.Tensor) -> list[torch.Tensor]:
    """The actual input of every block of the stock tower, and the output of the last."""
    inputs: list[torch.Tensor] = []
    resblocks = model.visual.transformer.resblocks
    hooks = [
        block.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
        for block in resblocks
    ]
    hooks.append(resblocks[-1].register_forward_hook(lambda _, __, out: inputs.append(out)))
    with torch.no_grad():
        model.visual(pixels)
    for hook in hooks:
        hook.remove()
    return inputs


@pytest.mark.parametrize("settings", TOWERS.values(), ids=TOWERS)
def test_stock_tower(settings: dict[str, Any]) -> None:
    """Every block gets what the stock tower gives it."""
    model = tiny_clip(1, **settings)
    visual = model.visual
    pixels = torch.randn(2, 3, *visual.image_size)
    expected = stock_inputs(model, pixels)
    with torch.no_grad():
        one_more = [*visual.transformer.resblocks, None]  # so that the last block runs, too
        inputs = blocks.block_inputs(one_more, blocks.embed_patches(visual, visual.conv1(pixels)))
    assert len(inputs) == len(expected) == len(visual.transformer.resblocks) + 1
    for ours, theirs in zip(inputs, expected, strict=True):
        assert torch.allclose(ours, theirs, atol=2e-5, rtol=1e-4)


def test_trunk() -> None:
    """The transformer computes the same as open_clip's blocks, and nearly the same in bfloat16."""
    torch.manual_seed(0)
    trunk = TransformerTrunk(width=24, heads=3, depth=2, patch=14, grid=5).requires_grad_(False)
    for parameter in trunk.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    pixels = torch.randn(2, 3, 64, 96)
    x = trunk.embed(pixels, (4, 6))
    for block in trunk.blocks:
        x = block(x)
    patches = trunk(pixels, (4, 6))
    assert torch.allclose(patches, x[:, 1:].unflatten(1, (4, 6)), atol=1e-5)
    convert_weights_to_lp(trunk, torch.bfloat16)
    rounded = trunk(pixels.bfloat16(), (4, 6)).float()
    assert F.cosine_similarity(patches, rounded, dim=-1).min() > 0.99
