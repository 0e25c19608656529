"""Tiny seeded CLIPs that build in milliseconds, and pictures of a given size for them.

Every parameter is random (including norm weights and all biases), so that no mistake hides behind a
zero or a one; queries and keys are large enough for attention to be far from uniform.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.model import CLIP
from PIL import Image
from torch import Tensor, nn

from gclip_core import Backbone, load_backbone

MEAN = (0.2, 0.5, 0.6)
STD = (0.3, 0.2, 0.25)


loaded = lru_cache(load_backbone)
"""``load_backbone`` that reads the built-in model only once, which takes half a second."""


@lru_cache
def small(*settings: Any) -> Backbone:
    """``loaded`` at a short side of 160 by default: ten times as fast, and all else equal."""
    return replace(loaded(*settings), short_side=160)


tokenizer = lru_cache(open_clip.SimpleTokenizer)
"""CLIP's tokenizer with the 77 positions of every published model."""


def tiny_clip(
    seed: int = 0,
    layers: int = 12,
    image: int | tuple[int, int] = 32,
    patch: int = 8,
    width: int = 32,
    embed: int = 16,
    quick_gelu: bool = False,
    text: dict[str, Any] | None = None,
    **vision: Any,
) -> CLIP:
    """An open_clip CLIP with four heads and ``layers`` blocks; ``vision`` as in CLIPVisionCfg."""
    vision = {
        "layers": layers,
        "width": width,
        "head_width": width // 4,
        "patch_size": patch,
        "image_size": image,
        **vision,
    }
    words = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CLIP(embed, vision, {**words, **(text or {})}, quick_gelu=quick_gelu)
        _randomise(model)
    return model.eval().requires_grad_(False)


@torch.no_grad()
def _randomise(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or ".ln_" in name or name.startswith("ln_") or "gamma" in name:
            parameter.add_(0.2 * torch.randn_like(parameter))
        elif name.endswith("in_proj_weight"):
            width = parameter.shape[1]
            parameter.normal_(std=width**-0.5)
            parameter[: 2 * width] *= 2


@torch.no_grad()
def look_at_one_patch(model: nn.Module, blocks: Iterable[int], sharpness: float = 40.0) -> None:
    """In ``blocks``, every token attends to one patch; in all other blocks, to all tokens equally.

    With constant queries, every row of attention is the same, and with the same keys in every
    head, it is the same patch: scores are N and 1.
    """
    chosen = set(blocks)
    for index, block in enumerate(model.visual.transformer.resblocks):
        attn = block.attn
        width = attn.in_proj_weight.shape[1]
        queries, keys = slice(0, width), slice(width, 2 * width)
        attn.in_proj_weight[queries] = 0
        attn.in_proj_bias[queries] = sharpness if index in chosen else 0.0
        first = slice(width, width + width // attn.num_heads)
        attn.in_proj_weight[keys] = attn.in_proj_weight[first].repeat(attn.num_heads, 1)
        attn.in_proj_bias[keys] = attn.in_proj_bias[first].repeat(attn.num_heads)


@torch.no_grad()
def enlarge_channel(model: nn.Module, channel: int, gain: float, blocks: Iterable[int]) -> None:
    """Gives a model an outlier FFN output channel (this changes its weights for good)."""
    for block in blocks:
        model.visual.transformer.resblocks[block].mlp.c_proj.weight[channel] *= gain


def wrap_backbone(
    model: nn.Module, mean: tuple[float, float, float] = MEAN, std: tuple[float, float, float] = STD
) -> Backbone:
    return Backbone("tiny", "tiny", model, tokenizer(), mean, std, model.visual.image_size[0])


def tiny_backbone(
    seed: int = 0, prepare: Callable[[nn.Module], None] | None = None, **settings: Any
) -> Backbone:
    """``tiny_clip`` wrapped, after ``prepare`` has changed it; with a mean and std of its own."""
    if prepare is None:
        return wrap_backbone(_built(seed, **settings))
    model = tiny_clip(seed, **settings)
    prepare(model)
    return wrap_backbone(model)


_built = lru_cache(32)(tiny_clip)
"""Unmodified towers shared by tests: building one takes longer than most tests."""


def picture(height: int, width: int, seed: int = 0) -> Image.Image:
    """A random RGB image with structure at every scale."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8)).resize((width, height))
    noise = rng.integers(-60, 60, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8))


def normalised(
    image: Image.Image, mean: Sequence[float] = MEAN, std: Sequence[float] = STD
) -> Tensor:
    """(3, height, width) float64: what a tower is given for ``image``."""
    pixels = torch.from_numpy(np.array(image)).double().permute(2, 0, 1) / 255
    to_column = torch.tensor([mean, std], dtype=torch.float64)[..., None, None]
    return (pixels - to_column[0]) / to_column[1]
