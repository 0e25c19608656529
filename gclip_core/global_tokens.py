"""Global tokens: patches that nearly every patch attends to."""

import torch
from torch import Tensor

from gclip_core import attention
from gclip_core.blocks import Heads

GLOBAL_THRESHOLD = 5.0
"""A patch that receives at least this multiple of uniform attention is a global token."""


def received(heads: Heads) -> Tensor:
    """How much each patch is attended to, ``m_j = N mean_i A_ij``: (N,) float32.

    ``A`` is the attention from patches to patches, averaged over heads, with renormalised rows;
    ``heads`` are queries and keys, each (H, 1+N, d). ``m_j`` is 1 for uniform attention, and N if
    all patches attend only to ``j``.
    """
    rows = max(1, attention.ELEMENTS_AT_A_TIME // (heads.k.shape[0] * heads.k.shape[1]))
    m = torch.zeros(heads.k.shape[1] - 1, device=heads.k.device)
    for q in heads.q[:, 1:].split(rows, dim=1):
        A = attention.softmax_rows(q, heads.k).mean(0)[:, 1:]
        # A row that attends only to the class token stays zero.
        m += (A / A.sum(1, keepdim=True).clamp_min(torch.finfo(A.dtype).tiny)).sum(0)
    return m


def tokens(m: Tensor, threshold: float) -> tuple[int, ...]:
    """Indices of the patches with ``m_j >= threshold``."""
    return tuple((m >= threshold).nonzero().flatten().tolist())
