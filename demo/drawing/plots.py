"""Plots of numbers as SVG text that takes the page's own text colour: right in light and dark.

Every function returns SVG for a ``gr.HTML`` (``html_template="${value}"`` is safe here: a plot
holds numbers and backbone titles, never a visitor's words).
Blocks are 0-based in arguments and counted from 1 in the picture.

Usage::

    by_block_plots(entropy, entropy_after, ratios, ratios_after, model, suppressed=(6, 7))
    scores_plot(scores, threshold=5.0, model="…", amf_blocks=(5, 6))
    similarity_plot([("CS off", 0.8, 0.4), ("CS on", 0.85, 0.3)], model="…")
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Collection, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

BEFORE = "#4a90d9"
AFTER = "#1f9d83"
MARK = "#e0633a"
TEXT = "#010203"
"""Stands for the page's text colour while drawing; no other colour may equal it."""
LOG_FROM = 12.0
TOP = 0.36
STYLE = {
    "svg.hashsalt": "gclip",  # parts are called the same in every process
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "axes.titlesize": 10,
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.titlecolor": TEXT,
    "text.color": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 10,
}
_drawing = threading.Lock()

Draw = Callable[[Figure], None]


def by_block_plots(
    entropy: ArrayLike,
    entropy_after: ArrayLike,
    ratios: ArrayLike,
    ratios_after: ArrayLike,
    model: str,
    suppressed: Collection[int] = (),
    threshold: float = 2.0,
) -> tuple[str, str]:
    """Two plots by block, before and after CS: entropy of the norms; largest norm over median."""

    number = np.arange(1, len(np.asarray(entropy)) + 1)
    largest = max(_finite(ratios, ratios_after))

    def lines(figure: Figure, old: ArrayLike, new: ArrayLike, title: str) -> Axes:
        axes = figure.add_subplot()
        axes.plot(number, old, "o-", color=MARK, markersize=4, label="before CS")
        if len(suppressed):
            axes.plot(number, new, "s--", color=AFTER, markersize=4, label="after CS")
        _block_axis(axes, len(number))
        axes.set_title(f"{title} · {model}", loc="left", x=-0.1)
        return axes

    def draw_entropy(figure: Figure) -> None:
        axes = lines(figure, entropy, entropy_after, "Entropy")
        axes.set_ylabel("entropy (1: all equal)")
        axes.set_ylim(min(0.95, min(_finite(entropy, entropy_after)) - 0.03), 1.005)
        axes.legend(loc="lower left")

    def draw_ratio(figure: Figure) -> None:
        axes = lines(figure, ratios, ratios_after, "Largest norm")
        log = largest > LOG_FROM
        if log:
            _log_scale(axes)
        axes.set_ylabel("largest / median" + (" (log scale)" if log else ""))
        axes.set_ylim(0.8 if log else 0, max(largest, threshold) * 1.25)
        axes.axhline(threshold, color=TEXT, linewidth=0.7, linestyle=(0, (4, 3)))
        axes.text(  # on the left: the first blocks are ordinary in every model met so far
            0.02, threshold, f"abnormal from {threshold:g}", ha="left", va="bottom",
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip

    size = (3.9, 2.9)
    return (
        svg(draw_entropy, size, f"Entropy of the weight norms by block, {model}"),
        svg(draw_ratio, size, f"Largest weight norm over median by block, {model}"),
    )


def scores_plot(
    scores: Sequence[float],
    threshold: float,
    model: str,
    amf_blocks: Collection[int] = (),
    agreement: Sequence[float] | None = None,
) -> str:
    """Global-token score of every block, the threshold, and which blocks AMF fuses.

    ``agreement`` (cosine with the class token's row, nan where there is no global token) is
    written above the bars when given.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        number = np.arange(1, len(scores) + 1)
        fused = [index in amf_blocks for index in range(len(scores))]
        for taken, colour, label in ((False, BEFORE, "not fused"), (True, MARK, "fused by AMF")):
            chosen = [i for i, one in enumerate(fused) if one == taken]
            if chosen:
                heights = [scores[i] for i in chosen]
                axes.bar(number[chosen], heights, 0.7, color=colour, label=label)
        largest = max(max(scores, default=1.0), threshold)
        log = largest > 10 * LOG_FROM
        if log:
            _log_scale(axes)
        axes.set_ylim(0.8 if log else 0, largest * (5.0 if log else 1.6))
        axes.axhline(
            threshold, color=TEXT, linewidth=0.8, linestyle=(0, (4, 3)),
            label=f"global token from ×{threshold:g}",
        )  # fmt: skip
        for index, cosine in enumerate(agreement if agreement is not None else ()):
            if np.isfinite(cosine):
                axes.annotate(
                    f"{cosine:.2f}", (index + 1, scores[index]), (0, 3), ha="center", fontsize=9,
                    textcoords="offset points",
                )  # fmt: skip
        _block_axis(axes, len(scores))
        axes.set_ylabel("most attended (× uniform)")
        axes.set_title(f"Global-token score · {model}", loc="left", x=-0.1)
        axes.legend(loc="upper left", ncols=2)

    return svg(draw, (4.4, 3.0), f"Global-token score by block, {model}")


def similarity_plot(rows: Sequence[tuple[str, float, float]], model: str) -> str:
    """Mean cosine of last-block Values within regions (in-in) and across (in-out), per variant."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        place = np.arange(len(rows))[::-1]
        for offset, column, colour, label in (
            (0.19, 1, AFTER, "in-in: one region"),
            (-0.19, 2, MARK, "in-out: two regions"),
        ):
            values = np.array([row[column] for row in rows], float)
            axes.barh(place + offset, np.nan_to_num(values), 0.36, color=colour, label=label)
            for y, value in zip(place + offset, values, strict=True):
                shown = f"{value:.3f}" if np.isfinite(value) else "no pairs"
                axes.text(max(np.nan_to_num(value), 0) + 0.01, y, shown, va="center", fontsize=9)
        axes.set_yticks(place, [row[0] for row in rows])
        lowest = min([0.0, *(v for row in rows for v in row[1:] if np.isfinite(v))])
        axes.set_xlim(lowest, 1.12)
        axes.set_xlabel("mean cosine of last-block Values")
        axes.set_ylim(-0.55, len(rows) - 0.1)
        axes.set_title(f"Within and across regions · {model}", loc="left")
        axes.legend(loc="upper left", ncols=2)

    height = 1.4 + 0.5 * len(rows)
    return svg(draw, (4.7, height), f"In-in and in-out similarity, {model}")


def svg(draw: Draw, size: tuple[float, float], label: str) -> str:
    """Draw into an SVG of ``size`` inches whose text and axes take the page's text colour."""
    buffer = io.StringIO()
    with _drawing, matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size)
        draw(figure)
        _margins(figure, size)
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")),
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(TEXT, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px; font-family: inherit", text)
    text = text.replace('<text style="', '<text style="fill: currentColor; ')
    head = f'<svg class="plot" role="img" aria-label="{_attribute(label)}" '
    return re.sub(
        r'<svg (.*?)width="[^"]*" height="[^"]*"', head + r"\1", text, count=1, flags=re.S
    )


def _margins(figure: Figure, size: tuple[float, float]) -> None:
    """Fixed margins in inches: measuring the text for a layout takes longer than the plot."""
    width, height = size
    figure.subplots_adjust(
        left=0.75 / width,
        right=1 - 0.1 / width,
        bottom=0.55 / height,
        top=1 - TOP / height,
        wspace=0.3,
    )


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _finite(*rows: ArrayLike) -> list[float]:
    """The finite numbers of all rows, or 1: a block whose weights are all 0 has no ratio."""
    values = np.concatenate([np.asarray(row, float) for row in rows])
    return values[np.isfinite(values)].tolist() or [1.0]


def _log_scale(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _block_axis(axes: Axes, n_blocks: int) -> None:
    axes.set_xlim(0.4, n_blocks + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel(f"block (of {n_blocks})")
