"""Global tokens, and the blocks that are fused."""

import pytest
import torch

from gclip_core import amf, attention
from gclip_core.amf import Fusion
from gclip_core.blocks import Heads
from gclip_core.numbering import ChosenBlocks, Reason
from gclip_core.relatives.shared import at_depth


@pytest.mark.parametrize("elements", [1, 80])
def test_received_mean(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patches receive 1 on average, however many rows are computed at a time."""
    block = Heads(*(3 * torch.randn(2, 3, 13, 4, generator=torch.Generator().manual_seed(0))))
    whole = amf.received(block)
    monkeypatch.setattr(attention, "ELEMENTS_AT_A_TIME", elements)
    assert torch.allclose(amf.received(block), whole, atol=1e-5)
    assert whole.mean().item() == pytest.approx(1, abs=1e-4)
    to_class_token = Heads(
        torch.ones(1, 7, 2), torch.zeros(1, 7, 2).index_fill(1, torch.tensor(0), 1e3)
    )
    assert amf.received(to_class_token).isfinite().all()


@pytest.mark.parametrize(
    ("n", "n_fused", "expected"), [(12, 2, (5, 6)), (24, 3, (11, 12, 13)), (4, 3, (0, 1, 2))]
)
def test_middle_blocks(n: int, n_fused: int, expected: tuple[int, ...]) -> None:
    """Without global tokens, as many blocks as requested from the middle on, but never the last."""
    report = amf.fused_blocks(Fusion(n_fused=n_fused), n, "auto", lambda _: torch.ones(6))
    assert report == ChosenBlocks(expected, Reason.MIDDLE)


@pytest.mark.parametrize(
    ("blocks", "n_blocks", "expected"),
    [
        ((5, 6, 7, 8), 12, (5, 6, 7, 8)),
        ((6, 7, 9), 24, (12, 13, 14, 15, 18, 19)),
        ((8,), 4, (2,)),
        ((10,), 3, (1,)),
        ((5, 6, 7, 8), 2, (0,)),
    ],
)
def test_depths(blocks: tuple[int, ...], n_blocks: int, expected: tuple[int, ...]) -> None:
    """Blocks of 12 map to the same depths: at least one, never the last."""
    assert at_depth(blocks, n_blocks) == expected
