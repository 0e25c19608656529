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
from gclip_core.types import Overtaken, Segmentation, UnknownPhrase, UnknownReason, Vocabulary

OWNERS = [(0, 1, 2, 3, 4), (0, 0, 1, 2, 2), (0, 0, 1, -1, -1)]
"""The class of every entry; -1 are hidden words, which compete and win pixels for no class."""
SIZES = [(1, 1), (5, 4), (37, 23), (1, 900), (900, 1), (64, 64)]


def logits(entries: int = 5, grid: tuple[int, int] = (5, 4), seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 8 * torch.randn(entries, *grid, generator=generator)


def per_entry(given_logits: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(given_logits[None], size=size, mode="bilinear", align_corners=False)[0]


def per_class(entries: Tensor, owner: tuple[int, ...]) -> Tensor:
    return torch.stack(
        [
            torch.stack([e for e, o in zip(entries, owner, strict=True) if o == index]).amax(0)
            for index in range(max(owner) + 1)
        ]
    )


def result(rows: list[list[float]], unknown: tuple[str, ...] = ()) -> Segmentation:
    """The classes a, b and c with the hidden word h on a row of patches, each a pixel."""
    entries = torch.tensor(rows)[:, None]  # (entries, 1, w)
    owner = (0, 1, 2, -1)
    return Segmentation(
        labels=masks.labels(entries, owner, tuple(entries.shape[1:])),
        logits=entries,
        vocabulary=Vocabulary((("a",), ("b",), ("c",))),
        method=METHODS["gclip"],
        report=None,
        owner=owner,
        hidden=("h",),
        unknown=tuple(UnknownPhrase(word, UnknownReason.NEVER_MET, None) for word in unknown),
        notes=(),
        resized=(1, entries.shape[2]),
        threshold=0.0,
        _scores=lambda: entries,
    )


def test_a_class_without_pixels_names_what_wins_where_it_fits_best() -> None:
    rows = [[5.0, 5, 5, 5], [4.0, 0, 0, 0], [0, 0, 3.0, 0], [0, 0, 9.0, 0]]
    assert masks.overtaken(result(rows)) == (
        Overtaken("b", 0.0, "a", is_hidden=False),
        Overtaken("c", 0.0, "h", is_hidden=True),
    )
    assert masks.overtaken(result(rows, unknown=("b", "c"))) == ()
    assert masks.overtaken(result([[5.0, 0, 0], [0, 5, 0], [0, 0, 5], [0, 0, 0]])) == ()


def test_the_best_classes_of_a_patch_have_their_cosines_and_share_it() -> None:
    """A hidden word has the index after the last class."""
    of = result([[4.0, 0], [2.0, 0], [0, 1.0], [1.0, 3.0]])
    index, cosines, shares = masks.best_classes(of, (1, 2), logit_scale=2.0, most=2)
    assert index.tolist() == [[0, 3], [1, 2]]
    assert cosines.tolist() == [[2.0, 1.5], [1.0, 0.5]]
    assert torch.allclose(shares, torch.tensor([[4.0, 3.0], [2.0, 1.0]]).softmax(0))


def test_logits_of_classes_are_the_largest_of_their_words_on_any_grid() -> None:
    of = replace(result([[4.0, 0], [2.0, 5], [0, 1.0], [1.0, 3.0]]), owner=(0, 0, 1, -1))
    assert masks.class_logits(of, (1, 2)).tolist() == [[4, 5], [0, 1], [1, 3]]
    typed = replace(of, owner=(0, 0, 1, 1), hidden=())
    assert masks.class_logits(typed, (1, 2)).tolist() == [[4, 5], [1, 3]]
    assert masks.class_logits(typed, (2, 4)).shape == (2, 8)


def test_owners_with_hidden_words_after_what_was_typed() -> None:
    words = Vocabulary((("cat",), ("sofa", "couch"), ("wall",)))
    assert masks.owners(words) == (0, 1, 1, 2)
    assert masks.owners(words, 2) == (0, 1, 1, 2, -1, -1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("owner", [*OWNERS, (0, 0, 0, 0, 0)])
def test_scores_are_softmax_over_entries_then_maximum_over_synonyms(
    size: tuple[int, int], owner: tuple[int, ...]
) -> None:
    given_logits = logits()
    expected = per_class(per_entry(given_logits, size).softmax(0), owner)
    scores = masks.scores(given_logits, owner, size)
    assert scores.shape == (max(owner) + 1, *size)
    assert scores.dtype == torch.float32
    assert torch.allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("tile", [1 << 20, 64, 5, 1])
def test_labels_are_the_argmax_at_the_original_size(
    size: tuple[int, int], owner: tuple[int, ...], tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the tiles: not a seam where they meet."""
    if size[0] * size[1] > 30 and tile < 64:
        size = (7, 3)
    monkeypatch.setattr(masks, "TILE_ELEMENTS", tile)
    given_logits = logits()
    entries, of = per_entry(given_logits, size), torch.tensor(owner)
    labels = masks.labels(given_logits, owner, size)
    assert labels.dtype == torch.int16
    assert labels.shape == size
    chosen = entries.where(of[:, None, None] == labels, -torch.inf).amax(0)
    assert (entries.amax(0) - chosen).max() <= 1e-4  # the same but for exact ties
    assert (labels == of[entries.argmax(0)]).float().mean() > 0.99


@pytest.mark.parametrize("size", [(300, 260), (611, 480), (97, 450)])
@pytest.mark.parametrize("seed", range(2))
def test_the_cells_of_a_large_picture_do_not_show_in_its_labels(
    size: tuple[int, int], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks, "TILE_SIDE", 16)
    by_cells = masks.labels(logits(seed=seed), (0, 1, 2, 3, 4), size)
    monkeypatch.setattr(masks, "CELL_SIDE", max(size) + 1)
    assert torch.equal(by_cells, masks.labels(logits(seed=seed), (0, 1, 2, 3, 4), size))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    grid=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    threshold=st.floats(0.05, 1),
)
def test_under_the_threshold_nothing_is_labelled(
    seed: int, grid: tuple[int, int], size: tuple[int, int], threshold: float
) -> None:
    given_logits, owner = logits(4, grid, seed) / 4, (0, 1, 1, -1)
    (best, second), entry = per_entry(given_logits, size).softmax(0).topk(2, dim=0)
    clear = ((best - threshold).abs() > 1e-4) & (best - second > 1e-4)
    labels = masks.labels(given_logits, owner, size, threshold)
    assert torch.equal((labels == -1)[clear], ((best < threshold) | (entry[0] == 3))[clear])


def test_threshold_zero_is_off() -> None:
    flat = torch.zeros(3, 2, 2)
    assert (masks.labels(flat, (0, 1, 2), (8, 8), 0.0) == 0).all()
    assert (masks.labels(flat, (0, 1, 2), (8, 8), 0.34) == -1).all()
    assert (masks.labels(flat, (0, 1, 2), (8, 8), 0.33) == 0).all()


@pytest.mark.parametrize("owner", OWNERS)
def test_the_scores_of_one_pixel_are_those_of_the_whole_map(owner: tuple[int, ...]) -> None:
    whole = masks.scores(logits(), owner, (37, 23))
    for row, column in [(0, 0), (36, 22), (11, 17)]:
        scores = masks.scores_at(logits(), owner, (37, 23), row, column)
        assert torch.allclose(scores, whole[:, row, column], atol=1e-6)
