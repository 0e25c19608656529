"""Draw what a map and a tower lost while they learned: python -m training.photos.curves OUT LOG …

A LOG is the `.jsonl` that training.photos.learn writes beside the weights of that name.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from evaluation.figures import BLUE, ORANGE, SOFT, STYLE, TEAL, new_figure, save

_LOSSES = {"on": BLUE, "shares": ORANGE, "mosaics": TEAL, "whole": SOFT}


def draw(logs: Sequence[Path], out: Path) -> None:
    """A panel a log: losses over steps."""
    with mpl.rc_context(STYLE):
        figure = new_figure(9, 4, "What the photo model lost while it learned", "")
        for log, axes in zip(logs, figure.subplots(1, len(logs), sharey=True, squeeze=False)[0],
                             strict=True):  # fmt: skip
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            for name, colour in _LOSSES.items():
                points = [(line["step"], line[name]) for line in lines if name in line]
                axes.plot(*zip(*points, strict=True), color=colour, label=name)
            axes.set(title=log.stem, xlabel="step")
        figure.axes[0].legend()
        save(figure, out)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the losses of the photo model's runs.")
    parser.add_argument("out", type=Path)
    parser.add_argument("logs", type=Path, nargs="+")
    given = parser.parse_args()
    draw(given.logs, given.out)


if __name__ == "__main__":
    main()
