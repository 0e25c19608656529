"""The causal text tower, computing only the tokens that are new.

In a causal tower no token sees what comes after it. So nothing past the end token is needed, and
the keys and values of a sentence's opening ("a photo of a") are the same whatever word follows:
they are computed once, and a new word costs its own few tokens. Both are exact.

A sentence's features are the same to the last bit whatever else is asked with it: matrix products
of another size, activations split within a row and attention at odd addresses all round otherwise,
so every product has one size, which splits evenly.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.attention import Heads

PER_THREAD = 2**15
"""PyTorch gives a thread at least so many numbers of an element-wise operation."""
PER_PRODUCT = 24 * PER_THREAD
"""Numbers of an FFN's hidden layer worked out at once, at the most: with an eighth of it 33 new
words take twice as long, with twice as much a small tower's single one waits for what fills it."""
PRODUCTS_PER_BATCH = 4
"""Products of tokens that go through the tower together: a quarter of them leaves threads waiting
for each other, ten times as many leave the processor's cache."""
EVEN = 16
"""Keys are filled up to a multiple of it: fused attention keeps logits where a thread has room, and
rounds some by how each row of them is aligned (8 keys, say)."""


@dataclass(frozen=True, eq=False)
class Openings:
    """What ``n`` openings of sentences leave behind in every block of the text tower.

    ``tokens`` (n, P) are padded to the longest, ``lengths`` (n,) say how many count; ``keys[l]``
    and ``values[l]`` are (n, H, P, d).
    """

    tokens: Tensor
    lengths: Tensor
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


def is_causal(model: nn.Module) -> bool:
    """Whether the text tower is the one recomputed here: causal and pooled at the end token."""
    return (
        getattr(model, "attn_mask", None) is not None
        and getattr(model, "text_pool_type", None) == "argmax"
        and hasattr(model, "token_embedding")
        and blocks.unusual(model.transformer.resblocks) is None
    )


def read_openings(model: nn.Module, tokens: Tensor) -> Openings:
    """Keys and values of token rows (n, context) that end before their end token.

    Padding after an opening is harmless: what comes later cannot reach it.
    """
    lengths = tokens.argmax(dim=-1)
    tokens = tokens[:, : max(1, int(lengths.max()))]
    x = _embed(model, tokens, torch.arange(tokens.shape[1], device=tokens.device))
    keys, values = [], []
    for block in model.transformer.resblocks:
        heads = blocks.project(block, x)
        keys.append(heads.k.contiguous())
        values.append(heads.v.contiguous())
        mixed = F.scaled_dot_product_attention(heads.q, heads.k, heads.v, is_causal=True)
        x = blocks.finish(block, x, mixed)
    return Openings(tokens, lengths, tuple(keys), tuple(values))


def encode(model: nn.Module, tokens: Tensor, openings: Openings, which: Tensor) -> Tensor:
    """``CLIP.encode_text`` of token rows (n, context), unnormalised (n, E).

    ``which[i]`` is the opening that row ``i`` is expected to begin with. Only as much of it is
    reused as the row's tokens really share, so the result never depends on that expectation.
    """
    ends = tokens.argmax(dim=-1)
    span = openings.tokens.shape[1]
    alike = tokens[:, :span] == openings.tokens[which]
    alike &= torch.arange(span, device=tokens.device) < openings.lengths[which, None]
    known = torch.minimum(alike.long().cumprod(dim=-1).sum(-1), ends)
    new = ends + 1 - known
    order = torch.argsort(known * tokens.shape[1] + new)  # rows of one shape side by side
    together = rows_per_product(model.transformer.resblocks[0].mlp.c_fc.out_features)
    features = torch.cat(
        [
            _encode_batch(
                model, tokens[rows], openings, which[rows], known[rows], new[rows], together
            )
            for rows in _batches(order, new, PRODUCTS_PER_BATCH * together)
        ]
    )
    return features[order.argsort()]


def _batches(order: Tensor, new: Tensor, most: int) -> Iterator[Tensor]:
    """Consecutive rows that together have at most so many new tokens, the last one's aside."""
    batch = (new[order].cumsum(0) - 1) // most
    yield from order.split(torch.unique_consecutive(batch, return_counts=True)[1].tolist())


