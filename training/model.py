"""The network that is trained: open_clip's own `CLIP`, run by functions that training needs.

The parameters live in open_clip's module, under open_clip's names, so that what is saved loads
there. The functions compute what its forward pass computes, and besides it the patch features of
the last block's Values.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from torch import Tensor, nn

from gclip_core import blocks as core
from gclip_core.registry import OPENAI_MEAN, OPENAI_STD
from gclip_core.types import Grid

CONTEXT = 24

CONFIG: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {
        "image_size": 192,
        "layers": 12,
        "width": 128,
        "head_width": 32,
        "patch_size": 8,
        "patch_dropout": 0.0,
    },
    "text_cfg": {
        "context_length": CONTEXT,
        "vocab_size": 49408,
        "width": 96,
        "heads": 3,
        "layers": 3,
    },
}


def build(tokens: int, config: dict[str, Any] = CONFIG) -> CLIP:
    """A fresh CLIP whose token table has only as many rows as training has tokens.

    The full table would be two thirds of all parameters, and nearly all of it never used; packing
    scatters the rows into it.
    """
    text = {**config["text_cfg"], "vocab_size": tokens}
    return CLIP(config["embed_dim"], config["vision_cfg"], text)


def wave_positions(side: int, dim: int) -> Tensor:
    """Sines and cosines of a patch's row and column, (side * side, dim), of variance one half.

    Near patches get near embeddings, so that attention can be local from the first step; random
    embeddings have to learn what is next to what.
    """
    periods = 3 * (16 ** torch.linspace(0, 1, dim // 4))  # 3 to 48 patches
    angles = 2 * math.pi * torch.arange(side)[:, None] / periods  # (side, dim / 4)
    line = torch.cat([angles.sin(), angles.cos()], 1)  # (side, dim / 2)
    rows = line[:, None].expand(side, side, -1)
    columns = line[None].expand(side, side, -1)
    return torch.cat([rows, columns], -1).reshape(side * side, dim)


def whitening(pixels: Tensor, dim: int, patch: int) -> Tensor:
    """A first layer (dim, 3, patch, patch) under which patches of these pictures come out white.

    pixels: (n, H, W, 3) uint8. Principal components, each brought to (nearly) unit variance:
    fine detail, which is faint, is then as easy to see as colour.
    """
    patches = F.unfold(normalise(pixels), patch, stride=patch)  # (n, 3 * patch * patch, patches)
    flat = patches.transpose(1, 2).flatten(0, 1)
    values, vectors = torch.linalg.eigh(torch.cov(flat.T).double())
    scale = (values + 0.003 * values.mean()).rsqrt()
    return (vectors * scale).T.flip(0)[:dim].float().view(dim, 3, patch, patch)


@torch.no_grad()
def initialise(model: CLIP, pixels: Tensor) -> None:
    """A start from which little data goes far, in place of open_clip's random one.

    A whitening first layer, positions that know their neighbours, and in every block keys that
    equal the queries, so that at first a token attends to its like ("mimetic initialisation",
    Trockman and Kolter 2023).
    """
    tower = model.visual
    dim, _, patch, _ = tower.conv1.weight.shape
    tower.conv1.weight.copy_(whitening(pixels, dim, patch))
    side = math.isqrt(tower.positional_embedding.shape[0] - 1)
    tower.positional_embedding[1:] = 0.7 * wave_positions(side, dim)
    for layer in tower.transformer.resblocks:
        q, k, _ = layer.attn.in_proj_weight.chunk(3)
        k.copy_(q)


def put_to_sleep(model: CLIP, awake: Sequence[int]) -> None:
    """Make every block but those in `awake` an identity, by zeroing what it adds to its input.

    Such a block can be left out for as long as one likes, and run from then on, without a jump.
    """
    for i, layer in enumerate(model.visual.transformer.resblocks):
        if i not in awake:
            for part in (layer.attn.out_proj, layer.mlp.c_proj):
                nn.init.zeros_(part.weight)
                nn.init.zeros_(part.bias)


def run(layer: nn.Module, x: Tensor, causal: bool = False) -> Tensor:
    """One residual block on (batch, token, dim); the sum keeps the dtype of `x` under autocast."""
    heads = core.project(layer, x)
    mixed = F.scaled_dot_product_attention(*heads.all, is_causal=causal)
    x = x + core.merge(layer, mixed)
    return x + core.ffn(layer, x)


def positions(tower: nn.Module, grid: Grid, corner: Grid | None) -> Tensor:
    """Positional embeddings (1 + h*w, dim) for a grid of patches.

    A window of the learned ones at a corner, else these resized as the library does it to segment.
    """
    if corner is None:
        return core.positional_embedding(tower, grid)
    (top, left), learned = corner, tower.positional_embedding
    window = learned[1:].unflatten(0, tower.grid_size)[top : top + grid[0], left : left + grid[1]]
    return torch.cat([learned[:1], window.flatten(0, 1)])


def encode_images(
    model: CLIP,
    images: Tensor,
    corner: Grid | None = None,
    blocks: Sequence[int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Normalised images (batch, 3, H, W) -> class embedding (batch, E), patches (batch, h*w, E).

    Both are of unit length. The patches are the last block's Values, taken through `out_proj`,
    `ln_post` and `proj`: no attention mixes them.

    blocks: which run, counted from 0 and ending with the last; by default all.
    """
    tower = model.visual
    x = tower.conv1(images)
    grid = (x.shape[2], x.shape[3])
    x = x.flatten(2).transpose(1, 2)
    cls = tower.class_embedding.expand(x.shape[0], 1, -1)
    x = torch.cat([cls, x], 1) + positions(tower, grid, corner)
    x = tower.ln_pre(x)
    layers = tower.transformer.resblocks
    for i in (range(len(layers)) if blocks is None else blocks)[:-1]:
        x = run(layers[i], x)
    values = core.project(layers[-1], x[:, 1:]).part("v")
    patches = tower.ln_post(core.merge(layers[-1], values)) @ tower.proj
    x = run(layers[-1], x)
    pooled = tower.ln_post(x[:, 0]) @ tower.proj
    return F.normalize(pooled, dim=-1), F.normalize(patches, dim=-1)


def encode_text(model: CLIP, tokens: Tensor) -> Tensor:
    """Token ids (batch, CONTEXT), 0 after the end -> text embeddings (batch, E) of unit length.

    The end token must be the largest id, as in CLIP's own vocabulary. Positions after the longest
    text are not computed: a causal tower does not look ahead.
    """
    used = int((tokens != 0).sum(1).max())
    tokens = tokens[:, :used]
    x = model.token_embedding(tokens) + model.positional_embedding[:used]
    for layer in model.transformer.resblocks:
        x = run(layer, x, causal=True)
    x = model.ln_final(x[torch.arange(len(x)), tokens.argmax(1)])
    return F.normalize(x @ model.text_projection, dim=-1)


def normalise(pixels: Tensor) -> Tensor:
    """uint8 pixels (batch, H, W, 3) -> what the image tower takes, (batch, 3, H, W) float32."""
    x = pixels.permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(three).view(3, 1, 1) for three in (OPENAI_MEAN, OPENAI_STD))
    return (x - mean) / std
