"""Side by side: what the switches choose, the same without AMF and CS, and what explains both."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo import variants
from demo.drawing import render
from demo.look import Look, Mask
from demo.views.channels import NormsView, see_norms
from gclip_core import amf
from gclip_core.types import Found, Grid, Method

MAX_PATCHES = 768
"""Patches of a matrix that is shown; of more, squares are averaged."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class BlockMap:
    """A block (0-based) that AMF takes or would take.

    ``received`` (N,) is the attention that each patch gets, 1 = uniform; ``tokens`` are the
    global ones.
    """

    block: int
    received: Floats
    tokens: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class SideView:
    """``plain`` is ClearCLIP, ``chosen`` what the switches name, on the same trunk of pixels.

    ``found`` is what the chosen method found; ``norms`` show what CS changes, on or off.
    """

    plain: Mask
    chosen: Mask
    found: Found
    blocks: tuple[BlockMap, ...]
    norms: NormsView

    @property
    def is_plain(self) -> bool:
        """Whether the switches choose nothing, so that there is nothing to compare."""
        return self.chosen.method == self.plain.method


def see(look: Look) -> SideView:
    """Both masks of one look, the blocks AMF reads, the norms of the block in view."""
    seg, trunk = look.segmenter, look.trunk(look.chosen)
    fused = variants.ablation(look.settings, amf=True, cs=False)

    def see_block(block: int) -> BlockMap:
        received = seg.received(trunk, [block], clean=False)[0]
        tokens = amf.global_tokens(received, look.settings.global_threshold)
        return BlockMap(block, received.numpy(), tokens)

    blocks = map(see_block, look.findings(fused).amf_blocks)
    return SideView(
        plain=look.mask(variants.ablation(look.settings, amf=False, cs=False)),
        chosen=look.mask(look.chosen),
        found=look.segment(look.chosen).found,
        blocks=tuple(blocks),
        norms=see_norms(look),
    )


def pooled(grid: Grid) -> int:
    """Side of the squares of patches that are averaged in a matrix of ``grid``."""
    square = 1
    while -(-grid[0] // square) * -(-grid[1] // square) > MAX_PATCHES:
        square += 1
    return square


def matrix(look: Look, method: Method, head: int | None = None) -> tuple[Floats, int]:
    """What ``method`` really uses in the last block, head mean or one head: (n, n) patch to patch,
    n squares of patches; and how many patches there are."""
    whole = look.segmenter.last_attention(look.trunk(method), method, head)
    used = amf.patch_attention(whole).numpy()
    return render.pool_patches(used, look.grid, pooled(look.grid)), len(used)
