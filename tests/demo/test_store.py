"""Visitors' files: which photos are kept, and for how long."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo import limits, store
from demo.store import Store
from gclip_core.errors import ImageError
from tests.demo.visitor import wait_for
from tests.pictures import encoded, noise, png_bomb


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv(store.PARENT, str(tmp_path))
    monkeypatch.setattr(store, "LEAST_STORED", 1)
    kept = Store()
    monkeypatch.setenv(store.PARENT, str(kept.folder / "files"))  # as the command does
    return kept


def photo(seed: int, side: int = 8) -> bytes:
    return encoded(noise(side, side, seed=seed), "PNG")


def stored(kept: Store) -> list[Path]:
    return [file for file in kept.folder.rglob("*") if file.is_file()]


def test_photo(kept: Store) -> None:
    """It is upright, has the pixels of the upload and nothing else, and only the server can name
    it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "secret"  # turned by a quarter; a description
    data = BytesIO()
    noise(6, 9).save(data, "JPEG", exif=exif)
    name = kept.add(data.getvalue(), "here")
    path = kept.path(name)
    with Image.open(path) as picture, Image.open(data) as sent:
        turned = np.rot90(np.asarray(sent), -1)
        assert picture.mode == "RGB" and np.array_equal(np.asarray(picture), turned)
    assert b"secret" not in path.read_bytes()
    assert Store().add(data.getvalue(), "here") != name
    assert kept.folder.stat().st_mode & 0o077 == 0


def test_size(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WORKED_PIXELS", 100)
    with Image.open(kept.path(kept.add(photo(0, 40), "here"))) as picture:
        assert picture.size == (10, 10)


@pytest.mark.parametrize("data", [b"", b"a text", photo(0)[:60], png_bomb(20_000, 20_000)])
def test_no_photo(data: bytes, kept: Store) -> None:
    with pytest.raises(ImageError):
        kept.add(data, "here")
    assert not stored(kept)


def test_same_photo(kept: Store) -> None:
    """It is stored once, also if it is sent several times at once."""
    with ThreadPoolExecutor(8) as pool:
        names = {*pool.map(lambda _: kept.add(photo(0), "here"), range(16))}
    assert len(names) == len(stored(kept)) == 1


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc/passwd", "\0", "é", "0" * 32])
def test_other_names(name: str, kept: Store) -> None:
    kept.add(photo(0), "here")
    assert kept.path(name) is None


def test_who_stores_most_loses_first(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of photos pushes out its own; what was used lately stays longest."""
    mine = [kept.add(photo(number), "me") for number in range(3)]
    size = sum(file.stat().st_size for file in stored(kept)) / 3
    monkeypatch.setattr(store, "MAX_STORED", int(8.5 * size))
    theirs = [kept.add(photo(100 + number), "them") for number in range(5)]
    assert kept.path(theirs[0])
    theirs += [kept.add(photo(200 + number), "them") for number in range(30)]
    assert all(map(kept.path, mine))
    left = [name for name in theirs if kept.path(name)]
    assert left == theirs[-len(left) :] and len(left) == 5
    assert sum(file.stat().st_size for file in stored(kept)) <= 8.5 * size


def test_used_photos_stay(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many of an address; the least recently used goes."""
    monkeypatch.setattr(store, "MAX_OF_ADDRESS", 3)
    first, second, _ = (kept.add(photo(number), "me") for number in range(3))
    other = kept.add(photo(9), "other")
    kept.add(photo(0), "me")  # sent again: used
    kept.add(photo(3), "me")
    assert kept.path(first) and kept.path(other)
    assert kept.path(second) is None and len(stored(kept)) == 4


def test_age(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    old = kept.add(photo(0), "here")
    monkeypatch.setattr(store, "MAX_AGE", 0.05)
    time.sleep(0.1)
    new = kept.add(photo(1), "here")
    assert kept.path(new) and not kept.path(old) and len(stored(kept)) == 1


def test_folder_is_tidied_up(kept: Store) -> None:
    """By somebody else, while the server runs: photos are gone, and stored when they come again."""
    name = kept.add(photo(0), "here")
    shutil.rmtree(kept.folder)
    assert kept.path(name) is None
    assert kept.add(photo(0), "here") == name and kept.path(name)
    assert kept.folder.stat().st_mode & 0o077 == 0


def test_full_disk(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a photo that could not be written is left."""

    def fail(self: Image.Image, path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"a part")
        raise OSError(28, "No space left on device")

    kept.add(photo(0), "here")
    data = photo(1)
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", fail)
        with pytest.raises(OSError, match="No space"):
            kept.add(data, "here")
    assert len(stored(kept)) == 1 and kept.path(kept.add(data, "here"))


# --- folders -------------------------------------------------------------------------------------


def serve(pipe: Connection) -> None:
    folder = Store().folder
    (folder / "photo").write_text("x")
    pipe.send(folder)
    pipe.recv()


@pytest.fixture
def started() -> Iterator[Callable[[], tuple[BaseProcess, Path]]]:
    """Starts a server that has a photo; returns its process and folder."""
    processes = list[BaseProcess]()

    def start() -> tuple[BaseProcess, Path]:
        context = multiprocessing.get_context("fork")  # importing everything anew takes long
        pipe, theirs = context.Pipe()
        processes.append(context.Process(target=serve, args=(theirs,), daemon=True))
        processes[-1].start()
        return processes[-1], pipe.recv()

    yield start
    for process in processes:
        process.kill()
        process.join()


def test_folders_of_servers(
    started: Callable[[], tuple[BaseProcess, Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each has its own; that of one that was killed is deleted when the next one starts, that of a
    running one stays. What is not this program's neither stops the start nor is deleted."""
    monkeypatch.setenv(store.PARENT, str(tmp_path))
    os.mkfifo(tmp_path / f"{store.PREFIX}fifo")
    (tmp_path / f"{store.PREFIX}file").write_text("mine")
    (tmp_path / "other").mkdir()
    foreign = {*tmp_path.iterdir()}
    (_, first), (killed, second) = started(), started()
    assert first != second and first.parent == second.parent == tmp_path
    killed.kill()
    killed.join()
    assert (second / "photo").exists()
    third = Store().folder
    wait_for(lambda: not second.exists())
    assert (first / "photo").exists()
    assert {*tmp_path.iterdir()} == {first, third, *foreign}


# --- files of programs ---------------------------------------------------------------------------


def test_old_files(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those older than a day are deleted, the oldest of too many, and the remains of aborted
    uploads; the folder stays."""
    monkeypatch.setattr(store, "LOOK_UPLOADS", 1)
    monkeypatch.setattr(store, "MAX_STORED", 350)
    ages = {"a/new": 10, "b/newer": 5, "c/older": 900, "d/too-many": 1_000, "e/old": 90_000}
    ages |= {"broken": 70, "under-way": 9}
    for name, age in ages.items():
        file = kept.files / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(100 if "/" in name else 1))
        os.utime(file, (time.time() - age,) * 2)
    kept.delete_old_files()
    assert {file.name for file in stored(kept)} == {"new", "newer", "older", "under-way"}
    assert {file.name for file in kept.files.iterdir()} == {"a", "b", "c", "under-way"}


def test_files_are_looked_at_now_and_then(kept: Store) -> None:
    """There may be thousands: not at each upload, but before the disk is full."""
    kept.delete_old_files()
    file = kept.files / "a" / "old"
    file.parent.mkdir(parents=True)
    file.touch()
    os.utime(file, (0, 0))
    for _ in range(store.LOOK_UPLOADS - 1):
        kept.delete_old_files()
    assert file.exists()
    kept.delete_old_files()
    assert not file.exists()
