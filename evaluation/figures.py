"""Figures of results, and what all figures of this folder look like."""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from evaluation import report
from evaluation.rows import SWEEPS
from evaluation.tally import Tally, write_atomically

INK, SOFT, FAINT = "#1d2733", "#6b7684", "#dfe4ea"
BLUE, ORANGE, TEAL = "#2459b3", "#e0701b", "#1b8a7a"
STYLE = mpl.rc_params_from_file(
    Path(__file__).with_name("paper.mplstyle"), use_default_template=False
)


def draw_result(tally: Tally, folder: Path) -> list[Path]:
    """Draw whatever a result holds: its methods, its 2 x 2, its sweep; returns the files."""
    found = report.lines(tally)
    parts = {"methods": _draw_methods, "ablation": _draw_ablation, "sweep": _draw_sweep}
    written = []
    with mpl.rc_context(STYLE):
        for name, draw in parts.items():
            mine = [line for line in found if line.part == name]
            if mine:
                figure = draw(mine, tally.settings)
                written.append(save(figure, folder / f"{name}.png"))
    return written


def save(figure: Figure, path: Path) -> Path:
    """Write a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    write_atomically(path, buffer.getvalue())
    return path


def level(axes: Axes, y: float, text: str) -> None:
    """A dashed line across, and what it means."""
    axes.axhline(y, color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.annotate(
        text, (0, y), xycoords=("axes fraction", "data"), xytext=(4, 4),
        textcoords="offset points", color=SOFT, fontsize=9,
    )  # fmt: skip


def _subtitle(settings: dict[str, Any]) -> str:
    planted = " · simulation: planted channel" if settings["planted"] else ""
    return f"{settings['title']} · {settings['backbone_title']}{planted}"


def new_figure(width: float, height: float, title: str, subtitle: str) -> Figure:
    """An empty figure, sizes in inches, with title and subtitle flush left above all of it."""
    figure = Figure(figsize=(width, height), layout="constrained")
    rect = (0.01, 0.015, 0.98, 1 - 0.015 - 0.78 / height)
    figure.get_layout_engine().set(rect=rect, w_pad=0.08, h_pad=0.08)
    x = 0.22 / width
    figure.text(x, 1 - 0.16 / height, title, fontsize=14, fontweight="bold", va="top")
    figure.text(x, 1 - 0.46 / height, subtitle, fontsize=10, color=SOFT, va="top")
    return figure


# --- results ---------------------------------------------------------------------------------


def _draw_methods(found: Sequence[report.Line], settings: dict[str, Any]) -> Figure:
    """A lollipop for each method, best on top."""
    order = sorted(found, key=lambda line: (math.isnan(line.miou), line.miou))
    figure = new_figure(7.4, 1.5 + 0.42 * len(order), "Mean IoU by method", _subtitle(settings))
    axes = figure.subplots()
    for y, line in enumerate(order):
        colour = ORANGE if line.label.startswith("GCLIP") else BLUE
        value = 0.0 if math.isnan(line.miou) else 100 * line.miou
        axes.plot([0, value], [y, y], color=colour, linewidth=3, solid_capstyle="round")
        axes.plot(value, y, "o", color=colour, markersize=8)
        label = {"xytext": (10, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(f"{value:.1f}", (value, y), fontweight="bold", **label)
    axes.set_yticks(range(len(order)), [line.label for line in order])
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlim(0, 1.12 * max(100 * line.miou for line in order if not math.isnan(line.miou)))
    axes.set_xlabel("mIoU, %")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return figure


def _draw_ablation(found: Sequence[report.Line], settings: dict[str, Any]) -> Figure:
    """The 2 x 2 as four cells, coloured by their difference to "both off"."""
    by = {line.at: 100 * line.miou for line in found}
    base = by[(0, 0)]
    reach = max(1.0, *(abs(v - base) for v in by.values() if not math.isnan(v)))
    figure = new_figure(5.8, 4.6, "AMF and CS, one by one and together", _subtitle(settings))
    axes = figure.subplots()
    colours = mpl.colormaps["PuOr_r"]
    for (amf, cs), value in by.items():
        share = 0.0 if math.isnan(value) else (value - base) / reach
        face = colours(0.5 + 0.24 * share)
        axes.add_patch(Rectangle((cs + 0.03, amf + 0.03), 0.94, 0.94, color=face, linewidth=0))
        axes.text(
            cs + 0.5, amf + 0.44, "–" if math.isnan(value) else f"{value:.1f}",
            ha="center", va="center", fontsize=24, fontweight="bold",
        )  # fmt: skip
        change = "ClearCLIP" if amf == cs == 0 else report.difference(value / 100, base / 100)
        axes.text(cs + 0.5, amf + 0.74, change, ha="center", va="center", color=INK)
    axes.set_xlim(0, 2)
    axes.set_ylim(2, 0)
    axes.set_xticks([0.5, 1.5], ["CS off", "CS on"], fontsize=12)
    axes.set_yticks([0.5, 1.5], ["AMF off", "AMF on"], fontsize=12, rotation=90, va="center")
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_aspect("equal")
    return figure


def _draw_sweep(found: Sequence[report.Line], settings: dict[str, Any]) -> Figure:
    """mIoU over the swept value, against the row with the idea off."""
    base, *rest = found
    axis = _swept_axis(found)
    at = [line.at[0] for line in rest]
    values = [100 * line.miou for line in rest]
    off = 100 * base.miou
    figure = new_figure(7.4, 4.4, f"Mean IoU by {axis}", _subtitle(settings))
    axes = figure.subplots()
    level(axes, off, f"{base.label}: {off:.1f}")
    axes.plot(at, values, color=BLUE, linewidth=2.5, marker="o", markersize=7)
    best = int(np.nanargmax(values))
    axes.plot(at[best], values[best], "o", color=ORANGE, markersize=11, zorder=3)
    axes.annotate(
        f"{rest[best].label}: {values[best]:.1f}", (at[best], values[best]),
        xytext=(0, 12), textcoords="offset points", fontweight="bold", color=ORANGE,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        ha="left" if best < len(at) / 3 else "right" if best > 2 * len(at) / 3 else "center",
    )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xticks(at)
    axes.margins(x=0.04, y=0.16)
    axes.set_xlabel(f"{axis} (counted from 1)" if "block" in axis else axis)
    axes.set_ylabel("mIoU, %")
    axes.grid(axis="y")
    return figure


def _swept_axis(found: Sequence[report.Line]) -> str:
    """What was swept, by what its rows are called."""
    fits = [sweep.axis for sweep in SWEEPS.values() if sweep.off == found[0].label]
    counts_them = found[1].label.endswith(("block", "blocks"))
    return fits[-1 if counts_them else 0]
