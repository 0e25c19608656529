"""Compare: several variants of one image, what changed, and IoU where truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.look import Look, Mask, changed_share
from demo.source import truth_labels
from demo.variants import VARIANTS


@dataclass(frozen=True, eq=False)
class CompareView:
    """Masks by variant, and the share of pixels each changed to the one before."""

    masks: dict[str, Mask]
    changed: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class TruthView:
    """What is known: ``labels`` (H, W) in the visitor's classes, or None; IoU of every variant.

    ``iou`` has, per class, one value per variant in the order of ``titles``; so has ``miou``.
    """

    labels: NDArray[np.int64] | None
    names: tuple[str, ...]
    titles: tuple[str, ...]
    miou: tuple[float | None, ...]
    iou: tuple[tuple[str, tuple[float | None, ...]], ...]


def shown(extras: bool) -> tuple[str, ...]:
    """Names of the variants that are shown; ``extras``: also those that one asks for."""
    return tuple(v.name for v in VARIANTS.values() if extras or not v.asked_for)


def see(look: Look, names: tuple[str, ...] = ()) -> CompareView:
    """Several variants from one encoding; by default those that need no asking."""
    masks = {name: mask(look, name) for name in names or shown(False)}
    made = list(masks.values())
    changed = tuple(
        changed_share(one.labels, next_.labels) for one, next_ in zip(made, made[1:], strict=False)
    )
    return CompareView(masks, changed)


def mask(look: Look, name: str) -> Mask:
    """The mask of the variant of that name."""
    return look.mask(VARIANTS[name].method(look.settings))


def see_truth(look: Look) -> TruthView:
    """The true mask in the visitor's classes, and how well every variant finds it."""
    made = list(see(look).masks.values())
    vocabulary = look.segment(look.chosen).vocabulary
    held, names = sorted(made[0].iou), vocabulary.names
    return TruthView(
        labels=truth_labels(look.truth, vocabulary) if look.truth and held else None,
        names=names,
        titles=tuple(mask.title for mask in made),
        miou=tuple(mask.miou for mask in made),
        iou=tuple((names[c], tuple(mask.iou[c] for mask in made)) for c in held),
    )
