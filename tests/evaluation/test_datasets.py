"""Class lists, ids, and data sets on disk in every supported layout."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation import EvaluationError, class_lists
from evaluation.class_lists import ClassName
from evaluation.datasets import (
    DATASETS,
    Files,
    Ids,
    open_dataset,
    read_ids,
)
from evaluation.photos import photo_folder, shipped_photos, shipped_set
from tests.evaluation.sets import CASES, Case, enlarge, save_ids, save_image
from tests.pictures import turned

# For each set, the number of classes, and some by their official index.
CLASSES = {
    "voc20": (20, {0: "aeroplane", 19: "tvmonitor"}),
    "voc21": (21, {0: "background", 20: "tvmonitor"}),
    "context59": (59, {0: "aeroplane", 58: "wood"}),
    "context60": (60, {0: "background", 59: "wood"}),
    "coco-stuff": (171, {0: "person", 79: "toothbrush", 80: "banner", 170: "wood"}),
    "coco-object": (81, {1: "person", 12: "stop sign", 13: "parking meter", 80: "toothbrush"}),
    "ade20k": (150, {0: "wall", 12: "person", 89: "television receiver", 136: "traffic light"}),
    "cityscapes": (19, {0: "road", 8: "vegetation", 12: "rider", 18: "bicycle"}),
}


def distinct(classes: tuple[ClassName, ...]) -> bool:
    """Whether no phrase belongs to two classes."""
    phrases = [phrase.casefold() for known in classes for phrase in known.phrases]
    return len(phrases) == len(set(phrases))


@pytest.mark.parametrize("name", DATASETS)
def test_set(name: str, tmp_path: Path) -> None:
    """A set has its classes in the official order, no phrase twice, and a Case; if it is missing,
    the error lists the expected paths."""
    dataset, classes = DATASETS[name], DATASETS[name].classes()
    assert name in CLASSES, f"{name} needs its number of classes, and some of them, in CLASSES"
    assert name in {case.dataset for case in CASES.values()}, f"{name} needs a Case"
    size, some = CLASSES[name]
    assert len(classes) == size
    assert {index: classes[index].name for index in some} == some
    assert distinct(classes)
    with pytest.raises(EvaluationError, match="--root") as raised:
        open_dataset(dataset, tmp_path)
    for files in dataset.files:
        path = tmp_path / files.truth.format(split=dataset.split, name="*")
        assert str(path) in str(raised.value)


def test_class_list(tmp_path: Path) -> None:
    """A list may have comments and synonyms; each line has a name, and no phrase occurs twice."""

    def read(text: str) -> tuple[ClassName, ...]:
        class_lists.read.cache_clear()
        (tmp_path / "mine.txt").write_text(text)
        return class_lists.read(str(tmp_path / "mine"))

    found = read("# mine\nsofa: sofa; couch\n\ncat  # tabby\n")
    assert found == (ClassName("sofa", ("sofa", "couch")), ClassName("cat", ("cat",)))
    refused = {
        "cat\ncat": "'cat' occurs twice",
        "cat: tabby\ndog: Tabby": "'tabby' occurs twice",
        "# none\n": "no line",
        "cat\n: tabby": "a line without a name",
    }
    for text, fault in refused.items():
        with pytest.raises(EvaluationError, match=f"class list .*mine.*{fault}|{fault}.*mine"):
            read(text)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_layout(case: Case, tmp_path: Path) -> None:
    """Every layout is read exactly, in the order of the list or of the names."""
    opened = open_dataset(DATASETS[case.dataset], case.make(tmp_path))

    assert [s.name for s in opened.samples] == sorted(case.layout[2])
    assert opened.source == case.truth.format("*")
    for sample in opened.samples:
        image, labels = sample.load()
        assert image.mode == "RGB"
        assert (image.height, image.width) == labels.shape == (16, 24)
        assert labels.tolist() == enlarge(case.labels, np.int16).tolist()


def test_converted_labels(tmp_path: Path) -> None:
    """Converted labels take precedence over the originals beside them."""
    CASES["coco-stuff-stored"].make(tmp_path)
    CASES["coco-stuff"].build(tmp_path, "000000000139")
    opened = open_dataset(DATASETS["coco-stuff"], tmp_path)
    assert opened.source.endswith("*_labelTrainIds.png")
    assert [s.name for s in opened.samples] == ["000000000139"]


def test_split(tmp_path: Path) -> None:
    """A list with another name is another split, and so are files that end in its name."""
    root = CASES["voc21"].make(tmp_path)
    (root / "ImageSets/Segmentation/mine.txt").write_text("2007_000042\n")
    opened = open_dataset(DATASETS["voc21"], root, "mine")
    assert [sample.name for sample in opened.samples] == ["2007_000042"]
    assert opened.split == "mine"
    files = Files("{name}.jpg", "{name}_{split}.png", Ids({0: 0}))
    dataset = replace(DATASETS["voc20"], files=(files,), roots=("",))
    save_image(tmp_path / "a.jpg")
    save_ids(tmp_path / "a_mine.png", [[0]])
    assert [s.name for s in open_dataset(dataset, tmp_path, "mine").samples] == ["a"]
    files = Files("{name}.jpg", "{name}_mine.png", Ids({0: 0}))
    dataset = replace(dataset, files=(files,))
    assert [s.name for s in open_dataset(dataset, tmp_path, "val").samples] == ["a"]
    with pytest.raises(EvaluationError, match="no split 'mine'"):
        open_dataset(dataset, tmp_path, "mine")


def test_changed_files(tmp_path: Path) -> None:
    """A set's fingerprint depends on its content: a copy has the same, a corrected mask another."""
    first, second = tmp_path / "a" / "photos", tmp_path / "b" / "photos"
    for folder in (first, second):
        save_image(folder / "a.jpg")
        save_ids(folder / "a.png", [[0, 3, 9]])
        (folder / "index.json").write_text('[{"file": "a", "words": {"3": "cat", "9": "dog"}}]')
    before = photo_folder(first).fingerprint
    assert photo_folder(second).fingerprint == before
    save_ids(first / "a.png", [[3, 3, 9]])
    corrected = photo_folder(first).fingerprint
    save_image(first / "a.jpg", quality=10)
    (second / "index.json").write_text('[{"file": "a", "words": {"9": "cat", "3": "dog"}}]')
    others = (photo_folder(folder).fingerprint for folder in (first, second))
    assert len({before, corrected, *others}) == 4


