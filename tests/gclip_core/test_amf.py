"""Global tokens: who is looked at, from which block on, and which blocks AMF then takes."""

import math
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gclip_core import amf
from gclip_core.attention import ATTENTIONS, Heads, mean_weights
from gclip_core.errors import MethodError
from gclip_core.types import Fusion, Span
from tests import reference
from tests.gclip_core.test_attention import GRID, heads


def test_received_by_hand() -> None:
    """A patch that all attend to receives n and under uniform attention one."""
    q, k = torch.ones(1, 7, 2), torch.zeros(1, 7, 2)
    assert amf.received(Heads(q, k)).tolist() == pytest.approx([1] * 6)
    k[:, 3] = 100
    assert amf.received(Heads(q, k)).tolist() == pytest.approx([0, 0, 6, 0, 0, 0])


def test_patch_attention() -> None:
    """Rows are renormalised without the class token."""
    rows = torch.tensor([[0.5, 0.4, 0.1], [0.9, 0.05, 0.05], [1.0, 0.0, 0.0]])
    expected = torch.tensor([[0.8, 0.2], [0.5, 0.5], [0.0, 0.0]])
    assert torch.allclose(amf.patch_attention(rows), expected)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 12), together=st.integers(1, 60))
def test_received_mean(seed: int, n: int, together: int) -> None:
    """What patches receive is one on average."""
    generator = torch.Generator().manual_seed(seed)
    block = Heads(*(3 * torch.randn(2, 3, 1 + n, 4, generator=generator)))
    whole = amf.patch_attention(mean_weights(block.q, block.k)[1:]).sum(0)
    with patch.object(amf, "TOGETHER", together):
        received = amf.received(block)
    assert torch.allclose(received, whole, atol=1e-5)
    assert received.mean().item() == pytest.approx(1, abs=1e-4)


def test_global_tokens() -> None:
    """Global tokens are those at or above the threshold."""
    assert amf.global_tokens(torch.tensor([0.1, 5.0, 4.99, 12.0])) == (1, 3)
    assert amf.global_tokens(torch.tensor([0.1, 5.0]), threshold=6) == ()


@pytest.mark.parametrize("size", [1, 1e-12])
def test_agreement(size: float) -> None:
    """Also where rows attend almost only to the class token."""
    class_row = torch.tensor([0.6, 0.8]) * size
    rows = torch.tensor([[0.3, 0.4], [0.4, -0.3]]) * size
    assert amf.agreement_with_class_token(rows[:1], class_row) == pytest.approx(1)
    assert amf.agreement_with_class_token(rows, class_row) == pytest.approx(0.5)
    assert math.isnan(amf.agreement_with_class_token(rows[:0], class_row))


@pytest.mark.parametrize(
    ("blocks", "n_fused", "expected"),
    [
        (".....######.", 2, 5),  # the paper's ViT-B/16: blocks 6 to 11
        ("############", 2, 1),  # block 0 is not asked
        ("..###.#####.", 2, 6),  # a broken run begins again after the gap
        (".....#####..", 2, None),  # the run must reach the block before the last
        ("..........#.", 2, None),  # only the block before the last: no room for two
        ("............" + "." * 5 + "######.", 2, 17),  # 24 blocks
        ("##", 1, None),  # two blocks: no block lies between the first and the last
    ],
)
def test_first_block(blocks: str, n_fused: int, expected: int | None) -> None:
    """The first block from which on every block has a global token."""

    def has_token(block: int) -> bool:
        return blocks[block] == "#"

    assert amf.first_global_block(has_token, len(blocks), n_fused) == expected


@given(has_tokens=st.lists(st.booleans(), min_size=2, max_size=24), n_fused=st.integers(1, 3))
def test_first_block_rule(has_tokens: list[bool], n_fused: int) -> None:
    """The rule agrees with its definition."""
    first = amf.first_global_block(has_tokens.__getitem__, len(has_tokens), n_fused)
    expected = reference.auto_blocks(has_tokens, n_fused)
    assert first == (expected[0] if expected else None)


def test_middle_blocks() -> None:
    assert amf.middle_blocks(12) == (5, 6)
    assert amf.middle_blocks(24) == (11, 12)
    assert amf.middle_blocks(12, 3) == (5, 6, 7)
    assert amf.middle_blocks(3, 2) == (0, 1)


@given(n=st.integers(2, 30), n_fused=st.integers(1, 29))
def test_middle_blocks_range(n: int, n_fused: int) -> None:
    """Middle blocks never include the last."""
    blocks = amf.middle_blocks(n, min(n_fused, n - 1))
    assert len(blocks) == min(n_fused, n - 1)
    assert 0 <= blocks[0] <= blocks[-1] <= n - 2


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 4))
def test_fuse(seed: int, n: int) -> None:
    """Fusing is a plain average that keeps rows."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(n + 1, 5, 5, generator=generator).softmax(-1)
    fused = amf.fuse(maps[0], list(maps[1:]), Fusion())
    assert torch.allclose(fused, maps.mean(0), atol=1e-6)
    assert torch.allclose(fused.sum(-1), torch.ones(5), atol=1e-5)


def qk_maps(block: Heads) -> list[torch.Tensor]:
    pairs = zip(block.q.double(), block.k.double(), strict=True)
    return [reference.alike(q, k) for q, k in pairs]


@pytest.mark.parametrize("per_head", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("weight", [None, 0.4])
def test_attend_fused(n: int, per_head: bool, weight: float | None) -> None:
    """Fused attention agrees with a matrix."""
    fusion = Fusion(heads="each" if per_head else "mean", weight=weight)
    share = n / (1 + n) if weight is None else weight
    last, middle = heads(2), [heads(seed) for seed in range(3, 3 + n)]
    expected = []
    for i in range(4):
        maps = [qk[i] if per_head else sum(qk) / 4 for qk in map(qk_maps, middle)]
        local = reference.alike(last.q[i].double(), last.q[i].double())
        fused = (1 - share) * local + share * sum(maps) / n
        expected.append(fused @ last.part("v")[i].double())
        assert torch.allclose(amf.fuse(local, maps, fusion), fused, atol=1e-9)
    output = amf.attend_fused(ATTENTIONS["qq"], last, GRID, middle, fusion)
    assert torch.allclose(output.double(), torch.stack(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("n_blocks", "expected"), [(12, (5, 6, 7, 8)), (24, tuple(range(10, 18))), (4, (2,)), (2, (0,))]
)
def test_span(n_blocks: int, expected: tuple[int, ...]) -> None:
    """A span of blocks scales with the depth."""
    assert Span((6, 9), of=12).indices(n_blocks) == expected


def test_span_of_one_block() -> None:
    """A tower of one block has none before the last."""
    with pytest.raises(MethodError, match="at least two blocks"):
        Span((6, 9), of=12).indices(1)


@given(first=st.integers(1, 12), more=st.integers(0, 11), n=st.integers(2, 40))
def test_span_range(first: int, more: int, n: int) -> None:
    """A span never includes the last block."""
    blocks = Span((first, min(first + more, 12)), of=12).indices(n)
    assert blocks and 0 <= blocks[0] <= blocks[-1] <= n - 2
