"""Draw the logs of one run or of several that went on from each other.

python -m training.curves runs/one/log.jsonl [more.jsonl ...] [--out training/curves.png]
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from evaluation.figures import BLUE, FAINT, INK, ORANGE, SOFT, STYLE, TEAL, new_figure, save

Entries = list[dict[str, Any]]

_LOSSES = ("things", "backgrounds", "patches", "captions", "following")
_LINES = "grey: another size of canvas; dotted: another stretch begins"
_QUALITY = ("seen top-1", "held-out top-1", "seen mIoU", "held-out mIoU")


def read(*logs: Path) -> tuple[Entries, Entries]:
    """The logs' entries: losses, and checks (each with the minutes of the losses before it).

    A later log's minutes go on where the earlier one's ended.
    """
    losses: Entries = []
    checks: Entries = []
    for log in logs:
        before = losses[-1]["minutes"] if losses else 0.0
        for line in log.read_text().splitlines():
            entry = json.loads(line)
            if "loss" in entry:
                losses.append({**entry, "minutes": before + entry["minutes"]})
            elif losses:
                checks.append({**entry, "minutes": losses[-1]["minutes"]})
    return losses, checks


def draw(logs: Sequence[Path], out: Path) -> None:
    """Losses above, quality on validation scenes below, both over minutes."""
    losses, checks = read(*logs)
    earlier = [read(*logs[:n])[0] for n in range(1, len(logs))]
    joints = [entries[-1]["minutes"] for entries in earlier if entries]
    with mpl.rc_context(STYLE):
        figure = new_figure(9, 7, "Losses and quality while training", _LINES)
        above, below = figure.subplots(2, 1, sharex=True)
        for name, colour in zip(_LOSSES, (BLUE, ORANGE, TEAL, INK, SOFT), strict=True):
            points = [(e["minutes"], e[name]) for e in losses if name in e]
            if points:
                above.plot(*zip(*points, strict=True), color=colour, label=name, linewidth=1.2)
        above.set(yscale="log", ylabel="loss")
        for name in _QUALITY:
            style = "--" if name.startswith("seen") else "-"
            colour = BLUE if name.endswith("top-1") else ORANGE
            points = [(e["minutes"], e[name]) for e in checks if name in e]
            if points:
                at, value = zip(*points, strict=True)
                below.plot(at, value, style, color=colour, marker="o", markersize=4, label=name)
        below.set(ylabel="%", xlabel="minutes", ylim=(0, 100))
        for axes in (above, below):
            for before, after in zip(losses, losses[1:], strict=False):
                if before["side"] != after["side"]:
                    axes.axvline(after["minutes"], color=FAINT, linewidth=0.6, zorder=0)
            for minutes in joints:
                axes.axvline(minutes, color=SOFT, linestyle=":", linewidth=1.2)
            axes.legend(fontsize=8, ncols=2, loc="best")
        save(figure, out)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw a training run's log.")
    parser.add_argument("logs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("training/curves.png"))
    arguments = parser.parse_args()
    draw(arguments.logs, arguments.out)


if __name__ == "__main__":
    main()
