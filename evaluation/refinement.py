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
from PIL import Image, ImageDraw

from evaluation import metric
from evaluation.datasets import OpenSet, Sample
from evaluation.errors import EvaluationError
from evaluation.options import add_backbone_options, opened_backbone
from evaluation.photo_set import photo_folder
from evaluation.queries import queried_classes
from gclip_core import palette
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS
from gclip_core.refine import REFINEMENTS, Refinement, guided, refined
from gclip_core.segmenter import Segmenter
from gclip_core.types import Vocabulary

COMPARED = ("gclip", "clearclip")
RULES = ("present", "present+10")
RADII = (1, 2, 3, 4, 6)
"""Radii of the guided filter that are tried, in cells."""
EPSILONS = (3e-3, 1e-3, 3e-4, 1e-4)
TILE = (300, 225)
"""Width and height of a picture on the sheet."""
OPACITY = 0.55


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


def grid_of_settings() -> dict[str, Refinement]:
    """The guided filters that ``--choose`` compares, and none."""
    tried = {
        f"radius {radius}, ε {epsilon:g}": guided(radius, epsilon)
        for radius, epsilon in product(RADII, EPSILONS)
    }
    return {"none": REFINEMENTS["none"], **tried}


def listed(folder: Path, name: str) -> OpenSet:
    """The photos of a folder that a list in it names.

    Raises:
        EvaluationError: no such list, or it names no photo of the folder.
    """
    dataset, path = photo_folder(folder), folder / name
    if not path.is_file():
        raise EvaluationError(f"A list of photos was expected at {path}, but there is none.")
    names = set(path.read_text("utf-8").split())
    samples = tuple(sample for sample in dataset.samples if sample.name in names)
    if not samples:
        raise EvaluationError(f"{path} names none of the photos in {folder}.")
    return replace(dataset, samples=samples)


def sheet(
    segmenter: Segmenter,
    dataset: OpenSet,
    refinements: Mapping[str, Refinement],
) -> Image.Image:
    """A row for each photo: the photo, then GCLIP's mask of its words under each refinement."""
    rows = []
    for sample in dataset.samples:
        image, truth = sample.load()
        words = queried_classes(truth, dataset.classes, "present", sample.name)
        vocabulary = Vocabulary(tuple(dataset.classes[c].phrases for c in words))
        plain = segmenter.segment(image, vocabulary)
        tiles = [_tile(image, ", ".join(vocabulary.names))]
        for label, refinement in refinements.items():
            labels = refined(plain, image, refinement, bounded=False).labels.numpy()
            colours = Image.fromarray(palette.table(vocabulary.names)[labels])
            tiles.append(_tile(Image.blend(image, colours, OPACITY), label))
        rows.append(tiles)
    out = Image.new("RGB", (TILE[0] * max(map(len, rows)), TILE[1] * len(rows)), "white")
    for row, tiles in enumerate(rows):
        for column, tile in enumerate(tiles):
            out.paste(tile, (TILE[0] * column, TILE[1] * row))
    return out


def _tile(image: Image.Image, title: str) -> Image.Image:
    tile = image.copy()
    tile.thumbnail(TILE, Image.Resampling.LANCZOS)
    ImageDraw.Draw(tile).text((5, 4), title, "white", stroke_fill="black", stroke_width=2)
    return tile


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and save the sheet; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.refinement", description=__doc__)
    parser.add_argument("folder", type=Path, help="photos with masks and an index.json")
    parser.add_argument(
        "--choose", action="store_true", help="settings of the guided filter, on choose.txt"
    )
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="also a sheet of masks")
    parser.add_argument("--n", type=int, help="first n photos of the list only")
    add_backbone_options(parser)
    args = parser.parse_args(arguments)
    try:
        dataset = listed(args.folder, "choose.txt" if args.choose else "report.txt")
        dataset = replace(dataset, samples=dataset.samples[: args.n])
        segmenter = Segmenter(opened_backbone(args, args.backbone))
        refinements = grid_of_settings() if args.choose else REFINEMENTS
        if args.sheet:
            sheet(segmenter, dataset, REFINEMENTS).save(args.sheet)
        title = f"{segmenter.backbone.title} · {len(dataset.samples)} photos of {dataset.source}"
        print(table(measure(segmenter, dataset, refinements), title))
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
