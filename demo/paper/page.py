"""A page in inches from its upper left corner, on which a figure is drawn; sizes of text."""

from bisect import bisect_right
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from demo.paper import panels

Box = tuple[float, float, float, float]
"""Left, top, width and height of a panel in inches."""


@dataclass(frozen=True)
class Form:
    """Sizes of a form of the figure: inches, and points of fonts."""

    width: float
    margin: float
    title: float
    text: float
    note: float
    tallest: float
    """Of a mask."""
    stacked: float
    """Width over height from which pictures are below each other."""
    stacked_height: float
    """Of a picture then, at most."""


FULL = Form(
    width=7.2,
    margin=0.2,
    title=12,
    text=7.5,
    note=6.5,
    tallest=3.3,
    stacked=2.4,
    stacked_height=1.5,
)
"""As wide as the text of a page with two columns."""
SMALL = Form(
    width=5.4, margin=0.3, title=16, text=9.5, note=8, tallest=4.0, stacked=1.1, stacked_height=4.4
)
"""A phone's screen; 1080 pixels at 200 dpi."""
STYLE = {
    "font.size": FULL.text,
    "text.color": panels.INK,
    "text.parse_math": False,
    "axes.edgecolor": panels.SOFT,
    "axes.labelcolor": panels.SOFT,
    "axes.labelsize": FULL.note,
    "axes.labelpad": 2,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": panels.SOFT,
    "ytick.color": panels.SOFT,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "figure.facecolor": "white",
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}
"""Fonts stay text in PDF and SVG. Their families depend on the words."""


class Page:
    """A figure that is filled from its top."""

    def __init__(self, form: Form, height: float) -> None:
        self.form = form
        self.height = height
        self.figure = Figure(figsize=(form.width, height))

    def place(self, left: float, top: float) -> tuple[float, float]:
        """A place as matplotlib counts it: in shares of the figure, from its lower left."""
        return left / self.form.width, 1 - top / self.height

    def axes(self, box: Box) -> Axes:
        """Axes in a box."""
        left, top, width, height = box
        x, y = self.place(left, top + height)
        return self.figure.add_axes((x, y, width / self.form.width, height / self.height))

    def text(self, left: float, top: float, text: str, size: float, **style: object) -> None:
        """Text whose upper edge is at ``top``."""
        self.figure.text(*self.place(left, top), text, va="top", fontsize=size, **style)


def width_of(text: str, size: float, weight: str = "normal") -> float:
    """Width of a text in inches, in the fonts of matplotlib's settings."""
    font = FontProperties(weight=weight)
    return TextPath((0, 0), text, size, prop=font).get_extents().width / 72 if text else 0.0


def fitted(text: str, width: float, size: float, weight: str = "normal") -> str:
    """A text in one line, cut with "…" to a width."""
    line = text[:200]
    if width_of(line, size, weight) <= width:
        return line

    def cut(length: int) -> str:
        return line[:length].rstrip(" ,") + "…"

    lengths = range(len(line))
    return cut(bisect_right(lengths, width, key=lambda n: width_of(cut(n), size, weight)) - 1)


def lines_of(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """A list of words in two lines at most, the second cut with "…" to a width."""
    first, *others = text.split(", ")
    while others and width_of(f"{first}, {others[0]},", size, weight) <= width:
        first += f", {others.pop(0)}"
    rest = ", ".join(others)
    lines = [f"{first}," if rest else first, rest]
    return [fitted(line, width, size, weight) for line in lines if line]


def line_height(size: float) -> float:
    """Height of a line of this font size."""
    return 1.45 * size / 72


def caption_height(form: Form) -> float:
    """Height above a panel for its title."""
    return line_height(form.text) + 0.04
