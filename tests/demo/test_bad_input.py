"""Bad input gets an error message and leaves no traceback: over HTTP, as anybody may send it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from demo.settings import LABELS
from tests import TRACES
from tests.demo.photos import DOG, SMALL
from tests.demo.visitor import FailedError, Visitor
from tests.pictures import encoded, noise, png_bomb

PNG = encoded(noise(120, 160), "PNG")


@pytest.fixture(autouse=True)
def _no_trace(capfd: pytest.CaptureFixture[str]) -> Any:
    yield
    printed = "".join(capfd.readouterr())
    assert "Traceback" not in printed and "planted" not in printed


def refused(ask: Callable[[], Any]) -> str:
    """The message for a request that cannot be answered."""
    with pytest.raises(FailedError) as error:
        ask()
    sentence = str(error.value)
    assert len(sentence) < 400 and not any(trace in sentence for trace in TRACES), sentence
    return sentence


NO_PICTURE = {
    "a text": (b"no picture at all", "image"),
    "nothing": (b"", "image"),
    "400 megapixels": (png_bomb(20_000, 20_000), "at most 64,000,000 pixels"),
}


@pytest.mark.parametrize("name", NO_PICTURE)
def test_no_picture(name: str, visitor: Visitor) -> None:
    data, word = NO_PICTURE[name]
    assert word in refused(lambda: visitor.uploaded(data))
    if data:
        file = visitor.file(data, "photo.png")
        assert word in refused(lambda: visitor.program("suggest", file, 5, "default"))


def test_forged_photo_opens_no_file(visitor: Visitor, tmp_path: Path) -> None:
    """A name is a digest, not a path, a file beside the photos, or another type."""
    photo = visitor.uploaded(PNG)
    outside = tmp_path / "secret.png"
    outside.write_bytes(PNG)
    shown = visitor.web.get(f"/photos/{photo}")
    assert shown.headers["content-type"] == "image/jpeg" and shown.content
    up = "..%2f" * 12
    names = ["", ".", "..", "\0", "é", photo[:-1], f"{photo}/", f"{photo}.png"]
    names += [str(outside), str(DOG), "0" * len(photo), f"{up}etc/passwd", "flower.jpg", "x" * 5000]
    for name in names:
        assert visitor.pieces(name, {}, ["words"]) == {"gone": name}, name
        answer = visitor.web.get(f"/photos/{quote(name)}")
        assert "image" not in answer.headers.get("content-type", ""), name
    for name in (None, 7, [photo], {"path": str(outside)}, {"url": "http://127.0.0.1/a.png"}):
        assert visitor.pieces(name, {}, ["words"]) == {"gone": name}
    assert visitor.web.get(f"/photos/{photo}?preview&planted=1").status_code == 200


def test_forged_settings(visitor: Visitor) -> None:
    """Values of another type, which no control sends."""
    for name in ("words", "background_weight", "amf", "backbone", "cs_blocks"):
        for value in ([["planted"]], {"planted": 1}, "planted" * 1000, None):
            sentence = refused(lambda n=name, v=value: visitor.pieces("dog", {n: v}, ["words"]))
            assert f"“{LABELS[name]}”" in sentence
    assert "no setting “planted”" in refused(lambda: visitor.pieces("dog", {"planted": 1}, []))
    for settings in (7, "planted", ["planted"]):
        assert refused(lambda s=settings: visitor.pieces("dog", s, ["words"]))


@pytest.mark.parametrize("pieces", [None, 7, "words", ["planted", ["words"], {}, None]])
def test_forged_pieces(pieces: Any, visitor: Visitor) -> None:
    """What is no piece is not answered."""
    assert visitor.pieces("dog", SMALL, pieces) == {}


@pytest.mark.parametrize(
    ("endpoint", "inputs", "message"),
    [
        ("download", ["dog", {}, "planted", 0], "“file” is one of mask"),
        ("download", ["dog", {}, ["planted"], 0], "“file” is one of mask"),
        ("download", ["dog", {"words": ["planted"]}, "mask", 0], "“Words” cannot be used"),
        ("download", ["dog", {}, "cutout", "planted"], "“file” is one of mask"),
        ("fetch", ["<planted>"], "is not a backbone"),
        ("fetch", [[["<planted>"]]], "is not a backbone"),
        ("fetch", [None], "is not a backbone"),
    ],
)
def test_forged_press(endpoint: str, inputs: list, message: str, visitor: Visitor) -> None:
    (answer,) = next(visitor.call(endpoint, *inputs))
    assert message in answer["error"] and len(answer["error"]) < 400


def test_forged_host(visitor: Visitor) -> None:
    """Only a proxy names the page's address, since Gradio would give it to other visitors, too."""
    forged = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    for path in ("/config", "/gradio_api/info", "/"):
        assert "evil.example" not in visitor.web.get(path, headers=forged).text
    proxied = forged | {"x-forwarded-for": "203.0.113.9"}
    assert "https://evil.example" in visitor.web.get("/config", headers=proxied).text
