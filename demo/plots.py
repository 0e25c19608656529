"""What is drawn with matplotlib: the norms of a block, and figures to save.

Its import takes half a second of the start, so only what draws one of them imports this.
"""

import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from demo import compare
from demo.drawing import painted
from demo.scene import Scene
from gclip_core.cs import Suppression
from gclip_core.pixels import palette
from gclip_core.pixels.refine import REFINEMENTS
from gclip_core.result import MethodReport, Segmentation, percent

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
INKED = "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"
PAGE = LINES | {
    "font.size": 8.5,
    "text.color": GREY,
    **dict.fromkeys(INKED, GREY),
    "lines.linewidth": 1,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
PAPER = LINES | {
    "font.size": 7.5,
    "text.color": INK,
    "text.parse_math": False,
    **dict.fromkeys(INKED, SOFT),
    "axes.labelsize": 6.5,
    "axes.titlesize": 7.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelpad": 2,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "pdf.fonttype": 42,  # text stays text
}

COLUMNS = 4  # of the figure of all methods
WIDTH = 7.2
"""In inches: the text width of a page with two columns."""
ORANGES = LinearSegmentedColormap.from_list("oranges", ["#fff7ec", "#fdbb6b", "#e0701b", "#8c2d04"])
BLUES = LinearSegmentedColormap.from_list("blues", ["#ffffff", "#9fb9e6", "#2459b3", "#0b1f4d"])
MAX_WORDS = 20
"""Maximum number of words in the legend: those that cover most."""
MAX_MAPS = 4
"""Maximum number of fused blocks that are shown: the first ones."""

_drawing = RLock()


@contextmanager
def styled(style: dict = PAPER) -> Iterator[None]:
    """Wraps all drawing, because matplotlib's settings are those of the whole process."""
    # A character that the font lacks is drawn as a box, without a warning.
    with _drawing, mpl.rc_context(style), warnings.catch_warnings(action="ignore"):
        yield


def save(figure: Figure, kind: str = "png", dpi: int = 200) -> bytes:
    """The bytes of a png with ``dpi``, or of a pdf for print, in which text stays text."""
    buffer = io.BytesIO()
    options: dict[str, Any] = {"dpi": dpi}
    if kind == "pdf":
        options = {"dpi": 300, "metadata": {"CreationDate": None}}  # no time of a visit
    with styled():
        figure.draw_without_rendering()  # the layout, whose last bits change with every run
        figure.set_layout_engine("none")
        for axes in figure.axes:
            place = [round(value, 4) + 0.0 for value in axes.get_position().bounds]
            axes.set_axes_locator(None)
            axes.set(aspect="auto", box_aspect=None, position=place)
        figure.savefig(buffer, format=kind, **options)
    return buffer.getvalue()


def image(figure: Figure) -> Image.Image:
    """A figure as pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba()))


# --- norms: weights of channels (L, D), without and with CS ---------------------------------------


def is_wide(norms: NDArray[np.floating]) -> bool:
    """Whether a channel is so far above the others of its block that axes are logarithmic."""
    return bool((norms.max(1) > 10 * np.median(norms, 1)).any())


def draw_norms(
    axes: Axes,
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    block: int,
    threshold: float,
) -> None:
    """A block's norms with the threshold; outliers stand out, and a dot is what CS makes of one."""
    scale, factor, bottom = ("log", 2, 1 / 9) if is_wide(before) else ("linear", 1, 0)
    before, after = before[block], after[block]
    channels, changed = np.arange(len(before)), ~np.isclose(before, after)
    median = float(np.median(before))
    floor, limit = bottom * median, threshold * median
    outlier, ink = before > limit, mpl.rcParams["axes.labelcolor"]
    axes.vlines(channels, floor, before, color=BLUE, linewidth=0.4, alpha=0.7)
    axes.vlines(channels[outlier], floor, before[outlier], color=ORANGE, linewidth=1.6)
    dots = mpl.rcParams["text.color"]
    axes.plot(channels[changed], after[changed], "o", color=dots, markersize=3.5, label="with CS")
    axes.axhline(limit, color=ink, linewidth=0.8, linestyle="--")
    text = {"color": ink, "fontsize": mpl.rcParams["axes.labelsize"], "ha": "right", "va": "bottom"}
    axes.text(1, limit, f"{threshold:g} × median ", transform=axes.get_yaxis_transform(), **text)
    axes.set(yscale=scale, ylim=(floor, factor * max(1.25 * before.max(), 1.3 * limit)))


def of_norms(
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    block: int,
    threshold: float,
    size: tuple[float, float],
) -> Figure:
    """The norms of one block's channels; below, the largest of each block."""
    top, bottom, gap = 0.08, 0.38, 0.41  # inches: labels are as large in small figures
    height, blocks = size[1], np.arange(1, len(before) + 1)
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
        draw_norms(channels, before, after, block, threshold)
        for norms, colour, name in ((before, ORANGE, "without CS"), (after, BLUE, "with CS")):
            ratios = norms.max(1) / np.median(norms, 1)
            peaks.plot(blocks, ratios, "o-", color=colour, markersize=2.5, label=name)
        if not np.array_equal(before, after):
            channels.legend(frameon=False, loc="upper right", borderaxespad=0, handlelength=1)
            peaks.legend(frameon=False, loc="center left", handlelength=1, fontsize=7)
        channels.set_xlabel("channel", labelpad=0)
        peaks.axvline(block + 1, color=GREY, linewidth=7, alpha=0.25)
        if is_wide(before):
            peaks.set(yscale="log", ylim=(0.7, None))
        else:
            peaks.set(ylim=(0, 1.1 * threshold))
        peaks.set_xticks(blocks[:: max(1, len(blocks) // 8)])
        peaks.set_xlabel("largest ÷ median, by block", labelpad=0)
    return figure


# --- figures -------------------------------------------------------------------------------------


def of_result(scene: Scene) -> Figure:
    """A result: the photo, the masks before and after, the attention of the fused blocks, the last
    block's matrix, and the norms before and after CS. The mask before is that without the last
    idea, or GCLIP's."""
    result, picture = scene.mask(), scene.photo.picture
    without = scene.gclip(**dict.fromkeys(scene.ideas[-1:], False))
    masks = [result] if without == result.method else [scene.mask(without), result]
    names, blocks = result.vocabulary.names, result.report.fused.blocks[:MAX_MAPS]
    source = result.method.encoding(scene.encoded)
    edges = "plain edges"
    if result.refined != "none":
        edges = f"edges by {REFINEMENTS[result.refined].title}"
    size = f"{source.grid[1]} × {source.grid[0]} patches"
    details = scene.segmenter.backbone.title, result.method.title, size, edges
    photo = picture.copy()
    photo.thumbnail((1000, 1000), Image.Resampling.LANCZOS)
    images = {"Photo": photo}
    for mask in masks:
        images[mask.method.title] = palette.painted(photo, mask.labels.numpy(), scene.colours)
    aspect = min(4.5, max(0.4, picture.width / picture.height))  # beyond, white space
    tall = min(3.3, (WIDTH - 0.6) / len(images) / aspect)
    entries = _legend(result, scene.colours)
    columns = min(len(entries), max(1, int(90 / max(len(e.get_label()) + 6 for e in entries))))
    rows = math.ceil(len(entries) / columns)
    heights = [0.6, tall + 0.2, 0.15 + 0.17 * rows, 2.1]
    with styled():
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
        head, pictures, words, low = np.ravel(figure.subfigures(4, 1, height_ratios=heights))
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.05)
        head.text(0.02, 0.8, _cut(", ".join(names), 62), fontsize=12, fontweight="bold", va="top")
        head.text(0.02, 0.36, " · ".join(details), color=SOFT, va="top")
        words.legend(handles=entries, loc="upper left", ncols=columns, frameon=False, borderpad=0.7)
        panels = pictures.subplots(1, len(images))
        for axes, (title, panel) in zip(panels, images.items(), strict=True):
            axes.set_axis_off()
            axes.set_title(title)
            axes.imshow(panel)
        maps, matrix, channels = low.subfigures(1, 3, width_ratios=[1, 1, 1.3])
        for part in (head, pictures, words, low, maps, matrix, channels):
            part.patch.set_visible(False)  # clear, and at 0 or -0, which differs from run to run
        if blocks:
            received = [source.received(block).view(source.grid).numpy() for block in blocks]
            _draw_maps(maps, blocks, np.stack(received))
        axes = matrix.subplots()
        axes.set_title(f"Attention of block {scene.segmenter.backbone.n_blocks}")
        _draw_matrix(axes, result.method.matrix(source).numpy())
        threshold = (result.method.suppression or Suppression()).channel_threshold
        _draw_channels(channels.subplots(), result.report, threshold)
    return figure


def _legend(result: Segmentation, colours: Sequence[str]) -> list[Patch]:
    """The words in their colours, with their shares of the image."""
    names, areas = result.vocabulary.names, result.areas()
    largest = sorted(range(len(names)), key=lambda index: -areas[index])[:MAX_WORDS]
    entries = [
        Patch(color=colours[i], label=f"{_cut(names[i], 24)}  {percent(areas[i])}")
        for i in sorted(largest)
    ]
    if result.no_class_area() > 0:
        label = f"background  {percent(result.no_class_area())}"
        entries.append(Patch(facecolor="white", edgecolor=SOFT, label=label))
    if len(names) > MAX_WORDS:
        entries.append(Patch(color="white", label=f"and {len(names) - MAX_WORDS} more"))
    return entries


def _cut(text: str, length: int) -> str:
    """The text, truncated with "…" if it is longer than ``length``."""
    return text if len(text) <= length else text[: length - 1].rstrip(" ,") + "…"


def _draw_maps(figure: SubFigure, blocks: tuple[int, ...], maps: NDArray[np.floating]) -> None:
    """The attention that each patch receives in the fused blocks, (blocks, h, w), on one scale."""
    highest = max(2.5, float(maps.max()))  # × uniform: the darkest colour
    is_wide = maps.shape[2] > maps.shape[1]
    columns = 1 if len(maps) == 1 or (len(maps) == 2 and is_wide) else 2
    panels = figure.subplots(math.ceil(len(maps) / columns), columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
        axes.set_anchor("W")
    for axes, block, received in zip(panels.flat, blocks, maps, strict=False):
        axes.set_title(f"Block {block + 1}")
        axes.imshow(received, cmap=ORANGES, vmin=0, vmax=highest)
    bar = figure.colorbar(ScalarMappable(Normalize(0, highest), ORANGES), ax=panels, shrink=0.8)
    bar.outline.set_visible(False)
    bar.set_label("× uniform attention")


def _draw_matrix(axes: Axes, attention: NDArray[np.floating]) -> None:
    """Attention (1+N, 1+N) from token to token; a large matrix is averaged over squares."""
    side = min(600, len(attention))
    averaged = Image.fromarray(attention.astype(np.float32))
    shown = np.asarray(averaged.resize((side, side), Image.Resampling.BOX))
    top = max(float(np.quantile(shown, 0.998)), 1e-9)
    axes.imshow(shown, cmap=BLUES, norm=PowerNorm(0.5, 0, top), interpolation="antialiased")
    axes.set(xlabel="token that is attended to", ylabel="token that attends", xticks=[], yticks=[])


def _draw_channels(axes: Axes, report: MethodReport, threshold: float) -> None:
    """The norms of the block whose largest norm is furthest above the median."""
    block = int(np.argmax(report.ratios))
    before, after = report.norms_before.numpy(), report.norms_after.numpy()
    draw_norms(axes, before, after, block, threshold)
    axes.set_title(f"Channel norms, block {block + 1}")
    axes.set(xlabel="output channel of the FFN", ylabel="norm of its weights")
    axes.yaxis.set_major_formatter("{x:g}")
    changed = np.flatnonzero(~np.isclose(before[block], after[block]))
    note = "CS scales it to an ordinary norm (dot)"
    if not len(changed):
        note = f"not changed: largest {report.ratios[block]:.1f} × the median"
    axes.text(0.02, 1, note, fontsize=6.5, color=SOFT, va="top", transform=axes.transAxes)
    for channel in changed:
        is_right = channel > before.shape[1] / 2  # the label goes to the side with more room
        norm = before[block, channel]
        axes.annotate(
            f"channel {channel}: {norm / np.median(before[block]):.0f} × the median",
            (channel, norm),
            textcoords="offset points",
            xytext=(-4 if is_right else 4, -1),
            ha="right" if is_right else "left",
            va="top",
            color=ORANGE,
            fontsize=6.5,
        )


def of_methods(scene: Scene) -> Figure:
    """The masks of all methods with their names and scores, for a paper or a slide."""
    masks = compare.compared(scene)
    columns, rows = COLUMNS, -(-(1 + len(masks)) // COLUMNS)
    width, height = scene.photo.picture.size
    size = 9, rows * (9 / columns * height / width + 0.3) + 0.3
    with styled():  # also takes words with $ as they are
        drawn = Figure(figsize=size, dpi=200, layout="constrained")
        places = drawn.subplots(rows, columns, squeeze=False).flat
        photo = next(places)
        photo.imshow(scene.photo.picture)
        photo.set_title("Photo", fontsize=8)
        for place, (mask, miou) in zip(places, masks.values(), strict=False):
            place.imshow(painted(scene, mask, 720))
            weight = "bold" if mask.method == scene.ours else "normal"
            title = compare.titled(scene, mask, miou).replace("\n", " · ")
            place.set_title(title, fontsize=8, fontweight=weight)
        for place in drawn.axes:
            place.set_axis_off()
        handles = [
            Patch(facecolor=entry["colour"] or "none", edgecolor="grey", label=entry["name"])
            for entry in compare.legend(scene, masks)
        ]
        drawn.legend(
            handles=handles, loc="outside upper center", ncols=8, fontsize=8, frameon=False
        )
        drawn.supxlabel(compare.caveat(scene), fontsize=7)
        return drawn
