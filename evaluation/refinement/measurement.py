"""IoU of refined masks, photo by photo."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from evaluation import metric
from evaluation.queries import queried_classes
from evaluation.samples import LabelledSet, Sample
from gclip_core.methods import METHODS
from gclip_core.refine import REFINEMENTS, Refinement, guided, refined
from gclip_core.segmenter import Segmenter

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
    segmenter: Segmenter, dataset: LabelledSet, refinements: Mapping[str, Refinement]
) -> list[Figures]:
    """The figures of each refinement, by its label."""
    photos: dict[str, list[list[float]]] = {label: [] for label in refinements}
    for sample in dataset.samples:
        for label, row in _photo(segmenter, dataset, sample, refinements).items():
            photos[label].append(row)
    return [Figures(label, tuple(np.mean(rows, axis=0))) for label, rows in photos.items()]


def _photo(
    segmenter: Segmenter,
    dataset: LabelledSet,
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
        plain = segmenter.segment(encoded, dataset.vocabulary(words), METHODS[method])
        for label, refinement in refinements.items():
            labels = refined(plain, image, refinement, bounded=False).labels.numpy()
            counts = metric.confusion(truth, np.array(words)[labels], len(dataset.classes))
            by_class = metric.scores(counts).iou[list(there)]
            iou[label].append(100 * float(by_class.mean()))
    return iou
