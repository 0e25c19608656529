"""What several of these methods share."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def at_depth(blocks: Sequence[int], n_blocks: int) -> tuple[int, ...]:
    """The blocks of a tower of ``n_blocks`` that are as deep as ``blocks`` of 12, from 0: at least
    one, but never the last."""
    spans = [
        range(round(block * n_blocks / 12), round((block + 1) * n_blocks / 12)) for block in blocks
    ]
    chosen = {index for span in spans for index in span if index < n_blocks - 1}
    return tuple(sorted(chosen)) or (min(spans[0].start, n_blocks - 2),)


def gate(similarity: Tensor, sharpness: float, least: Tensor, first: int = 0) -> Tensor:
    """Attention from similarities: the softmax over a row's entries of at least ``least``.

    ``similarity`` (rows, N) has the rows of patches from ``first`` on. The logits are ``sharpness
    * (similarity - least)``. A patch always attends to itself, with a logit of at least 0.
    """
    logits = sharpness * (similarity - least)
    # In a uniform image, all entries of a row may be too small, and its softmax would be nan.
    logits.diagonal(first).clamp_(min=0)
    return logits.masked_fill_(logits < 0, -torch.inf).softmax(-1)


def with_class_token(matrix: Tensor) -> Tensor:
    """A matrix of patches (N, N) with a class token that attends to itself: (1+N, 1+N)."""
    matrix = F.pad(matrix, (1, 0, 1, 0))
    matrix[0, 0] = 1
    return matrix
