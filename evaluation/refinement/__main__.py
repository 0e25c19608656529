"""``python -m evaluation.refinement``: prints the figures of each refinement."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from evaluation import options, refinement
from evaluation.photo_set import listed
from evaluation.refinement.measurement import COMPARED, TRIED, Figures, measure
from evaluation.tables import counted, markdown
from gclip_core.methods import METHODS
from gclip_core.refine import REFINEMENTS
from gclip_core.segmenter import Segmenter


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return options.run(_print, parser().parse_args(arguments))


def _print(args: argparse.Namespace) -> None:
    photos = listed(args.folder, "choose" if args.choose else "report")
    photos = replace(photos, samples=photos.samples[: args.n])
    segmenter = Segmenter(options.opened_backbone(args, args.backbone))
    refinements = TRIED if args.choose else REFINEMENTS
    print(
        f"{segmenter.backbone.title} · {counted(len(photos.samples), 'photo')} of {photos.source}\n"
    )
    print(table(measure(segmenter, photos, refinements)))


def table(figures: Iterable[Figures]) -> str:
    """The figures as Markdown: with its words alone / with ten others, by method."""
    titles = [METHODS[name].title.partition(" (")[0] for name in COMPARED]
    rows = []
    for row in figures:
        pairs = zip(row.iou[::2], row.iou[1::2], strict=True)
        rows.append([row.label, *(f"{alone:.1f} / {more:.1f}" for alone, more in pairs)])
    return markdown(["refinement", *titles], rows)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    command = argparse.ArgumentParser(
        prog="python -m evaluation.refinement", description=refinement.__doc__
    )
    command.add_argument("folder", type=Path, help="photos with masks and an index.json")
    command.add_argument(
        "--choose", action="store_true", help="settings of the guided filter, on choose.txt"
    )
    command.add_argument("--n", type=int, help="first n photos of the list only")
    options.add_backbone_options(command)
    return command


if __name__ == "__main__":
    sys.exit(main())
