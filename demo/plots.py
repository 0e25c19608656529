"""Pictures of maps and norms, readable in light and in dark mode."""

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from evaluation.figure import BLUE, ORANGE, draw_norms

INK, BEFORE, AFTER = "#7b8190", ORANGE, BLUE
STYLE = {
    "font.size": 8.5,
    "axes.linewidth": 0.6,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}


def coloured(values: np.ndarray, size: tuple[int, int], top: float = 0) -> Image.Image:
    """A map in inferno from 0 to ``top`` (default: its maximum), scaled to ``size`` (w, h)."""
    scaled = np.clip(values / max(top or values.max(), 1e-9), 0, 1)
    small = Image.fromarray(matplotlib.colormaps["inferno"](scaled, bytes=True)[..., :3])
    return small.resize(size, Image.NEAREST if small.width < size[0] else Image.BOX)


def small(size: tuple[int, int], width: int) -> tuple[int, int]:
    """A size (w, h) scaled to a width; less for tall pictures, so that none needs much memory."""
    scale = min(width / size[0], 4 * width / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def over(picture: Image.Image, values: np.ndarray, width: int = 320) -> Image.Image:
    """A map of patches over the picture in grey."""
    size = small(picture.size, width)
    grey = picture.convert("L").resize(size).convert("RGB")
    return Image.blend(grey, coloured(values, size), 0.72)


@matplotlib.rc_context(STYLE)
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
    figure = Figure(figsize=size, dpi=200)
    top, bottom, gap = 0.08, 0.38, 0.41  # inches: labels are as large in small figures
    height = size[1]
    figure.subplots_adjust(
        left=0.15,
        right=0.99,
        top=1 - top / height,
        bottom=bottom / height,
        hspace=2 * gap / (height - top - bottom - gap),
    )
    channels, peaks = figure.subplots(2, 1, height_ratios=(2.6, 1))
    median, blocks = np.median(before[block]), np.arange(1, len(before) + 1)
    top, limit = before[block].max(), threshold * median
    far = (before.max(1) > 10 * np.median(before, 1)).any()
    floor = median / 9 if far else 0
    draw_norms(channels, before[block], after[block], floor)
    for norms, colour, name in ((before, BEFORE, "without CS"), (after, AFTER, "with CS")):
        ratios = norms.max(1) / np.median(norms, 1)
        peaks.plot(blocks, ratios, "o-", color=colour, markersize=2.5, label=name)
    channels.axhline(limit, color=INK, linewidth=0.8, linestyle="--")
    beside = channels.get_yaxis_transform()
    label = f"{threshold:g} × median "
    channels.text(1, limit, label, ha="right", va="bottom", transform=beside)
    channels.set_ylim(floor, max(1.15 * top, 1.3 * limit) * (2 if far else 1))
    if not np.array_equal(before, after):
        channels.legend(frameon=False, loc="upper right", borderaxespad=0, handlelength=1)
        peaks.legend(frameon=False, loc="center left", handlelength=1, fontsize=7)
    channels.set_xlabel("channel", labelpad=0)
    peaks.axvline(block + 1, color=INK, linewidth=7, alpha=0.25)
    peaks.set_yscale("log" if far else "linear")
    peaks.set_ylim(0.7 if far else 0, None if far else 1.1 * threshold)
    peaks.set_xticks(blocks[:: max(1, len(blocks) // 8)])
    peaks.set_xlabel("largest ÷ median, by block", labelpad=0)
    return figure


def image(figure: Figure) -> Image.Image:
    """A figure as pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba()))
