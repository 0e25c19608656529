"""What earlier runs left is used only where it is of the same photos, steps and inputs."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from training import batches, features, pack
from training.sources import SOURCES
from training.state import State, report
from training.teachers import PATCH
from training.words import Words


class TestFeatures:
    @pytest.fixture
    def folder(self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Words, five gray photos of things, and networks that compute nothing."""
        for name in ("clip-text.npz", "imagenet-names.json"):
            (tmp_path / name).symlink_to(data / name)
        (tmp_path / "photos").mkdir()
        (tmp_path / "work").mkdir()
        write_index(tmp_path, 5)
        monkeypatch.setattr(features, "Classifier", lambda: None)
        monkeypatch.setattr(features, "Dino", lambda dtype: None)
        monkeypatch.setattr(features, "describe", described)
        return tmp_path

    def test_what_is_computed_is_read_and_not_computed_again(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        features.run(folder, folder / "work")
        cache = features.read_cache(folder / "work", "single")
        for (number, _), colours in zip(cache.views, cache.colours, strict=True):
            assert (colours[:, :3] == 10 * number).all(), "of its own photo"
        assert cache.features.shape == (5, features.TOKENS, features.FEATURES)
        assert features.read_cache(folder / "work", "mosaic").affinity is None
        monkeypatch.setattr(features, "describe", None)
        features.run(folder, folder / "work")

    def test_photos_that_were_added_change_the_views_so_their_cache_is_refused(
        self, folder: Path
    ) -> None:
        features.run(folder, folder / "work")
        write_index(folder, 8)
        with pytest.raises(ValueError, match=r"Delete .*single.json and .*single-\*.npy"):
            features.run(folder, folder / "work")
        for file in (folder / "work").iterdir():
            file.unlink()
        features.run(folder, folder / "work")
        assert len(features.read_cache(folder / "work", "single").views) == 8

    def test_other_files_in_the_same_number_are_other_views(self, folder: Path) -> None:
        features.run(folder, folder / "work")
        index = folder / "index.jsonl"
        index.write_text("".join(reversed(index.read_text().splitlines(keepends=True))))
        with pytest.raises(ValueError, match="changed"):
            features.run(folder, folder / "work")

    def test_a_cache_that_is_not_finished_is_not_read(self, folder: Path) -> None:
        features.run(folder, folder / "work")
        made = np.load(folder / "work" / "single-made.npy", mmap_mode="r+")
        made[3] = 0
        with pytest.raises(ValueError, match="1 of 5 single views are missing"):
            features.read_cache(folder / "work", "single")

    def test_a_photo_without_its_size_or_with_another_is_refused(self, folder: Path) -> None:
        index = folder / "index.jsonl"
        lines = index.read_text()
        index.write_text(lines.replace('"size": [64, 48], ', "", 1))
        with pytest.raises(ValueError, match=r"the line of 0.png in index.jsonl"):
            features.run(folder, folder / "work")
        index.write_text(lines.replace("[64, 48]", "[48, 64]"))
        with pytest.raises(ValueError, match=r"has \[64, 48\] pixels .* says \[48, 64\]"):
            features.run(folder, folder / "work")

    def test_a_source_without_a_row_is_refused(self, folder: Path) -> None:
        index = folder / "index.jsonl"
        index.write_text(index.read_text().replace("caltech-101", "caltech-256"))
        with pytest.raises(ValueError, match="caltech-256"):
            Words(folder)


def test_a_batch_has_as_many_views_of_a_source_as_the_table_tells(
    words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [(number, 0) for number in range(len(words.photos))]
    cache = features.Cache(photos, np.zeros((len(photos), 1, 1), np.float16))
    monkeypatch.setattr(batches, "read_cache", lambda work, kind, count=None: cache)
    rows = batches.Views(words, tmp_path).draw(30)
    drawn = Counter(words.photos[row]["source"] for row in rows)
    assert drawn == {"mini-imagenet": 12, "houses": 5, "flickr8k-1000": 10, "camvid": 3}
    assert batches.BATCH == 66, "of all sources, as README.md tells"


def test_a_place_without_a_row_is_refused(data: Path, tmp_path: Path) -> None:
    for name in ("clip-text.npz", "imagenet-names.json"):
        (tmp_path / name).symlink_to(data / name)
    index = (data / "index.jsonl").read_text()
    (tmp_path / "index.jsonl").write_text(index.replace("dining room", "gym"))
    with pytest.raises(ValueError, match=r"index\.jsonl has \['gym'\]; add a row"):
        Words(tmp_path)


def write_index(folder: Path, count: int) -> None:
    """Photos of one gray each, ten brighter than the one before."""
    lines = []
    for number in range(count):
        file = f"{number}.png"
        Image.new("RGB", (64, 48), (10 * number,) * 3).save(folder / "photos" / file)
        line = {"file": file, "size": [64, 48], "source": "caltech-101", "words": ["dog"]}
        lines.append(json.dumps(line) + "\n")
    (folder / "index.jsonl").write_text("".join(lines))


def described(
    pictures: Sequence[NDArray[np.uint8]], classifier: None, dino: None
) -> dict[str, NDArray]:
    """Stands for `features.describe`: true colours, all else 0."""
    count, tokens = len(pictures), (len(pictures[0]) // PATCH) ** 2
    return {
        "features": np.zeros((count, tokens, features.FEATURES)),
        "affinity": np.zeros((count, tokens, tokens)),
        "saliency": np.zeros((count, tokens)),
        "colours": np.stack([features.colours(picture) for picture in pictures]),
    }


def test_views_are_those_that_the_table_of_sources_allows(words: Words) -> None:
    files = {
        kind: sorted(words.photos[number]["file"] for number, *_ in features.views_of(words, kind))
        for kind in ("single", "scene", "mosaic")
    }
    assert files["single"] == sorted(
        ["0.jpg", "1.jpg", *["2.jpg", "5.jpg", "6.jpg"] * 3, *["3.jpg"] * 2]
    )
    assert files["scene"] == ["4.jpg", "7.jpg"]
    assert files["mosaic"] == ["0.jpg"], "one photo is of one thing"


def test_a_source_that_is_not_used_is_left_out_as_if_it_had_no_photos(
    data: Path, words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("clip-text.npz", "imagenet-names.json"):
        (tmp_path / name).symlink_to(data / name)
    lines = (data / "index.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "index.jsonl").write_text("".join(line for line in lines if "camvid" not in line))
    without = Words(tmp_path)
    row = replace(SOURCES["camvid"], used=False)
    monkeypatch.setattr("training.words.SOURCES", {**SOURCES, "camvid": row})
    unused = Words(data)
    assert len(unused.photos) == len(words.photos) - 1
    assert unused.photos == without.photos
    for kind in features.KINDS:
        assert features.views_of(unused, kind) == features.views_of(without, kind)
    assert "pavement" in seen(words), "of the photo of camvid"
    assert "pavement" not in seen(unused)


def seen(words: Words) -> set[str]:
    """The words that count as seen in photos, by their first names."""
    return {first for first, *_ in pack.known(words)["seen"]}


@pytest.mark.parametrize(("count", "printed"), [(4, [1, 2, 3, 4]), (25, [*range(2, 25, 2), 25])])
def test_losses_are_printed_about_ten_times_and_at_the_last_step(
    count: int, printed: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    for step in range(count):
        report(step, count, {"on": torch.tensor(0.5)})
    assert capsys.readouterr().out == "".join(f"{step} on 0.5000\n" for step in printed)


class TestState:
    def drawn(self, folder: Path, name: str, stop: int, count: int = 100) -> list[float]:
        """Random numbers of the steps of a run that stops."""
        layer, numbers = torch.nn.Linear(1, 1), []
        torch.manual_seed(0)
        for step in State(folder, name, count, ("input.pt",), layer=layer).steps():
            numbers.append(float(torch.rand(())))
            if step == stop:
                break
        return numbers

    def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "input.pt").write_bytes(b"1")
        whole = self.drawn(tmp_path, "whole", stop=100)
        assert len(self.drawn(tmp_path, "part", stop=60)) == 61
        assert self.drawn(tmp_path, "part", stop=100) == whole[50:]
        assert "part: goes on after step 50 of 100" in capsys.readouterr().out
        assert self.drawn(tmp_path, "part", stop=100) == []
        expected = "part: finished; delete part-state.pt to repeat it"
        assert expected in capsys.readouterr().out

    def test_a_state_of_another_input_or_number_of_steps_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "input.pt").write_bytes(b"1")
        self.drawn(tmp_path, "part", stop=100)
        with pytest.raises(ValueError, match=r"other steps\. Delete it"):
            self.drawn(tmp_path, "part", stop=100, count=200)
        (tmp_path / "input.pt").write_bytes(b"2")
        with pytest.raises(ValueError, match=r"other input\.pt\. Delete it"):
            self.drawn(tmp_path, "part", stop=100)
