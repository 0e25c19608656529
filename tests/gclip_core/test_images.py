"""Reading any picture: an upright RGB image, or an error message."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gclip_core.errors import ImageError
from gclip_core.pixels.images import check, target_size
from tests import refusal
from tests.pictures import (
    FORMATS,
    encoded,
    noise,
    png_bomb,
    png_chunk,
    rgb,
    turned,
    with_chunks,
)

# Pillow warns of anomalies in a header before the image is refused.
pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning:PIL", "ignore::PIL.Image.DecompressionBombWarning"
)


def pixels(image: Image.Image) -> np.ndarray:
    assert isinstance(image, Image.Image)
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def refused(source: object, *words: str, **options: int) -> str:
    """The message that refuses ``source``: it contains ``words``."""
    message = refusal(ImageError, lambda: check(source, **options), *words)
    assert message.endswith(".")
    return message


def test_formats(tmp_path: Path) -> None:
    """Every format is read, from bytes, a path and its text."""
    for kind in FORMATS:
        assert check(encoded(rgb(), kind)).size == (17, 12)
    path = tmp_path / "picture"
    path.write_bytes(encoded(rgb(), "PNG"))
    for source in (path, str(path)):
        assert (pixels(check(source)) == pixels(rgb())).all()


def test_modes() -> None:
    """Black and white, grey, palette and CMYK images have the right colours."""
    grey, palette = rgb().convert("L"), rgb().quantize(16)
    assert (pixels(check(grey)) == np.asarray(grey)[..., None]).all()
    assert (pixels(check(palette)) == pixels(palette.convert("RGB"))).all()
    stripes = Image.fromarray(np.arange(12 * 17).reshape(12, 17) % 2 == 0)
    assert set(np.unique(pixels(check(stripes)))) == {0, 255}
    inks = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")
    assert b"Adobe" in inks, "the marker of inks that are stored inverted"
    assert np.abs(pixels(check(inks)) - [255, 0, 0]).max() <= 6


def test_transparency() -> None:
    """Transparent pixels become white, half-transparent ones half white, also of a palette."""
    black = Image.new("RGBA", (3, 1), (0, 0, 0, 255))
    black.putpixel((1, 0), (0, 0, 0, 0))
    black.putpixel((2, 0), (0, 0, 0, 128))
    assert pixels(check(black))[0, :, 0].tolist() == pytest.approx([0, 255, 127], abs=1)
    palette = Image.new("P", (2, 1))
    palette.putpalette([200, 0, 0, 0, 0, 200])
    palette.putdata([0, 1])
    for transparency in (1, b"\xff\x00"):
        data = encoded(palette, "PNG", transparency=transparency)
        assert pixels(check(data))[0].tolist() == [[200, 0, 0], [255, 255, 255]]


def test_sixteen_bits() -> None:
    """Sixteen bits are scaled and not clipped."""
    deep = np.array([[0, 257, 128 * 257, 65_535, 128, 129]], np.uint16)
    expected = [0, 1, 128, 255, 0, 1]  # rounded from v / 257
    assert pixels(check(encoded(Image.fromarray(deep), "PNG")))[0, :, 0].tolist() == expected
    big_endian = Image.frombytes("I;16B", (6, 1), deep.astype(">u2").tobytes())
    assert pixels(check(big_endian))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animation(kind: str) -> None:
    """The first frame of an animation is used."""
    first, second = (Image.new("RGB", (9, 7), colour) for colour in ("red", "blue"))
    data = encoded(first, kind, save_all=True, append_images=[second] * 3)
    assert np.abs(pixels(check(data)) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize(("turn", "quarters"), [(3, 2), (6, -1), (8, 1)])
def test_orientation(kind: str, turn: int, quarters: int) -> None:
    """The camera's orientation is undone once."""
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    result = check(encoded(rgb(), kind, exif=turned(turn), **options))
    assert np.array_equal(pixels(result), np.rot90(pixels(rgb()), quarters))
    assert np.array_equal(pixels(check(result)), pixels(result))


