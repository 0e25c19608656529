"""Global tokens, the blocks that AMF fuses, and the fusion."""

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gclip_core import amf
from gclip_core.amf import Fusion, Span
from gclip_core.attention import ATTENTIONS, Heads, mean_weights, weights
from gclip_core.errors import MethodError
from tests import reference
from tests.gclip_core.test_attention import GRID, heads


def test_received_by_hand() -> None:
    """Under uniform attention a patch receives 1, and n if all attend to it alone."""
    q, k = torch.ones(1, 7, 2), torch.zeros(1, 7, 2)
    assert amf.received(Heads(q, k)).tolist() == pytest.approx([1] * 6)
    k[:, 3] = 100
    assert amf.received(Heads(q, k)).tolist() == pytest.approx([0, 0, 6, 0, 0, 0])
    k[:, 0] = 1000  # all attend to the class token alone: nothing is nan
    assert amf.received(Heads(q, k)).isfinite().all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 12), together=st.integers(1, 60))
def test_received_mean(seed: int, n: int, together: int) -> None:
    """Patches receive 1 on average, however many rows are computed at a time."""
    generator = torch.Generator().manual_seed(seed)
    block = Heads(*(3 * torch.randn(2, 3, 1 + n, 4, generator=generator)))
    whole = amf.patch_attention(mean_weights(block.q, block.k)[1:]).sum(0)
    with patch.object(amf, "ELEMENTS_AT_A_TIME", together):
        received = amf.received(block)
    assert torch.allclose(received, whole, atol=1e-5)
    assert received.mean().item() == pytest.approx(1, abs=1e-4)


@given(has_tokens=st.lists(st.booleans(), min_size=2, max_size=24), n_fused=st.integers(1, 3))
def test_first_block_rule(has_tokens: list[bool], n_fused: int) -> None:
    """The rule agrees with its definition."""
    first = amf.first_global_block(has_tokens.__getitem__, len(has_tokens), n_fused)
    expected = reference.auto_blocks(has_tokens, n_fused)
    assert first == (expected[0] if expected else None)


@given(n=st.integers(2, 30), n_fused=st.integers(1, 29))
def test_middle_blocks(n: int, n_fused: int) -> None:
    """As many blocks as wanted from the middle on, never the last."""
    blocks = amf.middle_blocks(n, min(n_fused, n - 1))
    assert len(blocks) == min(n_fused, n - 1)
    assert 0 <= blocks[0] <= blocks[-1] <= n - 2
    assert blocks[0] == n // 2 - 1 or blocks[-1] == n - 2 or blocks[0] == 0


@pytest.mark.parametrize("per_head", [True, False])
def test_weight_of_one(per_head: bool) -> None:
    """With a weight of 1 the mean of the middle blocks' maps alone is multiplied by the Values."""
    fusion = Fusion(heads="each" if per_head else "mean", weight=1)
    last, middle = heads(2), [heads(seed) for seed in (3, 4, 5)]
    maps = torch.stack([weights(block.q, block.k) for block in middle]).mean(0)
    expected = (maps if per_head else maps.mean(0)) @ last.part("v")
    output = amf.attend_fused(ATTENTIONS["qq"], last, GRID, middle, fusion)
    assert torch.allclose(output, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("n_blocks", "expected"), [(12, (5, 6, 7, 8)), (24, tuple(range(10, 18))), (4, (2,)), (2, (0,))]
)
def test_span(n_blocks: int, expected: tuple[int, ...]) -> None:
    """A span of blocks scales with the depth; one block is too few."""
    span = Span(((6, 9),), of=12)
    assert span.indices(n_blocks) == expected
    with pytest.raises(MethodError, match="at least two blocks"):
        span.indices(1)
    for runs, of in ((((6, 9),), 0), (((9, 6),), 12), (((0, 3),), 12)):
        with pytest.raises(MethodError, match=f"from 1 to {of}"):
            Span(runs, of)


@given(first=st.integers(1, 12), more=st.integers(0, 11), n=st.integers(2, 40))
def test_span_range(first: int, more: int, n: int) -> None:
    """A span has a block, and never the last."""
    blocks = Span(((first, min(first + more, 12)),), of=12).indices(n)
    assert blocks and 0 <= blocks[0] <= blocks[-1] <= n - 2
