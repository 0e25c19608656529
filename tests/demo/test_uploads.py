"""The route that takes pictures: one file a request, few at a time, nothing left of what failed."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from gradio.utils import get_upload_folder
from starlette.applications import Starlette

from demo import problems
from demo.host import files, uploads
from demo.host.files import saved_file
from demo.host.uploads import PATH, Uploads

FORM = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
LONG = "y" * 5000


def typed(kind: str) -> dict[str, str]:
    return {"content-type": kind}


TYPE = typed("multipart/form-data; boundary=x")
OTHER = typed("application/x-www-form-urlencoded")


@pytest.fixture
def web() -> httpx.AsyncClient:
    app = Starlette(routes=[Uploads().route()])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page")


def sent(web: httpx.AsyncClient, **request: object) -> httpx.Response:
    """The answer to an upload."""
    return asyncio.run(web.post(PATH, **request))


def stored() -> list[Path]:
    folder = Path(get_upload_folder())
    return [file for file in folder.rglob("*") if file.is_file()]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a.PNG", "picture.png"),
        ("../../x.html", "picture"),
        ("\0", "picture"),
        ("é.jpg", "picture.jpg"),
    ],
)
def test_a_file_is_stored_by_its_content(name: str, kept: str, web: httpx.AsyncClient) -> None:
    (path,) = sent(web, files={"files": (name, b"pixels")}).json()
    assert Path(path).read_bytes() == b"pixels"
    assert Path(path).name == kept
    assert Path(path).is_relative_to(get_upload_folder())
    assert sent(web, files={"files": (name, b"pixels")}).json() == [path]
    assert len(stored()) == 1


@pytest.mark.parametrize(
    "request_",
    [
        {"files": [("files", ("a", b"1")), ("files", ("b", b"2"))]},
        {"files": {"files": (None, b"no file name")}},
        {"files": {"files": (None, bytes(2**17))}},
        {"content": b"a=b", "headers": OTHER},
        {"content": b"a=" + bytes(2**17), "headers": OTHER},
        {"content": b"", "headers": {}},
        {"content": FORM, "headers": typed("multipart/form-data")},
        {"content": LONG.encode(), "headers": typed(f"multipart/form-data; boundary={LONG}")},
        {"content": b"--x\r\nno header", "headers": TYPE},
    ],
    ids=[
        "two files",
        "a field",
        "a large field",
        "other form",
        "large other form",
        "nothing",
        "no boundary",
        "long boundary",
        "broken",
    ],
)
def test_what_is_no_form_with_one_file_is_refused(
    request_: dict[str, object], web: httpx.AsyncClient
) -> None:
    answer = sent(web, **request_)
    assert answer.status_code == 400, answer.text
    assert stored() == []


def test_a_file_over_the_limit_is_refused_announced_or_not(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MAX_FILE_BYTES", 2**20)

    async def parts() -> AsyncIterator[bytes]:
        yield FORM
        for _ in range(40):
            yield bytes(2**15)

    for request in (
        {"files": {"files": ("a", bytes(2**21))}},
        {"content": parts(), "headers": TYPE},
    ):
        answer = sent(web, **request)
        assert answer.status_code == 413
        assert "at most 1 MB" in answer.text
    assert stored() == []


def test_four_come_at_a_time_and_each_in_its_time(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-open ones end by themselves, then there is room again."""
    monkeypatch.setattr(uploads, "SECONDS", 1)
    monkeypatch.setattr(uploads, "WAIT_SECONDS", 0.1)

    async def stalled() -> AsyncIterator[bytes]:
        yield FORM
        await asyncio.sleep(30)

    async def all_at_once() -> list[httpx.Response]:
        slow = [web.post(PATH, content=stalled(), headers=TYPE) for _ in range(5)]
        answers = await asyncio.gather(*slow)
        return [*answers, await web.post(PATH, files={"files": ("a.png", b"pixels")})]

    statuses = [answer.status_code for answer in asyncio.run(all_at_once())]
    assert statuses == [408, 408, 408, 408, 503, 200]
    assert len(stored()) == 1


def test_a_class_that_uploads_at_once_is_served(web: httpx.AsyncClient) -> None:
    async def all_at_once() -> list[httpx.Response]:
        files = [{"files": ("a.png", bytes([number]) * 2**20)} for number in range(30)]
        return await asyncio.gather(*(web.post(PATH, files=file) for file in files))

    assert {answer.status_code for answer in asyncio.run(all_at_once())} == {200}
    assert len(stored()) == 30


def test_an_upload_leaves_room_on_the_disk(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tempfile.gettempdir())._replace(free=uploads.SPARE_BYTES + 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    assert sent(web, files={"files": ("a.png", b"pixels")}).status_code == 200
    refused = sent(web, files={"files": ("a.png", bytes(2000))})
    assert (refused.status_code, refused.text) == (507, problems.NO_ROOM)


class TestRoom:
    """All files of visitors together, uploads and exports, have a bound."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "MAX_STORED", 3 * 2**20)

    def upload(self, web: httpx.AsyncClient, number: int) -> int:
        """The status of the answer to an upload of a megabyte."""
        return sent(web, files={"files": ("a.png", bytes([number]) * 2**20)}).status_code

    def age(self, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let time pass."""
        now = time.time() + seconds
        monkeypatch.setattr(files.time, "time", lambda: now)

    def test_an_upload_beyond_it_is_refused(self, web: httpx.AsyncClient) -> None:
        assert [self.upload(web, number) for number in range(3)] == [200, 200, 507]
        assert len(stored()) == 2

    def test_the_oldest_go_first_once_they_are_an_hour_old(
        self, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = (saved_file(bytes([number]) * 2**20, "mask.png") for number in (1, 2))
        with pytest.raises(OSError, match="full"):
            saved_file(bytes(2**20 + 1), "mask.png")
        self.age(files.MIN_AGE + 1, monkeypatch)
        assert self.upload(web, 3) == 200
        assert not Path(first).parent.exists()
        assert Path(second).exists()

    def test_small_files_are_bounded_in_number(self, web: httpx.AsyncClient) -> None:
        for number in range(48):
            saved_file(bytes([number]), "mask.png")
        with pytest.raises(OSError, match="full"):
            saved_file(b"one more", "mask.png")

    def test_a_file_is_deleted_when_it_is_a_day_old(self, monkeypatch: pytest.MonkeyPatch) -> None:
        saved_file(b"a mask", "mask.png")
        self.age(files.MAX_AGE - 60, monkeypatch)
        files.make_room()
        assert len(stored()) == 1
        self.age(60, monkeypatch)
        files.make_room()
        assert list(Path(get_upload_folder()).iterdir()) == []


def test_nothing_stays_of_a_file_for_which_there_was_no_room(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(file: object, copy: object) -> None:
        copy.write(b"half")
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(uploads.shutil, "copyfileobj", fails)
    answer = sent(web, files={"files": ("a.png", b"pixels")})
    assert (answer.status_code, answer.text) == (507, problems.NO_ROOM)
    assert stored() == []
