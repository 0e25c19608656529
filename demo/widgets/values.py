"""What each widget shows, as JSON-ready values made from arrays; needs no gradio.

``labels`` are (H, W), -1 for no class; ``grid`` is (h, w) patches; ``picture`` has a picture's
blob, size and grid. Pictures and matrices come later, by name (:mod:`demo.host.blob_store`). Blocks
and channels count from 0 in arguments, blocks from 1 in values.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from demo.drawing import render
from demo.host.blob_store import LazyBlob
from demo.widgets.blobs import Levels, packed_text
from gclip_core import palette
from gclip_core.types import GlobalTokens

Json = dict[str, Any]
MASK_SIDE = 768


def as_json(value: Any, named: dict[str, LazyBlob]) -> Any:
    """A widget's value as one text, anything else as it is; what it names is added to ``named``.

    An object Gradio's page copies part by part, again at every event.
    """
    if not isinstance(value, dict):
        return value
    if value.get("__type__") == "update":  # of Gradio: more than a value
        return {key: as_json(part, named) for key, part in value.items()}

    def name(blob: Any) -> str:
        if not isinstance(blob, LazyBlob):
            raise TypeError(f"No JSON is made of {type(blob).__name__}.")
        named[blob.name] = blob
        return blob.name

    # NaN is no JSON: the browser would not read it.
    return json.dumps(value, allow_nan=False, default=name)


def packed_labels(labels: ArrayLike) -> str:
    """Labels (h, w) as text; each is sent plus 1, so that 0 is none."""
    return packed_text(labels=np.asarray(labels, np.int32) + 1)


# --- the canvas -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Side:
    """One mask of a canvas, with its classes' ``shares`` of the picture and last that of no class.

    ``badge`` is its score in words. Later come the ``matrix`` of where its patches look, and the
    ``words`` they match.
    """

    title: str
    labels: ArrayLike
    shares: Sequence[float]
    badge: str = ""
    matrix: LazyBlob | str = ""
    words: LazyBlob | str = ""


@dataclass(frozen=True)
class SwitchBar:
    """The mIoU (``score``, 0 to 1) under one setting of the switches; ``now``: it is on."""

    name: str
    score: float
    text: str
    now: bool


@dataclass(frozen=True)
class SwitchBars:
    """A score under every setting of the switches, and what score it is."""

    title: str
    entries: Sequence[SwitchBar]


def canvas_value(
    picture: Json,
    sides: Sequence[Side],
    names: Sequence[str],
    *,
    opacity: float = 0.6,
    pixel: tuple[int, int] | None = None,
    notes: Sequence[str] = (),
    simulated: str = "",
    compact: bool = False,
    background: bool = False,
    bars: SwitchBars | None = None,
    region: tuple[float, float, float, float] | None = None,
    cutouts: Mapping[int, LazyBlob] | None = None,
    mode: str = "after",
    max_side: int = MASK_SIDE,
) -> Json:
    """One mask, or two: before and after.

    ``mode`` is what of two is shown first: "before", "after" or "swipe". ``simulated`` is the
    sentence on a planted fault, with ``bars`` under it; ``region`` (top, left, bottom, right),
    shares of the picture, is shown magnified, before and after. ``cutouts`` are transparent
    pictures by class. ``compact`` leaves out all but the mask. ``background``: hidden words take
    part, and can be switched off here.
    """
    whole = [np.asarray(side.labels) for side in sides]
    shape = render.fitting(whole[0].shape, max_side)
    small = [render.nearest(labels, shape).astype(np.int32) for labels in whole]
    places = [render.word_places(labels, len(names)) for labels in small]
    masks = [packed_text(labels=labels + 1) for labels in small]  # 0 is none
    return {
        "kind": "canvas",
        **picture,
        "shape": shape,
        "sides": [_side(*pair) for pair in zip(sides, masks, strict=True)],
        "classes": _classes(names, sides, places, cutouts or {}),
        "rest": [side.shares[-1] for side in sides],
        "background": background,
        "changed": float((whole[0] != whole[1]).mean()) if len(whole) > 1 else None,
        "opacity": opacity,
        "pixel": pixel,
        "notes": [note for note in notes if note],
        "simulated": simulated,
        "compact": compact,
        "bars": asdict(bars) if bars else None,
        "region": region,
        "mode": mode,
    }


def _side(side: Side, mask: str) -> Json:
    return {
        "title": side.title,
        "badge": side.badge,
        "mask": mask,
        "matrix": side.matrix,
        "words": side.words,
    }


def _classes(
    names: Sequence[str],
    sides: Sequence[Side],
    places: Sequence[Mapping[int, Sequence[float]]],
    cutouts: Mapping[int, LazyBlob],
) -> list[Json]:
    """The classes with their colour, cut-out, share and place of their word, on each side."""
    return [
        {
            "name": name,
            "colour": colour,
            "ink": palette.ink_on(colour),
            "shares": [side.shares[i] for side in sides],
            "places": [place.get(i) for place in places],
            "cutout": cutouts.get(i, ""),
        }
        for i, (name, colour) in enumerate(zip(names, palette.of_names(names), strict=True))
    ]


# --- attention ------------------------------------------------------------------------------------


def maps_value(
    picture: Json,
    thumbs: Sequence[tuple[str, ArrayLike, Collection[int]]],
    sides: Sequence[tuple[str, LazyBlob]] = (),
    *,
    threshold: float = 5.0,
    title: str = "",
    note: str = "",
    why: str = "",
) -> Json:
    """Attention over the picture; under it the last block's matrix per (title, matrix) of a side.

    A thumb is a block's title, what each of its patches receives (N,), 1 = uniform, and its global
    tokens, from ``threshold`` on, which is drawn brightest. ``why`` is why these blocks, folded.
    """
    return {
        "kind": "maps",
        "title": title,
        **picture,
        "note": note,
        "why": why,
        "brightest": threshold,
        "thumbs": [
            {
                "title": title,
                "received": packed_text(received=Levels(received, threshold)),
                "tokens": sorted(map(int, tokens)),
            }
            for title, received, tokens in thumbs
        ],
        "sides": [{"title": title, "matrix": matrix} for title, matrix in sides],
    }


@dataclass(frozen=True, eq=False)
class Map:
    """One attention map of the widget: its ``matrix``, which comes later, global ``tokens`` of the
    whole grid, where the class token looks (N,), words around it.
    """

    title: str
    matrix: LazyBlob
    tokens: Collection[int]
    class_row: ArrayLike
    note: str = ""


def attention_value(
    picture: Json, maps: Sequence[Map], patch: tuple[int, int] | None = None
) -> Json:
    """Maps side by side that follow one pointer, and share one brightness scale.

    ``patch`` (row, column) is pinned at the start.
    """
    height, width = picture["grid"]

    def class_row(row: ArrayLike) -> Json:
        """It in multiples of an equal share, square by square, and where it is largest."""
        rows = np.asarray(row, np.float32).reshape(1, height, width) * (height * width)
        times = render.pool_keys(rows, picture["pooled"]).ravel()
        return {"row": packed_text(row=times), "best": int(times.argmax())}

    return {
        "kind": "attention",
        **picture,
        "maps": [
            {
                "title": shown_map.title,
                "note": shown_map.note,
                "matrix": shown_map.matrix,
                "tokens": sorted(map(int, shown_map.tokens)),
                "class_row": class_row(shown_map.class_row),
            }
            for shown_map in maps
        ],
        "patch": patch and [min(at, n - 1) for at, n in zip(patch, picture["grid"], strict=True)],
    }


def blocks_value(
    picture: Json,
    received: ArrayLike,
    seen: GlobalTokens,
    amf_blocks: Collection[int],
    chosen: int,
    *,
    note: str = "",
    simulated: str = "",
    names: Sequence[str] = (),
    by_block: LazyBlob | str = "",
) -> Json:
    """Value of the block strip; ``received`` is (L, N), 1 = uniform attention.

    A global token is drawn brightest. ``by_block`` are masks by block, of the classes ``names``.
    """
    return {
        "kind": "blocks",
        **picture,
        "chosen": chosen + 1,
        "note": note,
        "simulated": simulated,
        "brightest": seen.threshold,
        "words": [
            {"name": name, "colour": colour}
            for name, colour in zip(names, palette.of_names(names), strict=True)
        ],
        "by_block": by_block,
        "blocks": [
            {
                "number": index + 1,
                "score": float(score),
                "received": packed_text(received=Levels(row, seen.threshold)),
                "fused": index in amf_blocks,
                "tokens": sorted(map(int, seen.tokens[index])),
            }
            for index, (score, row) in enumerate(
                zip(seen.scores, np.asarray(received), strict=True)
            )
        ],
    }


# --- norms ----------------------------------------------------------------------------------------


def entropy_curve(before: ArrayLike, after: ArrayLike) -> Json:
    """Entropy of the norms (L,) of all blocks without and with CS."""
    rows = [_numbers(before), _numbers(after)]
    low = min(0.97, float(np.min(rows)) - 0.01)
    return {"title": "Entropy of the norms", "rows": rows, "low": low, "high": 1.002, "limit": 0.0}


def ratio_curve(before: ArrayLike, after: ArrayLike, threshold: float) -> Json:
    """Largest norm over the median (L,) of all blocks without and with CS."""
    rows = [_numbers(before), _numbers(after)]
    most = max(float(np.max(rows)), threshold)
    ends = {"low": 0.8 if most > 12 else 0.0, "high": 1.25 * most}
    return {"title": "Largest / median", "rows": rows, **ends, "limit": threshold}


@dataclass(frozen=True, eq=False)
class Norms:
    """The norms (D,) of ``block`` without and with CS, whether or not ``cs`` is on.

    ``abnormal`` are blocks whose largest norm is over ``threshold`` times the median.
    """

    before: ArrayLike
    after: ArrayLike
    block: int
    n_blocks: int
    model: str
    cs: bool
    abnormal: Collection[int] = ()
    threshold: float = 2.0
    is_simulated: bool = False


def norms_value(
    norms: Norms,
    curves: Sequence[Json],
    note: str = "",
    *,
    drags: bool = False,
    chosen: tuple[int, int] | None = None,
) -> Json:
    """A block's norms, and ``curves`` over all blocks.

    ``drags``: channels can be chosen, as ``chosen`` (first, last) are.
    """
    old, new = np.asarray(norms.before), np.asarray(norms.after)
    moved, written = np.flatnonzero(~np.isclose(old, new, rtol=1e-4)), _numbers(new)
    return {
        "kind": "norms",
        "title": f"block {norms.block + 1} of {norms.n_blocks} · {norms.model}",
        "block": norms.block + 1,
        "norms": _numbers(old),
        "moved": [[int(i), written[i]] for i in moved],
        "top": int(old.argmax()),
        "median": float(np.median(old)),
        "threshold": norms.threshold,
        "abnormal": sorted(index + 1 for index in norms.abnormal),
        "curves": curves,
        "cs": norms.cs,
        "badge": "CS on" if norms.cs else "CS off",
        "note": note,
        "is_simulated": norms.is_simulated,
        "drags": drags,
        "chosen": chosen,
    }


def _numbers(values: ArrayLike) -> list[float]:
    """A row (n,) to four digits, 0 for what is no finite number."""
    return np.nan_to_num(np.asarray(values, float), posinf=0.0).round(4).tolist()


# --- words ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    """A bar of a card: its length ``share`` (-1 to 1), a colour of CSS, and its value in words."""

    name: str
    share: float
    colour: str
    text: str


def card(title: str, *, bars: Sequence[Bar] = (), note: str = "") -> Json:
    """Value of a card; text may contain a visitor's words."""
    bar_values = [asdict(bar) for bar in bars]
    return {"kind": "card", "title": title, "bars": bar_values, "note": note}


