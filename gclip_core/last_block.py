"""From block inputs to dense features: each method computes its own version of the last block."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import amf, blocks, encoder
from gclip_core.amf import WeightedMap
from gclip_core.attention import ATTENTIONS
from gclip_core.encoder import Encoded
from gclip_core.methods import Method, checked
from gclip_core.types import Module


def encoding_for(method: Method, encoded: Encoded) -> Encoded:
    """The encoding with ``method``'s CS and no other; the given one if it is that.

    Whatever computes with a method calls this; pass its result to compute it only once. Raises
    MethodError for anything but a method, and for blocks that CS cannot change.
    """
    report = encoded.backbone.suppression_report(checked(method).suppression)
    return encoder.suppress(encoded, report.blocks)


@torch.no_grad()
def features(method: Method, encoded: Encoded) -> Tensor:
    """Dense features of the image: (h, w, E) float32 on the CPU, L2-normalised.

    The formulas are in METHOD.md's table. The grid is the image's, or a finer one of
    ``method.last``. Raises MethodError for blocks that AMF or CS cannot use, and ImageError for
    fewer than 31 patches with SC-CLIP.
    """
    encoded = encoding_for(method, encoded)
    visual, fused = encoded.backbone.visual, encoded.fusion_report(method.fusion).blocks
    return projected(visual, _patches(method, encoded, fused)).cpu()


def projected(visual: Module, patches: Tensor) -> Tensor:
    """Patch tokens (..., D) through ``ln_post`` and the projection: (..., E) float32,
    L2-normalised."""
    embeddings = visual.ln_post(patches) @ visual.proj
    return F.normalize(embeddings.float(), dim=-1)


def attention_matrix(method: Method, encoded: Encoded, head: int | None = None) -> Tensor:
    """Entry (i, j): the weight of token j in the output of token i, (1+N, 1+N) float32.

    ``head`` selects one head instead of the mean over heads. The result is the attention matrix of
    the last block, whose rows sum to 1 (or 2, for a sum of two softmaxes). That of ``method.last``
    is for patches alone, and its rows may have other sums; there, the class token attends to
    itself. Errors are those of ``features``.
    """
    encoded = encoding_for(method, encoded)
    if method.last is None:
        fused = encoded.fusion_report(method.fusion).blocks
        return amf.fused_matrix(_maps(method, encoded, fused), encoded.grid, head)
    matrix = F.pad(method.last.matrix(encoded, head), (1, 0, 1, 0))
    matrix[0, 0] = 1
    return matrix


def _patches(method: Method, encoded: Encoded, fused: Sequence[int]) -> Tensor:
    """The patch tokens after the last block, (h, w, D); ``fused`` are the blocks whose attention
    is fused into the last block's."""
    if method.last is not None:
        return method.last.patches(encoded)
    last, maps = encoded.backbone.blocks[-1], _maps(method, encoded, fused)
    z = blocks.merge(last, amf.attend_fused(maps, encoded.grid))
    if method.residual:
        z = encoded.inputs[-1] + z
    if method.ffn:
        z = z + blocks.ffn(last, z)
    return z[1:].unflatten(0, encoded.grid)


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
