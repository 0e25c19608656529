"""For any bytes :func:`gclip_core.images.check` returns an image or raises an ImageError."""

import resource
import time
from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gclip_core.errors import ImageError
from gclip_core.images import check
from tests.pictures import FORMATS, encoded, noise, turned

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")

MAX_PIXELS = 4_000_000
SECONDS_EACH = 5.0
PEAK_GROWTH_MB = 300


@cache
def seeds() -> tuple[bytes, ...]:
    """Small valid files of every format and of several modes."""
    grey, colour = noise(9, 13).convert("L"), noise(13, 9)
    exif = turned(6)
    exif[0x010E] = "a description longer than four bytes"
    found = [encoded(colour, kind) for kind in FORMATS] + [encoded(grey, kind) for kind in FORMATS]
    found += [
        encoded(colour, "JPEG", progressive=True, exif=exif),
        encoded(colour.convert("CMYK"), "JPEG"),
        encoded(colour, "WEBP", lossless=True, exif=exif),
        encoded(colour, "WEBP", save_all=True, append_images=[noise(13, 9, 1)]),
        encoded(colour.quantize(8), "PNG", transparency=0, exif=exif),
        encoded(grey.convert("LA"), "PNG"),
        encoded(colour, "GIF", save_all=True, append_images=[noise(13, 9, 1)], comment=b"words"),
    ]
    return tuple(found)


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A valid file after up to eight cuts, flips, insertions, repetitions and splices."""
    data = bytearray(draw(st.sampled_from(seeds())))
    for _ in range(draw(st.integers(0, 8))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        damage = draw(st.sampled_from(["flip", "put", "cut", "insert", "repeat", "splice", "end"]))
        if damage == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif damage == "put":
            width = draw(st.sampled_from([1, 2, 4]))
            extremes = st.sampled_from([0, 1, 127, 128, 255, 2**15, 2**16 - 1, 2**31, 2**32 - 1])
            value = draw(extremes) & (256**width - 1)
            data[at : at + width] = value.to_bytes(width, draw(st.sampled_from(["big", "little"])))
        elif damage == "cut":
            del data[at : at + draw(st.integers(1, 64))]
        elif damage == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=32))
        elif damage == "repeat":
            data[at:at] = data[at : at + 64] * draw(st.integers(1, 50))
        elif damage == "splice":
            data[at:] = draw(st.sampled_from(seeds()))[at:]
        elif damage == "end":
            del data[at:]
    return bytes(data)


ARBITRARY = st.binary(max_size=400) | st.builds(
    bytes.__add__,
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF"]),
    st.binary(max_size=400),
)


def _fuzz(cases: int, files: st.SearchStrategy[bytes]) -> Counter[str]:
    """Read ``cases`` files; fail on any other outcome, and on too much time or memory."""
    outcomes: Counter[str] = Counter()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(
        max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(files)
    def read(data: bytes) -> None:
        start = time.process_time()
        try:
            image = check(data, max_pixels=MAX_PIXELS)
        except ImageError as error:
            outcomes["error"] += 1
            assert str(error).endswith(".")
        else:
            outcomes["image"] += 1
            assert image.mode == "RGB"
            assert 1 <= image.width * image.height <= MAX_PIXELS
            assert len(image.tobytes()) == 3 * image.width * image.height
        assert time.process_time() - start < SECONDS_EACH

    read()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < PEAK_GROWTH_MB
    print(f"{sum(outcomes.values())} files: {dict(outcomes)}, peak memory +{grown:.0f} MB")
    return outcomes


@pytest.mark.parametrize("files", [damaged_files, lambda: ARBITRARY], ids=["damaged", "arbitrary"])
def test_500_files_give_images_or_errors(files: Callable[[], st.SearchStrategy[bytes]]) -> None:
    assert _fuzz(500, files())["error"] > 0


@pytest.mark.long
def test_12000_files_give_images_or_errors() -> None:
    damaged = _fuzz(10_000, damaged_files())
    assert min(damaged["image"], damaged["error"]) > 500, "the damage is neither nil nor total"
    _fuzz(2000, ARBITRARY)
