"""From block inputs to dense features: each method computes its own version of the last block."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import amf, blocks, calibration, proxy, refocus
from gclip_core.amf import WeightedMap
from gclip_core.attention import ATTENTIONS
from gclip_core.calibration import CALIBRATIONS, Calibrated
from gclip_core.encoder import Encoded
from gclip_core.methods import Method
from gclip_core.refocus import Refocused
from gclip_core.types import Module


def apply(method: Method, encoded: Encoded, fused: Sequence[int]) -> Tensor:
    """Dense features of each window: (W, h, w, E) float32, L2-normalised (table in METHOD.md).

    The grid is the window's, or that of a proxy's features. The attention of the blocks ``fused``,
    if any, is fused into the last block's. SC-CLIP raises ImageError for fewer than 31 patches.
    """
    last, kind, grid = encoded.backbone.blocks[-1], ATTENTIONS[method.attention], encoded.window
    if method.calibration is not None:
        images = _calibrated(method, encoded)
        z = torch.stack([calibration.two_passes(last, kind, image) for image in images])
    elif method.proxy is not None:
        assert encoded.dino is not None
        values = encoded.heads(encoded.backbone.n_blocks - 1, values=True).part("v")[..., 1:, :]
        grid = encoded.dino.shape[1], encoded.dino.shape[2]
        mixed = [
            proxy.attend(method.proxy, features, own, encoded.window)
            for features, own in zip(encoded.dino, values, strict=True)
        ]
        z = blocks.merge(last, torch.stack(mixed))
    elif method.refocusing:
        z = refocus.last_block(last, _refocused(encoded))
    else:
        maps = _maps(method, encoded, fused)
        z = blocks.merge(last, amf.attend_fused(maps, encoded.window))
        if method.residual:
            z = encoded.inputs[-1] + z
        if method.ffn:
            z = z + blocks.ffn(last, z)
        z = z[:, 1:]
    return projected(encoded.backbone.visual, z).unflatten(1, grid)


def projected(visual: Module, patches: Tensor) -> Tensor:
    """Patch tokens (..., N, D) through ``ln_post`` and the projection: (..., N, E) float32,
    L2-normalised."""
    embeddings = visual.ln_post(patches) @ visual.proj
    return F.normalize(embeddings.float(), dim=-1)


def attention_matrix(
    method: Method, encoded: Encoded, fused: Sequence[int], head: int | None = None
) -> Tensor:
    """Entry (i, j): the weight of token j in the output of token i, (W, 1+N, 1+N) float32.

    The arguments and errors are those of ``apply``; ``head`` selects one head instead of the mean
    over heads. The result is the attention matrix of the last block, whose rows sum to 1 (or 2, for
    a sum of two softmaxes). A proxy, refocusing and calibration have one of the patches alone
    (``proxy.matrix``, ``refocus.path_matrix``, ``calibration.path_matrix``); there, the class token
    attends to itself. With a proxy, all heads share it.
    """
    if method.proxy is not None:
        assert encoded.dino is not None
        images = [proxy.matrix(method.proxy, x, encoded.window) for x in encoded.dino]
        patches = torch.stack(images)
    elif method.refocusing:
        patches = refocus.path_matrix(_refocused(encoded), head)
    elif method.calibration is not None:
        last, kind = encoded.backbone.blocks[-1], ATTENTIONS[method.attention]
        images = _calibrated(method, encoded)
        patches = torch.stack([calibration.path_matrix(last, kind, x, head) for x in images])
    else:
        return amf.fused_matrix(_maps(method, encoded, fused), encoded.window, head)
    out = F.pad(patches, (1, 0, 1, 0))
    out[:, 0, 0] = 1
    return out


def _refocused(encoded: Encoded) -> Refocused:
    backbone, x = encoded.backbone, encoded.inputs[0]
    return refocus.refocused(backbone.blocks, x, encoded.window, backbone.sink_channels)


def _maps(method: Method, encoded: Encoded, fused: Sequence[int]) -> list[WeightedMap]:
    """The attention of the last block, then that of each fused block."""
    own, n = ATTENTIONS[method.attention], len(fused)
    heads = encoded.heads(encoded.backbone.n_blocks - 1, values=True)
    fusion = method.fusion
    if not fused or fusion is None:
        return [WeightedMap(1.0, own, heads)]
    weight = n / (1 + n) if fusion.weight is None else fusion.weight
    kind = own if fusion.attention == "own" else ATTENTIONS["qk"]
    values = any("v" in pair for pair in kind.pairs)
    others = (WeightedMap(weight / n, kind, encoded.heads(block, values)) for block in fused)
    return [WeightedMap(1 - weight, own, heads), *others]


def _calibrated(method: Method, encoded: Encoded) -> list[Calibrated]:
    """The calibration of each window."""
    assert method.calibration is not None
    row = CALIBRATIONS[method.calibration]
    before_last = encoded.heads(encoded.backbone.n_blocks - 2)
    return [
        calibration.calibrate(row, [x[i] for x in encoded.inputs], before_last[i], encoded.window)
        for i in range(len(encoded.corners))
    ]
