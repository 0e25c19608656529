"""Pure maths of attention: which matrix, and that matrix times the Values.

Queries, keys and values are (..., H, T, d) with T = 1 + N tokens (token 0 is the class token).
Softmax runs in float32 whatever the dtype that comes in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.types import Grid

Part = Literal["q", "k", "v"]

GAUSSIAN_SIGMA = 5.0
"""Standard deviation, in patches, of NACLIP's neighbourhood term (Hajimiri 2025)."""
PEARL_ALPHA = 0.08
"""Weight of PEARL's Key-Key logits beside its aligned Query-Key logits."""
NEWTON_SCHULZ_STEPS = 5
"""PEARL's number of iterations: too few to converge, and part of the method."""


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


# --- what is made of queries and keys before the softmax ------------------------------------------


def unchanged(heads: Heads) -> Heads:
    """The queries, keys and values as the block projects them."""
    return heads


def aligned(heads: Heads) -> Heads:
    """PEARL's queries and keys, (..., H, T, 2 d): ``softmax(s q' k'^T)`` is its attention.

    Its logits are a sum, ``s q (k R)^T + alpha s k_c k_c^T``. Both terms are one product of
    concatenated queries and keys; the factor sqrt(2) makes up for the width that ``s`` is taken of.
    """
    q, k = heads.q.float(), heads.k.float()
    share = q.norm(dim=-1, keepdim=True)  # (..., H, T, 1)
    share[..., :1, :] = 0  # the class token has no part in the mean
    share = share / (share.sum(-2, keepdim=True) + 1e-6)
    q_centred, k_centred = (x - (share * x).sum(-2, keepdim=True) for x in (q, k))
    rotated = k @ newton_schulz(k_centred.transpose(-1, -2) @ q_centred)
    queries = torch.cat([q, PEARL_ALPHA * k_centred], dim=-1) * 2**0.5
    keys = torch.cat([rotated, k_centred], dim=-1)
    return Heads(queries.to(heads.q.dtype), keys.to(heads.k.dtype), heads.v)


def newton_schulz(M: Tensor) -> Tensor:
    """``M (M^T M)^-1/2`` of (..., d, d), as far as five iterations come: PEARL's soft rotation."""
    square = M.transpose(-1, -2) @ M
    scale = square.norm(dim=(-2, -1), keepdim=True).clamp_min(torch.finfo(M.dtype).tiny)
    eye = torch.eye(M.shape[-1], device=M.device)
    Y, Z = square / scale + 1e-6 * eye, eye.expand_as(M)
    for _ in range(NEWTON_SCHULZ_STEPS):
        step = (3 * eye - Z @ Y) / 2
        Y, Z = Y @ step, step @ Z
    return M @ Z / scale.sqrt()


# --- the kinds of attention -----------------------------------------------------------------------


@dataclass(frozen=True)
class Attention:
    """An attention as data: ``softmax(s a b^T + bias)``, summed over ``pairs`` or averaged.

    No pair at all is the identity: every token keeps its own Value. ``prepare`` makes the queries
    and keys that the pairs name.
    """

    pairs: tuple[tuple[Part, Part], ...]
    gaussian: bool = False
    mean: bool = False
    prepare: Callable[[Heads], Heads] = unchanged

    @property
    def scale(self) -> float:
        """What every softmax is multiplied by."""
        return 1 / len(self.pairs) if self.mean else 1.0

    @property
    def needs_values(self) -> bool:
        """Whether the Values take part in the matrix itself."""
        return any("v" in pair for pair in self.pairs)


ATTENTIONS: dict[str, Attention] = {
    "qk": Attention((("q", "k"),)),
    "qq": Attention((("q", "q"),)),
    "kk": Attention((("k", "k"),)),
    "vv": Attention((("v", "v"),)),
    "qq+kk": Attention((("q", "q"), ("k", "k"))),
    "kk+gaussian": Attention((("k", "k"),), gaussian=True),
    "aligned qk": Attention((("q", "k"),), prepare=aligned),
    "identity": Attention(()),
}


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


# --- matrices and products ------------------------------------------------------------------------


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
    heads, bias = attention.prepare(heads), _bias(attention, heads, grid)
    maps = [weights(heads.part(a), heads.part(b), bias) for a, b in attention.pairs]
    return torch.stack(maps).sum(0) * attention.scale


def mean_matrix(attention: Attention, heads: Heads, grid: Grid) -> Tensor:
    """Head mean of :func:`matrix`, (..., T, T) float32, one head at a time."""
    if not attention.pairs:
        return matrix(attention, heads.only(0), grid)[..., 0, :, :]
    heads, bias = attention.prepare(heads), _bias(attention, heads, grid)
    maps = [mean_weights(heads, pair, bias) for pair in attention.pairs]
    return torch.stack(maps).sum(0) * attention.scale


def mean_weights(
    heads: Heads, pair: tuple[Part, Part] = ("q", "k"), bias: Tensor | None = None
) -> Tensor:
    """Head mean of :func:`weights` of two parts, (..., T, T) float32, one head at a time."""
    a, b = (heads.part(name).unbind(-3) for name in pair)
    total = weights(a[0], b[0], bias)
    for one, other in zip(a[1:], b[1:], strict=True):
        total += weights(one, other, bias)
    return total / len(a)


def attend(attention: Attention, heads: Heads, grid: Grid, values: Tensor | None = None) -> Tensor:
    """``A v`` without ever holding ``A``: (..., H, T, d) in the Values' dtype.

    ``values`` are multiplied in the place of the Values of ``heads``.
    """
    v = heads.part("v") if values is None else values
    if not attention.pairs:
        return v
    heads, bias = attention.prepare(heads), _bias(attention, heads, grid)
    bias = None if bias is None else bias.to(v.dtype)
    out = _sdpa(heads, attention.pairs[0], v, bias)
    for pair in attention.pairs[1:]:
        out = out + _sdpa(heads, pair, v, bias)
    return out if attention.scale == 1 else out * attention.scale


def _bias(attention: Attention, heads: Heads, grid: Grid) -> Tensor | None:
    return gaussian_bias(grid, heads.q.device) if attention.gaussian else None


def _sdpa(heads: Heads, pair: tuple[Part, Part], v: Tensor, bias: Tensor | None) -> Tensor:
    a, b = (heads.part(name) for name in pair)
    wider = a.shape[-1] - v.shape[-1]  # a fused kernel takes one width for all three
    out = F.scaled_dot_product_attention(a, b, F.pad(v, (0, wider)) if wider else v, bias)
    return out[..., : v.shape[-1]] if wider else out
