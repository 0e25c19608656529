"""For any bytes, ``gclip_core.pixels.images.check`` returns an image or raises an ImageError."""

import time
from functools import cache, partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gclip_core.errors import ImageError
from gclip_core.pixels.images import check
from tests.pictures import FORMATS, cost, encoded, noise, turned

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")

MAX_PIXELS = 4_000_000


@cache
def seeds() -> tuple[bytes, ...]:
    """Small valid files of every format and of several modes."""
    grey, colour = noise(9, 13).convert("L"), noise(13, 9)
    exif = turned(6)
    exif[0x010E] = "a description longer than four bytes"
    files = [encoded(colour, kind) for kind in FORMATS] + [encoded(grey, kind) for kind in FORMATS]
    files += [
        encoded(colour, "JPEG", progressive=True, exif=exif),
        encoded(colour.convert("CMYK"), "JPEG"),
        encoded(colour, "WEBP", lossless=True, exif=exif),
        encoded(colour, "WEBP", save_all=True, append_images=[noise(13, 9, 1)]),
        encoded(colour.quantize(8), "PNG", transparency=0, exif=exif),
        encoded(grey.convert("LA"), "PNG"),
        encoded(colour, "GIF", save_all=True, append_images=[noise(13, 9, 1)], comment=b"words"),
    ]
    return tuple(files)


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A valid file in which up to eight pieces are replaced: cut out, flipped, set to an extreme,
    repeated, or taken from another file."""
    data = bytearray(draw(st.sampled_from(seeds())))
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, len(data)))
        stop = start + draw(st.sampled_from([0, 1, 2, 4, 64, len(data)]))
        extreme = st.sampled_from([b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff"])
        other = st.sampled_from(seeds()).map(lambda file, start=start: file[start:])
        again = st.integers(0, 50).map(lambda n, piece=bytes(data[start:stop][:64]): n * piece)
        data[start:stop] = draw(st.binary(max_size=32) | extreme | other | again)
    return bytes(data)


ARBITRARY = st.binary(max_size=400) | st.builds(
    bytes.__add__,
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF"]),
    st.binary(max_size=400),
)


FILES = {"damaged": damaged_files(), "arbitrary": ARBITRARY}


def _check(kind: str, cases: int) -> tuple[int, int]:
    images: list[bool] = []

    @settings(
        max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(FILES[kind])
    def read(data: bytes) -> None:
        start = time.process_time()
        try:
            image = check(data, max_pixels=MAX_PIXELS)
        except ImageError as error:
            images.append(False)
            assert str(error).endswith(".")
        else:
            images.append(True)
            assert image.mode == "RGB"
            assert 1 <= image.width * image.height <= MAX_PIXELS
            assert len(image.tobytes()) == 3 * image.width * image.height
        assert time.process_time() - start < 5

    read()
    return sum(images), len(images) - sum(images)


def fuzz(kind: str, cases: int) -> tuple[int, int]:
    """How many of ``cases`` files were images and errors; fails on any other outcome, if one takes
    five seconds, and at 300 MB of memory."""
    counts, grown, _ = cost(partial(_check, kind), cases)
    assert grown < 300, "in MB"
    return counts


@pytest.mark.parametrize("kind", FILES)
def test_few_files(kind: str) -> None:
    assert fuzz(kind, 150)[1] > 0


@pytest.mark.long
def test_many_files() -> None:
    assert min(fuzz("damaged", 10_000)) > 500, "the damage is neither nil nor total"
    fuzz("arbitrary", 2000)
