"""Norms of output channels."""

import pytest
import torch

from gclip_core import cs


def test_ratios() -> None:
    """The largest norm over the median; a block of zeros has nothing to suppress, and no nan."""
    assert cs.ratios(torch.tensor([[1.0, 9, 2, 3], [1, 2, 3, 8]])) == pytest.approx((3.6, 3.2))
    zeros = torch.zeros(8)
    assert cs.ratios(zeros[None]) == (1.0,)
    assert cs.channel_factors(zeros).tolist() == [1] * 8
    single = torch.tensor([0.0, 0.0, 3.0, 0.0])
    assert cs.ratios(single[None]) == (float("inf"),)
    assert cs.outlier_blocks((1.9, 2, 3), cs.Suppression().channel_threshold) == (1, 2)
