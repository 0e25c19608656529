"""Pictures for tests: small ones, damaged ones, bombs, and a probe of what reading them costs."""

import json
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
LOSSLESS = ("PNG",)


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    """An RGB image of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def rgb() -> Image.Image:
    """A 12 × 17 image without any symmetry."""
    return noise(12, 17, seed=5)


def turned(orientation: int) -> Image.Exif:
    """EXIF of a picture taken with a turned camera: 1 is upright, up to 8."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """``image`` as a file of Pillow's format ``kind``."""
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png_chunk(name: bytes, body: bytes = b"") -> bytes:
    """A chunk of a PNG, with its length and its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_bomb(height: int, width: int) -> bytes:
    """A PNG of a few bytes that claims to be ``height`` × ``width``."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(bytes(100_000)))
    return b"\x89PNG\r\n\x1a\n" + header + data + png_chunk(b"IEND")


def black_png(height: int, width: int, depth: int, colour: int) -> bytes:
    """A PNG of zeros, of so many bits a channel and of one of PNG's types of colour."""
    row = bytes(1 + width * depth // 8 * {0: 1, 2: 3, 3: 1, 6: 4}[colour])
    made = zlib.compressobj(1)
    data = b"".join([made.compress(row) for _ in range(height)]) + made.flush()
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
            png_chunk(b"PLTE", bytes(768)) + png_chunk(b"tRNS", b"\x80") if colour == 3 else b"",
            png_chunk(b"IDAT", data),
            png_chunk(b"IEND"),
        ]
    )


@dataclass(frozen=True)
class Report:
    """What reading one file cost: the outcome, the growth of peak memory, the processor's time."""

    outcome: str
    peak_growth_mb: float
    seconds: float


# Each file is read in a forked child, so that its own peak of memory is seen.
_PROBE = """
import json, os, resource, sys, time, types
from pathlib import Path
from PIL import Image

sys.modules["gclip_core"] = core = types.ModuleType("gclip_core")
core.__path__ = ["gclip_core"]  # without the package's face, which imports torch
from gclip_core.errors import ImageError
from gclip_core.images import check

Image.init()
check(Image.new("RGB", (8, 8)))
for path in sorted(Path(sys.argv[1]).iterdir()):
    child = os.fork()  # whose processor time begins at none
    if not child:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            image = check(path)
            outcome = f"{image.height}x{image.width}"
        except ImageError:
            outcome = "ImageError"
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(json.dumps([outcome, grown, time.process_time()]), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(json.dumps(["crash", 0, 0]), flush=True)
"""


def probe(files: Sequence[bytes], timeout: float = 120) -> list[Report]:
    """Read each of ``files`` in a process of its own, and say what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(files):
            (Path(folder) / f"{number:04}").write_bytes(data)
        done = subprocess.run(
            [sys.executable, "-c", _PROBE, folder],
            check=True,
            stdout=subprocess.PIPE,
            timeout=timeout,
            cwd=Path(__file__).parents[1],
        )
    return [Report(*json.loads(line)) for line in done.stdout.splitlines()]
