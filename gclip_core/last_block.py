"""From block inputs to dense features: each method computes its own version of the last block."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core import amf, attention, blocks, calibration
from gclip_core.amf import WeightedMap
from gclip_core.attention import ATTENTIONS, Attention, Heads
from gclip_core.backbone import Backbone
from gclip_core.calibration import Calibrated
from gclip_core.encoder import Batch, block_heads
from gclip_core.methods import Method
from gclip_core.types import Grid


def apply(backbone: Backbone, method: Method, batch: Batch, fused: Sequence[int]) -> Tensor:
    """Dense features of a batch: (B, N, E) float32, L2-normalised (table in METHOD.md).

    The attention of the blocks ``fused``, if any, is fused into the last block's. A calibration
    raises ImageError for fewer than 31 patches.
    """
    last = backbone.blocks[-1]
    if method.calibration is not None:
        images = _calibrated(backbone, method, batch)
        z = torch.stack([_two_passes(last, method, image, batch.window) for image in images])
    else:
        maps = _maps(backbone, method, batch, fused)
        z = blocks.merge(last, amf.attend_fused(maps, batch.window))
        if method.residual:
            z = batch.inputs[-1] + z
        if method.ffn:
            z = z + blocks.ffn(last, z)
        z = z[:, 1:]
    return projected(backbone.visual, z)


def projected(visual: nn.Module, patches: Tensor) -> Tensor:
    """Patch tokens (..., N, D) through ``ln_post`` and the projection: (..., N, E) float32,
    L2-normalised."""
    embeddings = blocks.normalised(visual.ln_post, patches) @ visual.proj
    return F.normalize(embeddings.float(), dim=-1)


def attention_matrix(
    backbone: Backbone,
    method: Method,
    batch: Batch,
    fused: Sequence[int],
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
    if method.calibration is None:
        return amf.fused_matrix(_maps(backbone, method, batch, fused), batch.window, head)
    last, images = backbone.blocks[-1], _calibrated(backbone, method, batch)
    return torch.stack([_path_matrix(last, method, image, batch.window, head) for image in images])


def _maps(
    backbone: Backbone, method: Method, batch: Batch, fused: Sequence[int]
) -> list[WeightedMap]:
    """The attention of the last block, then that of each fused block."""
    own, n = ATTENTIONS[method.attention], len(fused)
    heads = block_heads(backbone, batch, backbone.n_blocks - 1, values=True)
    if not fused:
        return [WeightedMap(1.0, own, heads)]
    fusion = method.fusion
    weight = n / (1 + n) if fusion.weight is None else fusion.weight
    kind = own if fusion.attention == "own" else ATTENTIONS["qk"]
    values = any("v" in pair for pair in kind.pairs)
    maps = [WeightedMap(1 - weight, own, heads)]
    for block in fused:
        heads = block_heads(backbone, batch, block, values)
        maps.append(WeightedMap(weight / n, kind, heads, averaged=fusion.heads == "mean"))
    return maps


def _calibrated(backbone: Backbone, method: Method, batch: Batch) -> list[Calibrated]:
    """The calibration of each image of a batch."""
    before_last = block_heads(backbone, batch, backbone.n_blocks - 2)
    return [
        calibration.calibrate(
            method.calibration, [x[i] for x in batch.inputs], before_last[i], batch.window
        )
        for i in range(len(batch.corners))
    ]


def _heads(last: nn.Module, method: Method, calibrated: Calibrated) -> tuple[Heads, Heads]:
    """Heads of both passes, (2, H, N, d) each, and of those passes that use more than the gate."""
    heads = blocks.project(last, calibrated.patches.to(last.attn.in_proj_weight.dtype))
    return heads, heads if method.calibration.second_pass == "same" else heads[:1]


def _two_passes(last: nn.Module, method: Method, calibrated: Calibrated, grid: Grid) -> Tensor:
    """The calibrated last block of one image: (N, D), before ``ln_post``.

    It has no residual path and no FFN. Spreading is linear, so it is done once, on the sum.
    """
    rule, (heads, attending) = ATTENTIONS[method.attention], _heads(last, method, calibrated)
    values = heads.part("v")
    gated = torch.einsum("nm,phmd->phnd", calibrated.gate, values.float())
    mixed = _with_attention(gated, attention.attend(rule, attending, grid), rule)
    z = blocks.merge(last, mixed.to(values.dtype)) + calibrated.class_terms
    return (calibrated.after @ z.sum(0)).to(values.dtype)


def _path_matrix(
    last: nn.Module, method: Method, calibrated: Calibrated, grid: Grid, head: int | None
) -> Tensor:
    """:func:`attention_matrix` of one image with a calibration."""
    rule, (_, attending) = ATTENTIONS[method.attention], _heads(last, method, calibrated)
    attended = attention.mean_matrix(rule, attending.only(head), grid)
    first, second = _with_attention(calibrated.gate.repeat(2, 1, 1), attended, rule)
    eye = torch.eye(len(calibrated.gate), device=calibrated.gate.device)
    repair = calibration.repaired(eye, calibrated.outliers, grid, method.calibration.isolated)
    patches = calibrated.after @ (first @ (calibrated.before @ repair) + second) / 2
    out = F.pad(patches, (1, 0, 1, 0))
    out[0, 0] = 1
    return out


def _with_attention(gated: Tensor, attended: Tensor, rule: Attention) -> Tensor:
    """The mean of the gate and of each softmax of ``rule`` in the passes that have attention.

    ``gated`` has both passes, (2, ...), ``attended`` the first or both.
    """
    n = len(attended)
    return torch.cat([(gated[:n] + attended) / (1 + len(rule.pairs)), gated[n:]])