def _encode_batch(
    model: nn.Module,
    tokens: Tensor,
    openings: Openings,
    which: Tensor,
    known: Tensor,
    new: Tensor,
    together: int,
) -> Tensor:
    """Features of rows sorted by (known, new), all their new tokens packed into one (T, D)."""
    place = torch.arange(tokens.shape[1], device=tokens.device)
    wanted = (place >= known[:, None]) & (place < (known + new)[:, None])
    x = _embed(model, tokens[wanted], wanted.nonzero()[:, 1])
    shapes, counts = torch.unique_consecutive(
        torch.stack([known, new], dim=1), dim=0, return_counts=True
    )
    layers = model.transformer.resblocks
    own = openings.keys[0]
    groups = []
    for n, (before, behind) in zip(counts.tolist(), shapes.tolist(), strict=True):
        length = math.ceil((before + behind) / EVEN) * EVEN
        room = own.new_empty(2, n, own.shape[1], length, own.shape[3])  # for every block's turn
        groups.append((before, behind, room))
    last = new.cumsum(0) - 1  # the end tokens
    rows = partial(_some_rows, together)
    for index, block in enumerate(layers):
        heads = blocks.project(block, x, rows=rows)
        mixed = _attend(heads, openings.keys[index], openings.values[index], which, groups)
        if index == len(layers) - 1:  # beyond here only the end tokens are asked for
            x, mixed = x[last], mixed[:, last]
        x = blocks.finish(block, x, mixed, rows=rows)
    return rows(partial(_read_out, model), blocks.normalised(model.ln_final, x))


def rows_per_product(hidden: int) -> int:
    """The most tokens whose FFN of so many hidden numbers threads share without cutting a token."""
    rows = max(1, PER_PRODUCT // hidden)
    while rows % min(torch.get_num_threads(), math.ceil(rows * hidden / PER_THREAD)):
        rows -= 1
    return rows


def _some_rows(amount: int, product: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``product`` of (T, D), so many rows at a time, the last ones filled up with zeros."""
    *full, last = x.split(amount)
    filled = F.pad(last, (0, 0, 0, amount - len(last))) if len(last) < amount else last
    return torch.cat([*map(product, full), product(filled)[: len(last)]])


def _read_out(model: nn.Module, x: Tensor) -> Tensor:
    projection = model.text_projection
    if projection is None:
        return x
    return projection(x) if isinstance(projection, nn.Linear) else x @ projection


def _attend(
    heads: Heads,
    keys: Tensor,
    values: Tensor,
    which: Tensor,
    groups: list[tuple[int, int, Tensor]],
) -> Tensor:
    """Causal attention of packed heads (H, T, d) to their openings and among themselves.

    Rows of a group share how many tokens are known and how many are new; its third is room for
    their keys and values, (2, n, H, T, d).
    """
    out = torch.empty(heads.q.shape, dtype=heads.q.dtype, device=heads.q.device)
    row = token = 0
    for known, new, room in groups:
        n = room.shape[1]
        here = slice(token, token + n * new)
        q, k, v = (part[:, here].unflatten(1, (n, new)).transpose(0, 1) for part in heads.all)
        opening = which[row : row + n]
        for place, part, own in zip(room, (keys, values), (k, v), strict=True):
            _join(place, part, opening, own, known)
        mask = torch.ones(new, room.shape[3], dtype=torch.bool, device=q.device).tril_(known)
        mixed = F.scaled_dot_product_attention(q, *room, attn_mask=mask)
        out[:, here] = mixed.transpose(0, 1).flatten(1, 2)
        row, token = row + n, token + n * new
    return out


def _join(place: Tensor, openings: Tensor, which: Tensor, own: Tensor, known: int) -> None:
    """Into (n, H, T, d): each row's opening (H, P, d), as far as it is known, its own
    (n, H, new, d), then zeros."""
    before = F.pad(openings[:, :, :known], (0, 0, 0, place.shape[2] - known))
    torch.index_select(before, 0, which, out=place)
    place[:, :, known : known + own.shape[2]] = own


def _embed(model: nn.Module, tokens: Tensor, positions: Tensor) -> Tensor:
    dtype = model.transformer.get_cast_dtype()
    return model.token_embedding(tokens).to(dtype) + model.positional_embedding[positions].to(dtype)
