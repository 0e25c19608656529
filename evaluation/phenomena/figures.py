"""The two figures of what is inside a backbone: its global tokens, and its channels."""

import io
import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from evaluation.phenomena import Phenomena, planted
from evaluation.tally import write_atomically

SOFT, BLUE, ORANGE, TEAL = "#6b7684", "#2459b3", "#e0701b", "#1b8a7a"
STYLE = mpl.rc_params_from_file(
    Path(__file__).with_name("paper.mplstyle"), use_default_template=False
)


def draw(found: Phenomena, folder: Path) -> list[Path]:
    """Draw global tokens and channels of a backbone; returns the two files."""
    with mpl.rc_context(STYLE):
        return [
            _save(_draw_tokens(found), folder / "global-tokens.png"),
            _save(_draw_channels(found), folder / "channels.png"),
        ]


def _save(figure: Figure, path: Path) -> Path:
    """Write a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160)
    write_atomically(path, buffer.getvalue())
    return path


def _level(axes: Axes, y: float, text: str) -> None:
    """A dashed line across, and what it means."""
    axes.axhline(y, color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.annotate(
        text, (0, y), xycoords=("axes fraction", "data"), xytext=(4, 4),
        textcoords="offset points", color=SOFT, fontsize=9,
    )  # fmt: skip


def _new_figure(width: float, height: float, title: str, subtitle: str) -> Figure:
    """An empty figure, sizes in inches, with title and subtitle flush left above all of it."""
    figure = Figure(figsize=(width, height), layout="constrained")
    rect = (0.01, 0.015, 0.98, 1 - 0.015 - 0.78 / height)
    figure.get_layout_engine().set(rect=rect, w_pad=0.08, h_pad=0.08)
    x = 0.22 / width
    figure.text(x, 1 - 0.16 / height, title, fontsize=14, fontweight="bold", va="top")
    figure.text(x, 1 - 0.46 / height, subtitle, fontsize=10, color=SOFT, va="top")
    return figure


def _draw_tokens(found: Phenomena) -> Figure:
    """Where the picture is looked at in every block, the token maps, and two curves."""
    depth = found.backbone.n_blocks
    shown = _some_blocks(depth)
    title = "Global tokens: from which block on every patch looks at the same few"
    figure = _new_figure(13.2, 8.0, title, _about(found, with_planting=False))
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.35, 1])
    height, width = found.example.grid
    cells = top.subplots(2, len(shown) + 1, height_ratios=[height / width, 1])
    for cell in cells.flat:
        cell.axis("off")
    cells[0, 0].imshow(np.asarray(found.example.image))
    cells[0, 0].set_title("the image", fontsize=10, fontweight="normal", pad=4)
    _note(cells[1, 0])
    for column, block in enumerate(shown, 1):
        _received_cell(cells[0, column], found, block)
        _map_cell(cells[1, column], found, block)
    left, right = bottom.subplots(1, 2)
    at = _block_axis(depth, left, right)
    _score_curve(left, at, found)
    _agreement_curve(right, at, found)
    return figure


def _about(found: Phenomena, with_planting: bool = True) -> str:
    n, said = found.images, planted(found) if with_planting else []
    mean = f"mean over {n} image{'s' * (n > 1)}"
    return " · ".join([found.backbone.title, mean, *said])


def _some_blocks(depth: int, most: int = 6) -> list[int]:
    """Evenly spread blocks, the last among them."""
    n = min(most, depth)
    return sorted(depth - 1 - i * depth // n for i in range(n))


def _note(axes: Axes) -> None:
    axes.text(
        0, 1,
        "above: how much each patch\nis attended to; global tokens\nare outlined\n\n"
        "right: who (row) attends to\nwhom (column); a global\ntoken is a bright vertical\nstripe",
        va="top", ha="left", color=SOFT, fontsize=9, linespacing=1.35, transform=axes.transAxes,
    )  # fmt: skip


def _received_cell(axes: Axes, found: Phenomena, block: int) -> None:
    height, width = found.example.grid
    received = found.example.received[block].reshape(height, width).numpy()
    axes.imshow(received, cmap="magma", vmin=0, vmax=max(found.threshold, float(received.max())))
    for token in found.example.tokens[block]:
        y, x = divmod(token, width)
        axes.add_patch(
            Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor="#38e0c8", linewidth=1.4)
        )
    axes.set_title(f"block {block + 1}", fontsize=10, pad=4)


def _map_cell(axes: Axes, found: Phenomena, block: int) -> None:
    attention = found.example.maps[block].numpy() * found.example.maps.shape[-1]
    axes.imshow(
        attention, cmap="magma", vmin=0, vmax=found.threshold,
        interpolation="antialiased", aspect="auto",
    )  # fmt: skip
    axes.set_box_aspect(1)


def _block_axis(depth: int, *parts: Axes) -> NDArray[np.int64]:
    """Blocks along the axis of each part; where they stand on it."""
    for axes in parts:
        axes.set(xlabel="block (counted from 1)", xlim=(0.4, depth + 0.6))
        axes.set_xticks(range(1, depth + 1, 1 if depth <= 12 else 2))
    return np.arange(1, depth + 1)


def _score_curve(axes: Axes, at: NDArray[np.int64], found: Phenomena) -> None:
    over = found.scores >= found.threshold
    _level(axes, found.threshold, f"a global token from {found.threshold:g} on")
    axes.plot(at, found.scores, color=BLUE, linewidth=2.2)
    axes.plot(at[~over], found.scores[~over], "o", color="white", mec=BLUE, mew=2, markersize=7)
    axes.plot(at[over], found.scores[over], "o", color=ORANGE, markersize=9)
    axes.set_title("How much the most attended patch draws, uniform = 1")
    axes.set_ylim(0, 1.15 * max(found.threshold, float(found.scores.max())))
    axes.grid(axis="y")


def _agreement_curve(axes: Axes, at: NDArray[np.int64], found: Phenomena) -> None:
    known = ~np.isnan(found.agreement)
    axes.plot(at, found.agreement, color=TEAL, linewidth=2.2, marker="o", markersize=7)
    for block in at[~known]:
        axes.annotate("none", (block, 0.02), ha="center", color=SOFT, fontsize=8)
    axes.set_title("Agreement of global tokens with the class token (cosine)")
    low = float(np.nanmin(found.agreement)) if known.any() else 0.0
    axes.set_ylim(min(0.0, low), 1.05)
    axes.grid(axis="y")


def _draw_channels(found: Phenomena) -> Figure:
    """Norms of every output channel by block, then max/median, entropy and the Values."""
    depth = found.backbone.n_blocks
    shown = _some_blocks(depth, 12)
    columns = 6
    rows = math.ceil(len(shown) / columns)
    title = "Weight norms of the FFN's output channels, before and after CS"
    figure = _new_figure(13.2, 3.7 + 1.75 * rows, title, _about(found))
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.75 * rows, 2.9])
    cells = top.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    norms = found.found.norms_before[shown]
    lowest, highest = float(norms.clamp_min(1e-6).min()), float(norms.max())
    for cell, block in zip(cells.flat, shown, strict=False):
        _norms_cell(cell, found, block, lowest, highest)
    for cell in cells.flat[len(shown) :]:
        cell.set_visible(False)
    for cell in cells[-1]:
        cell.set_xlabel("output channel", fontsize=9)
    for cell in cells[:, 0]:
        cell.set_ylabel("norm", fontsize=9)
    ratio, entropy, values = bottom.subplots(1, 3)
    at = _block_axis(depth, ratio, entropy)
    _ratio_curve(ratio, at, found)
    _entropy_curve(entropy, at, found)
    _values_bars(values, found)
    return figure


def _norms_cell(axes: Axes, found: Phenomena, block: int, lowest: float, highest: float) -> None:
    before = found.found.norms_before[block].numpy()
    after = found.found.norms_after[block].numpy()
    channels = np.arange(len(before))
    changed = ~np.isclose(before, after)
    is_wide = highest > 10 * lowest  # a linear axis would leave nothing of the ordinary channels
    floor = 0.4 * lowest if is_wide else 0.0
    axes.vlines(channels, floor, before, color=BLUE, linewidth=0.8, alpha=0.6)
    axes.vlines(channels[changed], floor, before[changed], color=ORANGE, linewidth=2.4)
    axes.plot(channels[changed], after[changed], "o", color=TEAL, markersize=5, zorder=3)
    largest = found.found.channels[block]
    note = f"channel {largest}: {found.found.ratios[block]:.1f} × median"
    axes.set_title(f"block {block + 1}", fontsize=10, pad=13)
    axes.text(0, 1.02, note, transform=axes.transAxes, fontsize=8, color=SOFT)
    axes.set_xlim(-0.02 * len(before), 1.02 * len(before))
    if is_wide:
        axes.set(yscale="log", ylim=(0.5 * lowest, 2 * highest))
    else:
        axes.set_ylim(0, 1.06 * highest)
    axes.tick_params(labelsize=8)


def _ratio_curve(axes: Axes, at: NDArray[np.int64], found: Phenomena) -> None:
    ratios = np.array(found.found.ratios)
    after = found.found.norms_after
    then = (after.amax(1) / after.quantile(0.5, dim=1)).numpy()
    limit = found.channel_threshold
    axes.bar(at, ratios, width=0.62, color=[ORANGE if r >= limit else BLUE for r in ratios])
    changed = ~np.isclose(ratios, then)
    if changed.any():
        axes.plot(at[changed], then[changed], "o", color=TEAL, markersize=7, label="with CS")
        axes.legend(loc="upper left")
    if ratios.max() > 10:
        axes.set(yscale="log", ylim=(0.7, 6 * ratios.max()))
        axes.yaxis.set_major_formatter("{x:g}")
    else:
        axes.set_ylim(0, 1.2 * max(limit, float(ratios.max())))
    _level(axes, limit, f"abnormal from {limit:g} on")
    axes.set_title("Largest norm over the median")


def _entropy_curve(axes: Axes, at: NDArray[np.int64], found: Phenomena) -> None:
    before, after = found.found.entropy.numpy(), found.found.entropy_after.numpy()
    if not np.allclose(before, after, atol=1e-4):
        axes.plot(at, after, color=TEAL, linewidth=2.2, marker="o", label="with CS")
    axes.plot(at, before, color=BLUE, linewidth=2.2, marker="o", label="as it is")
    axes.set_title("Entropy of the norms, all alike = 1")
    low = min(float(before.min()), float(after.min()))
    span = max(1 - low, 0.05)  # nothing shall look like a fall that is none
    axes.set_ylim(1 - 1.15 * span, 1 + 0.15 * span)
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.legend(loc="lower left")
    axes.grid(axis="y")


def _values_bars(axes: Axes, found: Phenomena) -> None:
    axes.set_title("How alike the last block's Values are")
    if not found.alikeness:
        axes.axis("off")
        axes.text(
            0.5, 0.5, "needs regions: name --words,\nor a data set with truth",
            ha="center", va="center", color=SOFT, transform=axes.transAxes,
        )  # fmt: skip
        return
    at = np.arange(len(found.alikeness))
    for offset, name, colour in ((-0.2, "inside", BLUE), (0.2, "across", ORANGE)):
        heights = [getattr(s, name) for s in found.alikeness]
        bars = axes.bar(at + offset, heights, width=0.36, color=colour)
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
    axes.set_xticks(at, [s.label for s in found.alikeness])
    axes.tick_params(axis="x", length=0)
    axes.axhline(0, color=SOFT, linewidth=1)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.45 * (high - low))
    handles = [Line2D([], [], color=c, linewidth=6) for c in (BLUE, ORANGE)]
    axes.legend(handles, ["within a thing (in-in)", "across things (in-out)"], loc="upper left")
