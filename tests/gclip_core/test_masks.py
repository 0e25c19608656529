"""Scores and labels against PyTorch's own interpolation at full size."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gclip_core.methods import METHODS
from gclip_core.pixels import masks
from gclip_core.result import Segmentation
from gclip_core.words.vocabulary import Vocabulary

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


def test_add_background() -> None:
    """A background logit is raised by its offset and moved towards the mean, by hand."""
    typed, hidden = torch.tensor([[[3.0, 1.0]]]), torch.tensor([[[1.0, 6.0]], [[2.0, 5.0]]])
    both, word = masks.add_background(typed, hidden, torch.tensor([2.0, -1.0]), weight=0.5)
    # The means are 2 and 4; with offsets, the words have 3 and 8, and 1 and 4.
    assert both.tolist() == [[[3, 1]], [[2.5, 6]]]
    assert word.tolist() == [[0, 0]]


def result(own: Tensor, classes: tuple[int, ...]) -> Segmentation:
    return Segmentation(
        labels=masks.labels(own, classes, own.shape[1:]),
        logits=own,
        vocabulary=Vocabulary((("a",), ("b",), ("c",))),
        method=METHODS["gclip"],
        report=None,
        prompt_classes=classes,
        background=("h",) * classes.count(-1),
        background_map=None,
        unknown=(),
        notes=(),
        threshold=0.0,
    )


def test_class_logits() -> None:
    """Logits of classes are the maximum over their words, on any grid."""
    own = torch.tensor([[4.0, 0], [2.0, 5], [0, 1.0], [1.0, 3.0]])[:, None]
    hidden, typed = result(own, (0, 0, 1, -1)), result(own, (0, 0, 1, 1))
    assert masks.class_logits(hidden, (1, 2)).tolist() == [[4, 5], [0, 1], [1, 3]]
    assert masks.class_logits(typed, (1, 2)).tolist() == [[4, 5], [1, 3]]
    assert masks.class_logits(typed, (2, 4)).shape == (2, 8)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), classes=st.sampled_from(CLASSES))
def test_probabilities(seed: int, classes: tuple[int, ...]) -> None:
    """Shares add up to 1; the largest is the label's; a losing synonym counts nowhere."""
    own = logits(seed=seed)
    of = result(own, classes)
    shares = masks.probabilities(of, (5, 4))
    assert torch.allclose(shares.sum(0), torch.ones(20), atol=1e-6)
    labels = of.labels.flatten().long()
    assert torch.equal(shares.argmax(0), labels.where(labels >= 0, max(classes) + 1))
    assert (shares[-1] > 0).all() == (-1 in classes)
    lower = own.clone()
    lower[1] -= 100 * (own[1] < own[0])  # a synonym that loses, of the same class as the first
    if classes[0] == classes[1]:
        same = masks.probabilities(replace(of, logits=lower), (5, 4))
        assert torch.allclose(same, shares, atol=1e-6)
