"""The panels of a figure: pictures with masks, maps and matrices of attention, norms."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm
from numpy.typing import NDArray
from PIL import Image

from demo.paper.values import BlockAttention, Mask, Norms
from gclip_core import palette

INK, SOFT, BLUE, ORANGE = "#16202b", "#5d6875", "#2459b3", "#c8530f"
HEAT = LinearSegmentedColormap.from_list("heat", ["#fff7ec", "#fdbb6b", "#e0701b", "#8c2d04"])
MATRIX = LinearSegmentedColormap.from_list("matrix", ["#ffffff", "#9fb9e6", "#2459b3", "#0b1f4d"])
UNIFORM_RANGE = 2.5
"""Multiple of uniform attention that has the darkest colour, if no patch receives more."""
SIDE = 1000
"""Longest side of the pictures in a figure."""
MAX_TOKENS = 600
"""Longest side of a matrix; of a larger one, squares are averaged."""
OPACITY = 0.6
GREY = 0.55
"""Share of grey in the photo under a mask, so that colours are those of the legend."""
SPREAD = 10
"""Largest norm over the median from which the axis is logarithmic."""


def painted(photo: Image.Image, names: Sequence[str], mask: Mask | None) -> Image.Image:
    """The photo with the mask's classes in their colours and white lines between them."""
    scaled = SIDE / max(photo.size)
    width, height = (max(1, round(side * scaled)) for side in photo.size)
    small = photo.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
    if mask is None:
        return small
    down = np.linspace(0, photo.height - 1, height).round().astype(int)
    across = np.linspace(0, photo.width - 1, width).round().astype(int)
    labels = np.asarray(mask.labels)[down[:, None], across]
    grey = Image.blend(small, small.convert("L").convert("RGB"), GREY)
    colours = Image.fromarray(palette.table(names)[labels])
    opacity = np.where(labels < 0, 0, round(255 * OPACITY)).astype(np.uint8)
    out = np.array(Image.composite(colours, grey, Image.fromarray(opacity)))
    edge = np.zeros(labels.shape, bool)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    out[edge] = 255
    return Image.fromarray(out)


def picture(axes: Axes, image: Image.Image) -> None:
    """A picture as it is."""
    axes.set_axis_off()
    axes.imshow(np.asarray(image), interpolation="antialiased")


def highest(maps: Sequence[BlockAttention]) -> float:
    """The multiple of uniform attention that has the darkest colour in all maps."""
    return max([UNIFORM_RANGE, *(float(block.received.max()) for block in maps)])


def block_map(axes: Axes, block: BlockAttention, top: float) -> None:
    """The attention that each patch receives."""
    axes.set_axis_off()
    axes.imshow(block.received, cmap=HEAT, vmin=0, vmax=top, interpolation="nearest", aspect="auto")


def scale(axes: Axes, top: float) -> None:
    """The colours of the maps."""
    bar = Colorbar(axes, ScalarMappable(Normalize(0, top), HEAT))
    bar.outline.set_visible(False)
    bar.set_label("× uniform attention")


def matrix(axes: Axes, attention: NDArray[np.floating]) -> None:
    """Attention (1+N, 1+N) from token to token."""
    side = min(MAX_TOKENS, len(attention))
    # Pillow averages 32-bit floats without copies in 64 bits, which a large matrix would need.
    small = Image.fromarray(attention.astype(np.float32)).resize((side, side), Image.Resampling.BOX)
    shown = np.asarray(small)
    top = max(float(np.quantile(shown, 0.998)), 1e-9)
    axes.imshow(shown, cmap=MATRIX, norm=PowerNorm(0.5, 0, top), interpolation="antialiased")
    axes.set_xlabel("token that is attended to")
    axes.set_ylabel("token that attends")
    axes.set_xticks([])
    axes.set_yticks([])


def norms(axes: Axes, shown: Norms, size: float) -> None:
    """Norms of all channels; of those that CS changes, before (line) and after (dot)."""
    before, after = shown.before, shown.after
    channels, changed = np.arange(len(before)), ~np.isclose(before, after)
    median, largest = float(np.median(before)), float(before.max())
    floor = 0.0
    if largest > SPREAD * median:  # on a linear axis the ordinary channels would be invisible
        floor = 0.5 * float(before.min())
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    axes.vlines(channels, floor, before, color=BLUE, linewidth=0.4, alpha=0.55)
    axes.vlines(channels[changed], floor, before[changed], color=ORANGE, linewidth=1.6)
    axes.plot(channels[changed], after[changed], "o", color=INK, markersize=3.5)
    axes.set_xlim(-0.02 * len(channels), 1.02 * len(channels))
    axes.set_ylim(floor, (4 if floor else 1.25) * largest)
    axes.set_xlabel("output channel of the FFN")
    axes.set_ylabel("norm of its weights")
    note = f"CS changes nothing: largest {largest / median:.1f} × the median"
    if changed.any():
        note = "CS scales it to an ordinary norm (dot)"
        for at in channels[changed]:
            label = f"channel {at}: {before[at] / median:.0f} × the median"
            _name(axes, label, (at, before[at]), at > len(channels) / 2, size)
    axes.text(0.02, 1, note, fontsize=size, color=SOFT, va="top", transform=axes.transAxes)


def _name(axes: Axes, label: str, place: tuple[float, float], is_right: bool, size: float) -> None:
    """A label beside a line, on the side that has room."""
    side = {"xytext": (-4, -1), "ha": "right"} if is_right else {"xytext": (4, -1), "ha": "left"}
    axes.annotate(
        label, place, textcoords="offset points", color=ORANGE, fontsize=size, va="top", **side
    )
