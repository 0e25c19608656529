"""Norms of output channels, their entropy, and the suppression of an abnormal one."""

import pytest
import torch

from gclip_core import cs
from tests import reference


def weight(channels: int = 6, inner: int = 24, seed: int = 0) -> torch.Tensor:
    return torch.randn(channels, inner, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("norms", "expected"),
    [
        (768 * [2.5], 1),  # all alike
        ([0.0, 7, 0, 0], 0),  # one has all
        ([4.0, 2, 1, 1], 0.875),  # p = 1/2, 1/4, 1/8, 1/8: 1.75 bits of 2
    ],
)
def test_entropy_by_hand(norms: list[float], expected: float) -> None:
    """Entropy worked by hand."""
    assert cs.entropy(torch.tensor(norms)).item() == pytest.approx(expected)


@pytest.mark.parametrize("target", ["mean", "median"])
@pytest.mark.parametrize("channel", [0, 3, 5])
@pytest.mark.parametrize("D", [6, 7])
def test_suppression(D: int, channel: int, target: str) -> None:
    """It agrees with the reference, and leaves the weight."""
    W2 = weight(D)
    W2[channel] *= 30
    before = W2.clone()
    changed = cs.scale_rows(W2, cs.channel_factors(cs.weight_norms(W2), target))
    expected = reference.suppressed(W2.double(), [channel], target)
    assert torch.allclose(changed.double(), expected, rtol=1e-5)
    assert torch.equal(W2, before)


def test_ratios() -> None:
    """The largest norm over the median; a block of zeros has nothing to suppress, and no nan."""
    assert cs.ratios(torch.tensor([[1.0, 9, 2, 3], [1, 2, 3, 8]])) == pytest.approx((3.6, 3.2))
    zeros = torch.zeros(8)
    assert cs.ratios(zeros[None]) == (1.0,)
    assert float(cs.entropy(zeros)) == pytest.approx(1)
    assert cs.channel_factors(zeros, "mean").tolist() == [1] * 8
    single = torch.tensor([0.0, 0.0, 3.0, 0.0])
    assert cs.ratios(single[None]) == (float("inf"),)
