"""The figure of a backbone's channels: weight norms, their entropy, and the Values."""

import io
import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evaluation import planting
from evaluation.phenomena.measurement import Phenomena
from evaluation.saving import write_atomically
from evaluation.tables import counted

SOFT, BLUE, ORANGE, TEAL = "#6b7684", "#2459b3", "#e0701b", "#1b8a7a"
STYLE = mpl.rc_params_from_file(
    Path(__file__).with_name("paper.mplstyle"), use_default_template=False
)


def draw(phenomena: Phenomena, folder: Path) -> Path:
    """Draw the channels of a backbone; returns the file."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        _draw_channels(phenomena).savefig(buffer, format="png", dpi=160)
    write_atomically(folder / "channels.png", buffer.getvalue())
    return folder / "channels.png"


def _about(phenomena: Phenomena) -> str:
    mean = f"mean over {counted(phenomena.images, 'image')}"
    return " · ".join([phenomena.backbone.title, mean, *planting.notes(phenomena.backbone)])


def _draw_channels(phenomena: Phenomena) -> Figure:
    """Norms of every output channel by block, their entropy, and the Values."""
    n_blocks = phenomena.backbone.n_blocks
    step = math.ceil(n_blocks / 12)
    shown = range((n_blocks - 1) % step, n_blocks, step)  # at most 12 blocks, with the last
    columns = 6
    rows = math.ceil(len(shown) / columns)
    height = 3.7 + 1.75 * rows  # inches
    figure = Figure(figsize=(13.2, height), layout="constrained")
    figure.get_layout_engine().set(rect=(0.01, 0.015, 0.98, 0.985 - 0.78 / height))
    title = "Weight norms of the FFN's output channels, before and after CS"
    figure.text(0.017, 1 - 0.16 / height, title, fontsize=14, fontweight="bold", va="top")
    figure.text(0.017, 1 - 0.46 / height, _about(phenomena), fontsize=10, color=SOFT, va="top")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.75 * rows, 2.9])
    cells = top.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    norms = phenomena.report.norms_before[list(shown)]
    lowest, highest = float(norms.clamp_min(1e-6).min()), float(norms.max())
    for cell, block in zip(cells.flat, shown, strict=False):
        _norms_cell(cell, phenomena, block, lowest, highest)
    for cell in cells.flat[len(shown) :]:
        cell.set_visible(False)
    for cell in cells[-1]:
        cell.set_xlabel("output channel", fontsize=9)
    for cell in cells[:, 0]:
        cell.set_ylabel("norm", fontsize=9)
    entropy, values = bottom.subplots(1, 2)
    _entropy_curve(entropy, phenomena)
    _values_bars(values, phenomena)
    return figure


def _norms_cell(
    axes: Axes, phenomena: Phenomena, block: int, lowest: float, highest: float
) -> None:
    report = phenomena.report
    before, after = report.norms_before[block].numpy(), report.norms_after[block].numpy()
    channels = np.arange(len(before))
    changed = ~np.isclose(before, after)
    is_wide = highest > 10 * lowest  # on a linear axis the ordinary channels would be invisible
    floor = 0.4 * lowest if is_wide else 0.0
    axes.vlines(channels, floor, before, color=BLUE, linewidth=0.8, alpha=0.6)
    axes.vlines(channels[changed], floor, before[changed], color=ORANGE, linewidth=2.4)
    axes.plot(channels[changed], after[changed], "o", color=TEAL, markersize=5, zorder=3)
    note = f"channel {report.channels[block]}: {report.ratios[block]:.1f} × median"
    axes.set_title(f"block {block + 1}", fontsize=10, pad=13)
    axes.text(0, 1.02, note, transform=axes.transAxes, fontsize=8, color=SOFT)
    axes.set_xlim(-0.02 * len(before), 1.02 * len(before))
    if is_wide:
        axes.set(yscale="log", ylim=(0.5 * lowest, 2 * highest))
    else:
        axes.set_ylim(0, 1.06 * highest)
    axes.tick_params(labelsize=8)


def _entropy_curve(axes: Axes, phenomena: Phenomena) -> None:
    n_blocks = phenomena.backbone.n_blocks
    at = np.arange(1, n_blocks + 1)
    axes.set(xlabel="block (counted from 1)", xlim=(0.4, n_blocks + 0.6))
    axes.set_xticks(range(1, n_blocks + 1, 1 if n_blocks <= 12 else 2))
    before, after = phenomena.report.entropy.numpy(), phenomena.report.entropy_after.numpy()
    if not np.allclose(before, after, atol=1e-4):
        axes.plot(at, after, color=TEAL, linewidth=2.2, marker="o", label="with CS")
    axes.plot(at, before, color=BLUE, linewidth=2.2, marker="o", label="without CS")
    axes.set_title("Entropy of the norms (1: all equal)")
    low = min(float(before.min()), float(after.min()))
    span = max(1 - low, 0.05)  # so that small differences do not look large
    axes.set_ylim(1 - 1.15 * span, 1 + 0.15 * span)
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.legend(loc="lower left")
    axes.grid(axis="y")


def _values_bars(axes: Axes, phenomena: Phenomena) -> None:
    if not phenomena.similarities:
        axes.axis("off")
        return
    axes.set_title("Mean cosine of the last block's Values")
    similarities = phenomena.similarities
    at = np.arange(len(similarities))
    for offset, name, colour in ((-0.2, "inside", BLUE), (0.2, "across", ORANGE)):
        heights = [getattr(similarity, name) for similarity in similarities]
        bars = axes.bar(at + offset, heights, width=0.36, color=colour)
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
    axes.set_xticks(at, [similarity.label for similarity in similarities])
    axes.tick_params(axis="x", length=0)
    axes.axhline(0, color=SOFT, linewidth=1)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.45 * (high - low))
    handles = [Line2D([], [], color=c, linewidth=6) for c in (BLUE, ORANGE)]
    axes.legend(handles, ["within regions (in-in)", "across regions (in-out)"], loc="upper left")
