"""A forward pass of the image tower from any block on that returns the input of each block.

The blocks are computed here from open_clip's modules and parameters, so that a block can run with
another ``W2'`` while the module's weights stay unchanged. Outputs have the model's dtype.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from open_clip.transformer import QuickGELU
from torch import Tensor, nn

from gclip_core.types import Grid, Module

Part = Literal["q", "k", "v"]


@dataclass(frozen=True, eq=False)
class Heads:
    """Queries, keys and values of one block, each (..., H, T, d); ``v`` is None if not needed.

    ``heads[index]`` indexes all three.
    """

    q: Tensor
    k: Tensor
    v: Tensor | None = None

    def part(self, name: Part) -> Tensor:
        tensor = getattr(self, name)
        assert tensor is not None, name
        return tensor

    def __getitem__(self, index: Any) -> "Heads":
        return Heads(self.q[index], self.k[index], None if self.v is None else self.v[index])

    def only(self, head: int | None) -> "Heads":
        """One head, with its axis kept: each (..., 1, T, d); all heads for None."""
        return self if head is None else self[..., head : head + 1, :, :]


def embed_patches(visual: Module, x: Tensor) -> Tensor:
    """The input of block 0: the output of ``visual.conv1``, (..., D, h, w), to (..., 1+N, D).

    For a grid other than the model's, ``positional_embedding`` is resized (bicubic,
    ``align_corners=False``, no antialiasing).
    """
    grid = (x.shape[-2], x.shape[-1])
    x = x.flatten(-2).mT  # (..., N, D)
    first = visual.class_embedding.to(x.dtype).expand(*x.shape[:-2], 1, -1)
    x = torch.cat([first, x], dim=-2) + positional_embedding(visual, grid).to(x.dtype)
    return visual.ln_pre(x)


def positional_embedding(visual: Module, grid: Grid) -> Tensor:
    """The tower's positional embedding for a grid of patches: (1+N, D), float32 if resized."""
    own = visual.positional_embedding
    if grid == tuple(visual.grid_size):
        return own
    height, width = visual.grid_size
    patches = own[1:].float().reshape(1, height, width, -1).permute(0, 3, 1, 2)
    patches = F.interpolate(patches, size=grid, mode="bicubic", align_corners=False)
    return torch.cat([own[:1].float(), patches.flatten(2)[0].T])


def project(block: Module, x: Tensor, values: bool = True) -> Heads:
    """Queries, keys and, if wanted, values of a block's input (..., 1+N, D): (..., H, 1+N, d)."""
    attn, parts = block.attn, 3 if values else 2
    outputs = parts * x.shape[-1]
    weight, bias = attn.in_proj_weight[:outputs], attn.in_proj_bias[:outputs]
    joined = F.linear(block.ln_1(x), weight, bias)
    heads = joined.unflatten(-1, (parts, attn.num_heads, -1)).transpose(-4, -3)
    return Heads(*heads.transpose(-3, -2).unbind(-4))


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """``softmax(s q k^T + bias) v``, ``s = d^-1/2``: (H, T, d) or (B, H, T, d) in their dtype."""
    if q.dim() == 3:  # PyTorch's fused kernels need a batch
        return attend(q[None], k[None], v[None], bias)[0]
    return F.scaled_dot_product_attention(q, k, v, bias)


def merge(block: Module, mixed: Tensor) -> Tensor:
    """``ls_1(out_proj(mixed))`` of attended values: (..., H, T, d) to (..., T, D)."""
    joined = mixed.transpose(-3, -2).flatten(-2)
    return block.ls_1(block.attn.out_proj(joined))


def ffn(block: Module, x: Tensor, W2: Tensor | None = None) -> Tensor:
    """``ls_2(c_proj(gelu(c_fc(ln_2(x)))))``, with ``W2`` in place of ``c_proj.weight`` if given."""
    mlp, x = block.mlp, block.ln_2(x)
    weight = mlp.c_proj.weight if W2 is None else W2
    if isinstance(mlp.gelu, QuickGELU):
        return block.ls_2(_quick_ffn(mlp.c_fc, weight, mlp.c_proj.bias, x))
    return block.ls_2(F.linear(mlp.gelu(mlp.c_fc(x)), weight, mlp.c_proj.bias))


def finish(block: Module, x: Tensor, mixed: Tensor, W2: Tensor | None = None) -> Tensor:
    """A block's output from its input (..., T, D) and its attended values (..., H, T, d)."""
    x = merge(block, mixed).add_(x)
    return ffn(block, x, W2).add_(x)


def run(block: Module, x: Tensor, heads: Heads, W2: Tensor | None = None) -> Tensor:
    """A block's output from its input (..., T, D) and its heads (..., H, T, d)."""
    return finish(block, x, attend(heads.q, heads.k, heads.part("v")), W2)


def block_inputs(
    blocks: Sequence[Module],
    x: Tensor,
    start: int = 0,
    replaced: Mapping[int, Tensor] | None = None,
) -> list[Tensor]:
    """Inputs of blocks ``start ... L-1``, each (..., 1+N, D), from ``x``, the input of ``start``.

    The last block does not run. ``replaced`` maps a block to its ``W2'``.
    """
    inputs = [x]
    for index, block in enumerate(blocks[start:-1], start):
        x = run(block, x, project(block, x), (replaced or {}).get(index))
        inputs.append(x)
    return inputs


def _quick_ffn(c_fc: nn.Linear, W2: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """The FFN with QuickGELU: ``x sigmoid(1.702 x) = silu(1.702 x) / 1.702``.

    The matrix products include the factors 1.702 and 1/1.702, which saves two passes over the data.
    """
    rows = x.flatten(0, -2)
    hidden = torch.addmm(c_fc.bias, rows, c_fc.weight.T, beta=1.702, alpha=1.702)
    out = torch.addmm(bias, F.silu(hidden, inplace=True), W2.T, alpha=1 / 1.702)
    return out.unflatten(0, x.shape[:-1])
