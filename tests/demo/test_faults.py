"""What breaks around the page: it is ended, killed, its disk is full, its device has no memory,
visitors leave, masks are wrong. Weights and their hub are in ``gclip_core/test_load``."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from demo import main, wording
from demo.host import files, logs, memory, serve
from demo.learn import opening
from demo.look import Request, Studio
from demo.settings import Settings
from demo.source import mask_colours
from demo.tabs import compare
from demo.widgets.blobs import STORE
from gclip_core import blocks
from gclip_core.errors import GclipError, ImageError
from gclip_core.segmenter import Segmenter
from tests.models import tiny_backbone
from tests.pictures import encoded, noise, png_bomb
from tests.visitor import Answer, FailedError, Server, Visitor, served, serving

WORDS = "words=cat,dog,grass"


class Slow:
    """Encodes pictures only once it may, and counts them."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = threading.Event()

    def __call__(self, segmenter: Segmenter, image: Any) -> Any:
        self.begun += 1
        assert self.go.wait(60)
        return Segmenter.encode(segmenter, image)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def url(slow: Slow) -> Iterator[str]:
    """The page in this process, on an encoder that the test holds up; three may wait."""
    with served(Studio(tiny_backbone(), encode=slow), 3) as found:
        yield found
    slow.go.set()


