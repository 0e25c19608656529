"""What an encoded image shows of the tower: attention, global tokens and Values.

CS is the encoding's, if any: see ``Method.encoding``; a method's last block is ``Method.matrix``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gclip_core import attention
from gclip_core.encoder import Encoded
from gclip_core.errors import check_index
from gclip_core.global_tokens import GLOBAL_THRESHOLD, tokens


@dataclass(frozen=True)
class GlobalTokens:
    """The global tokens of every block.

    ``scores[l]`` is ``max_j m_j`` of block ``l``: 1 for uniform attention, N if all patches attend
    to a single one. ``tokens[l]`` are the patches with ``m_j >= threshold``.
    """

    scores: tuple[float, ...]
    tokens: tuple[tuple[int, ...], ...]


@torch.no_grad()
def attention_map(encoded: Encoded, block: int, head: int | None = None) -> Tensor:
    """Query-Key attention of a block (0-based), averaged over heads or of one head: (1+N, 1+N)
    float32. Raises MethodError for a block or head that the tower does not have."""
    if head is not None:
        check_index("head", head, encoded.backbone.n_heads)
    check_index("block", block, encoded.backbone.n_blocks)
    heads = encoded.heads(block).only(head)
    return attention.head_mean(heads.q, heads.k).cpu()


def values(encoded: Encoded) -> Tensor:
    """The last block's Values of all patches and heads: (N, D) float32."""
    return encoded.last_heads.part("v")[:, 1:].transpose(0, 1).flatten(1).float().cpu()


def global_tokens(encoded: Encoded, threshold: float = GLOBAL_THRESHOLD) -> GlobalTokens:
    """The global tokens of each block: its patches with ``m_j >= threshold``, from 1."""
    received = [encoded.received(block) for block in range(encoded.backbone.n_blocks)]
    scores = tuple(m.max().item() for m in received)
    return GlobalTokens(scores, tuple(tokens(m, threshold) for m in received))
