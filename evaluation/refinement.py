"""What refinements do to masks: ``python -m evaluation.refinement FOLDER``.

``FOLDER`` has photos with true masks (``--dataset photos`` explains its layout). ``choose.txt`` and
``report.txt`` in it name photos, one a line. Without ``--choose``, every refinement is measured on
the photos of ``report.txt``; with it, settings of the guided filter on those of ``choose.txt``.
Figures are means over photos of the mean IoU of a photo's words, in percent: with these words alone
and with ten others.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from evaluation import metric
from evaluation.datasets import OpenSet, Sample
from evaluation.options import add_backbone_options, opened_backbone
from evaluation.photo_set import listed
from evaluation.queries import queried_classes
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS
from gclip_core.refine import REFINEMENTS, Refinement, guided, refined
from gclip_core.segmenter import Segmenter
from gclip_core.types import Vocabulary

COMPARED = ("gclip", "clearclip")
RULES = ("present", "present+10")
TRIED: dict[str, Refinement] = {
    "none": REFINEMENTS["none"],
    **{
        f"radius {radius}, ε {epsilon:g}": guided(radius, epsilon)
        for radius in (1, 2, 3, 4, 6)  # cells
        for epsilon in (3e-3, 1e-3, 3e-4, 1e-4)
    },
}
"""The guided filters that ``--choose`` compares."""


@dataclass(frozen=True)
class Figures:
    """IoU in percent by method and rule of words, in the order of COMPARED and RULES."""

    label: str
    iou: tuple[float, ...]


def measure(
    segmenter: Segmenter, dataset: OpenSet, refinements: Mapping[str, Refinement]
) -> list[Figures]:
    """The figures of each refinement, by its label."""
    photos: dict[str, list[list[float]]] = {label: [] for label in refinements}
    for sample in dataset.samples:
        for label, row in _photo(segmenter, dataset, sample, refinements).items():
            photos[label].append(row)
    return [Figures(label, tuple(np.mean(rows, axis=0))) for label, rows in photos.items()]


def _photo(
    segmenter: Segmenter,
    dataset: OpenSet,
    sample: Sample,
    refinements: Mapping[str, Refinement],
) -> dict[str, list[float]]:
    """IoU in percent of one photo by label, then by method and rule."""
    image, truth = sample.load()
    encoded = segmenter.encode(image)
    there = queried_classes(truth, dataset.classes, "present", sample.name)
    iou: dict[str, list[float]] = {label: [] for label in refinements}
    for method, rule in product(COMPARED, RULES):
        words = queried_classes(truth, dataset.classes, rule, sample.name)
        vocabulary = Vocabulary(tuple(dataset.classes[c].phrases for c in words))
        plain = segmenter.segment(encoded, vocabulary, METHODS[method])
        for label, refinement in refinements.items():
            labels = refined(plain, image, refinement, bounded=False).labels.numpy()
            counts = metric.confusion(truth, np.array(words)[labels], len(dataset.classes))
            by_class = metric.scores(counts).iou[list(there)]
            iou[label].append(100 * float(by_class.mean()))
    return iou


def table(figures: Iterable[Figures], title: str) -> str:
    """The figures as Markdown: its words alone / with ten others, by method."""
    heads = " | ".join(METHODS[name].title.partition(" (")[0] for name in COMPARED)
    lines = [title, "", f"| refinement | {heads} |", "|---|" + "---|" * len(COMPARED)]
    for row in figures:
        pairs = zip(row.iou[::2], row.iou[1::2], strict=True)
        cells = " | ".join(f"{alone:.1f} / {more:.1f}" for alone, more in pairs)
        lines.append(f"| {row.label} | {cells} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.refinement", description=__doc__)
    parser.add_argument("folder", type=Path, help="photos with masks and an index.json")
    parser.add_argument(
        "--choose", action="store_true", help="settings of the guided filter, on choose.txt"
    )
    parser.add_argument("--n", type=int, help="first n photos of the list only")
    add_backbone_options(parser)
    args = parser.parse_args(arguments)
    try:
        dataset = listed(args.folder, "choose" if args.choose else "report")
        dataset = replace(dataset, samples=dataset.samples[: args.n])
        segmenter = Segmenter(opened_backbone(args, args.backbone))
        refinements = TRIED if args.choose else REFINEMENTS
        title = f"{segmenter.backbone.title} · {len(dataset.samples)} photos of {dataset.source}"
        print(table(measure(segmenter, dataset, refinements), title))
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
