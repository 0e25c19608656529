"""Photos, words and features: what the steps learn from."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tests.training.conftest import DOG, SKY, halves, stem
from training.data import half, with_masks, without_masks
from training.features import FINE, View, compute, file_of, views
from training.patches import NONE, UNKNOWN, Patches, labels
from training.vocabulary import Words


def test_photos(data: Path, words: Words) -> None:
    """All photos with masks are there, and eight of a label without."""
    assert [photo.source for photo in words.masks] == ["coco"] * 4 + ["voc", "voc", "facade"]
    numbers = [*range(8), 10, 11]
    assert [photo.name for photo in without_masks(data)] == [f"words/{n:05}" for n in numbers]


def test_left_out(data: Path) -> None:
    """A source that is left out has no photo."""
    assert {photo.source for photo in with_masks(data, frozenset({"voc"}))} == {"coco", "facade"}
    assert not without_masks(data, frozenset({"classes"}))


def test_halves(data: Path) -> None:
    """The halves of COCO's photos do not overlap."""
    choose, report = half(data, "choose"), half(data, "report")
    assert choose == {"coco/a", "coco/b"} and report == {"coco/c", "coco/d"}
    assert half(data, None) == set()


def test_words(words: Words) -> None:
    """Words are those that the first model has seen, and those of masks that it knows."""
    assert words.all == ["dog", "fish", "ocean", "sky", "tree", "water", "wall"]
    assert words.numbers(["wall brick", "wall"]) == words.numbers(["wall"]) == [6]
    assert words.numbers(["car", "xyz"]) == []
    assert {words.all[number] for number in words.with_masks} == {"sky", "dog", "wall", "tree"}


def test_mask_values(words: Words) -> None:
    """A value of a mask is a word, none of its source's words, or unknown."""
    voc = next(photo for photo in words.masks if photo.source == "voc")
    table = words.of_mask(voc)
    assert table[DOG] == words.numbers(["dog"])[0]
    assert (table[0], table[255], table[9]) == (NONE, UNKNOWN, UNKNOWN)


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
        assert abs((right - left) / 64 - (bottom - top) / 48) < 1e-9
    pixels = View((0, 0, 64, 48), True).cut(
        Image.fromarray(halves(1, 2)), (12, 16), Image.Resampling.NEAREST
    )
    assert pixels[0, 0] == 2 and pixels[-1, -1] == 1


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
    photos = words.masks[4:]
    compute(stem, data, tmp_path, photos)
    times = {photo.name: file_of(tmp_path, photo).stat().st_mtime_ns for photo in photos}
    file_of(tmp_path, photos[0]).unlink()
    compute(stem, data, tmp_path, photos)
    again = {photo.name: file_of(tmp_path, photo).stat().st_mtime_ns for photo in photos}
    assert [name for name in times if times[name] != again[name]] == [photos[0].name]
    assert not list(tmp_path.rglob("*.half.npz"))


def test_labels(words: Words) -> None:
    """A patch has the label that covers six tenths of it; where two meet, it has none."""
    voc = words.masks[4]
    dog = words.numbers(["dog"])[0]
    mask = np.zeros((1, FINE, 4 * FINE), np.uint8)
    mask[0, :, FINE : 2 * FINE] = DOG
    mask[0].T[2 * FINE :].reshape(2, -1)[:, :] = 0
    cells = mask[0].reshape(FINE, 4, FINE).swapaxes(0, 1)  # a view of each patch
    cells[2].flat[:10] = DOG
    cells[3].flat[:9] = DOG
    mask[0] = cells.swapaxes(0, 1).reshape(FINE, 4 * FINE)
    assert labels(words, voc, mask)[0, 0].tolist() == [NONE, dog, dog, UNKNOWN]
    mask[:] = 255
    assert (labels(words, voc, mask) == UNKNOWN).all()


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
    assert sorted(patches.present[0].nonzero().flatten().tolist()) == [dog]
    mean, spread = patches.statistics()
    assert torch.allclose(mean, torch.from_numpy(patches.features.astype(np.float32)).mean(0))
    assert (spread > 0).all()
