"""Scores and labels against PyTorch's own interpolation at full size."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gclip_core.pixels import masks

CLASSES = [(0, 1, 2, 3, 4), (4, 2, 0, 1, 3), (0, 0, 1, 2, 2), (0, 0, 1, 2, -1), (0, 0, 0, 0, 0)]
"""The class of every prompt, -1 for the background."""
SIZES = [(1, 1), (5, 4), (37, 23), (1, 900), (900, 1), (130, 300)]


def logits(prompts: int = 5, grid: tuple[int, int] = (5, 4), seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 8 * torch.randn(prompts, *grid, generator=generator)


def interpolated(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", CLASSES)
def test_scores(size: tuple[int, int], classes: tuple[int, ...]) -> None:
    """Softmax over prompts, then the maximum over synonyms."""
    shares, of = interpolated(logits(), size).softmax(0), torch.tensor(classes)
    expected = torch.stack([shares[of == c].amax(0) for c in range(max(classes) + 1)])
    assert torch.allclose(masks.scores(logits(), classes, size), expected, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    grid=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    size=st.tuples(st.integers(1, 140), st.integers(1, 300)) | st.sampled_from(SIZES),
    classes=st.sampled_from(CLASSES),
    threshold=st.just(0.0) | st.floats(0.05, 1),
)
def test_labels(
    seed: int,
    grid: tuple[int, int],
    size: tuple[int, int],
    classes: tuple[int, ...],
    threshold: float,
) -> None:
    """The class of the best prompt; none for a background prompt or a score below the threshold."""
    given_logits = logits(grid=grid, seed=seed) / 4
    (best, second), prompt = interpolated(given_logits, size).softmax(0).topk(2, dim=0)
    clear = ((best - threshold).abs() > 1e-4) & (best - second > 1e-4)
    expected = torch.tensor(classes)[prompt[0]].where(best >= threshold, -1)
    labels = masks.labels(given_logits, classes, size, threshold)
    assert labels.dtype == torch.int16
    assert torch.equal(labels[clear].long(), expected[clear])
