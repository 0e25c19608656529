"""One figure of a result: ``python -m evaluation.figure photo.jpg --words … --out figure.pdf``.

Side by side: the photo, the masks before and after, the attention of the fused blocks, the last
block's matrix, and the channels' norms before and after CS. Its small form has the photo and the
mask alone, to be shared. A figure is drawn from plain values (:class:`Values`), which
:func:`values_of` computes with a segmenter.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from numpy.typing import NDArray
from PIL import Image

from evaluation.errors import EvaluationError
from evaluation.lettering import drawable, printable
from evaluation.options import add_backbone_options, opened_backbone
from evaluation.report import simulation
from evaluation.tally import write_atomically
from gclip_core import images, palette
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS, find_method
from gclip_core.numbering import block_numbers
from gclip_core.refine import REFINEMENTS, find_refinement
from gclip_core.segmenter import Segmenter
from gclip_core.types import Grid, Method, Segmentation

Kind = Literal["png", "pdf", "svg"]

WIDTH = 12.0
"""Of the figure, in inches; the small form's is SMALL_WIDTH."""
SMALL_WIDTH = 8.0
MARGIN = 0.42
GAP = 0.3
CAPTION = 0.34
"""Height above a panel for its title."""
MAX_HEIGHT = 5.4
"""Of a mask, in inches."""
UNIFORM_RANGE = 2.5
"""Multiple of uniform attention that has the darkest colour, if no patch receives more."""
MAX_PIXELS = 900
"""Longest side of the pictures in a figure."""
LONGEST_TITLE = 60
"""Maximum number of characters of the title."""
MAX_WORDS = 16
"""Words in the legend; of more, those that cover most."""
MAX_MAPS = 4
"""Fused blocks that are shown; of more, the first."""
OPACITY = 0.62
INK, SOFT, BLUE, ORANGE = "#16202b", "#5d6875", "#2459b3", "#d9621a"
HEAT = LinearSegmentedColormap.from_list("heat", ["#fff7ec", "#fdbb6b", "#e0701b", "#8c2d04"])
MATRIX = LinearSegmentedColormap.from_list("matrix", ["#ffffff", "#9fb9e6", "#2459b3", "#0b1f4d"])
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "figure.facecolor": "white",
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}
"""Fonts stay text in PDF and SVG."""


@dataclass(frozen=True, eq=False)
class Mask:
    """A mask and its title: labels (H, W) of a picture's pixels, -1 for no class."""

    title: str
    labels: NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class BlockAttention:
    """How much each patch is attended to in a block, (h, w); 1 is uniform. Blocks count from 1."""

    block: int
    received: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Norms:
    """Weight norms (D,) of a block's FFN output channels before and after CS.

    ``block`` counts from 1. ``simulated`` is the note on a planted channel, or empty.
    """

    block: int
    before: NDArray[np.floating]
    after: NDArray[np.floating]
    simulated: str = ""


@dataclass(frozen=True, eq=False)
class Values:
    """All that a figure shows, as plain values.

    ``names`` and ``areas`` (shares of the picture) are per class. ``matrix`` (1+N, 1+N) is the
    attention of the last block under the method of ``after``. ``foot`` is an address or a source.
    """

    title: str
    subtitle: str
    photo: Image.Image
    names: tuple[str, ...]
    areas: tuple[float, ...]
    before: Mask
    after: Mask
    attention: tuple[BlockAttention, ...]
    matrix: NDArray[np.floating]
    norms: Norms
    foot: str = ""


# --- computing -------------------------------------------------------------------------------


def values_of(
    segmenter: Segmenter,
    image: images.Source,
    words: str | Sequence[str],
    method: Method | None = None,
    rest: str = "auto",
    refine: str = "guided",
    foot: str = "",
) -> Values:
    """The values of a figure of ``method`` (default GCLIP), before it and after it.

    Before is ClearCLIP, which is GCLIP without AMF and CS.
    """
    picture = images.check(image)
    encoded = segmenter.encode(picture)
    method = method or METHODS["gclip"]
    trunk = segmenter.suppress(encoded, method)

    def segment(chosen: Method) -> Segmentation:
        return segmenter.segment(encoded, words, chosen, rest=rest, refine=refine, picture=picture)

    plain, result = segment(METHODS["clearclip"]), segment(method)
    blocks = result.report.fusion.blocks
    received = segmenter.received(encoded, blocks, clean=False) if blocks else ()
    return Values(
        title=", ".join(map(printable, result.vocabulary.names)),
        subtitle=subtitle(segmenter, result, encoded.grid),
        photo=picture,
        names=result.vocabulary.names,
        areas=result.areas(),
        before=Mask(plain.method.title, plain.labels.numpy()),
        after=Mask(result.method.title, result.labels.numpy()),
        attention=tuple(
            BlockAttention(number, m.unflatten(0, encoded.grid).numpy())
            for number, m in zip(block_numbers(blocks), received, strict=True)
        ),
        matrix=segmenter.last_attention(trunk, method).numpy(),
        norms=norms_of(segmenter, result),
        foot=foot,
    )


