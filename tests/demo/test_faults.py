"""What breaks around the page: it is ended, killed, its disk is full, its device has no memory,
visitors leave. Weights and their hub are in ``gclip_core/test_load``."""

import json
import os
import re
import resource
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from demo import main, opening, problems
from demo.engine import Engine
from demo.host import files, logs, memory, serve
from gclip_core import blocks
from gclip_core.segmenter import Segmenter
from tests.models import tiny_backbone
from tests.pictures import encoded, noise
from tests.visitor import Answer, Visitor, served, wait_for

WORDS = "words=cat,dog,grass"


class Slow:
    """Encodes pictures only once it may, and counts them."""

    def __init__(self) -> None:
        self.url, self.begun, self.go = "", 0, threading.Event()
        # Under the name of one that can be written into an exported zip.
        self.engine = Engine(replace(tiny_backbone(), name="built-in"), encode=self)

    def __call__(self, segmenter: Segmenter, image: Any) -> Any:
        self.begun += 1
        assert self.go.wait(60)
        return Segmenter.encode(segmenter, image)


@pytest.fixture(scope="module")
def page() -> Iterator[Slow]:
    """The page in this process, on an encoder that the test holds up; three may wait."""
    slow = Slow()
    with served(slow.engine, 3) as slow.url:
        yield slow


@pytest.fixture
def slow(page: Slow) -> Iterator[Slow]:
    page.engine.cache.clear()
    page.begun = 0
    page.go.clear()
    yield page
    page.go.set()


@pytest.fixture
def later(slow: Slow) -> Iterator[Callable[[int], Future[Answer]]]:
    """Visitors who wait for a picture of some size, each in a thread."""
    with ThreadPoolExecutor(4) as pool:
        yield lambda side: pool.submit(Visitor(slow.url).ask, of_size(side))
        slow.go.set()


def of_size(short: int) -> str:
    """A link to a picture that was not encoded yet."""
    return f"short={short}&{WORDS}"


def stand_in_line(url: str, side: int) -> tuple[Visitor, Iterator[dict[str, Any]]]:
    """A visitor who has pressed the button and is told a place in the queue."""
    visitor = Visitor(url)
    assert visitor.join("show", visitor.pressed(visitor.open(of_size(side)))).status_code == 200
    stream = visitor.messages()
    assert next(stream)["msg"] == "estimation"
    return visitor, stream


def test_a_full_queue_says_so_and_who_leaves_frees_the_work_not_yet_begun(
    slow: Slow, later: Callable[[int], Future[Answer]]
) -> None:
    working = [later(side) for side in (64, 80)]
    wait_for(lambda: slow.begun == 1)
    time.sleep(1)
    assert slow.begun == 1, "two pictures never go through the tower at once"
    visitor = Visitor(slow.url)
    values = visitor.open(of_size(144))
    (leaving, stream), *staying = [stand_in_line(slow.url, side) for side in (96, 112, 128)]
    assert visitor.join("show", visitor.pressed(values)).status_code == 503
    stream.close()
    leaving.web.close()
    time.sleep(0.5)
    slow.go.set()
    assert not any(one.result().problem for one in working)
    wait_for(lambda: slow.begun == 2 + len(staying))
    assert not visitor.ask(of_size(96)).problem
    assert slow.begun == 3 + len(staying), "the picture of who left was encoded only now"


def test_a_switch_is_answered_while_heavy_work_holds_every_place(
    slow: Slow, later: Callable[[int], Future[Answer]]
) -> None:
    slow.go.set()
    visitor = Visitor(slow.url)
    assert not visitor.ask(of_size(64)).problem
    slow.go.clear()
    heavy = [later(side) for side in (80, 96, 112)]
    wait_for(lambda: slow.begun == 2)
    for switch in ("amf=0", "cs=0", "amf=0&cs=0"):
        assert not visitor.ask(f"{of_size(64)}&{switch}", lane="light").problem
    assert slow.begun == 2, "one is at work, two wait"
    slow.go.set()
    assert not any(one.result().problem for one in heavy)


@pytest.fixture
def no_room() -> Iterator[None]:
    """No file can grow."""
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))


def test_a_disk_without_room_is_said_in_words_and_masks_go_on(slow: Slow, no_room: None) -> None:
    slow.go.set()
    visitor = Visitor(slow.url)
    refused = visitor.upload(encoded(noise(300, 300), "PNG"))
    assert refused.status_code == 507
    assert refused.text == problems.NO_ROOM
    small = visitor.uploaded(encoded(noise(20, 20), "PNG"))
    assert not visitor.ask(f"source=upload&{WORDS}", small).problem
    for tab in ("side", "export"):
        assert not visitor.ask(f"tab={tab}&{WORDS}").problem, "masks need no disk"


def test_a_folder_for_uploads_that_cannot_be_written_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in (logs, "begin"), (memory, "prepare"), (opening, "compute_in_background"):
        monkeypatch.setattr(*part, lambda *_: None)
    (tmp_path / "file").write_text("where the folder should be")
    monkeypatch.setenv(files.FOLDER, str(tmp_path / "file" / "uploads"))
    monkeypatch.setattr(serve, "serve", lambda *_: pytest.fail("it was not found out"))
    assert main.main(["--backbone", "built-in"]) == 2
    output = capsys.readouterr().err
    assert files.FOLDER in output and "Traceback" not in output


def test_a_page_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio names a file by its content, and old files are deleted."""
    ends: list[Path] = []
    monkeypatch.setattr(files.atexit, "register", lambda _, path, **__: ends.append(Path(path)))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(files.tempfile, "tempdir", None)
    for count in (1, 2):
        monkeypatch.delenv(files.FOLDER, raising=False)
        files.own_folder()
        assert os.environ[files.FOLDER] == str(ends[-1])
        assert ends[-1].parent == tmp_path
        assert len(set(ends)) == len(ends) == count
    monkeypatch.setenv(files.FOLDER, str(tmp_path / "named"))
    files.own_folder()
    assert ends[-1].parent == tmp_path / "named"


def test_a_browser_that_slept_for_an_hour_goes_on_where_it_was(slow: Slow) -> None:
    """Its stream has ended, and all that was cached for it was needed for others meanwhile."""
    slow.go.set()
    visitor = Visitor(slow.url)
    values = visitor.open(WORDS)
    before = visitor.press(values)
    names = set(re.findall(r'"([0-9a-f]{32})"', json.dumps(before.raw)))
    assert names
    visitor.web.close()
    slow.engine.blobs.clear()
    assert {httpx.get(f"{slow.url}blob/{name}").status_code for name in names} == {404}
    visitor.web = httpx.Client(base_url=slow.url, timeout=120)
    assert visitor.press(values).same_as(before)
    assert {httpx.get(f"{slow.url}blob/{name}").status_code for name in names} == {200}


def test_the_page_survives_a_full_device(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.go.set()
    visitor = Visitor(slow.url)
    with monkeypatch.context() as patch:

        def no_room(*_: Any) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

        patch.setattr(blocks, "embed_patches", no_room)
        assert "memory of cpu is too full" in visitor.ask(WORDS).problem
    assert not visitor.ask(WORDS).problem
