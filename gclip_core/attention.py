"""The attention matrix, and its product with the Values: pure functions.

Queries, keys and values are (..., H, T, d) with T = 1 + N tokens (token 0 is the class token).
The softmax runs in float32, whatever the dtype of the input.
"""

from dataclasses import dataclass
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import blocks
from gclip_core.blocks import Heads, Part
from gclip_core.errors import MethodError
from gclip_core.tables import Table
from gclip_core.types import Grid

ELEMENTS_AT_A_TIME = 400_000
"""Number of elements of an attention matrix computed at a time, to fit a processor's cache."""
GAUSSIAN_SIGMA = 5.0
"""Standard deviation, in patches, of NACLIP's neighbourhood term (Hajimiri 2025)."""


@dataclass(frozen=True)
class Attention:
    """A kind of attention: the sum over ``pairs`` of ``softmax(s a b^T + bias)``.

    Without pairs, the matrix is the identity: the output of a token is its own Value.
    """

    name: str
    pairs: tuple[tuple[Part, Part], ...]
    rule: str
    """What it compares, in a few words for people."""
    gaussian: bool = False


ATTENTIONS: Table[Attention] = Table(
    Attention("qk", (("q", "k"),), "query · key"),
    Attention("qq", (("q", "q"),), "query · query"),
    Attention("kk", (("k", "k"),), "key · key"),
    Attention("vv", (("v", "v"),), "value · value"),
    Attention("qq+kk", (("q", "q"), ("k", "k")), "query · query + key · key"),
    Attention("kk+gaussian", (("k", "k"),), "key · key + proximity", gaussian=True),
    Attention("identity", (), "nothing: each patch alone"),
    what="kind of attention",
    error=MethodError,
)


def gaussian_bias(grid: Grid, device: torch.device | str = "cpu") -> Tensor:
    """NACLIP's ``exp(-(dy^2 + dx^2) / (2 sigma^2))`` between patches; 0 for the class token.

    Returns (1+N, 1+N) float32, to be added to the logits before the softmax.
    """
    rows, columns = (torch.arange(n, dtype=torch.float32, device=device) for n in grid)
    vertical = (rows[:, None] - rows[None]).square()  # (h, h)
    horizontal = (columns[:, None] - columns[None]).square()  # (w, w)
    distance = vertical[:, None, :, None] + horizontal[None, :, None, :]  # (h, w, h, w)
    n = grid[0] * grid[1]
    return F.pad(torch.exp(distance.reshape(n, n) / (-2 * GAUSSIAN_SIGMA**2)), (1, 0, 1, 0))


def softmax_rows(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """``softmax(s a b^T + bias)``, ``s = d^-1/2``: (..., T_a, T_b) float32; each row sums to 1."""
    logits = (a.float() * a.shape[-1] ** -0.5) @ b.float().transpose(-1, -2)
    if bias is not None:
        logits = logits + bias
    return logits.softmax(dim=-1)


def head_mean(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Mean of ``softmax_rows`` over the heads (axis -3), computed one head at a time; float32."""
    heads = zip(a.unbind(-3), b.unbind(-3), strict=True)
    maps = (softmax_rows(a_head, b_head, bias) for a_head, b_head in heads)
    return reduce(Tensor.add_, maps) / a.shape[-3]


def mean_matrix(attention: Attention, heads: Heads, grid: Grid) -> Tensor:
    """Mean over heads of the attention matrix ``A`` in METHOD.md's table: (..., T, T) float32."""
    if not attention.pairs:
        tokens = heads.q.shape[-2]
        eye = torch.eye(tokens, device=heads.q.device)
        return eye.expand(*heads.q.shape[:-3], tokens, tokens)
    bias = gaussian_bias(grid, heads.q.device) if attention.gaussian else None
    pairs = ((heads.part(a), heads.part(b)) for a, b in attention.pairs)
    return reduce(torch.add, (head_mean(a, b, bias) for a, b in pairs))


def product(attention: Attention, heads: Heads, grid: Grid, values: Tensor | None = None) -> Tensor:
    """The attention matrix times the Values, (..., H, T, d) in their dtype; it is never stored.

    ``values``, if given, replace the Values of ``heads``.
    """
    v = heads.part("v") if values is None else values
    if not attention.pairs:
        return v
    bias = gaussian_bias(grid, v.device).to(v.dtype) if attention.gaussian else None
    pairs = ((heads.part(a), heads.part(b)) for a, b in attention.pairs)
    return reduce(torch.add, (blocks.attend(a, b, v, bias) for a, b in pairs))
