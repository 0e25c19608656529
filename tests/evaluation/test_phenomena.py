"""Phenomena of a backbone: planted global tokens and channels are found in their blocks."""

import math

import numpy as np
import pytest
import torch

from evaluation.phenomena import (
    Phenomena,
    in_in_out,
    majority_labels,
    measure,
    summary,
)
from gclip_core import Segmenter
from tests.evaluation.sets import plain_set
from tests.models import enlarge_channel, look_at_one_patch, tiny_backbone

SAMPLES = plain_set(2, 32, 48).samples


def prepared(model: torch.nn.Module) -> None:
    """As the paper describes CLIP: global tokens from block 6, an outlier channel from block 5."""
    look_at_one_patch(model, range(5, 12), sharpness=8.0)  # smooth: no row underflows
    enlarge_channel(model, 9, 25.0, range(4, 11))


@pytest.fixture(scope="module")
def phenomena() -> Phenomena:
    return measure(Segmenter(tiny_backbone(prepare=prepared), short_side=32), SAMPLES)


def test_global_tokens(phenomena: Phenomena) -> None:
    assert phenomena.images == 2
    assert phenomena.received[:5] == pytest.approx(np.ones(5), abs=1e-3)  # uniform
    assert (phenomena.received[5:] >= 5).all()  # every head attends to the same few of 24 patches
    assert phenomena.n_tokens[:5].tolist() == [0.0] * 5
    assert (phenomena.n_tokens[5:] >= 1).all()
    assert np.isnan(phenomena.agreement[:5]).all()
    assert phenomena.agreement[5:] == pytest.approx(np.ones(7), abs=1e-3)  # from any patch


def test_outlier_channel(phenomena: Phenomena) -> None:
    """The channel is found where it was planted, and CS makes Values of one region more similar."""
    assert phenomena.report.outlier_blocks == tuple(range(4, 11))
    assert set(phenomena.report.channels[4:11]) == {9}
    sound = tiny_backbone(prepare=lambda model: look_at_one_patch(model, range(5, 12), 8.0))
    healthy = measure(Segmenter(sound, short_side=32), SAMPLES).similarities["without CS"]
    before, after = phenomena.similarities["without CS"], phenomena.similarities["with CS"]
    assert abs(after[1] - healthy[1]) < 0.2 * abs(before[1] - healthy[1])


def test_summary(phenomena: Phenomena) -> None:
    """The text has a row for each block, from 1."""
    text = summary(phenomena)
    rows = [line.split() for line in text.splitlines() if line[:5].strip().isdigit()]
    assert [row[0] for row in rows] == [str(i) for i in range(1, 13)]
    assert (rows[0][3], rows[4][4]) == ("–", "9")
    assert float(rows[6][6]) < float(rows[6][7]), "CS raises the entropy of the norms"
    assert all(f" {value:.3f}" in text for value in phenomena.similarities["with CS"])


def test_in_in_out() -> None:
    """Mean cosine by region, and over all pairs across regions; -1 does not count."""
    values = torch.tensor([[2.0, 0], [0, 1], [3, 0], [0, 5], [0, 1], [-1, 0], [1, 0]])
    labels = torch.tensor([0, 0, 7, 7, 7, 1, -1])
    # Of region 7's three pairs one is alike, of region 0 none; region 1 has no pair. Between 0 and
    # 7 three of six pairs are alike; of the five pairs with region 1 two are opposite.
    assert in_in_out(values, labels) == pytest.approx(((0 + 1 / 3) / 2, (3 - 2) / 11))
    assert in_in_out(values[:2], labels[:2]) == pytest.approx((0, math.nan), nan_ok=True)
    assert in_in_out(values[6:], labels[6:]) == pytest.approx((math.nan,) * 2, nan_ok=True)


def test_majority_labels() -> None:
    """A patch has the label with the largest share; of equal ones, the smallest."""
    labels = torch.tensor([[0, 0, 1, 1], [0, 2, 1, 2], [3, 3, -1, -1], [3, 3, 4, -1]])
    assert majority_labels(labels, (2, 2)).tolist() == [0, 1, 3, -1]
    assert majority_labels(labels, (1, 2)).tolist() == [3, -1]  # 1 and -1: three each
    assert majority_labels(torch.tensor([[3, 4]]), (2, 2)).tolist() == [3, 4, 3, 4]
