"""What each widget shows, as JSON-ready values made from arrays; needs no gradio.

Shapes as in :mod:`demo.drawing.render`: ``labels`` (H, W), -1 for no class; ``matrix`` (N, N) patch
to patch; ``grid`` (h, w); blocks and channels 0-based in arguments.
"""

import json
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from demo.drawing import render
from demo.widgets.codec import Levels, packed_text

Json = dict[str, Any]


def packed(value: Any) -> Any:
    """A widget's value as one text, anything else as it is.

    An object Gradio's page copies part by part, again at every event.
    """
    if isinstance(value, dict) and "kind" in value:
        return json.dumps(value, allow_nan=False)  # NaN is no JSON: the browser would not read it
    return value


@dataclass(frozen=True)
class Shown:
    """The picture of a widget: its name in :mod:`widgets.blobs`, size (height, width), patches.

    Matrices over it are averaged over squares of ``pooled`` patches a side.
    """

    name: str
    size: tuple[int, int]
    grid: tuple[int, int]
    pooled: int = 1

    def value(self) -> Json:
        """Its part of a widget's value."""
        return {"picture": self.name, "size": self.size, "grid": self.grid, "pooled": self.pooled}


@dataclass(frozen=True, eq=False)
class Map:
    """One attention map of the widget: the name of its ``matrix`` in :mod:`widgets.blobs`, global
    ``tokens`` of the whole grid, where the class token looks (N,), words around it.
    """

    title: str
    matrix: str
    tokens: Collection[int]
    class_row: ArrayLike
    note: str = ""


def attention_value(
    shown: Shown, maps: Sequence[Map], patch: tuple[int, int] | None = None
) -> Json:
    """Value of the attention widget: maps side by side that follow one pointer.

    All maps share one brightness scale. ``patch`` (row, column) is pinned at the start.
    """
    grid, square = shown.grid, shown.pooled
    small = (-(-grid[0] // square), -(-grid[1] // square))
    return {
        "kind": "attention",
        **shown.value(),
        "grid": small,
        "maps": [
            {
                "title": one.title,
                "note": one.note,
                "matrix": one.matrix,
                "tokens": sorted({_pooled_token(t, grid[1], square, small[1]) for t in one.tokens}),
                "class_row": _class_row(one.class_row, grid, square),
            }
            for one in maps
        ],
        "patch": None
        if patch is None
        else [min(max(at, 0), n - 1) // square for at, n in zip(patch, grid, strict=True)],
    }


def _class_row(row: ArrayLike, grid: tuple[int, int], square: int) -> Json:
    """A row in multiples of an equal share, and where it is largest."""
    rows = np.asarray(row, np.float32).reshape(1, *grid) * (grid[0] * grid[1])
    times = render.pool_keys(rows, square).ravel()
    return {"row": packed_text(row=times), "best": int(times.argmax())}


def blocks_value(
    image: Image.Image,
    received: ArrayLike,
    grid: tuple[int, int],
    scores: Sequence[float],
    tokens: Sequence[Collection[int]],
    amf_blocks: Collection[int],
    chosen: int | None,
    note: str = "",
    simulated: str = "",
) -> Json:
    """Value of the block strip; ``received`` is (L, N), 1 = uniform attention.

    ``simulated`` is the sentence on a simulation.
    """
    top = render.full_scale(received)
    return {
        "kind": "blocks",
        "size": [image.height, image.width],
        "grid": list(grid),
        "chosen": None if chosen is None else chosen + 1,
        "note": note,
        "simulated": simulated,
        "blocks": [
            {
                "number": index + 1,
                "score": float(score),
                "received": packed_text(received=Levels(row, top)),
                "fused": index in amf_blocks,
                "tokens": sorted(int(token) for token in tokens[index]),
            }
            for index, (score, row) in enumerate(zip(scores, np.asarray(received), strict=True))
        ],
    }


def card(title: str, *, bars: Sequence[Json] = (), note: str = "") -> Json:
    """Value of a card; text may contain a visitor's words.

    A bar has "name", "share" (-1 to 1), "colour" and "text".
    """
    return {"kind": "card", "title": title, "bars": list(bars), "note": note}


def lines(
    status: str = "",
    notes: Iterable[str] = (),
    problems: Iterable[str] = (),
    state: str = "",
    query: str = "",
) -> Json:
    """Lines in the order problems, notes, status; any text is allowed.

    ``state`` is that of the tabs: "fresh", "old" (of an earlier input) or "none".
    ``query`` is the link to what is shown, for the page's address. ``at`` tells an answer from an
    earlier one in the same words: the page waits for it.
    """
    said = [("problem", text) for text in problems if text]
    said += [("note", text) for text in notes if text]
    said += [("status", status)] if status else []
    at = time.monotonic_ns() if state else 0
    return {"kind": "lines", "lines": said, "state": state, "query": query, "at": at}


def _pooled_token(token: int, width: int, square: int, small_width: int) -> int:
    row, column = divmod(int(token), width)
    return row // square * small_width + column // square
