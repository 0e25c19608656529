"""(Method, block inputs) to dense features: what replaces the tower's last block."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core import amf, attention, blocks
from gclip_core.attention import ATTENTIONS, Heads
from gclip_core.types import Grid, Method


def apply(
    visual: nn.Module,
    method: Method,
    last_input: Tensor,
    heads: Heads,
    grid: Grid,
    middle: Sequence[Heads] = (),
    W2: Tensor | None = None,
) -> Tensor:
    """Dense features of a batch: (B, N, E) float32, L2-normalised (METHOD table, one family).

    ``last_input`` (B, 1+N, D) enters the last block and ``heads`` are its queries, keys and values
    there; ``middle`` are queries and keys of the blocks AMF fuses; ``W2`` replaces the last FFN's
    weight where the method keeps that FFN.
    """
    last = visual.transformer.resblocks[-1]
    rule = ATTENTIONS[method.attention]
    if middle and method.fusion is not None:
        mixed = amf.attend_fused(rule, heads, grid, middle, method.fusion)
    else:
        mixed = attention.attend(rule, heads, grid)
    z = blocks.merge(last, mixed)
    if method.residual:
        z = last_input + z
    if method.ffn:
        z = z + blocks.ffn(last, z, W2)
    patches = blocks.normalised(visual.ln_post, z[:, 1:]) @ visual.proj
    return F.normalize(patches.float(), dim=-1)


def attention_matrix(
    method: Method,
    heads: Heads,
    grid: Grid,
    middle: Sequence[Heads] = (),
    head: int | None = None,
) -> Tensor:
    """The matrix the last block really used: (B, 1+N, 1+N) float32, head mean or one head's.

    Takes what :func:`apply` takes. Rows sum to 1 (to 2 with the sum of two).
    """
    chosen = heads if head is None else heads.only(head)
    rule = ATTENTIONS[method.attention]
    local = attention.mean_matrix(rule, chosen, grid)
    if not middle or method.fusion is None:
        return local
    if head is not None and method.fusion.heads == "each":
        middle = [heads.only(head) for heads in middle]
    fused = amf.fused_kind(rule, method.fusion)
    maps = [attention.mean_matrix(fused, heads, grid) for heads in middle]
    return amf.fuse(local, maps, method.fusion)
