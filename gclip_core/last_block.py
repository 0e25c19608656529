"""From block inputs to dense features: each method computes its own version of the last block."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core import amf, attention, blocks, calibration
from gclip_core.attention import ATTENTIONS, Heads
from gclip_core.calibration import Calibrated
from gclip_core.methods import Method
from gclip_core.types import Grid

HeadsOf = Callable[..., Heads]
"""``heads_of(block, values)``: a block's queries and keys, and its values on request; each
(B, H, 1+N, d)."""


def apply(
    visual: nn.Module,
    method: Method,
    inputs: Sequence[Tensor],
    heads_of: HeadsOf,
    grid: Grid,
    fused: Sequence[int] = (),
    W2: Tensor | None = None,
) -> Tensor:
    """Dense features of a batch: (B, N, E) float32, L2-normalised (table in METHOD.md).

    ``inputs`` are those of all blocks, (B, 1+N, D) each. The attention of the blocks ``fused`` is
    fused into the last block's. ``W2`` (D, 4D) replaces that of the last FFN, if the method keeps
    this FFN. A calibration raises ImageError for fewer than 31 patches.
    """
    last = visual.transformer.resblocks[-1]
    if method.calibration is not None:
        pictures = _calibrated(method, inputs, heads_of, grid)
        z = torch.stack([_two_passes(last, method, picture, grid) for picture in pictures])
    else:
        rule, heads = ATTENTIONS[method.attention], heads_of(len(inputs) - 1, True)
        if method.fusion is None or not fused:
            mixed = attention.attend(rule, heads, grid)
        else:
            middle = _middle(method, heads_of, fused)
            mixed = amf.attend_fused(rule, heads, grid, middle, method.fusion)
        z = blocks.merge(last, mixed)
        if method.residual:
            z = inputs[-1] + z
        if method.ffn:
            z = z + blocks.ffn(last, z, W2)
        z = z[:, 1:]
    return projected(visual, z)


def projected(visual: nn.Module, patches: Tensor) -> Tensor:
    """Patch tokens (..., N, D) through ``ln_post`` and the projection: (..., N, E) float32,
    L2-normalised."""
    embeddings = blocks.normalised(visual.ln_post, patches) @ visual.proj
    return F.normalize(embeddings.float(), dim=-1)


def attention_matrix(
    visual: nn.Module,
    method: Method,
    inputs: Sequence[Tensor],
    heads_of: HeadsOf,
    grid: Grid,
    fused: Sequence[int] = (),
    head: int | None = None,
) -> Tensor:
    """Entry (i, j): the weight of token j in the output of token i, (B, 1+N, 1+N) float32.

    The arguments and errors are those of :func:`apply`; ``head`` chooses one head instead of the
    head mean. Without a calibration it is the attention matrix of the last block, whose rows sum to
    1 (to 2 for a sum of two softmaxes).

    With a calibration it is the product of repair, spreading, attention and spreading, for patches;
    the class token attends to itself. The matrix is the mean of those of two passes; the patches of
    the second are from earlier blocks. Layer norms, projections and the class term are left out:
    they do not mix patches.
    """
    if method.calibration is not None:
        last = visual.transformer.resblocks[-1]
        pictures = _calibrated(method, inputs, heads_of, grid)
        return torch.stack(
            [_path_matrix(last, method, picture, grid, head) for picture in pictures]
        )
    rule, heads = ATTENTIONS[method.attention], heads_of(len(inputs) - 1, True)
    local = attention.mean_matrix(rule, heads.only(head), grid)
    if method.fusion is None or not fused:
        return local
    middle = _middle(method, heads_of, fused)
    if method.fusion.heads == "each":
        middle = [block.only(head) for block in middle]
    kind = amf.fused_kind(rule, method.fusion)
    maps = [attention.mean_matrix(kind, block, grid) for block in middle]
    return amf.fuse(local, maps, method.fusion)


def _middle(method: Method, heads_of: HeadsOf, fused: Sequence[int]) -> list[Heads]:
    kind = amf.fused_kind(ATTENTIONS[method.attention], method.fusion)
    values = any("v" in pair for pair in kind.pairs)
    return [heads_of(block, values) for block in fused]


def _calibrated(
    method: Method, inputs: Sequence[Tensor], heads_of: HeadsOf, grid: Grid
) -> list[Calibrated]:
    """The calibration of each image of a batch."""
    before = heads_of(len(inputs) - 2)
    return [
        calibration.calibrate(method.calibration, [x[i] for x in inputs], before[i], grid)
        for i in range(len(inputs[0]))
    ]


def _project(last: nn.Module, method: Method, calibrated: Calibrated) -> tuple[Heads, Heads]:
    """Heads of both passes, (2, H, N, d) each, and of those passes that use more than the gate."""
    heads = blocks.project(last, calibrated.patches.to(last.attn.in_proj_weight.dtype))
    return heads, heads if method.calibration.second_pass == "same" else heads[:1]


def _two_passes(last: nn.Module, method: Method, calibrated: Calibrated, grid: Grid) -> Tensor:
    """The calibrated last block of one image: (N, D), before ``ln_post``.

    It has no residual path and no FFN. Spreading is linear, so it is done once, on the sum.
    """
    rule, (heads, attending) = ATTENTIONS[method.attention], _project(last, method, calibrated)
    values = heads.part("v")
    mixed = torch.einsum("nm,phmd->phnd", calibrated.gate, values.float())
    with_attention = mixed[: len(attending.q)]  # a view: these passes of ``mixed`` change
    with_attention += attention.attend(rule, attending, grid)
    with_attention /= 1 + len(rule.pairs)
    z = blocks.merge(last, mixed.to(values.dtype)) + calibrated.class_terms
    return (calibrated.after @ z.sum(0)).to(values.dtype)


def _path_matrix(
    last: nn.Module, method: Method, calibrated: Calibrated, grid: Grid, head: int | None
) -> Tensor:
    """:func:`attention_matrix` of one image with a calibration."""
    rule, (_, attending) = ATTENTIONS[method.attention], _project(last, method, calibrated)
    maps = calibrated.gate.repeat(2, 1, 1)
    with_attention = maps[: len(attending.q)]
    with_attention += attention.mean_matrix(rule, attending.only(head), grid)
    with_attention /= 1 + len(rule.pairs)
    eye = torch.eye(len(calibrated.gate), device=calibrated.gate.device)
    repair = calibration.repaired(eye, calibrated.outliers, grid, method.calibration.isolated)
    patches = calibrated.after @ (maps[0] @ (calibrated.before @ repair) + maps[1]) / 2
    out = F.pad(patches, (1, 0, 1, 0))
    out[0, 0] = 1
    return out
