"""Which classes an image is segmented by: all of the data set, or those in its truth."""

import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from evaluation.class_lists import ClassName
from evaluation.errors import EvaluationError


def parse_rule(rule: str) -> int | None:
    """Read ``all`` (None), ``present`` (0) or ``present+10`` (10 distractors)."""
    if rule == "all":
        return None
    match = re.fullmatch(r"present(?:\+(\d{1,4}))?", rule)
    if not match:
        raise EvaluationError(
            f"'all', 'present' or 'present+10' was expected for the words, but '{rule}' came."
        )
    return int(match[1] or 0)


def queried_classes(
    truth: NDArray,
    classes: Sequence[ClassName],
    rule: str,
    sample: str,
    background: int | None = None,
) -> tuple[int, ...]:
    """Indices of the classes that an image is segmented by, ascending.

    ``all`` is every class, as benchmarks do. ``present`` is the classes in the truth,
    which tests localisation without recognition. ``present+n`` adds ``n`` other classes. A hash of
    the image's and the class's name chooses them, so they are the same on every machine.
    """
    distractors = parse_rule(rule)
    if distractors is None:
        return tuple(range(len(classes)))
    present = {int(c) for c in np.unique(truth) if c >= 0}
    if background is not None:
        present.add(background)
    others = sorted(
        (c for c in range(len(classes)) if c not in present),
        key=lambda c: blake2b(f"{sample}\n{classes[c].name}".encode()).digest(),
    )
    return tuple(sorted(present.union(others[:distractors])))
