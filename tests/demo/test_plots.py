"""Figures: what they show, for every kind of picture and words, and their files."""

import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import ImageColor

from demo import plots
from tests.demo.photos import SMALL, scene

WORDS = "cat, dog, sofa, wall"
DAMAGED = {"backbone": "built-in-damaged"}


def drawn(words: str = WORDS, **settings: Any) -> Figure:
    return plots.of_result(
        scene(words=words, short_side=64, refine="none", background=False, **settings)
    )


def texts(shown: Figure) -> str:
    return "\n".join(text.get_text() for text in shown.findobj(Text))


def test_panels() -> None:
    """Photo, masks, fused blocks with their scale, matrix and norms are side by side."""
    shown = drawn(amf_blocks="6 7")
    assert len(shown.axes) == 3 + 2 + 1 + 1 + 1
    written = texts(shown)
    assert all(text in written for text in (WORDS, "Block 6", "Block 7", "not changed"))
    shares = [float(share) for share in re.findall(r"  ([\d.]+) %", written)]
    assert 99.7 < sum(shares) < 100.3
    assert len(drawn(method="maskclip").axes) == 3 + 1 + 1, "no maps without fusion"
    assert len(drawn(amf=False).axes) == 2 + 1 + 1, "and one mask with nothing to compare"


def test_mask_colours() -> None:
    """A mask has the words' colours over the photo and white lines; the earlier mask is first."""
    photo, before, after = (np.asarray(axes.images[0].get_array()) for axes in drawn().axes[:3])
    assert (before != after).any() and photo.shape == after.shape
    colours = [ImageColor.getrgb(colour) for colour in scene(words=WORDS).colours]

    def distance(pixels: np.ndarray) -> float:
        return np.abs(pixels[:, None].astype(int) - colours).sum(-1).min(-1).mean()

    lines = (after == 255).all(-1)
    assert 0 < lines.mean() < 0.5
    assert distance(after[~lines]) < distance(photo[~lines])


def test_damaged_channel() -> None:
    """A damaged tower is labelled as such, and the repair of its channel is shown."""
    written = texts(drawn(**DAMAGED))
    assert "damaged" in written and "CS scales it to an ordinary norm" in written
    assert re.search(r"channel \d+: \d+ × the median", written)


def test_any_words() -> None:
    """Any words are drawn, long ones truncated; of many words, those that cover most."""
    shown = drawn(words=", ".join(["$cat$ & <b>", "猫", "a" * 60, *map(chr, range(97, 120))]))
    assert plots.save(shown, "png", dpi=20).startswith(b"\x89PNG")
    assert "and 6 more" in texts(shown) and "$cat$ & <b>, 猫, aaa" in texts(shown)
    with warnings.catch_warnings(action="error"):  # letters that the font lacks are not logged
        assert plots.save(plots.of_methods(scene(words="dog, a$x^$b, 猫", **SMALL)), dpi=20)


def test_files() -> None:
    """Text stays text in vector files; equal figures are equal pixels, also from two threads."""
    pdf = plots.save(drawn(), "pdf", dpi=20)
    assert pdf.startswith(b"%PDF") and b"/Type3" not in pdf and b"CreationDate" not in pdf
    write = partial(plots.save, dpi=20)
    png = write(drawn())
    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(drawn, **DAMAGED)
        assert pool.submit(lambda: write(drawn())).result() == png and other.result()
