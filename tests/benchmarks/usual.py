"""The usual way: what published training-free segmenters run.

All templates at full length in float32 for every word; one full pass of the tower per variant;
explicit attention matrices in the last block; softmax over all classes at full size; no cache.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core.minimal import attention, heads
from gclip_core.words.text import TEMPLATES
from tests.models import tokenizer


@torch.no_grad()
def embed(model: nn.Module, words: Sequence[str]) -> Tensor:
    """(words, E): each word in 80 sentences of 77 positions."""
    rows = []
    for word in words:
        tokens = tokenizer()([t.replace("{}", word) for t in TEMPLATES["imagenet80"]])
        rows.append(F.normalize(F.normalize(model.encode_text(tokens), dim=-1).mean(0), dim=-1))
    return torch.stack(rows)


@torch.no_grad()
def features(model: nn.Module, pixels: Tensor, fused: Sequence[int] = ()) -> Tensor:
    """Dense features (1, N, E) of (1, 3, height, width): ClearCLIP's, with AMF over ``fused``."""
    visual = model.visual
    x = visual.conv1(pixels)
    h, w = x.shape[-2:]
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(1, 1, -1), x], dim=1) + _positions(visual, h, w)
    x = visual.ln_pre(x)
    maps = []
    for index, block in enumerate(visual.transformer.resblocks[:-1]):
        if index in fused:
            q, k, _ = heads(block, x[0])
            maps.append(attention(q, k))
        x = block(x)
    last = visual.transformer.resblocks[-1]
    q, _, v = heads(last, x[0])
    A = (attention(q, q) + sum(maps)) / (1 + len(maps))
    z = last.attn.out_proj((A @ v).transpose(0, 1).flatten(1))[None]
    return F.normalize(visual.ln_post(z)[:, 1:] @ visual.proj, dim=-1)


def labels(model: nn.Module, pixels: Tensor, text: Tensor, fused: Sequence[int] = ()) -> Tensor:
    """(height, width) class indices of one picture, in one pass."""
    patch = model.visual.conv1.kernel_size[0]
    grid = (pixels.shape[-2] // patch, pixels.shape[-1] // patch)
    cosines = features(model, pixels, fused) @ text.T  # (1, N, classes)
    maps = 40 * cosines.transpose(1, 2).unflatten(2, grid)
    return F.interpolate(maps, size=pixels.shape[-2:], mode="bilinear").softmax(1).argmax(1)[0]


def _positions(visual: nn.Module, h: int, w: int) -> Tensor:
    own = visual.positional_embedding
    side = visual.grid_size[0]
    patches = own[1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    patches = F.interpolate(patches, size=(h, w), mode="bicubic", align_corners=False)
    return torch.cat([own[:1], patches.flatten(2)[0].T])
