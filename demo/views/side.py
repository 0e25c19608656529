"""Side by side: what the switches choose beside the same without AMF and CS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from demo import variants
from demo.drawing import render
from demo.look import Look, Mask, changed_share
from gclip_core import amf
from gclip_core.types import Found, Method

MAX_MATRIX = 768
"""Tokens a side of a matrix that is shown; a larger one is averaged over squares."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """One block's attention: ``received`` (N,), 1 = uniform, and the tokens framed on it.

    ``block`` is 0-based; ``kind`` is "qk" for a block's own attention, "used" for the matrix the
    method really uses in the last block.
    """

    block: int
    kind: str
    received: Floats
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Row:
    """One side: a mask, attention maps and norms.

    ``matrix`` (n, n) is the last block's, patch to patch, averaged over squares of ``pooled``
    tokens a side.
    """

    mask: Mask
    maps: tuple[AttentionMap, ...]
    matrix: Floats
    pooled: int
    found: Found
    amf: bool
    cs: bool


@dataclass(frozen=True, eq=False)
class SideView:
    """What the switches choose, and the same without AMF and CS.

    ``changed`` is the share of pixels labelled otherwise.
    """

    chosen: Row
    plain: Row
    changed: float


def see(look: Look) -> SideView:
    """Both sides of one look."""
    plain = variants.ablation(look.settings, amf=False, cs=False)
    rows = [_row(look, method) for method in (look.chosen, plain)]
    changed = changed_share(rows[1].mask.labels, rows[0].mask.labels)
    return SideView(chosen=rows[0], plain=rows[1], changed=changed)


def _row(look: Look, method: Method) -> Row:
    """One side; its attention maps are those of the blocks that AMF takes or would take."""
    seg, trunk, found = look.segmenter, look.trunk(method), look.segment(method).found
    fused = variants.ablation(look.settings, amf=True, cs=False)
    blocks = found.amf_blocks or look.findings(fused).amf_blocks
    tokens = look.globality.tokens
    maps = [
        AttentionMap(block, "qk", _received(seg.attention_map(trunk, block)), tokens[block])
        for block in blocks
    ]
    used = seg.last_attention(trunk, method)
    maps.append(AttentionMap(seg.backbone.n_blocks - 1, "used", _received(used)))
    matrix, pooled = render.pool(amf.patch_attention(used).numpy(), MAX_MATRIX)
    return Row(
        mask=look.mask(method),
        maps=tuple(maps),
        matrix=matrix,
        pooled=pooled,
        found=found,
        amf=method.fusion is not None,
        cs=method.suppression is not None,
    )


def _received(attention: Tensor) -> Floats:
    return amf.received(amf.patch_attention(attention)).numpy()