def test_wrong_files(tmp_path: Path) -> None:
    """Ids of another set, a coloured copy, and a missing or damaged file are refused by name."""
    Image.new("RGB", (4, 4)).save(tmp_path / "colours.png")
    (tmp_path / "x.png").write_bytes(b"\x89PNG nothing more")
    (tmp_path / "x.mat").write_bytes(b"nothing")
    for name, message in (("colours.png", "RGB"), ("x.png", r"x\.png"), ("x.mat", r"x\.mat")):
        with pytest.raises(EvaluationError, match=message):
            read_ids(tmp_path / name)
    root = CASES["voc21"].make(tmp_path)
    save_ids(root / "SegmentationClass/2007_000033.png", [[0, 21, 150]])
    opened = open_dataset(DATASETS["voc21"], root)
    with pytest.raises(EvaluationError, match=r"2007_000033\.png contains.*\[21, 150\]"):
        opened.samples[0].load()
    (root / "JPEGImages/2007_000042.jpg").unlink()
    with pytest.raises(EvaluationError, match=r"1 of 4 .*2007_000042\.jpg"):
        open_dataset(DATASETS["voc21"], root)
    save_ids(root / "SegmentationClass/2007_000033.png", [[0, 1]])
    (root / "JPEGImages/2007_000033.jpg").write_bytes(b"nothing")
    with pytest.raises(EvaluationError, match=r"2007_000033\.jpg could not be read"):
        opened.samples[0].load()


