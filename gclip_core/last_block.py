"""(Method, block inputs) to dense features: what replaces the tower's last block."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core import amf, attention, blocks, calibration
from gclip_core.attention import ATTENTIONS, Attention, Heads
from gclip_core.calibration import Calibrated
from gclip_core.types import Grid, Method


class HeadsOf(Protocol):
    """Gives a block's queries and keys, and its values where asked for: (B, H, 1+N, d) each."""

    def __call__(self, block: int, values: bool = False) -> Heads: ...


def apply(
    visual: nn.Module,
    method: Method,
    inputs: Sequence[Tensor],
    heads_of: HeadsOf,
    grid: Grid,
    fused: Sequence[int] = (),
    W2: Tensor | None = None,
) -> Tensor:
    """Dense features of a batch: (B, N, E) float32, L2-normalised (METHOD table, one family).

    ``inputs`` (B, 1+N, D) enter the blocks, ``fused`` are the blocks AMF fuses, and ``W2`` replaces
    the last FFN's weight where the method keeps that FFN.
    """
    last = visual.transformer.resblocks[-1]
    if method.calibration is not None:
        pictures = _calibrated(method, inputs, heads_of, grid)
        z = torch.stack([_two_passes(last, method, picture, grid) for picture in pictures])
    else:
        z = blocks.merge(last, _attended(method, len(inputs) - 1, heads_of, grid, fused))
        if method.residual:
            z = inputs[-1] + z
        if method.ffn:
            z = z + blocks.ffn(last, z, W2)
        z = z[:, 1:]
    patches = blocks.normalised(visual.ln_post, z) @ visual.proj
    return F.normalize(patches.float(), dim=-1)


def attention_matrix(
    visual: nn.Module,
    method: Method,
    inputs: Sequence[Tensor],
    heads_of: HeadsOf,
    grid: Grid,
    fused: Sequence[int] = (),
    head: int | None = None,
) -> Tensor:
    """What each token draws from: (B, 1+N, 1+N) float32, head mean or one head's.

    Takes what :func:`apply` takes. Without a calibration this is the matrix the last block used;
    rows sum to 1 (to 2 with the sum of two). With a calibration it is everything linear on a
    patch's way from the output of the block before: repair, spreading, attention, spreading; and
    half of it is the second pass, whose patches are those of earlier blocks. Left out is what
    works within a patch (norms, projections) and the class token, which keeps to itself.
    """
    if method.calibration is not None:
        last = visual.transformer.resblocks[-1]
        pictures = _calibrated(method, inputs, heads_of, grid)
        return torch.stack([_drawn_from(last, method, one, grid, head) for one in pictures])
    rule = ATTENTIONS[method.attention]

    def chosen(heads: Heads) -> Heads:
        return heads if head is None else heads.only(head)

    local = attention.mean_matrix(rule, chosen(heads_of(len(inputs) - 1, True)), grid)
    if not fused or method.fusion is None:
        return local
    kind = amf.fused_kind(rule, method.fusion)
    middle = [heads_of(block, kind.needs_values) for block in fused]
    if method.fusion.heads == "each":
        middle = [chosen(heads) for heads in middle]
    maps = [attention.mean_matrix(kind, heads, grid) for heads in middle]
    return amf.fuse(local, maps, method.fusion)


def _attended(
    method: Method, last: int, heads_of: HeadsOf, grid: Grid, fused: Sequence[int]
) -> Tensor:
    """``A v`` of every token, (B, H, 1+N, d)."""
    rule, heads = ATTENTIONS[method.attention], heads_of(last, True)
    if not fused or method.fusion is None:
        return attention.attend(rule, heads, grid)
    values = amf.fused_kind(rule, method.fusion).needs_values
    middle = [heads_of(block, values) for block in fused]
    return amf.attend_fused(rule, heads, grid, middle, method.fusion)


# --- with a calibration ---------------------------------------------------------------------------


def _calibrated(
    method: Method, inputs: Sequence[Tensor], heads_of: HeadsOf, grid: Grid
) -> list[Calibrated]:
    """What the calibration makes of every picture of a batch."""
    assert method.calibration is not None
    calibration.check_grid(grid)
    before = heads_of(len(inputs) - 2)
    return [
        calibration.calibrate(
            method.calibration, [x[i] for x in inputs], Heads(before.q[i], before.k[i]), grid
        )
        for i in range(len(inputs[0]))
    ]


def _passes(last: nn.Module, method: Method, made: Calibrated) -> list[tuple[Heads, Attention]]:
    """Queries, keys and values (H, N, d) of both passes, and the attention beside the gate."""
    assert method.calibration is not None
    rule = ATTENTIONS[method.attention]
    second = rule if method.calibration.second_pass == "same" else replace(rule, pairs=())
    both = blocks.project(last, made.patches.to(last.attn.in_proj_weight.dtype))
    heads = [Heads(*(part[i] for part in both.all)) for i in range(2)]
    return list(zip(heads, (rule, second), strict=True))


def _two_passes(last: nn.Module, method: Method, made: Calibrated, grid: Grid) -> Tensor:
    """What a calibrated last block makes of one picture's patches, (N, D) before ``ln_post``.

    No residual path and no FFN. Spreading is linear, so it is done once, on the sum.
    """
    passes = _passes(last, method, made)
    values = torch.stack([heads.part("v") for heads, _ in passes])  # (2, H, N, d)
    gated = torch.einsum("nm,phmd->phnd", made.gate, values.float())
    mixed = []
    for total, (heads, rule) in zip(gated, passes, strict=True):
        if rule.pairs:
            total = total + attention.attend(rule, heads, grid) / rule.scale
        mixed.append(total / (1 + len(rule.pairs)))
    z = blocks.merge(last, torch.stack(mixed).to(values.dtype)) + made.class_terms
    return (made.after @ z.sum(0)).to(values.dtype)


def _drawn_from(
    last: nn.Module, method: Method, made: Calibrated, grid: Grid, head: int | None
) -> Tensor:
    """:func:`attention_matrix` of one picture with a calibration."""
    assert method.calibration is not None
    maps = []
    for heads, rule in _passes(last, method, made):
        total = made.gate
        if rule.pairs:
            chosen = heads if head is None else heads.only(head)
            total = total + attention.mean_matrix(rule, chosen, grid) / rule.scale
        maps.append(total / (1 + len(rule.pairs)))
    repair = calibration.repaired(
        torch.eye(len(made.gate), device=made.gate.device),
        made.outliers, grid, method.calibration.isolated,
    )  # fmt: skip
    patches = made.after @ (maps[0] @ (made.before @ repair) + maps[1]) / 2
    out = F.pad(patches, (1, 0, 1, 0))
    out[0, 0] = 1
    return out
