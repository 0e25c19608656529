"""Attention by affinities: which patches belong together, as weights that add up to 1."""

from torch import Tensor

SHARPNESS = 10.0
"""What an affinity (a cosine) is multiplied by: of two patches whose affinities differ by 0.23, the
nearer one has ten times the weight."""


def affinity_attention(affinity: Tensor) -> Tensor:
    """`softmax(10 a)` over the patches with `a >= 0`, of affinities `a` (..., N, N): (..., N, N).

    Every row adds up to 1; a patch with a negative affinity has no weight.
    """
    return (SHARPNESS * affinity).masked_fill(affinity < 0, -1e9).softmax(-1)
