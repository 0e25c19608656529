"""Draw a run's log: `python -m training.curves runs/one/log.jsonl [--out training/curves.png]`."""

import argparse
import json
from pathlib import Path
from typing import Any

Entries = list[dict[str, Any]]

_LOSSES = ("things", "backgrounds", "patches", "captions", "following")
_QUALITY = ("seen top-1", "held-out top-1", "seen mIoU", "held-out mIoU")


def read(log: Path) -> tuple[Entries, Entries]:
    """The log's entries: losses, and checks (each with the minutes of the losses before it)."""
    losses: Entries = []
    checks: Entries = []
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if "loss" in entry:
            losses.append(entry)
        elif losses:
            checks.append({**entry, "minutes": losses[-1]["minutes"]})
    return losses, checks


def draw(log: Path, out: Path) -> None:
    """Losses above, quality on validation scenes below, both over minutes; phases as lines."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    losses, checks = read(log)
    figure, (above, below) = plt.subplots(2, 1, figsize=(8, 7), sharex=True, layout="constrained")
    for name in _LOSSES:
        points = [(e["minutes"], e[name]) for e in losses if name in e]
        above.plot(*zip(*points, strict=True), label=name, linewidth=1.2) if points else None
    above.set_yscale("log")
    above.set_ylabel("loss")
    for name in _QUALITY:
        style = "--" if name.startswith("seen") else "-"
        colour = "tab:blue" if name.endswith("top-1") else "tab:orange"
        values = [(e["minutes"], e[name]) for e in checks]
        if values:
            below.plot(*zip(*values, strict=True), style, color=colour, marker="o", label=name)
    below.set_ylabel("%")
    below.set_xlabel("minutes")
    below.set_ylim(0, 100)
    for axes in (above, below):
        for before, after in zip(losses, losses[1:], strict=False):
            if before["side"] != after["side"]:
                axes.axvline(after["minutes"], color="0.9", linewidth=0.6, zorder=0)
        axes.legend(fontsize=8, ncols=2)
        axes.grid(alpha=0.25)
    figure.savefig(out, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw a training run's log.")
    parser.add_argument("log", type=Path)
    parser.add_argument("--out", type=Path, default=Path("training/curves.png"))
    arguments = parser.parse_args()
    draw(arguments.log, arguments.out)


if __name__ == "__main__":
    main()
