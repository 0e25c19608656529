"""The attention that patches receive."""

import pytest
import torch

from gclip_core import amf, attention
from gclip_core.blocks import Heads


@pytest.mark.parametrize("elements", [1, 80])
def test_received_mean(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patches receive 1 on average, however many rows are computed at a time."""
    block = Heads(*(3 * torch.randn(2, 3, 13, 4, generator=torch.Generator().manual_seed(0))))
    whole = amf.received(block)
    monkeypatch.setattr(attention, "ELEMENTS_AT_A_TIME", elements)
    assert torch.allclose(amf.received(block), whole, atol=1e-5)
    assert whole.mean().item() == pytest.approx(1, abs=1e-4)
    q, k = torch.ones(1, 7, 2), torch.zeros(1, 7, 2)
    k[:, 0] = 1000  # all attend to the class token alone: no nan
    assert amf.received(Heads(q, k)).isfinite().all()