def lines(status: str = "", notes: Iterable[str] = (), problems: Iterable[str] = ()) -> Json:
    """Lines in the order problems, notes, status; any text is allowed."""
    entries = [("problem", text) for text in problems if text]
    entries += [("note", text) for text in notes if text]
    if status:
        entries.append(("status", status))
    return {"kind": "lines", "lines": entries}


def offers(rows: Sequence[tuple[str, Sequence[Json]]], off: Sequence[str] = ()) -> Json:
    """Lines of text with choices, each a "label" and what the browser does with it.

    ``off`` names the switches that do nothing.
    """
    filled = [{"text": text, "choices": choices} for text, choices in rows if text or choices]
    return {"kind": "offers", "rows": filled, "off": off}


# --- files ----------------------------------------------------------------------------------------


def share(picture: LazyBlob | str = "", name: str = "", is_upload: bool = False) -> Json:
    """The share picture of an answer, a blob, and the words that name its file.

    ``is_upload``: a link does not contain the photo.
    """
    return {"kind": "share", "picture": picture, "name": name, "is_upload": is_upload}


def figures(files: Mapping[str, LazyBlob], name: str) -> Json:
    """The figure as it is shown ("preview") and its ``files``; the words that name them."""
    return {"kind": "figures", **files, "name": name}
