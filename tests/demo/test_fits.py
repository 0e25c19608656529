"""How well classes fit patches, from the logits of prompts."""

from dataclasses import replace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from demo.fits import class_logits, probabilities
from gclip_core.methods import METHODS
from gclip_core.pixels import masks
from gclip_core.result import Segmentation
from gclip_core.words.vocabulary import Vocabulary
from tests.gclip_core.test_masks import CLASSES


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
    assert class_logits(hidden, (1, 2)).tolist() == [[4, 5], [0, 1], [1, 3]]
    assert class_logits(typed, (1, 2)).tolist() == [[4, 5], [1, 3]]
    assert class_logits(typed, (2, 4)).shape == (2, 8)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), classes=st.sampled_from(CLASSES))
def test_probabilities(seed: int, classes: tuple[int, ...]) -> None:
    """Shares add up to 1; the largest is the label's; a losing synonym counts nowhere."""
    own = 8 * torch.randn(5, 5, 4, generator=torch.Generator().manual_seed(seed))
    of = result(own, classes)
    shares = probabilities(of, (5, 4))
    assert torch.allclose(shares.sum(0), torch.ones(20), atol=1e-6)
    labels = of.labels.flatten().long()
    assert torch.equal(shares.argmax(0), labels.where(labels >= 0, max(classes) + 1))
    assert (shares[-1] > 0).all() == (-1 in classes)
    lower = own.clone()
    lower[1] -= 100 * (own[1] < own[0])  # a synonym that loses, of the same class as the first
    if classes[0] == classes[1]:
        same = probabilities(replace(of, logits=lower), (5, 4))
        assert torch.allclose(same, shares, atol=1e-6)