def subtitle(segmenter: Segmenter, result: Segmentation, grid: Grid) -> str:
    """Backbone, method, grid and refinement of a result in one line."""
    entry = find_refinement(result.refined)
    edges = "plain edges" if entry.coefficients is None else f"edges by {entry.title}"
    size = f"{grid[0]} × {grid[1]} patches"
    return " · ".join([segmenter.backbone.title, result.method.title, size, edges])


def norms_of(segmenter: Segmenter, result: Segmentation) -> Norms:
    """The norms of the block whose largest norm is furthest above the median."""
    report = result.report
    block = int(np.argmax(report.ratios))
    planted = [
        simulation(plant.channel, plant.gain, block_numbers(plant.blocks))
        for plant in segmenter.backbone.planted
    ]
    return Norms(
        block + 1,
        report.norms_before[block].numpy(),
        report.norms_after[block].numpy(),
        " · ".join(planted),
    )


# --- drawing ---------------------------------------------------------------------------------


def draw(values: Values, small: bool = False) -> Figure:
    """The figure, or its small form: title, photo and mask, words, method and foot."""
    with mpl.rc_context(STYLE):
        return _small(values) if small else _full(values)


def saved(figure: Figure, kind: Kind = "png", dpi: int = 150) -> bytes:
    """A figure's file; pictures in a PDF or SVG have ``dpi``, text stays text."""
    buffer = io.BytesIO()
    # Without a date, equal figures are equal files.
    dated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=dated)
    return buffer.getvalue()


@dataclass(frozen=True)
class _Page:
    """A figure that is filled from its top, in inches."""

    figure: Figure
    width: float
    height: float

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes of this size, ``top`` inches below the figure's top."""
        bottom = self.height - top - height
        box = (
            left / self.width, bottom / self.height, width / self.width, height / self.height
        )  # fmt: skip
        return self.figure.add_axes(box)

    def text(self, left: float, top: float, text: str, **style: object) -> None:
        """A line of text whose upper edge is ``top`` inches below the figure's top."""
        at = left / self.width, 1 - top / self.height
        self.figure.text(*at, text, **{"va": "top", **style})


def _page(width: float, height: float) -> _Page:
    return _Page(Figure(figsize=(width, height)), width, height)


def _full(values: Values) -> Figure:
    aspect = _aspect(values.photo)
    inner = WIDTH - 2 * MARGIN
    slot = (inner - 2 * GAP) / 3
    tall = min(slot / aspect, MAX_HEIGHT)
    lines = _legend_lines(values, inner)
    low, places = _lower_row(values, inner, aspect)
    top = 1.12
    legend_top = top + CAPTION + tall + 0.16
    lower_top = legend_top + 0.3 * len(lines) + 0.22
    height = lower_top + CAPTION + low + 0.95
    page = _page(WIDTH, height)
    _head(page, values)
    pictures = [
        ("Photo", None),
        (values.before.title, values.before),
        (values.after.title, values.after),
    ]
    for index, (title, mask) in enumerate(pictures):
        left = MARGIN + index * (slot + GAP)
        _picture(page, left, top, (min(slot, tall * aspect), tall), title, values, mask)
    _legend(page, legend_top, lines)
    _attention_row(page, values, lower_top, low, places)
    if values.foot:
        page.text(MARGIN, height - 0.3, values.foot, fontsize=8, color=SOFT)
    return page.figure


def _small(values: Values) -> Figure:
    aspect = _aspect(values.photo)
    inner = SMALL_WIDTH - 2 * MARGIN
    slot = (inner - 0.2) / 2
    tall = min(slot / aspect, MAX_HEIGHT)
    lines = _legend_lines(values, inner)
    top = 1.0
    legend_top = top + tall + 0.2
    height = legend_top + 0.3 * len(lines) + 0.5
    page = _page(SMALL_WIDTH, height)
    _head(page, values)
    size = min(slot, tall * aspect), tall
    _picture(page, MARGIN, top - CAPTION, size, "", values, None)
    _picture(page, MARGIN + size[0] + 0.2, top - CAPTION, size, "", values, values.after)
    _legend(page, legend_top, lines)
    page.text(MARGIN, height - 0.36, values.foot, fontsize=8, color=SOFT)
    return page.figure


