"""The attention matrix, and its product with the Values: pure functions.

Queries, keys and values are (..., H, T, d) with T = 1 + N tokens (token 0 is the class token).
The softmax runs in float32, whatever the dtype of the input.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.errors import MethodError
from gclip_core.tables import Table
from gclip_core.types import Grid

Part = Literal["q", "k", "v"]

ELEMENTS_AT_A_TIME = 400_000
"""Number of elements of an attention matrix computed at a time, to fit a processor's cache."""
GAUSSIAN_SIGMA = 5.0
"""Standard deviation, in patches, of NACLIP's neighbourhood term (Hajimiri 2025)."""
PEARL_ALPHA = 0.08
"""Weight of PEARL's Key-Key logits, which are added to its aligned Query-Key logits."""
NEWTON_SCHULZ_STEPS = 5
"""PEARL's number of iterations, which end before convergence, as in the authors' code."""


@dataclass(frozen=True, eq=False)
class Heads:
    """Queries, keys and values of one block, each (..., H, T, d); ``v`` is None if not needed.

    ``heads[index]`` indexes all three.
    """

    q: Tensor
    k: Tensor
    v: Tensor | None = None

    def part(self, name: Part) -> Tensor:
        tensor = getattr(self, name)
        assert tensor is not None, name
        return tensor

    def __getitem__(self, index: Any) -> "Heads":
        return Heads(self.q[index], self.k[index], None if self.v is None else self.v[index])

    def only(self, head: int | None) -> "Heads":
        """One head, with its axis kept: each (..., 1, T, d); all heads for None."""
        return self if head is None else self[..., head : head + 1, :, :]


def aligned(heads: Heads) -> Heads:
    """PEARL's queries and keys, (..., H, T, 2 d) in their dtype, for ``softmax(s q' k'^T)``.

    The logits ``s q (k R)^T + alpha s k_c k_c^T`` are one product of concatenated queries and keys.
    The caller computes ``s`` from the doubled width; multiplying the queries by sqrt(2) corrects
    it.
    """
    q, k = heads.q.float(), heads.k.float()
    share = q.norm(dim=-1, keepdim=True)  # (..., H, T, 1)
    share[..., :1, :] = 0  # the class token is not part of the mean
    share = share / (share.sum(-2, keepdim=True) + 1e-6)
    q_centred, k_centred = (x - (share * x).sum(-2, keepdim=True) for x in (q, k))
    rotated = k @ inexact_rotation(k_centred.transpose(-1, -2) @ q_centred)
    queries = torch.cat([q, PEARL_ALPHA * k_centred], dim=-1) * 2**0.5
    keys = torch.cat([rotated, k_centred], dim=-1)
    return Heads(queries.to(heads.q.dtype), keys.to(heads.k.dtype), heads.v)


def inexact_rotation(M: Tensor) -> Tensor:
    """PEARL's rotation ``M (M^T M)^-1/2`` of M (..., d, d) float32; the inverse square root is what
    five iterations of Newton and Schulz find. The same shape and dtype."""
    square = M.transpose(-1, -2) @ M
    scale = square.norm(dim=(-2, -1), keepdim=True).clamp_min(torch.finfo(M.dtype).tiny)
    eye = torch.eye(M.shape[-1], device=M.device)
    Y, Z = square / scale + 1e-6 * eye, eye.expand_as(M)
    for _ in range(NEWTON_SCHULZ_STEPS):
        step = (3 * eye - Z @ Y) / 2
        Y, Z = Y @ step, step @ Z
    return M @ Z / scale.sqrt()


@dataclass(frozen=True)
class Attention:
    """A kind of attention: the sum over ``pairs`` of ``softmax(s a b^T + bias)``.

    Without pairs, the matrix is the identity: the output of a token is its own Value. ``prepare``
    transforms a block's queries and keys first.
    """

    name: str
    pairs: tuple[tuple[Part, Part], ...]
    rule: str
    """What it compares, in a few words for people."""
    gaussian: bool = False
    prepare: Callable[[Heads], Heads] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it depends on pairs of tokens alone: neither on the grid nor on a class token."""
        return bool(self.pairs) and not self.gaussian and self.prepare is None


ATTENTIONS: Table[Attention] = Table(
    Attention("qk", (("q", "k"),), "query · key"),
    Attention("qq", (("q", "q"),), "query · query"),
    Attention("kk", (("k", "k"),), "key · key"),
    Attention("vv", (("v", "v"),), "value · value"),
    Attention("qq+kk", (("q", "q"), ("k", "k")), "query · query + key · key"),
    Attention("kk+gaussian", (("k", "k"),), "key · key + proximity", gaussian=True),
    Attention("aligned qk", (("q", "k"),), "query · key, aligned", prepare=aligned),
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
    pairs, bias = _terms(attention, heads, grid)
    return reduce(torch.add, (head_mean(a, b, bias) for a, b in pairs))


def attend(attention: Attention, heads: Heads, grid: Grid, values: Tensor | None = None) -> Tensor:
    """The attention matrix times the Values, (..., H, T, d) in their dtype; it is never stored.

    ``values``, if given, replace the Values of ``heads``.
    """
    v = heads.part("v") if values is None else values
    if not attention.pairs:
        return v
    pairs, bias = _terms(attention, heads, grid)
    bias = None if bias is None else bias.to(v.dtype)
    return reduce(torch.add, (_attend_pair(a, b, v, bias) for a, b in pairs))


def gate(similarity: Tensor, sharpness: float, least: Tensor, first: int = 0) -> Tensor:
    """Attention from similarities of patches: the softmax over a row's entries of at least
    ``least``.

    ``similarity`` has the rows of an (N, N) matrix from ``first`` on. The logits are ``sharpness *
    (similarity - least)``. A patch always attends to itself, with a logit of at least 0.
    """
    logits = sharpness * (similarity - least)
    # In a uniform image, all entries of a row may be too small, and its softmax would be nan.
    logits.diagonal(first).clamp_(min=0)
    return logits.masked_fill_(logits < 0, -torch.inf).softmax(-1)


def _terms(
    attention: Attention, heads: Heads, grid: Grid
) -> tuple[list[tuple[Tensor, Tensor]], Tensor | None]:
    """The two factors of the logits of each pair, and the bias that all pairs share."""
    bias = gaussian_bias(grid, heads.q.device) if attention.gaussian else None
    heads = attention.prepare(heads) if attention.prepare else heads
    return [(heads.part(a), heads.part(b)) for a, b in attention.pairs], bias


def _attend_pair(a: Tensor, b: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    wider = a.shape[-1] - v.shape[-1]  # fused kernels need a, b and v of one width
    out = F.scaled_dot_product_attention(a, b, F.pad(v, (0, wider)) if wider else v, bias)
    return out[..., : v.shape[-1]] if wider else out