def wait_for(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


class Asking(threading.Thread):
    """A visitor who waits for an answer in a thread; ``answer`` is it, or None if it was lost."""

    def __init__(self, url: str, query: str) -> None:
        super().__init__(daemon=True)
        self.url, self.query, self.answer = url, query, None
        self.start()

    def run(self) -> None:
        visitor = Visitor(self.url)
        try:
            self.answer: Answer | None = visitor.ask(self.query)
        except (FailedError, httpx.HTTPError):
            pass
        finally:
            visitor.close()


def of_size(short: int) -> str:
    """A link to a picture that was not encoded yet."""
    return f"short={short}&{WORDS}"


def stand_in_line(url: str, query: str) -> tuple[Visitor, Iterator[dict[str, Any]]]:
    """A visitor who has pressed the button and is told a place in the queue."""
    visitor = Visitor(url)
    values = visitor.open(query)
    assert visitor.join("show", visitor.pressed(values[0], values[1:])).status_code == 200
    stream = visitor.messages()
    assert next(stream)["msg"] == "estimation"
    return visitor, stream


# ── who leaves, and who waits ──────────────────────────────────────────────────────────────────


def test_who_leaves_frees_the_work_not_yet_begun(url: str, slow: Slow) -> None:
    working = [Asking(url, of_size(side)) for side in (64, 80)]
    wait_for(lambda: slow.begun == 1)
    time.sleep(1)
    (leaving, stream), (staying, _) = (stand_in_line(url, of_size(side)) for side in (96, 112))
    stream.close()
    leaving.close()
    time.sleep(0.5)
    slow.go.set()
    for thread in working:
        thread.join()
        assert thread.answer is not None
    wait_for(lambda: slow.begun == 3)
    staying.close()
    assert not Visitor(url).ask(of_size(96)).problem
    assert slow.begun == 4, "the picture of who left was encoded only now"


def test_two_pictures_never_go_through_the_tower_at_once(url: str, slow: Slow) -> None:
    working = [Asking(url, of_size(side)) for side in (64, 80)]
    wait_for(lambda: slow.begun == 1)
    time.sleep(1)
    assert slow.begun == 1
    slow.go.set()
    for thread in working:
        thread.join()
    assert slow.begun == 2


def test_a_full_queue_says_so(url: str, slow: Slow) -> None:
    for side in (64, 80):
        Asking(url, of_size(side))
    wait_for(lambda: slow.begun == 1)
    time.sleep(1)
    visitor = Visitor(url)
    values = visitor.open(of_size(144))
    waiting = [stand_in_line(url, of_size(side)) for side in (96, 112, 128)]
    refused = visitor.join("show", visitor.pressed(values[0], values[1:]))
    assert refused.status_code == 503
    for other, stream in waiting:
        stream.close()
        other.close()


def test_a_switch_is_answered_while_heavy_work_holds_every_place(url: str, slow: Slow) -> None:
    slow.go.set()
    visitor = Visitor(url)
    assert not visitor.ask(of_size(64)).problem
    slow.go.clear()
    heavy = [Asking(url, of_size(side)) for side in (80, 96, 112)]
    wait_for(lambda: slow.begun == 2)
    for switch in ("amf=0", "cs=0", "amf=0&cs=0"):
        assert not visitor.ask(f"{of_size(64)}&{switch}", lane="light").problem
    assert slow.begun == 2, "one is at work, two wait"
    slow.go.set()
    for thread in heavy:
        thread.join()
        assert thread.answer is not None
    visitor.close()


# ── disks, ending and beginning again ──────────────────────────────────────────────────────────


def _no_room() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.fixture(scope="module")
def full_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page in a process of its own, where no file can grow; who kills it is the last."""
    folder = tmp_path_factory.mktemp("full")
    with serving(folder, "--no-downloads", before_start=_no_room) as server:
        yield server


def test_a_disk_without_room_is_said_in_a_sentence_and_masks_go_on(full_disk: Server) -> None:
    visitor = Visitor(full_disk.url)
    refused = visitor.upload(encoded(noise(300, 300), "PNG"))
    assert refused.status_code == 507
    assert refused.text == wording.NO_ROOM
    small = visitor.uploaded(encoded(noise(20, 20), "PNG"))
    assert not visitor.ask(f"source=upload&{WORDS}", small).problem
    assert visitor.ask(f"tab=export&{WORDS}").problem.startswith(wording.NO_ROOM)
    assert not visitor.ask(WORDS).problem, "masks need no disk"


def test_killed_and_started_again_a_link_shows_the_same_and_an_end_is_clean(
    full_disk: Server, tmp_path: Path
) -> None:
    """kill -9 loses nothing that a visitor was promised: the link; SIGTERM loses nothing at all."""
    link = f"cs=0&tab=compare&{WORDS}"
    before = Visitor(full_disk.url).ask(link)
    full_disk.stop(signal.SIGKILL)
    with serving(tmp_path, "--no-downloads") as server:
        after = Visitor(server.url).ask(link)
        assert not before.problem
        assert after.same_as(before)
        visitor = Visitor(server.url)
        values = visitor.open(f"tab=compare&{of_size(400)}")
        visitor.join("show", visitor.pressed(values[0], values[1:])).raise_for_status()
        messages = visitor.messages()
        while next(messages)["msg"] != "process_starts":
            pass
        server.process.send_signal(signal.SIGTERM)
        last = next(m for m in messages if m["msg"] == "process_completed")
        assert last["success"]
        visitor.close()
        assert server.process.wait(40) == 0
        assert "Traceback" not in server.output()


@pytest.fixture
def started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """A start of the page, here, that ends by itself: what it says of the reason."""
    for part in (logs, "begin"), (memory, "prepare"), (opening, "work_out"):
        monkeypatch.setattr(*part, lambda *_: None)

    def start(*arguments: str) -> str:
        assert main.main(["--backbone", "built-in", *arguments]) == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
        return said

    return start


def test_a_folder_for_uploads_that_cannot_be_written_is_said_in_a_sentence(
    started: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("where the folder should be")
    monkeypatch.setenv(files.FOLDER, str(tmp_path / "file" / "uploads"))
    monkeypatch.setattr(serve, "serve", lambda *_: pytest.fail("it was not found out"))
    assert files.FOLDER in started()


@pytest.mark.parametrize("answering", [True, False])
def test_a_page_that_gradio_saw_too_late_is_looked_at_once_more(
    answering: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gr.Blocks() as page:
        pass
    monkeypatch.setattr("gradio.networking.url_ok", lambda _: False)
    monkeypatch.setattr(serve, "START_SECONDS", 5 if answering else 0)
    try:
        problem = serve._launch(page, {"server_port": None, "quiet": True, "share": False})
        assert problem == "" if answering else "did not answer" in problem
    finally:
        page.close()


def test_a_page_has_a_folder_of_its_own_unless_one_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio names a file by its content, and ends by deleting what it named."""
    ends: list[Path] = []
    monkeypatch.setattr(files.atexit, "register", lambda _, path, **__: ends.append(Path(path)))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(files.tempfile, "tempdir", None)
    for count in (1, 2):
        monkeypatch.delenv(files.FOLDER, raising=False)
        files.own_folder()
        assert os.environ[files.FOLDER] == str(ends[-1])
        assert ends[-1].parent == tmp_path
        files.own_folder()
        assert len(set(ends)) == len(ends) == count


def test_a_browser_that_slept_for_an_hour_goes_on_where_it_was(url: str, slow: Slow) -> None:
    """Its stream has ended, and all that was cached for it was needed for others meanwhile."""
    slow.go.set()
    visitor = Visitor(url)
    values = visitor.open(WORDS)
    before = visitor.press(values[0], values[1:])
    names = set(re.findall(r'"([0-9a-f]{32})"', json.dumps(before.raw)))
    assert names
    visitor.close()
    STORE.clear()
    assert {httpx.get(f"{url}blob/{name}").status_code for name in names} == {404}
    visitor.web = httpx.Client(base_url=url, timeout=120)
    assert visitor.press(values[0], values[1:]).same_as(before)
    assert {httpx.get(f"{url}blob/{name}").status_code for name in names} == {200}
    visitor.close()


# ── weights, devices and masks ─────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


def _out_of_memory(monkeypatch: pytest.MonkeyPatch, holds: int, failures: int = 10**6) -> list[int]:
    """A device on which no batch of more than ``holds`` pictures has room, ``failures`` times."""
    tried, embed = [], blocks.embed_patches

    def embed_if_room(visual: Any, pixels: torch.Tensor) -> torch.Tensor:
        tried.append(len(pixels))
        if len(pixels) > holds and sum(n > holds for n in tried) <= failures:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return embed(visual, pixels)

    monkeypatch.setattr(blocks, "embed_patches", embed_if_room)
    return tried


def test_the_page_goes_on_after_a_device_ran_out_of_memory(
    url: str, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.go.set()
    _out_of_memory(monkeypatch, holds=0, failures=1)
    visitor = Visitor(url)
    assert "memory of cpu is too full" in visitor.ask(WORDS).problem
    assert not visitor.ask(WORDS).problem


def _truth(studio: Studio, tmp_path: Path, mask: bytes, classes: Any = ((0, "cat"),)) -> Any:
    photo, file = tmp_path / "photo.png", tmp_path / "mask.png"
    noise(60, 80).save(photo)
    file.write_bytes(mask)
    settings = Settings(source="upload", words="cat, dog")
    return compare.known(studio.look(Request(settings, str(photo), str(file), classes)))


def _plain(mode: str, height: int = 60, width: int = 80) -> Image.Image:
    rows = np.zeros((height, width), np.uint8)
    rows[height // 2 :] = 1
    image = Image.fromarray(rows)
    if mode == "P":
        image.putpalette([0, 0, 0, 255, 255, 255])
        return image
    return image.point(lambda value: value * 255).convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16", "I"])
def test_a_mask_of_any_mode_is_read(mode: str, studio: Studio, tmp_path: Path) -> None:
    view = _truth(studio, tmp_path, encoded(_plain(mode), "PNG"), ((0, "cat"),))
    assert (view.labels[:30] == 0).all()
    assert (view.labels[30:] == -1).all()


def test_a_mask_of_another_size_is_refused(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(GclipError, match="60 × 80 .* but one of 61 × 80"):
        _truth(studio, tmp_path, encoded(_plain("L", 61, 80), "PNG"))


@pytest.mark.parametrize(
    "mask",
    [png_bomb(30_000, 30_000), b"", b"<svg/>", encoded(noise(60, 80), "PNG"),
     encoded(_plain("L"), "PNG")[:60]],
    ids=["bomb", "empty", "svg", "colours", "cut"],
)  # fmt: skip
def test_a_hostile_mask_is_refused_in_words(mask: bytes, studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="expected") as refused:
        _truth(studio, tmp_path, mask)
    assert str(tmp_path) not in str(refused.value)
    with pytest.raises(ImageError, match="expected"):
        mask_colours(str(tmp_path / "mask.png"))


@pytest.mark.parametrize("classes", [((999, "cat"),), ((0, "cat"), (0, "dog")), ((2**70, "cat"),)])
def test_a_table_of_classes_that_fits_no_mask_is_survived(
    classes: Any, studio: Studio, tmp_path: Path
) -> None:
    view = _truth(studio, tmp_path, encoded(_plain("L"), "PNG"), classes)
    assert view is None or view.labels is None or view.labels.shape == (60, 80)
