"""Visitors' files: which photos are kept, and for how long."""

import multiprocessing
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo import limits, store
from demo.pictures import stored
from demo.store import Store
from tests.demo.visitor import wait_for
from tests.pictures import encoded, noise, turned


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv(store.PARENT, str(tmp_path))
    monkeypatch.setattr(limits, "LEAST_STORED", 1)
    return Store()


def photo(seed: int, side: int = 8) -> bytes:
    return encoded(noise(side, side, seed=seed), "PNG")


def add(kept: Store, seed: int, address: str = "here") -> str:
    return kept.add(photo(seed), address, "photo", stored)


def files(kept: Store) -> list[Path]:
    return [file for file in kept.folder.glob("*/*") if file.is_file()]


def test_photo(kept: Store) -> None:
    """It is upright, has the pixels of the upload and nothing else, and only the server can name
    it."""
    exif = turned(6)  # by a quarter
    exif[0x010E] = "secret"  # a description
    data = encoded(noise(6, 9), "JPEG", exif=exif)
    name = kept.add(data, "here", "photo", stored)
    path = kept.path(name)
    with Image.open(path) as picture, Image.open(BytesIO(data)) as sent:
        upright = np.rot90(np.asarray(sent), -1)
        assert picture.mode == "RGB" and np.array_equal(np.asarray(picture), upright)
    assert b"secret" not in path.read_bytes()
    assert Store().add(data, "here", "photo", stored) != name
    assert kept.folder.stat().st_mode & 0o077 == 0
    assert kept.path("0" * 32) is kept.path("..") is kept.path("") is None


def test_same_photo(kept: Store) -> None:
    """It is stored once, also if it is sent several times at once."""
    with ThreadPoolExecutor(8) as pool:
        names = {*pool.map(lambda _: add(kept, 0), range(16))}
    assert len(names) == len([*kept.folder.glob("[!.]*")]) == 1


def test_who_stores_most_loses_first(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of photos pushes out its own; what was used lately stays longest."""
    mine = [add(kept, number, "me") for number in range(3)]
    size = sum(file.stat().st_size for file in files(kept)) / 3
    monkeypatch.setattr(limits, "MAX_STORED", int(8.5 * size))
    theirs = [add(kept, 100 + number, "them") for number in range(5)]
    assert kept.path(theirs[0])
    theirs += [add(kept, 200 + number, "them") for number in range(30)]
    assert all(map(kept.path, mine))
    left = [name for name in theirs if kept.path(name)]
    assert left == theirs[-len(left) :] and len(left) == 5
    assert sum(file.stat().st_size for file in files(kept)) <= 8.5 * size


def test_used_photos_stay(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many of an address; the least recently used goes."""
    monkeypatch.setattr(limits, "MAX_OF_ADDRESS", 3)
    first, second, _ = (add(kept, number, "me") for number in range(3))
    other = add(kept, 9, "other")
    add(kept, 0, "me")  # sent again: used
    add(kept, 3, "me")
    assert kept.path(first) and kept.path(other)
    assert kept.path(second) is None and len(files(kept)) == 4


def test_old_files_go_by_themselves(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nobody uploads any; newer ones stay."""
    monkeypatch.setattr(limits, "LOOK_SECONDS", 0.05)
    old, new = add(kept, 0), add(kept, 1)
    file = kept.files[old]
    kept.files[old] = file._replace(time=file.time - limits.MAX_AGE)
    wait_for(lambda: not file.path.exists())
    assert kept.path(new) and not kept.path(old)


def test_others_are_served_while_old_files_go(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many they are."""
    names = [add(kept, number) for number in range(20)]
    delete = shutil.rmtree
    monkeypatch.setattr(limits, "MAX_AGE", -1)
    monkeypatch.setattr(shutil, "rmtree", lambda *a, **k: time.sleep(0.05) or delete(*a, **k))
    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(kept._delete_excess)
        wait_for(lambda: len(kept.files) < 20, pause=0.001)
        began = time.monotonic()
        kept.path(names[-1])
        assert time.monotonic() - began < 0.5
        end.result()
    assert not [*kept.folder.glob("[!.]*")]


def test_folder_is_tidied_up(kept: Store) -> None:
    """By somebody else, while the server runs: photos are gone, and stored when they come again."""
    name = add(kept, 0)
    shutil.rmtree(kept.folder)
    assert kept.path(name) is None
    assert add(kept, 0) == name and kept.path(name)
    assert kept.folder.stat().st_mode & 0o077 == 0


def test_full_disk(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a photo that could not be written is left."""

    def fail(path: Path, _: bytes) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    add(kept, 0)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail)
        with pytest.raises(OSError, match="No space"):
            add(kept, 1)
    assert len([*kept.folder.glob("[!.]*")]) == 1 and kept.path(add(kept, 1))


def serve(pipe: Connection) -> None:
    folder = Store().folder
    (folder / "photo").write_text("x")
    pipe.send(folder)
    pipe.recv()


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def test_folders_of_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own; that of one that was killed is deleted when the next one starts, that of a
    running one stays. What is not this program's neither stops the start nor is deleted."""
    monkeypatch.setenv(store.PARENT, str(tmp_path))
    os.mkfifo(tmp_path / f"{store.PREFIX}fifo")
    (tmp_path / f"{store.PREFIX}file").write_text("mine")
    (tmp_path / f"{store.PREFIX}results").mkdir()
    foreign = {*tmp_path.iterdir()}
    context = multiprocessing.get_context("fork")  # importing everything anew takes long
    pipe, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    killed, first = pipe.recv(), Store().folder
    assert {*tmp_path.iterdir()} == {killed, first, *foreign}
    server.kill()
    server.join()
    assert (killed / "photo").exists()
    second = Store().folder
    wait_for(lambda: not killed.exists())
    assert {*tmp_path.iterdir()} == {first, second, *foreign}
    before, third = descriptors(), Store().folder
    wait_for(lambda: descriptors() == before + 1)
    assert {*tmp_path.iterdir()} == {first, second, third, *foreign}
