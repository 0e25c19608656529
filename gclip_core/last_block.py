"""(Method, block inputs) to dense features: what replaces the tower's last block."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core import attention, trunk
from gclip_core.attention import ATTENTIONS, Heads
from gclip_core.types import Grid, Method


def apply(
    visual: nn.Module,
    method: Method,
    last_input: Tensor,
    grid: Grid,
    middle: Sequence[tuple[int, Tensor]] = (),
    W2: Tensor | None = None,
    heads: Heads | None = None,
) -> Tensor:
    """Dense features of a batch: (B, N, E) float32, L2-normalised (METHOD table, one family).

    ``last_input`` (B, 1+N, D) enters the last block; ``middle`` are (block, its input) of the
    blocks AMF fuses; ``W2`` replaces the last FFN's weight where the method keeps that FFN;
    ``heads`` are the last block's own, where they are known already.
    """
    blocks = visual.transformer.resblocks
    last = blocks[-1]
    heads = trunk.project(last, last_input) if heads is None else heads
    rule = ATTENTIONS[method.attention]
    if middle and method.fusion is not None:
        fused = [trunk.project(blocks[index], x, values=False) for index, x in middle]
        mixed = attention.attend_fused(rule, heads, grid, fused, method.fusion.heads == "each")
    else:
        mixed = attention.attend(rule, heads, grid)
    z = trunk.merge(last, mixed)
    if method.residual:
        z = last_input + z
    if method.ffn:
        z = z + trunk.ffn(last, z, W2)
    patches = visual.ln_post(z[:, 1:]) @ visual.proj
    return F.normalize(patches.float(), dim=-1)


def attention_matrix(
    visual: nn.Module,
    method: Method,
    last_input: Tensor,
    grid: Grid,
    middle: Sequence[tuple[int, Tensor]] = (),
    head: int | None = None,
) -> Tensor:
    """The matrix the last block really used: (1+N, 1+N) float32, head mean or one head's.

    Takes inputs of one image, (1+N, D). Rows sum to 1 (SCLIP's to 2).
    """
    blocks = visual.transformer.resblocks
    heads = trunk.project(blocks[-1], last_input)
    if head is not None:
        heads = heads.only(head)
    local = attention.matrix(ATTENTIONS[method.attention], heads, grid).mean(0)
    if not middle or method.fusion is None:
        return local
    maps = []
    for index, x in middle:
        block = trunk.project(blocks[index], x, values=False)
        each = head is not None and method.fusion.heads == "each"
        maps.append(attention.mean_weights(block.only(head) if each else block))
    return attention.fuse(local, maps)