def test_orientation(tmp_path: Path) -> None:
    """An image is turned according to its EXIF only if that matches the truth."""
    root = CASES["voc21"].make(tmp_path)
    plain, _ = open_dataset(DATASETS["voc21"], root).samples[0].load()
    save_image(root / "JPEGImages/2007_000033.jpg", exif=turned(6))
    image, labels = open_dataset(DATASETS["voc21"], root).samples[0].load()
    assert (image.height, image.width) == labels.shape
    assert np.array_equal(np.asarray(image), np.asarray(plain))
    assert 0x0112 not in image.getexif()  # so the segmenter does not turn it
    save_ids(root / "SegmentationClass/2007_000033.png", [[0, 1], [0, 1], [0, 1]])
    image, labels = open_dataset(DATASETS["voc21"], root).samples[0].load()
    assert (image.height, image.width) == labels.shape == (24, 16)


def test_shipped_set() -> None:
    """The photos that ship are a set whose classes are the words of all photos."""
    opened = shipped_set()
    assert distinct(opened.classes)
    whole = [name for name, photo in shipped_photos().items() if not photo.is_part]
    assert [sample.name for sample in opened.samples] == whole
    names = np.array([known.name for known in opened.classes])
    photo = shipped_photos()["dog"]
    image, labels = opened.samples[whole.index("dog")].load()
    assert (image.height, image.width) == labels.shape
    own = photo.labels()
    assert np.array_equal(labels < 0, own < 0)
    assert np.array_equal(names[labels[own >= 0]], np.array(photo.names)[own[own >= 0]])


def test_photo_folder(tmp_path: Path) -> None:
    """A folder has photos, masks and an index; a list selects some of it."""
    index = [{"file": "a", "words": {"3": "cat"}}, {"file": "b", "words": {"0": "dog", "3": "cat"}}]
    (tmp_path / "index.json").write_text(json.dumps(index))
    for name in ("a", "b"):
        save_image(tmp_path / f"{name}.jpg")
        save_ids(tmp_path / f"{name}.png", [[0, 3, 9], [0, 3, 9]])
    opened = photo_folder(tmp_path)
    assert [known.name for known in opened.classes] == ["cat", "dog"]
    assert opened.samples[0].load()[1][0, ::8].tolist() == [-1, 0, -1]
    assert opened.samples[1].load()[1][0, ::8].tolist() == [1, 0, -1]
    (tmp_path / "report.txt").write_text("b\nc a\n")
    part = photo_folder(tmp_path, "report")
    assert ([sample.name for sample in part.samples], part.split) == (["b"], "report")
    with pytest.raises(EvaluationError, match=r"choose\.txt"):
        photo_folder(tmp_path, "choose")
    Image.fromarray(enlarge([[0, 300, 9], [0, 300, 9]], np.uint16)).save(tmp_path / "b.png")
    (tmp_path / "index.json").write_text(json.dumps([index[0], {"file": "b", "words": {300: "x"}}]))
    assert photo_folder(tmp_path).samples[1].load()[1][0, ::8].tolist() == [-1, 1, -1], "16 bits"
    (tmp_path / "b.png").unlink()
    with pytest.raises(EvaluationError, match=r"1 of 4 files are missing.*b\.png"):
        photo_folder(tmp_path)
    for text in ("[]", "[1]"):
        (tmp_path / "index.json").write_text(text)
        with pytest.raises(EvaluationError, match=r"index\.json"):
            photo_folder(tmp_path)


def test_photo_words(tmp_path: Path) -> None:
    """A folder's words may have synonyms, and names any case; a value without a word is refused."""
    with pytest.raises(EvaluationError, match=r"words of the masks .*Write a line .*words\.txt"):
        photo_folder(tmp_path)
    save_image(tmp_path / "a.JPG")
    save_ids(tmp_path / "a.png", [[0, 1, 2]] * 2)
    (tmp_path / "words.txt").write_text("0: background\n1: cat; kitten\n2: dog\n")
    opened = photo_folder(tmp_path)
    animals = (ClassName("cat", ("cat", "kitten")), ClassName("dog", ("dog",)))
    assert opened.classes == (class_lists.BACKGROUND, *animals)
    assert opened.samples[0].load()[1][0, ::8].tolist() == [0, 1, 2]
    (tmp_path / "words.txt").write_text("1:\n")
    with pytest.raises(EvaluationError, match=r"words\.txt .*a value has no word"):
        photo_folder(tmp_path)
