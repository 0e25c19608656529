"""What the canvas and the cards beside it show, as JSON-ready values; needs no gradio.

``labels`` are (H, W), -1 for the rest; matrices and pictures are names of :mod:`widgets.blobs`.
Blocks and channels count from 0 in arguments, blocks from 1 in values.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from demo.drawing import render
from demo.widgets.codec import Levels, packed_text
from demo.widgets.values import Json, Shown
from gclip_core import palette
from gclip_core.types import class_shares

MASK_SIDE = 768


@dataclass(frozen=True, eq=False)
class Side:
    """One mask of a canvas: ``badge`` is its score in words; ``matrix`` names the blob of where its
    patches look, ``words`` that of the words they match.

    ``shares`` of the image are per class, and last that of the rest; where none are given, the
    labels are counted.
    """

    title: str
    labels: ArrayLike
    badge: str = ""
    matrix: str = ""
    words: str = ""
    shares: Sequence[float] = ()


def canvas_value(
    shown: Shown,
    sides: Sequence[Side],
    names: Sequence[str],
    *,
    opacity: float = 0.6,
    pixel: tuple[int, int] | None = None,
    notes: Sequence[str] = (),
    simulated: str = "",
    compact: bool = False,
    mode: str = "after",
    max_side: int = MASK_SIDE,
) -> Json:
    """One mask, or two: before and after.

    ``mode`` is what of two is shown first: "before", "after" or "swipe". ``simulated`` is the
    sentence on a planted fault; ``compact`` leaves out all but the mask.
    """
    whole = [np.asarray(side.labels) for side in sides]
    small = [
        render.nearest(one, render.fitting(one.shape, max_side)).astype(np.int32) for one in whole
    ]
    areas = [
        side.shares or class_shares(torch.from_numpy(one), len(names))
        for side, one in zip(sides, whole, strict=True)
    ]
    colours = palette.of_names(names)
    places = [render.word_places(one, len(names)) for one in small]
    return {
        "kind": "canvas",
        **shown.value(),
        "shape": list(small[0].shape),
        "sides": [
            {
                "title": side.title,
                "badge": side.badge,
                "mask": packed_labels(one),
                "matrix": side.matrix,
                "words": side.words,
            }
            for side, one in zip(sides, small, strict=True)
        ],
        "classes": [
            {
                "name": name,
                "colour": colours[i],
                "ink": palette.ink_on(colours[i]),
                "shares": [area[i] for area in areas],
                "places": [_rounded(place.get(i)) for place in places],
            }
            for i, name in enumerate(names)
        ],
        "rest": [area[-1] for area in areas],
        "changed": float((whole[0] != whole[-1]).mean()) if len(whole) > 1 else None,
        "opacity": float(np.clip(opacity, 0, 1)),
        "pixel": None if pixel is None else list(pixel),
        "notes": [note for note in notes if note],
        "simulated": simulated,
        "compact": compact,
        "mode": mode,
    }


@dataclass(frozen=True, eq=False)
class Thumb:
    """One block's attention: what each patch receives (N,), 1 uniform; global ``tokens``."""

    title: str
    received: ArrayLike
    tokens: Collection[int] = ()


def maps_value(
    shown: Shown,
    thumbs: Sequence[Thumb],
    sides: Sequence[tuple[str, str]] = (),
    *,
    title: str = "",
    note: str = "",
) -> Json:
    """Attention over the picture; under it the last block's matrix per (title, name) of a side."""
    tops = [render.full_scale(one.received) for one in thumbs]
    return {
        "kind": "maps",
        "title": title,
        **shown.value(),
        "note": note,
        "thumbs": [
            {
                "title": one.title,
                "received": packed_text(received=Levels(one.received, max(tops))),
                "tokens": sorted(int(token) for token in one.tokens),
            }
            for one in thumbs
        ],
        "sides": [{"title": title, "matrix": name} for title, name in sides],
    }


def entropy_curve(before: ArrayLike, after: ArrayLike) -> Json:
    """Entropy of the norms (L,) of all blocks without and with CS."""
    rows = [np.nan_to_num(np.asarray(row, float)) for row in (before, after)]
    return _curve("Entropy", rows, min(0.97, np.min(rows) - 0.01), 1.002)


def ratio_curve(before: ArrayLike, after: ArrayLike, threshold: float) -> Json:
    """Largest norm over the median (L,) of all blocks without and with CS."""
    rows = [np.nan_to_num(np.asarray(row, float), posinf=0.0) for row in (before, after)]
    most = max(np.max(rows), threshold)
    return _curve("Largest / median", rows, 0.8 if most > 12 else 0, 1.25 * most,
                  threshold)  # fmt: skip


def _curve(
    title: str, rows: Sequence[NDArray[np.float64]], low: float, high: float, limit: float = 0.0
) -> Json:
    rounded = [[round(float(x), 4) for x in row] for row in rows]
    return {"title": title, "rows": rounded, "low": float(low), "high": float(high), "limit": limit}


def norms_value(
    before: ArrayLike,
    after: ArrayLike,
    block: int,
    curves: Sequence[Json],
    *,
    model: str,
    cs: bool,
    abnormal: Collection[int] = (),
    threshold: float = 2.0,
    badge: str = "",
    note: str = "",
    simulated: bool = False,
    drags: bool = False,
    chosen: tuple[int, int] | None = None,
) -> Json:
    """The norms (D,) of ``block`` without and with CS, whether or not ``cs`` is on; ``curves``
    over all blocks. ``drags``: channels can be chosen, as ``chosen`` (first, last) are."""
    old, new = np.asarray(before, float), np.asarray(after, float)
    moved = np.flatnonzero(~np.isclose(old, new, rtol=1e-4))
    return {
        "kind": "norms",
        "title": f"Block {block + 1} of {len(curves[0]['rows'][0])} · {model}",
        "block": block + 1,
        "norms": [round(float(norm), 4) for norm in old],
        "moved": [[int(i), round(float(new[i]), 4)] for i in moved],
        "top": int(old.argmax()),
        "median": float(np.median(old)),
        "threshold": float(threshold),
        "abnormal": sorted(one + 1 for one in abnormal),
        "curves": list(curves),
        "cs": cs,
        "badge": badge,
        "note": note,
        "simulated": simulated,
        "drags": drags,
        "chosen": None if chosen is None else list(chosen),
    }


def packed_labels(labels: ArrayLike) -> str:
    """Labels (h, w) as text; each is sent plus 1, so that 0 is none."""
    return packed_text(labels=np.asarray(labels, np.int32) + 1)


def _rounded(place: tuple[float, ...] | None) -> list[float] | None:
    return None if place is None else [round(x, 4) for x in place]
