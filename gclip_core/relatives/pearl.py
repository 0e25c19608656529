"""PEARL's attention: the Keys are rotated towards the Queries."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import attention, blocks
from gclip_core.blocks import Heads
from gclip_core.encoder import Encoded
from gclip_core.last_block import LastBlock
from gclip_core.methods import Method, Paper, add

ALPHA = 0.08
"""Weight of the Key-Key logits, which are added to the aligned Query-Key logits."""
NEWTON_SCHULZ_STEPS = 5
"""Number of iterations, which end before convergence, as in the authors' code."""


@dataclass(frozen=True)
class Pearl(LastBlock):
    """A last block with PEARL's attention, without residual path and FFN."""

    @property
    def rule(self) -> str:
        return "query · key, aligned"

    def patches(self, encoded: Encoded) -> Tensor:
        heads = aligned(encoded.last_heads)
        v = heads.part("v")
        # Fused kernels need queries, keys and values of one width.
        mixed = blocks.attend(heads.q, heads.k, F.pad(v, (0, v.shape[-1])))[..., : v.shape[-1]]
        return blocks.merge(encoded.backbone.blocks[-1], mixed)[1:].unflatten(0, encoded.grid)

    def matrix(self, encoded: Encoded, head: int | None) -> Tensor:
        heads = aligned(encoded.last_heads.only(head))
        return attention.head_mean(heads.q, heads.k)


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


add(
    Method(
        "pearl",
        "PEARL (attention)",
        Pearl(),
        paper=Paper("Pei et al.", 2026, "arXiv:2603.21528"),
        summary="Query-Key attention after the Keys are rotated towards the Queries, plus a little "
        "Key-Key; without its propagation over the image.",
    )
)
