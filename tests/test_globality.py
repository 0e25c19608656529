"""Global tokens: who is looked at, from which block on, and which blocks AMF then takes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gclip_core import globality
from tests import reference


def test_everybody_looking_at_one_patch_scores_n() -> None:
    patches = torch.zeros(6, 6)
    patches[:, 2] = 1
    assert globality.received(patches).tolist() == [0, 0, 6, 0, 0, 0]


def test_uniform_attention_scores_one() -> None:
    assert globality.received(torch.full((5, 5), 0.2)).tolist() == pytest.approx([1] * 5)


def test_the_class_token_is_left_out_and_rows_are_renormalised() -> None:
    attention = torch.tensor([[0.2, 0.4, 0.4], [0.5, 0.4, 0.1], [0.9, 0.05, 0.05]])
    expected = torch.tensor([[0.8, 0.2], [0.5, 0.5]])
    assert torch.allclose(globality.patch_attention(attention), expected)


def test_a_patch_that_sees_only_the_class_token_gives_no_nan() -> None:
    attention = torch.tensor([[0.2, 0.4, 0.4], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    assert torch.isfinite(globality.received(globality.patch_attention(attention))).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 12))
def test_scores_are_one_on_average(seed: int, n: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    attention = (5 * torch.randn(1 + n, 1 + n, generator=generator)).softmax(-1)
    m = globality.received(globality.patch_attention(attention))
    assert m.mean().item() == pytest.approx(1, abs=1e-4)
    assert m.max() <= n * (1 + 1e-4)


def test_global_tokens_are_those_at_or_above_the_threshold() -> None:
    assert globality.global_tokens(torch.tensor([0.1, 5.0, 4.99, 12.0])) == (1, 3)
    assert globality.global_tokens(torch.tensor([0.1, 5.0]), threshold=6) == ()


def test_agreement_with_the_class_token() -> None:
    class_row = torch.tensor([0.6, 0.8])
    rows = torch.tensor([[0.3, 0.4], [0.4, -0.3]])
    assert globality.agreement_with_class_token(rows[:1], class_row) == pytest.approx(1)
    assert globality.agreement_with_class_token(rows, class_row) == pytest.approx(0.5)
    assert math.isnan(globality.agreement_with_class_token(rows[:0], class_row))


def test_agreement_survives_rows_that_attend_almost_only_to_the_class_token() -> None:
    class_row = torch.tensor([0.6, 0.8]) * 1e-12
    rows = torch.tensor([[0.3, 0.4]]) * 1e-12
    assert globality.agreement_with_class_token(rows, class_row) == pytest.approx(1)


def pattern(blocks: str) -> list[bool]:
    """``"..##"``: whether each block has a global token."""
    return [mark == "#" for mark in blocks]


@pytest.mark.parametrize(
    ("blocks", "n_blocks", "expected"),
    [
        ("............", 2, None),  # none
        (".....######.", 2, 5),  # the paper's ViT-B/16: blocks 6 to 11
        (".....#######", 2, 5),  # what the last block has does not matter
        ("############", 2, 1),  # block 0 is not asked
        ("..###.#####.", 2, 6),  # a broken run begins again after the gap
        (".....#####..", 2, None),  # the run must reach the block before the last
        (".........##.", 2, 9),  # the latest start that leaves room for two blocks
        ("..........#.", 2, None),  # only the block before the last: no room for two
        ("..........#.", 1, 10),
        (".........##.", 3, None),
        ("........###.", 3, 8),
        ("............" + "." * 5 + "######.", 2, 17),  # 24 blocks
        (".#.", 1, 1),
        ("##", 1, None),  # two blocks: no block lies between the first and the last
        ("#", 1, None),
    ],
)
def test_the_first_block_from_which_on_every_block_has_a_global_token(
    blocks: str, n_blocks: int, expected: int | None
) -> None:
    assert globality.first_global_block(pattern(blocks), n_blocks) == expected


@given(has_tokens=st.lists(st.booleans(), min_size=2, max_size=24), n_blocks=st.integers(1, 3))
def test_the_rule_agrees_with_its_definition(has_tokens: list[bool], n_blocks: int) -> None:
    first = globality.first_global_block(has_tokens, n_blocks)
    expected = reference.auto_blocks(has_tokens, n_blocks)
    assert first == (expected[0] if expected else None)
    if first is not None:
        assert first + n_blocks - 1 <= len(has_tokens) - 2


def test_middle_blocks() -> None:
    assert globality.middle_blocks(12) == (5, 6)
    assert globality.middle_blocks(24) == (11, 12)
    assert globality.middle_blocks(12, 3) == (5, 6, 7)
    assert globality.middle_blocks(3, 2) == (0, 1)


@given(n=st.integers(2, 30), n_blocks=st.integers(1, 29))
def test_middle_blocks_never_hold_the_last(n: int, n_blocks: int) -> None:
    blocks = globality.middle_blocks(n, min(n_blocks, n - 1))
    assert len(blocks) == min(n_blocks, n - 1)
    assert 0 <= blocks[0] <= blocks[-1] <= n - 2


def naive_in_in_out(values: torch.Tensor, labels: list[int]) -> tuple[float, float]:
    v = values.double() / values.double().norm(dim=1, keepdim=True)
    within: dict[int, list[float]] = {}
    across: list[float] = []
    for i, a in enumerate(labels):
        for j, b in enumerate(labels):
            if i == j or a < 0 or b < 0:
                continue
            cosine = float(v[i] @ v[j])
            if a == b:
                within.setdefault(a, []).append(cosine)
            else:
                across.append(cosine)
    regions = [sum(some) / len(some) for some in within.values()]
    return (
        sum(regions) / len(regions) if regions else math.nan,
        sum(across) / len(across) if across else math.nan,
    )


@settings(max_examples=30, deadline=None)
@given(
    labels=st.lists(st.sampled_from([-1, 0, 1, 7]), min_size=1, max_size=9),
    seed=st.integers(0, 10**6),
)
def test_similarity_within_and_across_agrees_with_a_loop_over_pairs(
    labels: list[int], seed: int
) -> None:
    values = torch.randn(len(labels), 5, generator=torch.Generator().manual_seed(seed))
    found = globality.in_in_out(values, torch.tensor(labels))
    expected = naive_in_in_out(values, labels)
    assert found == pytest.approx(expected, abs=1e-5, nan_ok=True)


def test_similarity_worked_by_hand() -> None:
    values = torch.tensor([[1.0, 0], [2, 0], [0, 1]])
    assert globality.in_in_out(values, torch.tensor([0, 0, 1])) == (pytest.approx(1), 0)


def test_majority_label_of_each_patch() -> None:
    labels = torch.tensor([[0, 0, 1, 1], [0, 2, 1, 2], [3, 3, -1, -1], [3, 3, 4, -1]])
    assert globality.majority_labels(labels, (2, 2)).tolist() == [0, 1, 3, -1]
    assert globality.majority_labels(labels, (1, 2)).tolist() == [3, -1]  # 1 and -1: three each


def test_majority_label_ties_go_to_the_smaller() -> None:
    assert globality.majority_labels(torch.tensor([[5, 2]]), (1, 1)).tolist() == [2]


def test_majority_labels_of_an_image_smaller_than_the_grid() -> None:
    found = globality.majority_labels(torch.tensor([[3]]), (2, 2)).tolist()
    assert sorted(found) == [-1, -1, -1, 3]