def _head(page: _Page, values: Values) -> None:
    title = printable(values.title)
    if len(title) > LONGEST_TITLE:
        title = title[: LONGEST_TITLE - 1].rstrip() + "…"
    page.text(MARGIN, 0.32, title, fontsize=16, fontweight="bold")
    lines = [values.subtitle, values.norms.simulated]
    page.text(MARGIN, 0.68, " · ".join(filter(None, lines)), fontsize=9.5, color=SOFT)


def _aspect(photo: Image.Image) -> float:
    """Width over height of a panel; a strip gets white space."""
    return min(3.0, max(0.5, photo.width / photo.height))


def _reduced(photo: Image.Image) -> tuple[int, int]:
    """Width and height of a picture in the figure, in pixels."""
    shrink = min(1.0, MAX_PIXELS / max(photo.size))
    return max(1, round(photo.width * shrink)), max(1, round(photo.height * shrink))


def _picture(
    page: _Page,
    left: float,
    top: float,
    size: tuple[float, float],
    title: str,
    values: Values,
    mask: Mask | None,
) -> None:
    """The photo, with a mask over it if there is one."""
    page.text(left, top + 0.06, title, fontsize=10, fontweight="bold")
    axes = page.axes(left, top + CAPTION, *size)
    axes.set_axis_off()
    axes.imshow(np.asarray(painted(values.photo, values.names, mask)), interpolation="lanczos")


def painted(photo: Image.Image, names: Sequence[str], mask: Mask | None) -> Image.Image:
    """The photo with the mask's classes in their colours and white lines between them."""
    small = photo.resize(_reduced(photo), Image.Resampling.LANCZOS)
    if mask is None:
        return small
    down = np.linspace(0, photo.height - 1, small.height).round().astype(int)
    across = np.linspace(0, photo.width - 1, small.width).round().astype(int)
    labels = np.asarray(mask.labels)[down[:, None], across]
    colours = Image.fromarray(palette.table(names)[labels])
    opacity = np.where(labels < 0, 0, round(255 * OPACITY)).astype(np.uint8)
    out = np.array(Image.composite(colours, small, Image.fromarray(opacity)))
    edge = np.zeros(labels.shape, bool)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    out[edge] = 255
    return Image.fromarray(out)


@dataclass(frozen=True)
class _Entry:
    """A word of the legend: its place in inches, and its colour."""

    left: float
    text: str
    colour: str


def _legend_lines(values: Values, width: float) -> list[list[_Entry]]:
    """Words with their share, from left to right, in as many lines as they need."""
    order = range(len(values.names))
    if len(order) > MAX_WORDS:
        order = sorted(sorted(order, key=lambda i: -values.areas[i])[:MAX_WORDS])
    colours = palette.of_names(values.names)
    texts = [
        (f"{drawable(values.names[i], i)}  {_percent(values.areas[i])}", colours[i]) for i in order
    ]
    none = 1 - sum(values.areas)
    if none > 5e-4:
        texts.append((f"no class  {_percent(none)}", palette.NO_CLASS))
    if len(values.names) > MAX_WORDS:
        texts.append((f"and {len(values.names) - MAX_WORDS} more words", "#ffffff"))
    lines: list[list[_Entry]] = [[]]
    left = 0.0
    for text, colour in texts:
        taken = 0.44 + 0.074 * len(text)
        if left + taken > width and lines[-1]:
            lines.append([])
            left = 0.0
        lines[-1].append(_Entry(left, text, colour))
        left += taken
    return lines


def _legend(page: _Page, top: float, lines: list[list[_Entry]]) -> None:
    for index, line in enumerate(lines):
        at = top + 0.3 * index
        for entry in line:
            left = MARGIN + entry.left
            corner = left / page.width, 1 - (at + 0.145) / page.height
            box = FancyBboxPatch(
                corner,
                0.2 / page.width,
                0.15 / page.height,
                boxstyle="square,pad=0",
                transform=page.figure.transFigure,
                facecolor=entry.colour,
                edgecolor="none",
            )
            page.figure.add_artist(box)
            page.text(left + 0.27, at, entry.text, fontsize=9)


def _percent(share: float) -> str:
    return "<0.1 %" if 0 < share < 5e-4 else f"{100 * share:.1f} %"


def _lower_row(values: Values, inner: float, aspect: float) -> tuple[float, list[float]]:
    """Height of the lower row, and the width of each panel: maps, matrix, norms."""
    n = len(values.attention[:MAX_MAPS])
    gaps = 0.55 * (n + 1) + 0.35
    least = 3.0  # inches for the norms
    height = min(2.6, (inner - least - gaps) / (n * aspect + 1))
    widths = [height * aspect] * n + [height]
    return height, [*widths, inner - sum(widths) - gaps]


