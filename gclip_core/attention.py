"""Pure maths of attention: which matrix, and that matrix times the Values.

Queries, keys and values are (..., H, T, d) with T = 1 + N tokens (token 0 is the class token).
Softmax runs in float32 whatever the dtype that comes in.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.types import Grid

Part = Literal["q", "k", "v"]

GAUSSIAN_SIGMA = 5.0
"""Standard deviation, in patches, of NACLIP's neighbourhood term (Hajimiri 2025)."""


@dataclass(frozen=True)
class Attention:
    """A last-block attention as data: the sum of ``softmax(s a b^T + bias)`` over ``pairs``.

    No pair at all is the identity: every token keeps its own Value.
    """

    pairs: tuple[tuple[Part, Part], ...]
    gaussian: bool = False


ATTENTIONS: dict[str, Attention] = {
    "qk": Attention((("q", "k"),)),
    "qq": Attention((("q", "q"),)),
    "kk": Attention((("k", "k"),)),
    "vv": Attention((("v", "v"),)),
    "qq+kk": Attention((("q", "q"), ("k", "k"))),
    "kk+gaussian": Attention((("k", "k"),), gaussian=True),
    "identity": Attention(()),
}


@dataclass(frozen=True, eq=False)
class Heads:
    """Queries, keys and values of one block, each (..., H, T, d); absent ones are None."""

    q: Tensor
    k: Tensor
    v: Tensor | None = None

    def part(self, name: Part) -> Tensor:
        found = getattr(self, name)
        assert found is not None, name
        return found

    @property
    def all(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.q, self.k, self.part("v")

    def only(self, head: int) -> "Heads":
        """One head, its axis kept: each (..., 1, T, d)."""
        one = (..., slice(head, head + 1), slice(None), slice(None))
        return Heads(self.q[one], self.k[one], None if self.v is None else self.v[one])


def gaussian_bias(grid: Grid, device: torch.device | str = "cpu") -> Tensor:
    """NACLIP's ``exp(-(dy^2 + dx^2) / (2 sigma^2))`` between patches; 0 for the class token.

    Returns (1+N, 1+N) float32, to be added to the logits before the softmax.
    """
    rows, columns = (torch.arange(n, dtype=torch.float32, device=device) for n in grid)
    vertical = (rows[:, None] - rows[None]).square()  # (h, h)
    horizontal = (columns[:, None] - columns[None]).square()  # (w, w)
    distance = vertical[:, None, :, None] + horizontal[None, :, None, :]  # (h, w, h, w)
    n = grid[0] * grid[1]
    bias = torch.zeros(1 + n, 1 + n, device=device)
    bias[1:, 1:] = torch.exp(distance.reshape(n, n) / (-2 * GAUSSIAN_SIGMA**2))
    return bias


def weights(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """``softmax(s a b^T + bias)`` with ``s = d^-1/2``: (..., H, T, T) float32, rows sum to 1."""
    logits = (a.float() * a.shape[-1] ** -0.5) @ b.float().transpose(-1, -2)
    if bias is not None:
        logits = logits + bias
    return logits.softmax(dim=-1)


def matrix(attention: Attention, heads: Heads, grid: Grid) -> Tensor:
    """The attention matrix itself, (..., H, T, T) float32 (METHOD table, column ``A``)."""
    if not attention.pairs:
        tokens = heads.q.shape[-2]
        eye = torch.eye(tokens, device=heads.q.device)
        return eye.expand(*heads.q.shape[:-1], tokens)
    bias = gaussian_bias(grid, heads.q.device) if attention.gaussian else None
    return torch.stack(
        [weights(heads.part(a), heads.part(b), bias) for a, b in attention.pairs]
    ).sum(0)


def mean_matrix(attention: Attention, heads: Heads, grid: Grid) -> Tensor:
    """Head mean of :func:`matrix`, (..., T, T) float32, one head at a time."""
    if not attention.pairs:
        return matrix(attention, heads.only(0), grid)[..., 0, :, :]
    bias = gaussian_bias(grid, heads.q.device) if attention.gaussian else None
    return torch.stack([mean_weights(heads, pair, bias) for pair in attention.pairs]).sum(0)


def mean_weights(
    heads: Heads, pair: tuple[Part, Part] = ("q", "k"), bias: Tensor | None = None
) -> Tensor:
    """Head mean of :func:`weights` of two parts, (..., T, T) float32, one head at a time."""
    a, b = (heads.part(name).unbind(-3) for name in pair)
    total = weights(a[0], b[0], bias)
    for one, other in zip(a[1:], b[1:], strict=True):
        total += weights(one, other, bias)
    return total / len(a)


def attend(attention: Attention, heads: Heads, grid: Grid) -> Tensor:
    """``A v`` without ever holding ``A``: (..., H, T, d) in the Values' dtype."""
    v = heads.part("v")
    if not attention.pairs:
        return v
    bias = gaussian_bias(grid, v.device).to(v.dtype) if attention.gaussian else None
    out = _sdpa(heads, attention.pairs[0], bias)
    for pair in attention.pairs[1:]:
        out = out + _sdpa(heads, pair, bias)
    return out


def _sdpa(heads: Heads, pair: tuple[Part, Part], bias: Tensor | None) -> Tensor:
    a, b = (heads.part(name) for name in pair)
    return F.scaled_dot_product_attention(a, b, heads.part("v"), attn_mask=bias)
