"""What is drawn with matplotlib: norms, and the style of figures.

Its import takes half a second of the start, so only what draws one of them imports this.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

INK, SOFT, BLUE, ORANGE = "#16202b", "#5d6875", "#3b78c2", "#e0693c"
GREY = "#7b8190"
"""Readable in light and in dark mode."""
LINES = {
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
}
PAGE = LINES | {
    "font.size": 8.5,
    "lines.linewidth": 1,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), GREY
    ),
}
PAPER = LINES | {
    "font.size": 7.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 6.5,
    "axes.titlesize": 7.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelpad": 2,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "pdf.fonttype": 42,  # text stays text
}

_drawing = RLock()


@contextmanager
def styled(style: dict = PAPER) -> Iterator[None]:
    """Wraps all drawing, because matplotlib's settings are those of the whole process."""
    # A character that the font lacks is drawn as a box, without a warning.
    with _drawing, mpl.rc_context(style), warnings.catch_warnings(action="ignore"):
        yield


def save(figure: Figure, kind: str = "png", dpi: int = 300) -> bytes:
    """The bytes of a png or pdf; images in a PDF have ``dpi``, and text stays text."""
    buffer = io.BytesIO()
    dated = {"CreationDate": None} if kind == "pdf" else None  # equal figures give equal files
    with styled():
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=dated)
    return buffer.getvalue()


def image(figure: Figure) -> Image.Image:
    """A figure as pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba()))


# --- norms ---------------------------------------------------------------------------------------


def draw_norms(
    axes: Axes,
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    threshold: float,
    is_wide: bool,
) -> None:
    """A block's norms (D,) with the threshold; of channels that CS changes, before (line) and after
    (dot). The axis is logarithmic if ``is_wide``."""
    channels, changed = np.arange(len(before)), ~np.isclose(before, after)
    median, largest = float(np.median(before)), float(before.max())
    floor, limit = median / 9 if is_wide else 0, threshold * median
    ink, label_size = mpl.rcParams["axes.labelcolor"], mpl.rcParams["axes.labelsize"]
    axes.vlines(channels, floor, before, color=BLUE, linewidth=0.4, alpha=0.7)
    axes.vlines(channels[changed], floor, before[changed], color=ORANGE, linewidth=1.6)
    dots = mpl.rcParams["text.color"]
    axes.plot(channels[changed], after[changed], "o", color=dots, markersize=3.5, label="with CS")
    axes.axhline(limit, color=ink, linewidth=0.8, linestyle="--")
    place, label = axes.get_yaxis_transform(), f"{threshold:g} × median "
    style = {"color": ink, "fontsize": label_size, "ha": "right", "va": "bottom"}
    axes.text(1, limit, label, transform=place, **style)
    axes.set_yscale("log" if is_wide else "linear")
    axes.set_ylim(floor, max(1.25 * largest, 1.3 * limit) * (2 if is_wide else 1))


def norms(
    before: np.ndarray,
    after: np.ndarray,
    block: int,
    threshold: float,
    size: tuple[float, float],
) -> Figure:
    """Weight norms (L, D) of one block's channels, without and with CS; below, peaks by block.

    Where one channel is far above the others, the axis is logarithmic.
    """
    top, bottom, gap = 0.08, 0.38, 0.41  # inches: labels are as large in small figures
    height = size[1]
    blocks = np.arange(1, len(before) + 1)
    with styled(PAGE):
        figure = Figure(figsize=size, dpi=200)
        figure.subplots_adjust(
            left=0.15,
            right=0.99,
            top=1 - top / height,
            bottom=bottom / height,
            hspace=2 * gap / (height - top - bottom - gap),
        )
        channels, peaks = figure.subplots(2, 1, height_ratios=(2.6, 1))
        is_wide = bool((before.max(1) > 10 * np.median(before, 1)).any())
        draw_norms(channels, before[block], after[block], threshold, is_wide)
        for norms, colour, name in ((before, ORANGE, "without CS"), (after, BLUE, "with CS")):
            ratios = norms.max(1) / np.median(norms, 1)
            peaks.plot(blocks, ratios, "o-", color=colour, markersize=2.5, label=name)
        if not np.array_equal(before, after):
            channels.legend(frameon=False, loc="upper right", borderaxespad=0, handlelength=1)
            peaks.legend(frameon=False, loc="center left", handlelength=1, fontsize=7)
        channels.set_xlabel("channel", labelpad=0)
        peaks.axvline(block + 1, color=GREY, linewidth=7, alpha=0.25)
        peaks.set_yscale("log" if is_wide else "linear")
        peaks.set_ylim(0.7 if is_wide else 0, None if is_wide else 1.1 * threshold)
        peaks.set_xticks(blocks[:: max(1, len(blocks) // 8)])
        peaks.set_xlabel("largest ÷ median, by block", labelpad=0)
    return figure
