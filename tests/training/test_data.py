"""Photos, words and features: what the steps learn from."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.datasets import DATASETS
from gclip_core import assets
from tests.evaluation.sets import CASES, save_ids
from tests.training.conftest import DOG, SKY, halves, save, stem
from training import __main__ as command
from training import data as folders
from training.data import Data, TrainingPhoto, read, write
from training.features import FINE, Crop, compute, crops, file_of, has_file
from training.patches import Patches, labels, stored
from training.words import NONE, UNKNOWN, Known, WordList


def test_sources(opened: Data) -> None:
    """Sources have the model's words; the photos that ship are learned from, too."""
    assert [photo.source.name for photo in opened.masks] == ["coco"] * 4 + ["voc"] * 2 + ["facade"]
    assert len(opened.others) == 3 + len([*assets.path("photos").glob("*.jpg")])
    words = {source.name: source.words for source in opened.sources}
    assert words == {
        "coco": ("sky", "dog", "wall"),
        "voc": (None, "dog"),
        "facade": ("sky", "tree"),
    }


def test_folder_of_pairs(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One's own photos are read, checked and counted."""
    write(tmp_path / "DATA", [str(pairs)])
    folders.check(tmp_path / "DATA")
    printed = capsys.readouterr().out
    assert "mine: 2 photos with masks of raccoon 1, sky 1" in printed
    opened = read(tmp_path / "DATA")
    image, mask = opened.masks[0].load()
    assert image.size == (64, 48)
    source = opened.masks[0].source
    assert [source.words[label] for label in mask[0, ::32]] == [None, "raccoon"]
    assert mask[0, 0] == source.background
    assert opened.masks[1].load()[1][0, -1] == -1, "a value without a word is unknown"
    assert opened.words().all[-1] == "raccoon", "known by its text embedding only"


def test_refused(pairs: Path, tmp_path: Path) -> None:
    """Unknown words are refused with the nearest known ones, a mask of another size with its name,
    and an unknown set with those that exist."""
    with pytest.raises(ValueError, match="voc20"):
        write(tmp_path, ["voc=/x"])
    save_ids(pairs / "b.png", [[0, 1]])
    write(tmp_path, [str(pairs)])
    with pytest.raises(ValueError, match=r"mask of b has \(8, 16\) .* its image has \(48, 64\)"):
        folders.check(tmp_path)
    save_ids(pairs / "b.png", np.zeros((6, 8)))
    save_ids(pairs / "a.png", np.zeros((6, 8)))
    with pytest.raises(ValueError, match="No mask has a pixel of a word"):
        folders.check(tmp_path)
    (pairs / "words.txt").write_text("1: sofaa\n2: garden gnome\n3: cat\n")
    with pytest.raises(
        ValueError, match=r"'sofaa' is unknown \(near: sofa.*gnome' is unknown \(none is near\)"
    ) as refusal:
        write(tmp_path, [str(pairs)])
        folders.check(tmp_path)
    assert "cat" not in str(refusal.value)
    with pytest.raises(ValueError, match="run `python -m training data"):
        read(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["voc21", "context60", "coco-stuff", "ade20k", "cityscapes"])
def test_public_sets(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The training split of a public set is read; words that the model lacks are left out."""
    CASES[name].make(tmp_path)
    split = DATASETS[name].split
    for path in [path for path in tmp_path.rglob("*") if path.stem == split]:
        path.rename(path.with_stem(folders.TRAINING_SPLIT[split]))
    write(tmp_path / "DATA", [f"{name}={tmp_path}"], most=1)
    folders.check(tmp_path / "DATA")
    assert f"{name}: 1 photos with masks of " in capsys.readouterr().out
    (photo,) = read(tmp_path / "DATA").masks
    assert len(photo.source.words) == len(DATASETS[name].classes())
    assert (photo.source.background == 0) == name.endswith(("21", "60"))


def test_known_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Plurals, synonyms and longer phrases lead to the model's word; the command says which words
    can be taught before anybody draws masks of them."""
    assert Known().find(["brick wall"]) == "wall"
    assert Known().find(["xyzzy", "settees"]) == "sofa"
    assert command.main(["words", "raccoon, garden gnome, hoodie, Settee"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "'raccoon' can be taught",
        "'garden gnome' is unknown (none is near)",
        "'hoodie' is unknown (near: sweatshirt)",
        "'Settee' can be taught as 'sofa'",
    ]


def test_held_out(data: Path, opened: Data) -> None:
    """A list in a folder of masks holds its photos out; a missing one is an error."""
    half = read(data, "choose")
    names = [{photo.name for photo in of.masks} for of in (opened, half)]
    assert names[0] - names[1] == {"coco/a", "coco/b"}
    assert half.words().all == opened.words().all
    with pytest.raises(ValueError, match=r"third\.txt"):
        read(data, "third")


def test_alike(opened: Data) -> None:
    """Words of a pair are alike, and so are those with similar vectors; most are not."""
    words = opened.words()
    vectors = torch.eye(len(words.all))
    dog, fish, ocean, sky, water = words.numbers(["dog", "fish", "ocean", "sky", "water"])
    vectors[fish] = torch.nn.functional.normalize(vectors[fish] + vectors[dog], dim=0)
    alike = words.alike(vectors)
    assert alike[ocean, water] and alike[water, ocean] and alike[dog, fish]
    assert not alike[sky, water] and not alike[sky, sky]


def test_views() -> None:
    """The first view is the whole photo; the others are crops, half of them mirrored."""
    assert crops("voc/1", (64, 48), 1) == [Crop((0, 0, 64, 48))]
    drawn = crops("coco/a", (64, 48), 6)
    assert drawn[0] == Crop((0, 0, 64, 48)) and len(drawn) == 6
    assert drawn == crops("coco/a", (64, 48), 6), "the same in every run"
    assert [view.mirrored for view in drawn] == [False, True] * 3
    for left, top, right, bottom in (view.box for view in drawn[1:]):
        assert 0 <= left < right <= 64 and 0 <= top < bottom <= 48
        assert 0.55 <= (right - left) / 64 <= 1
        assert (right - left) / 64 == pytest.approx((bottom - top) / 48)


def test_features(opened: Data, work: Path) -> None:
    """Stored arrays have the promised shapes, and masks match the photos."""
    photo = opened.masks[0]
    sky, dog, _ = range(3)
    rows, columns = 20, 27
    with np.load(file_of(work, photo)) as arrays:
        features, mask = arrays["features"], arrays["labels"]
        assert features.shape == (2, rows, columns, 904) and features.dtype == np.float16
        assert mask.shape == (2, rows * FINE, columns * FINE)
    assert (mask[0, :, 0] == sky).all() and (mask[0, :, -1] == dog).all()
    of = {sky: features[0, 10, 2], dog: features[0, 10, -3]}
    for view in (0, 1):  # the mirrored one, too
        for column in (2, columns - 3):
            near = of[int(mask[view, 40, column * FINE])]
            assert np.allclose(features[view, 10, column], near, atol=0.6)
    with np.load(file_of(work, opened.others[0])) as arrays:
        assert arrays["features"].shape == (1, 12, 16, 904)
        assert arrays.files == ["digest", "features"]


def test_resume(opened: Data, tmp_path: Path) -> None:
    """An interrupted run continues with what is missing, and computes nothing twice."""
    done, missing = opened.masks[4:6]
    compute(stem, tmp_path, [done])
    before = file_of(tmp_path, done).stat().st_mtime_ns
    compute(stem, tmp_path, [done, missing])
    assert file_of(tmp_path, missing).exists()
    assert file_of(tmp_path, done).stat().st_mtime_ns == before


def test_stale_features(pairs: Path, tmp_path: Path) -> None:
    """Features are computed again after a corrected mask, a word inserted before others, values
    and values that change their words; the step that reads old ones says so."""
    listed, others = pairs / "words.txt", tmp_path / "others"
    save(others, "1", halves(SKY, DOG))
    (others / "1.png").unlink()

    def recomputed() -> list[str]:
        write(tmp_path, [str(pairs)], [str(others)])
        photos = read(tmp_path).masks
        before = {photo.name: file_of(tmp_path, photo) for photo in photos}
        times = {name: f.stat().st_mtime_ns for name, f in before.items() if f.exists()}
        for photo in photos:
            if not has_file(tmp_path, photo):
                with pytest.raises(ValueError, match="run `features`"):
                    stored(tmp_path, photo)
        compute(stem, tmp_path, photos)
        assert all(stored(tmp_path, photo) for photo in photos)
        return [name for name, f in before.items() if f.stat().st_mtime_ns != times.get(name)]

    assert recomputed() == ["mine/a", "mine/b"]
    assert recomputed() == []
    Image.fromarray(halves(SKY, DOG)).save(pairs / "b.png")
    assert recomputed() == ["mine/b"]
    listed.write_text("0: background\n7: cat\n1: sky\n2: raccoon\n")
    assert recomputed() == ["mine/a", "mine/b"]
    listed.write_text("0: background\n7: cat\n2: sky\n1: raccoon\n")
    assert recomputed() == ["mine/a", "mine/b"]


def test_labels() -> None:
    """A patch has the label that covers 60 % of it: a word, or background; it is unknown where two
    meet, and where the mask is."""
    words = WordList(["cat", "dog"], ())
    source = SimpleNamespace(words=("dog", None), background=1)
    cells = np.full((6, FINE, FINE), 1, np.int16)
    cells[1] = 0
    cells[2].flat[:10] = 0
    cells[3].flat[:9] = 0
    cells[4:] = -1
    mask = np.concatenate(cells, axis=1)[None]
    photo = TrainingPhoto("", None, source)
    assert labels(words, photo, mask)[0, 0].tolist() == [NONE, 1, 1, *[UNKNOWN] * 3]


def test_patches(opened: Data, work: Path) -> None:
    """Labelled patches are sampled with probability ∝ 1/√(number of patches with that label)."""
    words, (voc, facade) = opened.words(), (opened.masks[4], opened.masks[6])
    patches = Patches(words, work, [voc, facade])
    kinds, counts = np.unique(patches.label, return_counts=True)
    dog, sky, tree = words.numbers(["dog", "sky", "tree"])
    assert set(kinds) == {NONE, dog, sky, tree}
    _, label, view = patches.sample(np.random.default_rng(0), 4000)
    roots = np.sqrt(counts)
    for kind, root in zip(kinds, roots, strict=True):
        assert abs((label == kind).float().mean() - root / roots.sum()) < 0.03
    of_voc = patches.source[view] == 0
    assert set(label[of_voc].tolist()) == {NONE, dog}
    assert patches.words_of[0].nonzero().flatten().tolist() == [dog]
    assert patches.present[0].nonzero().flatten().tolist() == [dog]