def _attention_row(
    page: _Page, values: Values, top: float, height: float, widths: Sequence[float]
) -> None:
    left = MARGIN
    shown = values.attention[:MAX_MAPS]
    highest = max([UNIFORM_RANGE, *(float(block.received.max()) for block in shown)])
    for block, width in zip(shown, widths, strict=False):
        _map(page, (left, top, width, height), block, highest)
        left += width + 0.55
    left += 0.35
    _matrix(page, (left, top, height, height), values)
    left += height + 0.55
    _norms(page, (left, top, widths[-1], height), values.norms)


Box = tuple[float, float, float, float]
"""Left, top, width and height in inches; the title is inside, the panel below it."""


def _panel(page: _Page, box: Box, title: str, note: str = "") -> Axes:
    left, top, width, height = box
    page.text(left, top + 0.02, title, fontsize=10, fontweight="bold")
    axes = page.axes(left, top + CAPTION, width, height)
    page.text(left, top + CAPTION + height + 0.08, note, fontsize=8, color=SOFT)
    return axes


def _map(page: _Page, box: Box, attention: BlockAttention, highest: float) -> None:
    note = f"attention that patches receive,\nat most {attention.received.max():.1f} × uniform"
    axes = _panel(page, box, f"Block {attention.block}", note)
    axes.set_axis_off()
    axes.imshow(
        attention.received, cmap=HEAT, vmin=0, vmax=highest, interpolation="nearest", aspect="auto"
    )


def _matrix(page: _Page, box: Box, values: Values) -> None:
    axes = _panel(page, box, "Last block’s attention")
    highest = max(float(np.quantile(values.matrix, 0.998)), 1e-9)
    axes.imshow(
        values.matrix, cmap=MATRIX, norm=PowerNorm(0.5, 0, highest), interpolation="antialiased"
    )
    axes.set_xlabel("token that is attended to")
    axes.set_ylabel("token that attends")
    axes.set_xticks([])
    axes.set_yticks([])


def _norms(page: _Page, box: Box, norms: Norms) -> None:
    axes = _panel(page, box, f"Channel norms, block {norms.block}")
    channels = np.arange(len(norms.before))
    changed = ~np.isclose(norms.before, norms.after)
    median = float(np.median(norms.before))
    ratio = float(norms.before.max()) / median
    floor = 0.0
    if ratio > 10:  # on a linear axis the ordinary channels would be invisible
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        floor = 0.5 * float(norms.before.min())
    axes.vlines(channels, floor, norms.before, color=BLUE, linewidth=0.6, alpha=0.55)
    axes.vlines(channels[changed], floor, norms.before[changed], color=ORANGE, linewidth=2.2)
    axes.plot(channels[changed], norms.after[changed], "o", color=INK, markersize=4.5)
    axes.set_xlim(-0.02 * len(channels), 1.02 * len(channels))
    axes.set_ylim(floor, (1.6 if floor else 1.1) * float(norms.before.max()))
    axes.set_xlabel("output channel of the FFN")
    if changed.any():
        for at in channels[changed]:
            text = f"channel {at}: {norms.before[at] / median:.0f} × the median"
            place = {"xy": (at, norms.before[at]), "textcoords": "offset points"}
            axes.annotate(text, xytext=(6, -2), color=ORANGE, fontsize=8, **place)
        note = "CS scales it to an ordinary norm (dot)"
    else:
        note = f"CS changes nothing: the largest is {ratio:.1f} × the median"
    axes.set_title(note, fontsize=8, color=SOFT, loc="left", pad=4)


# --- command line ----------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure of a photo; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.figure", description=__doc__)
    parser.add_argument("photo", type=Path, help="an image file")
    parser.add_argument("--words", help="as in gclip; without it, suggested words")
    parser.add_argument("--out", type=Path, required=True, help="a .pdf, .svg or .png file")
    parser.add_argument("--small", action="store_true", help="photo and mask alone, to be shared")
    parser.add_argument("--method", default="gclip", choices=list(METHODS))
    parser.add_argument("--rest", default="auto", choices=["auto", "background", "none"])
    parser.add_argument("--refine", default="guided", choices=list(REFINEMENTS))
    parser.add_argument("--title", help="default: the words")
    add_backbone_options(parser)
    args = parser.parse_args(arguments)
    try:
        kind = args.out.suffix.lower().lstrip(".")
        if kind not in ("png", "pdf", "svg"):
            raise EvaluationError(
                f"A file that ends in .pdf, .svg or .png was expected, but {args.out.name} came."
            )
        segmenter = Segmenter(opened_backbone(args, args.backbone))
        picture = images.check(args.photo)
        words = args.words or ", ".join(segmenter.suggest(picture))
        method = find_method(args.method)
        values = values_of(segmenter, picture, words, method, args.rest, args.refine)
        write_atomically(args.out, saved(draw(values, args.small), kind))
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"written: {args.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
