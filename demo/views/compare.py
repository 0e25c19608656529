"""Compare: several variants of one image, and how much of the truth each finds."""

from dataclasses import dataclass, replace

import torch

from demo.look import Look, Mask
from demo.source import truth_labels
from demo.variants import VARIANTS
from gclip_core.types import class_shares

TRUTH = "truth"
"""The known mask, beside the names of variants."""


@dataclass(frozen=True, eq=False)
class CompareView:
    """Masks by the name of their variant; ``truth`` in the visitor's classes, None if unknown.

    ``iou`` has, per class that the truth holds, one value per mask in their order.
    """

    masks: dict[str, Mask]
    truth: Mask | None
    iou: tuple[tuple[str, tuple[float, ...]], ...]


def shown(extras: bool) -> tuple[str, ...]:
    """Names of the variants that are shown; ``extras``: also those that one asks for."""
    return tuple(v.name for v in VARIANTS.values() if extras or not v.asked_for)


def see(look: Look, names: tuple[str, ...] = ()) -> CompareView:
    """Several variants from one encoding; by default those that need no asking."""
    masks = {name: mask(look, name) for name in names or shown(False)}
    first = next(iter(masks.values()))
    return CompareView(
        masks=masks,
        truth=known(look),
        iou=tuple(
            (first.names[c], tuple(one.iou[c] for one in masks.values())) for c in sorted(first.iou)
        ),
    )


def best(view: CompareView) -> tuple[str, ...]:
    """Names of the variants with the highest mIoU; none where it is unknown or alike."""
    scores = {
        name: round(mask.miou, 3) for name, mask in view.masks.items() if mask.miou is not None
    }
    if len(set(scores.values())) < 2:
        return ()
    return tuple(name for name, score in scores.items() if score == max(scores.values()))


def mask(look: Look, name: str) -> Mask:
    """The mask of the variant of that name."""
    return look.mask(VARIANTS[name].method(look.settings))


def known(look: Look) -> Mask | None:
    """The truth as a mask in the visitor's classes, -1 for the rest; None where none is known."""
    plain = mask(look, "clearclip")
    if look.truth is None or not plain.iou:
        return None
    labels = truth_labels(look.truth, look.segment(plain.method).vocabulary)
    shares = class_shares(torch.from_numpy(labels), len(plain.names))
    return replace(plain, title="Truth", labels=labels, shares=shares, iou={}, miou=None)


def pair(look: Look, view: CompareView) -> tuple[Mask, Mask]:
    """The two masks that the settings name; ClearCLIP in place of a truth that is unknown."""
    asked = look.settings.left, look.settings.right
    left, right = (
        (view.truth or mask(look, "clearclip")) if name == TRUTH else mask(look, name)
        for name in asked
    )
    return left, right
