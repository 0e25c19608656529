"""PEARL's attention: the Keys are rotated towards the Queries."""

import torch
from torch import Tensor

from gclip_core.blocks import Heads

ALPHA = 0.08
"""Weight of the Key-Key logits, which are added to the aligned Query-Key logits."""
NEWTON_SCHULZ_STEPS = 5
"""Number of iterations, which end before convergence, as in the authors' code."""


def aligned(heads: Heads) -> Heads:
    """PEARL's queries and keys, (..., H, T, 2 d) in their dtype, for ``softmax(s q' k'^T)``.

    The logits ``s q (k R)^T + alpha s k_c k_c^T`` are one product of concatenated queries and keys.
    The caller computes ``s`` from the doubled width; multiplying the queries by sqrt(2) corrects
    it.
    """
    q, k = heads.q.float(), heads.k.float()
    share = q.norm(dim=-1, keepdim=True)  # (..., H, T, 1)
    share[..., :1, :] = 0  # the class token is not part of the mean
    share = share / (share.sum(-2, keepdim=True) + 1e-6)
    q_centred, k_centred = (x - (share * x).sum(-2, keepdim=True) for x in (q, k))
    rotated = k @ inexact_rotation(k_centred.transpose(-1, -2) @ q_centred)
    queries = torch.cat([q, ALPHA * k_centred], dim=-1) * 2**0.5
    keys = torch.cat([rotated, k_centred], dim=-1)
    return Heads(queries.to(heads.q.dtype), keys.to(heads.k.dtype), heads.v)


def inexact_rotation(M: Tensor) -> Tensor:
    """PEARL's rotation ``M (M^T M)^-1/2`` of M (..., d, d) float32; the inverse square root is what
    five iterations of Newton and Schulz find. The same shape and dtype."""
    square = M.transpose(-1, -2) @ M
    scale = square.norm(dim=(-2, -1), keepdim=True).clamp_min(torch.finfo(M.dtype).tiny)
    eye = torch.eye(M.shape[-1], device=M.device)
    Y, Z = square / scale + 1e-6 * eye, eye.expand_as(M)
    for _ in range(NEWTON_SCHULZ_STEPS):
        step = (3 * eye - Z @ Y) / 2
        Y, Z = Y @ step, step @ Z
    return M @ Z / scale.sqrt()
