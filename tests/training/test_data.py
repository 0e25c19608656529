"""Photos, words and features: what the steps learn from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.conftest import DOG, SKY, stem
from training.data import check_sources, with_masks, without_masks
from training.features import FINE, View, compute, file_of, views
from training.patches import NONE, UNKNOWN, Patches, labels
from training.vocabulary import Words


def test_photos(data: Path, words: Words) -> None:
    """All photos with masks are there, and eight of a label without."""
    assert [photo.source for photo in words.masks] == ["coco"] * 4 + ["voc", "voc", "facade"]
    numbers = [*range(8), 10, 11]
    assert [photo.name for photo in without_masks(data)] == [f"words/{n:05}" for n in numbers]


def test_left_out(data: Path) -> None:
    """A source that is left out has no photo; one that does not exist is an error with the names of
    those that do."""
    left = with_masks(data, frozenset({"voc", "clothing-ccp"}))
    assert {photo.source for photo in left} == {"coco", "facade"}
    assert not without_masks(data, frozenset({"classes"}))
    check_sources(data, frozenset({"voc", "classes", "coco"}))
    with pytest.raises(ValueError, match="has vocc, .* classes, clothing-ccp, coco, facade"):
        check_sources(data, frozenset({"voc", "vocc"}))


def test_photo_without_words(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo of which no word is left has no mask to learn from, and does not count."""
    monkeypatch.setattr("training.data.UNLIKE", frozenset({"sky", "dog"}))
    assert [photo.name for photo in with_masks(data)][:2] == ["coco/c", "coco/d"]


def test_words(words: Words) -> None:
    """Words are those that the first model has seen, and those of masks that it knows."""
    assert words.all == ["dog", "fish", "ocean", "sky", "tree", "water", "wall"]
    assert words.numbers(["wall brick", "wall"]) == words.numbers(["wall"]) == [6]
    assert words.numbers(["car", "xyz"]) == []


def test_alike(words: Words) -> None:
    """Words of a pair are alike, and those with near vectors; most are not."""
    vectors = torch.eye(len(words.all))
    dog, fish, ocean, sky, _, water, _ = range(len(words.all))
    vectors[fish] = torch.nn.functional.normalize(vectors[fish] + vectors[dog], dim=0)
    alike = words.alike(vectors)
    assert alike[ocean, water] and alike[water, ocean] and alike[dog, fish] and alike[sky, sky]
    assert not alike[sky, water]


def test_views(words: Words) -> None:
    """The first view is the whole photo; COCO's others are parts of it, half of them mirrored."""
    coco, voc = words.masks[0], words.masks[4]
    assert views(voc, (64, 48)) == [View((0, 0, 64, 48))]
    drawn = views(coco, (64, 48))
    assert drawn[0] == View((0, 0, 64, 48)) and len(drawn) == 6
    assert drawn == views(coco, (64, 48)), "the same in every run"
    assert [view.mirrored for view in drawn] == [False, True] * 3
    for left, top, right, bottom in (view.box for view in drawn[1:]):
        assert 0 <= left < right <= 64 and 0 <= top < bottom <= 48
        assert 0.55 <= (right - left) / 64 <= 1
        assert (right - left) / 64 == pytest.approx((bottom - top) / 48)


def test_features(data: Path, words: Words, work: Path) -> None:
    """What is stored has the shapes that the first step promises, and masks fit the photos."""
    with np.load(file_of(work, words.masks[0])) as stored:
        assert stored["features"].shape == (6, 20, 27, 904)
        assert stored["features"].dtype == np.float16
        assert stored["mask"].shape == (6, 20 * FINE, 27 * FINE)
        assert stored["affinity"].shape == (540, 540)
        assert (stored["mask"][0, :, 0] == SKY).all() and (stored["mask"][0, :, -1] == DOG).all()
        sky, dog = stored["features"][0, 10, 2], stored["features"][0, 10, -3]
        for view in (0, 1):  # the mirrored one, too
            for x, y in ((2, 8), (24, 96)):
                near = sky if stored["mask"][view, 40, y] == SKY else dog
                assert np.allclose(stored["features"][view, 10, x], near, atol=0.3)
    with np.load(file_of(work, without_masks(data)[0])) as stored:
        assert stored["features"].shape == (1, 12, 16, 904)
        assert stored.files == ["features"]


def test_resume(data: Path, words: Words, tmp_path: Path) -> None:
    """A run that was interrupted computes what is missing, and nothing twice."""
    done, missing = words.masks[4:6]
    compute(stem, data, tmp_path, [done])
    before = file_of(tmp_path, done).stat().st_mtime_ns
    compute(stem, data, tmp_path, [done, missing])
    assert file_of(tmp_path, missing).exists()
    assert file_of(tmp_path, done).stat().st_mtime_ns == before


def test_labels(words: Words) -> None:
    """A patch has the label that covers six tenths of it: a word, or none of its source's; it is
    unknown where two meet, and where the mask has another value."""
    voc = words.masks[4]
    dog = words.numbers(["dog"])[0]
    cells = np.zeros((6, FINE, FINE), np.uint8)
    cells[1] = DOG
    cells[2].flat[:10] = DOG
    cells[3].flat[:9] = DOG
    cells[4], cells[5] = 255, 9
    mask = np.concatenate(cells, axis=1)[None]
    assert labels(words, voc, mask)[0, 0].tolist() == [NONE, dog, dog, *[UNKNOWN] * 3]


def test_patches(words: Words, work: Path) -> None:
    """Labelled patches are drawn by one over the root of their label's number."""
    voc, facade = words.masks[4], words.masks[6]
    patches = Patches(words, work, [voc, facade])
    kinds, counts = np.unique(patches.label, return_counts=True)
    dog, sky, tree = (words.numbers([word])[0] for word in ("dog", "sky", "tree"))
    assert set(kinds) == {NONE, dog, sky, tree}
    _, label, view = patches.draw(np.random.default_rng(0), 4000)
    roots = np.sqrt(counts)
    for kind, root in zip(kinds, roots, strict=True):
        assert abs((label == kind).float().mean() - root / roots.sum()) < 0.03
    of_voc = patches.source[view] == 1  # sources in the order of their names
    assert set(label[of_voc].tolist()) == {NONE, dog}
    assert patches.words_of[1].nonzero().flatten().tolist() == [dog]
    assert patches.present[0].nonzero().flatten().tolist() == [dog]
