"""Scores and labels against PyTorch's own interpolation at full size."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gclip_core import masks
from gclip_core.methods import METHODS
from gclip_core.types import Segmentation, UnknownPhrase, UnknownReason, Vocabulary

CLASSES = [(0, 1, 2, 3, 4), (0, 0, 1, 2, 2), (0, 0, 1, -1, -1)]
"""The class of every entry; -1 are hidden words, which compete and win pixels for no class."""
SIZES = [(1, 1), (5, 4), (37, 23), (1, 900), (900, 1), (64, 64)]


def logits(entries: int = 5, grid: tuple[int, int] = (5, 4), seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 8 * torch.randn(entries, *grid, generator=generator)


def per_entry(given_logits: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(given_logits[None], size=size, mode="bilinear", align_corners=False)[0]


def per_class(entries: Tensor, classes: tuple[int, ...]) -> Tensor:
    return torch.stack(
        [
            torch.stack([e for e, o in zip(entries, classes, strict=True) if o == index]).amax(0)
            for index in range(max(classes) + 1)
        ]
    )


def result(rows: list[list[float]], unknown: tuple[str, ...] = ()) -> Segmentation:
    """The classes a, b and c with the hidden word h on a row of patches, each a pixel."""
    entries = torch.tensor(rows)[:, None]  # (entries, 1, w)
    classes = (0, 1, 2, -1)
    return Segmentation(
        labels=masks.labels(entries, classes, tuple(entries.shape[1:])),
        logits=entries,
        vocabulary=Vocabulary((("a",), ("b",), ("c",))),
        method=METHODS["gclip"],
        report=None,
        prompt_classes=classes,
        background=("h",),
        unknown=tuple(UnknownPhrase(word, UnknownReason.NEVER_MET, None) for word in unknown),
        notes=(),
        resized=(1, entries.shape[2]),
        threshold=0.0,
        compute_scores=lambda: entries,
    )


def test_class_logits() -> None:
    """Logits of classes are the largest of their words on any grid."""
    of = replace(result([[4.0, 0], [2.0, 5], [0, 1.0], [1.0, 3.0]]), prompt_classes=(0, 0, 1, -1))
    assert masks.class_logits(of, (1, 2)).tolist() == [[4, 5], [0, 1], [1, 3]]
    typed = replace(of, prompt_classes=(0, 0, 1, 1), background=())
    assert masks.class_logits(typed, (1, 2)).tolist() == [[4, 5], [1, 3]]
    assert masks.class_logits(typed, (2, 4)).shape == (2, 8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", [*CLASSES, (0, 0, 0, 0, 0)])
def test_scores(size: tuple[int, int], classes: tuple[int, ...]) -> None:
    """Scores are softmax over entries then maximum over synonyms."""
    given_logits = logits()
    expected = per_class(per_entry(given_logits, size).softmax(0), classes)
    scores = masks.scores(given_logits, classes, size)
    assert scores.shape == (max(classes) + 1, *size)
    assert scores.dtype == torch.float32
    assert torch.allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("rows", [32, 5, 1])
def test_labels(
    size: tuple[int, int], classes: tuple[int, ...], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few rows a strip has."""
    monkeypatch.setattr(masks, "MOST_ROWS", rows)
    given_logits = logits()
    entries, of = per_entry(given_logits, size), torch.tensor(classes)
    labels = masks.labels(given_logits, classes, size)
    assert labels.dtype == torch.int16
    assert labels.shape == size
    chosen = entries.where(of[:, None, None] == labels, -torch.inf).amax(0)
    assert (entries.amax(0) - chosen).max() <= 1e-4  # the same but for exact ties
    assert (labels == of[entries.argmax(0)]).float().mean() > 0.99


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    grid=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    threshold=st.floats(0.05, 1),
)
def test_threshold(
    seed: int, grid: tuple[int, int], size: tuple[int, int], threshold: float
) -> None:
    """Under the threshold nothing is labelled."""
    given_logits, classes = logits(4, grid, seed) / 4, (0, 1, 1, -1)
    (best, second), entry = per_entry(given_logits, size).softmax(0).topk(2, dim=0)
    clear = ((best - threshold).abs() > 1e-4) & (best - second > 1e-4)
    labels = masks.labels(given_logits, classes, size, threshold)
    assert torch.equal((labels == -1)[clear], ((best < threshold) | (entry[0] == 3))[clear])


def test_threshold_off() -> None:
    """Threshold zero is off."""
    flat = torch.zeros(3, 2, 2)
    assert (masks.labels(flat, (0, 1, 2), (8, 8), 0.0) == 0).all()
    assert (masks.labels(flat, (0, 1, 2), (8, 8), 0.34) == -1).all()
    assert (masks.labels(flat, (0, 1, 2), (8, 8), 0.33) == 0).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), classes=st.sampled_from([*CLASSES, (0, 0, 0, -1, -1)]))
def test_probabilities(seed: int, classes: tuple[int, ...]) -> None:
    """Shares add up to 1; the largest is the label's; a losing synonym counts nowhere."""
    own, n_background = logits(seed=seed), classes.count(-1)
    of = replace(
        result([[0.0]] * 4), logits=own, prompt_classes=classes, background=("h",) * n_background
    )
    shares = masks.probabilities(of, (5, 4))
    assert shares.shape == (max(classes) + 2, 20)
    assert torch.allclose(shares.sum(0), torch.ones(20), atol=1e-6)
    labels = torch.tensor(classes)[own.flatten(1).argmax(0)]
    assert torch.equal(shares.argmax(0), labels.where(labels >= 0, max(classes) + 1))
    assert (shares[-1] > 0).all() == bool(n_background)
    lower = own.clone()
    lower[1] -= 100 * (own[1] < own[0])  # a synonym that loses, of the same class as the first
    if classes[0] == classes[1]:
        same = masks.probabilities(replace(of, logits=lower), (5, 4))
        assert torch.allclose(same, shares, atol=1e-6)