def test_copy() -> None:
    """The caller's image is not changed, and its metadata are not passed on."""
    source = rgb()
    source.info["comment"] = "mine"
    result = check(source)
    result.putpixel((0, 0), (9, 9, 9))
    assert (pixels(source) == pixels(rgb())).all()
    assert (source.info, result.info) == ({"comment": "mine"}, {})


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 1), (3, 5, 3), (3, 5, 4)])
def test_arrays(shape: tuple[int, ...]) -> None:
    """Arrays of bytes: grey, in colour or with alpha."""
    array = np.zeros(shape, np.uint8)
    array[1, 2] = 255
    values = pixels(check(array))
    assert values[1, 2].tolist() == [255] * 3
    assert values[0, 0].tolist() == [255 if shape[-1] == 4 else 0] * 3
    assert (pixels(check(array[::-1, ::2])) == values[::-1, ::2]).all()


def test_unusable_arrays() -> None:
    """Other arrays are refused."""
    for dtype in (bool, np.uint16, np.float32, object):
        refused(np.zeros((2, 2), dtype), str(np.dtype(dtype)), "astype")
    for shape in ((), (4,), (3, 4, 5), (2, 2, 2), (1, 4, 4, 3)):
        refused(np.zeros(shape, np.uint8), str(shape), "channels last")
    for shape in ((0, 5), (5, 0), (0, 5, 3)):
        refused(np.zeros(shape, np.uint8), str(shape))


def test_limit() -> None:
    """A picture over the limit is refused unread, and one at the limit is not."""
    for source in (*(encoded(rgb(), kind) for kind in FORMATS), rgb(), np.asarray(rgb())):
        assert check(source, max_pixels=12 * 17).size == (17, 12)
        refused(source, "at most 203 pixels", "12 × 17 (height", "scale it down", max_pixels=203)
    bombs = [png_bomb(*size) for size in ((8001, 8000), (60_000, 60_000), (2**31 - 1,) * 2)]
    gif = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\2\x4c\1\0;"
    for bomb in (*bombs, gif):
        refused(bomb, "64,000,000 pixels", "scale it down")


def test_no_picture(tmp_path: Path) -> None:
    """Other formats, objects and unreadable files are refused; nothing blocks."""
    for kind in ("TIFF", "BMP", "PPM", "ICO", "TGA", "JPEG2000", "DDS", "PDF"):
        refused(encoded(noise(16, 16), kind), "PNG, JPEG, WebP or GIF")
    for data in (b"<svg/>", b"PK\3\4", b"GIF89a", b"just words", bytes(1000)):
        refused(data, "PNG, JPEG, WebP or GIF", "save it as PNG")
    refused(b"", "it is empty")
    for other in (7, None, BytesIO(b"")):
        refused(other, f"'{type(other).__name__}'")
    assert tmp_path.name not in refused(tmp_path / "away.png", "away.png", "check its name")
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, "/dev/zero", "a\0b", "x" * 5000, ""):
        refused(path)


def test_late_exif() -> None:
    """EXIF after the pixels is ignored."""
    data = with_chunks(behind=png_chunk(b"eXIf", turned(6).tobytes()[6:]))
    assert (pixels(check(data)) == pixels(rgb())).all()


@pytest.mark.parametrize(
    ("size", "short_side", "patch", "expected"),
    [
        ((480, 640), 336, 16, (336, 448)),
        ((336, 336), 336, 32, (352, 352)),  # 10.5 patches round up
        ((335, 500), 336, 16, (336, 496)),  # 31.3 patches round down
        ((100, 100), 5, 16, (16, 16)),  # at least one patch
        ((3000, 3000), 4096, 16, (1024, 1024)),  # exactly 4096 patches
        ((3000, 4000), 1344, 16, (880, 1184)),  # nearly as many
    ],
)
def test_target_size(
    size: tuple[int, int], short_side: int, patch: int, expected: tuple[int, int]
) -> None:
    """The short side has the requested pixels, in whole patches."""
    assert target_size(size, short_side, patch) == expected
