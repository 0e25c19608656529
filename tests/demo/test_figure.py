"""The figure: what it shows, for every kind of picture and words, and its files."""

import errno
import re
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import ImageColor

from demo import figure, plots
from gclip_core import METHODS, Method, Segmenter, damage, gclip
from gclip_core.pixels import palette
from tests.models import picture, small, tiny_backbone

WORDS = "cat, dog, sofa, wall"


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(figure, "load_backbone", small)
    monkeypatch.chdir(tmp_path)


@lru_cache
def drawn(
    size: tuple[int, int] = (96, 128),
    words: str = WORDS,
    damaged: bool = False,
    method: Method | None = None,
    **options: str,
) -> Figure:
    """The figure of a tiny tower, compared with ClearCLIP; GCLIP fuses blocks 6 and 7."""
    backbone = damage(tiny_backbone(), 7, 200, range(6, 11)) if damaged else tiny_backbone()
    segmenter = Segmenter(backbone, short_side=32, templates="plain", logit_scale=100)
    photo = picture(*size)
    encoded = segmenter.encode(photo)
    before = segmenter.segment(encoded, words, METHODS["clearclip"])
    result = segmenter.segment(encoded, words, method or gclip(amf_blocks=(5, 6)))
    return figure.draw(segmenter, photo, encoded, result, before, **options)


def texts(shown: Figure) -> str:
    return "\n".join(text.get_text() for text in shown.findobj(Text))


def test_panels() -> None:
    """Photo, masks, fused blocks with their scale, matrix and norms are side by side."""
    shown = drawn()
    assert len(shown.axes) == 3 + 2 + 1 + 1 + 1
    written = texts(shown)
    assert all(text in written for text in (WORDS, "Block 6", "Block 7"))
    shares = [float(share) for share in re.findall(r"  ([\d.]+) %", written)]
    assert len(shares) == 4 and sum(shares) == pytest.approx(100, abs=0.2)


def test_mask_colours() -> None:
    """A mask has the words' colours over the photo and white lines; the earlier mask is first."""
    photo, before, after = (np.asarray(axes.images[0].get_array()) for axes in drawn().axes[:3])
    assert (before != after).any()
    assert photo.shape == after.shape == (96, 128, 3)
    words = ((word,) for word in WORDS.split(", "))
    colours = [ImageColor.getrgb(colour) for colour in palette.colours(words)]

    def distance(pixels: np.ndarray) -> float:
        return np.abs(pixels[:, None].astype(int) - colours).sum(-1).min(-1).mean()

    lines = (after == 255).all(-1)
    assert 0 < lines.mean() < 0.5
    assert distance(after[~lines]) < distance(photo[~lines])


def test_damaged_channel() -> None:
    """A damaged tower is labelled as such, and the repair of its channel is shown."""
    shown = drawn(damaged=True)
    assert "tiny, damaged on purpose" in texts(shown)
    assert "channel 7: " in texts(shown) and "CS scales it to an ordinary norm" in texts(shown)
    highest = int(np.argmax(damage(tiny_backbone(), 7, 200, range(6, 11)).ratios)) + 1
    assert f"Channel norms, block {highest}" in texts(shown)
    assert "not changed" in texts(drawn())


def test_fewer_panels() -> None:
    """Without fusion there are no maps of blocks; without an earlier mask there is one mask."""
    assert len(drawn(method=METHODS["maskclip"]).axes) == 3 + 1 + 1
    segmenter = Segmenter(tiny_backbone(), short_side=32, templates="plain")
    encoded = segmenter.encode(picture(64, 64))
    result = segmenter.segment(encoded, WORDS, METHODS["naclip"], threshold=1.0)
    shown = figure.draw(segmenter, picture(64, 64), encoded, result)
    assert len(shown.axes) == 2 + 1 + 1
    assert "background  100.0 %" in texts(shown)


def test_any_words() -> None:
    """Any words are drawn, long ones truncated; of many words, those that cover most."""
    shown = drawn(words=", ".join(["$cat$ & <b>", "猫", "a" * 200, *map(chr, range(97, 120))]))
    assert plots.save(shown, "png", dpi=20).startswith(b"\x89PNG")
    assert "and 6 more" in texts(shown) and "$cat$ & <b>, 猫, aaa" in texts(shown)


def test_threads() -> None:
    """A figure drawn while another thread draws equals one drawn alone."""
    alone = plots.save(drawn(), "png", 20)
    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(drawn, damaged=True)
        shown = pool.submit(lambda: plots.save(drawn.__wrapped__(), "png", 20))
    assert shown.result() == alone and other.result() is not None


def test_files() -> None:
    """Text stays text in vector files, and equal figures are equal files."""
    pdf, again = (plots.save(drawn.__wrapped__(), "pdf", 20) for _ in range(2))
    assert pdf.startswith(b"%PDF") and b"/Type3" not in pdf
    assert pdf == again and b"CreationDate" not in pdf


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Without words, the figure has suggested ones; text stays text in an SVG."""
    picture(64, 80).save("photo.png")
    assert figure.main(["photo.png", "--out", "f.svg"]) == 0
    written = Path("f.svg").read_text("utf-8")
    first = Segmenter(small("built-in", None, "cpu", "float32")).suggest("photo.png")[0]
    assert first in written and "Attention of block 12" in written
    assert figure.main(["photo.png", "--out", "f.doc"]) == 2
    assert "f.doc; give --out a name that ends in .pdf, .svg or .png" in capsys.readouterr().err


def test_photo_is_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The photo is never overwritten, and a figure that the disk has no room for leaves nothing."""
    picture(64, 80).save("photo.png")
    before = Path("photo.png").read_bytes()
    assert figure.main(["photo.png", "--words", "dog", "--out", "./photo.png"]) == 2
    assert "is the photo" in capsys.readouterr().err and Path("photo.png").read_bytes() == before

    def full(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    Path("f.pdf").write_bytes(b"earlier")
    monkeypatch.setattr(Path, "write_bytes", full)
    assert figure.main(["photo.png", "--words", "dog", "--out", "f.pdf"]) == 2
    assert "No space left" in capsys.readouterr().err and Path("f.pdf").read_bytes() == b"earlier"
    assert not [path for path in Path().iterdir() if path.name.startswith(".gclip-")]
