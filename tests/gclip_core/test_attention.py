"""Attention by hand, and properties of every kind; test_last_block has the reference."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gclip_core import attention
from gclip_core.attention import ATTENTIONS, Heads

GRID = (2, 3)
TOKENS = 7


def heads(seed: int = 0, n_heads: int = 4, d: int = 8, spread: float = 2.0) -> Heads:
    generator = torch.Generator().manual_seed(seed)
    return Heads(*(spread * torch.randn(3, n_heads, TOKENS, d, generator=generator)))


def test_weights_by_hand() -> None:
    """Two tokens worked by hand."""
    # d = 4, so s = 1/2; q0 = (2, 0, 0, 0) against k0 = (ln 3, 0, 0, 0) and k1 = 0 gives ln 3 and 0.
    q = torch.tensor([[2.0, 0, 0, 0], [0, 0, 0, 0]])
    k = torch.tensor([[math.log(3), 0, 0, 0], [0, 0, 0, 0]])
    expected = torch.tensor([[0.75, 0.25], [0.5, 0.5]])
    assert torch.allclose(attention.weights(q, k), expected)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attend(name: str) -> None:
    """Attend is the matrix times the values."""
    for i in range(4):
        head = heads(1).only(i)
        matrix = attention.mean_matrix(ATTENTIONS[name], head, GRID)
        attended = attention.attend(ATTENTIONS[name], head, GRID)
        assert torch.allclose(attended, matrix @ head.part("v"), atol=1e-5)


@pytest.mark.parametrize("name", ATTENTIONS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.sampled_from([0.0, 0.1, 3.0, 1e3]))
def test_rows(name: str, seed: int, spread: float) -> None:
    """Rows sum to the number of softmaxes, and to 1 for the identity."""
    kind, block = ATTENTIONS[name], heads(seed, spread=spread)
    total = max(1, len(kind.pairs))
    matrix = attention.mean_matrix(kind, block, GRID)
    attended = attention.attend(kind, block, GRID, torch.ones_like(block.q))
    for rows in (matrix.sum(-1), attended):
        assert torch.allclose(rows, torch.full_like(rows, total), atol=1e-5)
    assert (matrix >= 0).all()
