"""Attention: every block's scores, and the matrices of one block and of the last."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo import variants
from demo.drawing import render
from demo.look import Look
from demo.views.side import pooled
from gclip_core import amf
from gclip_core.types import Method

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AttentionView:
    """Every block's attention of one image.

    ``received`` (L, N); ``scores``, ``agreement`` and ``tokens`` per block; ``matrix`` (N, N) the
    chosen block's, ``used_plain`` and ``used_fused`` (N, N) the last block's without and with AMF;
    ``class_row`` (N,) the class token's row of the block, ``class_rows_used`` those of the last
    two, whose methods are ``methods``. ``amf_blocks`` are 0-based.
    """

    block: int
    head: int | None
    n_heads: int
    received: Floats
    scores: tuple[float, ...]
    agreement: tuple[float, ...]
    tokens: tuple[tuple[int, ...], ...]
    matrix: Floats
    used_plain: Floats
    used_fused: Floats
    class_row: Floats
    class_rows_used: tuple[Floats, Floats]
    methods: tuple[Method, Method]
    amf_blocks: tuple[int, ...]
    reason: str


def block_matrix(look: Look, block: int, head: int | None) -> tuple[Floats, int]:
    """A block's own matrix, patch to patch, averaged over squares as :func:`side.matrix`; and how
    many patches there are."""
    whole = look.segmenter.attention_map(look.trunk(look.chosen), block, head)
    seen = amf.patch_attention(whole).numpy()
    return render.pool_patches(seen, look.grid, pooled(look.grid)), len(seen)


def see(look: Look) -> AttentionView:
    """The block and head in view; without a choice the first block that AMF takes, all heads."""
    method, seg = look.chosen, look.segmenter
    fused = variants.ablation(look.settings, amf=True, cs=method.suppression is not None)
    found, trunk = look.findings(fused), look.trunk(method)
    seen = seg.globality(trunk, look.settings.global_threshold, clean=False)
    received = seg.received(trunk, clean=False).numpy()
    block, head = look.settings.view_block, look.settings.view_head
    block = found.amf_blocks[0] if block is None else min(block, seg.backbone.n_blocks - 1)
    head = None if head is None else min(head, seg.backbone.n_heads - 1)
    whole = seg.attention_map(trunk, block, head)
    methods = (variants.ablation(look.settings, False, method.suppression is not None), fused)
    plain, mixed = (seg.last_attention(trunk, one, head) for one in methods)
    return AttentionView(
        block=block,
        head=head,
        n_heads=seg.backbone.n_heads,
        received=received,
        scores=seen.scores,
        agreement=seen.agreement,
        tokens=seen.tokens,
        matrix=whole[1:, 1:].numpy(),
        used_plain=plain[1:, 1:].numpy(),
        used_fused=mixed[1:, 1:].numpy(),
        class_row=whole[0, 1:].numpy(),
        class_rows_used=(plain[0, 1:].numpy(), mixed[0, 1:].numpy()),
        methods=methods,
        amf_blocks=found.amf_blocks,
        reason=found.reason,
    )
