"""Boxes and people as labels: what networks write, and what patches learn of it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from training import boxes, detector
from training.boxes import ABSENT, THING, UNKNOWN
from training.detector import Box, Detections
from training.sources import SOURCES
from training.words import Label

CHAIR, TABLE, CUP = (boxes.WORDS.index(word) for word in ("chair", "table", "cup"))
EVERYWHERE = (0.0, 0.0, 1.0, 1.0)


def affinities(*sizes: int) -> Tensor:
    """Cosines of patches of which the first few belong together, then the next few, …"""
    return torch.block_diag(*(torch.ones(size, size) for size in sizes))


class TestDecoding:
    def test_default_boxes_of_the_first_cell_and_of_the_last_map(self) -> None:
        default = detector.anchors()
        assert default.shape == (1917, 4)
        first = [[1 / 38, 1 / 38, 0.1, 0.1], [1 / 38, 1 / 38, 0.2 / 2**0.5, 0.2 * 2**0.5]]
        torch.testing.assert_close(default[:2], torch.tensor(first))
        torch.testing.assert_close(default[-1], torch.tensor([0.5, 0.5, 0.95**0.5, 0.95**0.5]))

    def test_a_code_moves_and_scales_its_default_box(self) -> None:
        default = torch.tensor([[0.5, 0.5, 0.2, 0.4]])
        codes = torch.tensor([[1.0, -1.0, 5 * np.log(2), 0.0]], dtype=torch.float32)
        # The centre moves by a tenth of the sides to (0.52, 0.46); the height doubles to 0.4.
        expected = torch.tensor([[0.32, 0.26, 0.72, 0.66]])
        torch.testing.assert_close(detector.decode(codes, default), expected)

    def test_boxes_end_at_the_photo(self) -> None:
        default = torch.tensor([[0.1, 0.9, 0.4, 0.4]])
        expected = torch.tensor([[0.0, 0.7, 0.3, 1.0]])
        torch.testing.assert_close(detector.decode(torch.zeros(1, 4), default), expected)

    def test_what_to_do_without_the_packages(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="npm pack"):
            detector.Detector(tmp_path)


class TestLabelling:
    @pytest.fixture
    def looked_at(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Photos in the order in which networks of our own look at them; they see the colour."""
        order: list[str] = []

        class Red:
            def __init__(self, work: Path) -> None: ...

        class Boxes(Red):
            def __call__(self, photo: Image.Image) -> list[Box]:
                order.append(Path(photo.filename).name)
                return [Box("mug", photo.getpixel((0, 0))[0] / 255, (0.0, 0.0, 0.5, 1.0))]

        class Left(Red):
            def __call__(self, photo: Image.Image) -> Tensor:
                people = torch.zeros(detector.PEOPLE_SIDE, detector.PEOPLE_SIDE)
                people[:, : detector.PEOPLE_SIDE // 2] = 0.6
                return people

        monkeypatch.setattr(detector, "Detector", Boxes)
        monkeypatch.setattr(detector, "Selfie", Left)
        return order

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        data = tmp_path / "data"
        (data / "photos").mkdir(parents=True)
        for red in range(3):
            image = Image.new("RGB", (8, 8), (51 * red, 0, 0))
            image.save(data / "photos" / f"{red}.png")
        line = {"source": "grocery"}
        lines = [json.dumps({"file": f"{red}.png", **line}) + "\n" for red in range(3)]
        (data / "index.jsonl").write_text("".join(lines))
        return data

    def test_what_is_read_is_what_was_written(
        self, data: Path, tmp_path: Path, looked_at: list[str]
    ) -> None:
        detector.run(data, tmp_path)
        detections = Detections(tmp_path)
        assert detections.boxes("2.png") == [Box("mug", 0.4, (0.0, 0.0, 0.5, 1.0))]
        right = detections.people("2.png", (0.0, 0.25, 1.0, 0.75), (1, 2))
        torch.testing.assert_close(right, torch.tensor([0.6, 0.0]), atol=0.01, rtol=0)

    def test_goes_on_where_it_was_interrupted(
        self, data: Path, tmp_path: Path, looked_at: list[str]
    ) -> None:
        detector.run(data, tmp_path)
        whole = [(tmp_path / file).read_bytes() for file in ("boxes.jsonl", "people.u8")]
        for file, cut in zip(("boxes.jsonl", "people.u8"), (3, 5), strict=True):
            (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:-cut])
        looked_at.clear()
        detector.run(data, tmp_path)
        assert looked_at == ["2.png"]
        assert [(tmp_path / f).read_bytes() for f in ("boxes.jsonl", "people.u8")] == whole

    def test_photos_of_a_source_that_is_not_used_need_not_exist(
        self, data: Path, tmp_path: Path, looked_at: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unused = replace(SOURCES["camvid"], used=False)
        monkeypatch.setattr(detector, "SOURCES", {**SOURCES, "camvid": unused})
        with (data / "index.jsonl").open("a") as lines:
            lines.write(json.dumps({"file": "none.png", "source": "camvid"}) + "\n")
        detector.run(data, tmp_path)
        assert looked_at == ["0.png", "1.png", "2.png"]


class TestPatches:
    def test_a_box_covers_parts_of_patches(self) -> None:
        box = torch.tensor([[0.0, 0.25, 0.5, 0.75]])
        covered = boxes.cover(box, (2, 2))
        torch.testing.assert_close(covered, torch.tensor([[0.5, 0.5, 0.0, 0.0]]))

    def test_boxes_of_a_photo_in_a_view_of_it(self) -> None:
        box = torch.tensor([[0.25, 0.5, 0.5, 1.0]])
        inside = boxes.in_view(box, torch.tensor([0.0, 0.25, 0.5, 0.75]))
        torch.testing.assert_close(inside, torch.tensor([[0.5, 0.5, 1.0, 1.0]]))

    def test_what_goes_on_beyond_the_border_is_lost(self) -> None:
        """Two patches alike, both in the box; four others alike, half of them in it. A thing's
        patch keeps 2 e^10 of 2 e^10 + 4, one of the others 2 e^10 of 4 e^10 + 2: after four steps
        (1/2)^4 is left of these."""
        inside = torch.tensor([[1.0, 1, 1, 1, 0, 0]])
        belongs = boxes.grouped(inside, affinities(2, 4))
        expected = torch.tensor([[1.0, 1, 0.0625, 0.0625, 0, 0]])
        torch.testing.assert_close(belongs, expected, atol=1e-3, rtol=0)

    def test_a_box_around_everything_keeps_everything(self) -> None:
        belongs = boxes.grouped(torch.ones(1, 5), torch.eye(5))
        torch.testing.assert_close(belongs, torch.ones(1, 5))


def labels_of(
    *rows: tuple[int, float, bool, tuple[float, ...]], affinity: Tensor, grid: tuple[int, int]
) -> Tensor:
    """`patch_labels` of boxes, each a word's row, a score, whether it is sure, and its place."""
    numbers, scores, sure, corners = zip(*rows, strict=True)
    return boxes.patch_labels(
        torch.tensor(corners),
        torch.tensor(scores),
        torch.tensor(numbers),
        torch.tensor(sure),
        affinity,
        grid,
    )


class TestPatchLabels:
    def test_the_thing_and_what_it_is_not(self) -> None:
        chair = (CHAIR, 0.8, True, (0.0, 0.0, 1.0, 4 / 6))
        labels = labels_of(chair, affinity=affinities(2, 4), grid=(1, 6))
        assert labels[CHAIR].tolist() == [THING, THING, ABSENT, ABSENT, ABSENT, ABSENT]
        assert (labels[TABLE] == ABSENT).all()

    def test_a_doubtful_box_says_nothing_where_it_is(self) -> None:
        chair = (CHAIR, 0.2, False, (0.0, 0.0, 1.0, 4 / 6))
        labels = labels_of(chair, affinity=affinities(2, 4), grid=(1, 6))
        assert labels[CHAIR].tolist() == [UNKNOWN] * 4 + [ABSENT] * 2

    def test_a_doubt_stays_beside_a_thing_of_the_same_word(self) -> None:
        sure = (CHAIR, 0.8, True, (0.0, 0.0, 1.0, 4 / 6))
        doubt = (CHAIR, 0.2, False, (0.0, 3 / 6, 1.0, 5 / 6))
        labels = labels_of(sure, doubt, affinity=affinities(2, 4), grid=(1, 6))
        assert labels[CHAIR].tolist() == [THING, THING, ABSENT, UNKNOWN, UNKNOWN, ABSENT]

    def test_where_two_things_overlap_the_smaller_one_is_in_front(self) -> None:
        table = (TABLE, 0.9, True, EVERYWHERE)
        cup = (CUP, 0.5, True, (0.0, 0.0, 1.0, 0.25))
        labels = labels_of(cup, table, affinity=torch.eye(4), grid=(1, 4))
        assert labels[CUP].tolist() == [THING, ABSENT, ABSENT, ABSENT]
        assert labels[TABLE].tolist() == [UNKNOWN, THING, THING, THING]

    def test_two_words_for_one_box_leave_the_better_one(self) -> None:
        table = (TABLE, 0.6, True, EVERYWHERE)
        chair = (CHAIR, 0.5, True, (0.0, 0.0, 1.0, 0.75))
        labels = labels_of(chair, table, affinity=torch.eye(4), grid=(1, 4))
        assert labels[TABLE].tolist() == [THING] * 4
        assert labels[CHAIR].tolist() == [UNKNOWN] * 3 + [ABSENT]

    def test_a_photo_without_boxes_has_none_of_the_words(self) -> None:
        label = Label((), (), "none", "scenes")
        labels = boxes.view_labels([], label, None, EVERYWHERE, torch.eye(4), (2, 2))
        assert labels.shape == (len(boxes.WORDS), 4)
        assert (labels == ABSENT).all()


class TestCertainty:
    """Which boxes count, by what the photo's label says."""

    class Numbers:
        """The words that are learned of boxes, and beds."""

        all = (*boxes.WORDS, "bed", "countertop", "sink")

        def number(self, word: str) -> int:
            return self.all.index(word)

        def numbers(self, words: Sequence[str]) -> tuple[int, ...]:
            return tuple(map(self.number, words))

    def counts(self, name: str, score: float, label: Label, side: float = 0.5) -> bool:
        box = Box(name, score, (0.0, 0.0, side, side))
        return boxes.certain(box, label, self.Numbers())

    def test_the_object_that_a_photo_is_named_after(self) -> None:
        label = Label((CUP,), (), "thing", "caltech-101")
        assert self.counts("mug", 0.3, label)
        assert self.counts("mug", 0.3, label, side=0.8)
        assert not self.counts("mug", 0.29, label)

    def test_a_class_that_no_word_is_learned_of(self) -> None:
        label = Label((CUP,), (), "thing", "caltech-101")
        assert not self.counts("computer mouse", 0.9, label)

    def test_what_a_place_has_or_may_have(self) -> None:
        label = Label((TABLE,), (CHAIR,), "place", "rooms")
        for name in ("chair", "table"):
            assert self.counts(name, 0.4, label)
            assert not self.counts(name, 0.39, label)
            assert not self.counts(name, 0.9, label, side=0.8), "it fills the photo"

    def test_what_no_label_names(self) -> None:
        label = Label((), (), "none", "bsds500")
        assert self.counts("person", 0.5, label)
        assert not self.counts("person", 0.49, label)
        assert not self.counts("person", 0.9, label, side=0.8), "it fills the photo"
        assert not self.counts("dog", 0.9, label), "other animals look like dogs to the detector"

    def test_what_stands_around_an_object(self) -> None:
        label = Label((CUP,), (), "thing", "caltech-101")
        assert self.counts("person", 0.6, label)
        assert not self.counts("person", 0.59, label)

    def test_what_never_counts(self) -> None:
        room = Label((self.Numbers().number("bed"),), (TABLE,), "place", "houses")
        garment = Label((), (), "thing", "clothing")
        assert not self.counts("table", 0.9, room), "beds look like tables to it"
        assert not self.counts("person", 0.9, garment)
        assert not self.counts("vehicle", 0.9, Label((), (), "none", "scenes"))
