"""What each widget shows, as JSON-ready values made from arrays; needs no gradio.

Shapes as in :mod:`demo.drawing.render`: ``labels`` (H, W), -1 for no class; ``matrix`` (N, N) patch
to patch; ``grid`` (h, w); blocks and channels 0-based in arguments.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from demo.drawing import render

LEVELS = 64
Json = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Map:
    """One attention map of the widget: the name of its ``matrix`` in :mod:`widgets.held`, global
    ``tokens`` of the whole grid, words around it.

    ``class_row`` (N,) is where the class token looks; None leaves it out.
    """

    title: str
    matrix: str
    tokens: Collection[int] = ()
    class_row: ArrayLike | None = None
    note: str = ""


def attention_value(
    picture: str,
    size: tuple[int, int],
    grid: tuple[int, int],
    maps: Sequence[Map],
    patch: tuple[int, int] | None = None,
    square: int = 1,
) -> Json:
    """Value of the attention widget: maps side by side that follow one pointer.

    All maps share one brightness scale. Matrices are averaged over squares of ``square`` patches a
    side, and the widget says so. ``patch`` (row, column) is pinned at the start.
    """
    small = (-(-grid[0] // square), -(-grid[1] // square))
    with_class = bool(maps) and all(one.class_row is not None for one in maps)
    return {
        "kind": "attention",
        "picture": picture,
        "size": list(size),
        "grid": list(small),
        "pooled": square,
        "class_row": with_class,
        "maps": [
            {
                "title": one.title,
                "note": one.note,
                "matrix": one.matrix,
                "tokens": sorted({_pooled_token(t, grid[1], square, small[1]) for t in one.tokens}),
                "class_row": _class_row(one.class_row, grid, square) if with_class else None,
            }
            for one in maps
        ],
        "patch": None if patch is None else [_inside(patch, grid)[k] // square for k in (0, 1)],
    }


def _class_row(row: ArrayLike, grid: tuple[int, int], square: int) -> Json:
    """A row in multiples of an equal share: bytes of ``top``, and the largest exactly."""
    rows = np.asarray(row, np.float32).reshape(1, *grid) * (grid[0] * grid[1])
    times = render.pool_keys(rows, square).ravel()
    top = max(float(times.max()), 1e-9)
    levels = np.rint(255 * times / top).astype(np.uint8)
    text = base64.b64encode(levels.tobytes()).decode("ascii")
    return {"levels": text, "top": top, "best": int(times.argmax())}


def blocks_value(
    image: Image.Image,
    received: ArrayLike,
    grid: tuple[int, int],
    scores: Sequence[float],
    tokens: Sequence[Collection[int]],
    amf_blocks: Collection[int],
    chosen: int | None,
    note: str = "",
) -> Json:
    """Value of the block strip; ``received`` is (L, N), 1 = uniform attention."""
    maps = np.asarray(received, np.float32)
    return {
        "kind": "blocks",
        "size": [image.height, image.width],
        "grid": list(grid),
        "png": _levels_png(maps, render.full_scale(maps)),
        "chosen": None if chosen is None else chosen + 1,
        "note": note,
        "blocks": [
            {
                "number": index + 1,
                "score": float(score),
                "fused": index in amf_blocks,
                "tokens": sorted(int(token) for token in tokens[index]),
            }
            for index, score in enumerate(scores)
        ],
    }


def channels_value(
    before: ArrayLike,
    after: ArrayLike,
    block: int,
    n_blocks: int,
    model: str,
    threshold: float = 2.0,
    chosen: tuple[int, int] | None = None,
) -> Json:
    """Value of the channel plot: norms (D,) of one block before and after suppression."""
    old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
    median, top = float(np.median(old)), int(old.argmax())
    abnormal = bool(old[top] > 0 and old[top] >= threshold * median)
    ratio = old[top] / max(median, 1e-12)
    return {
        "kind": "channels",
        "title": f"Block {block + 1} of {n_blocks} · {model}",
        "before": [round(float(norm), 5) for norm in old],
        "after": [round(float(norm), 5) for norm in new],
        "median": median,
        "threshold": float(threshold),
        "abnormal": top if abnormal else None,
        "chosen": None if chosen is None else [int(min(chosen)), int(max(chosen))],
        "note": "All weights of this layer are 0."
        if not old[top]
        else (
            f"Channel {top} has the largest norm, {ratio:.1f} × the median: "
            + ("abnormal." if abnormal else f"not abnormal, which begins at {threshold:g} ×.")
        ),
    }


def card(
    title: str,
    *,
    figures: Sequence[Json] = (),
    columns: int = 1,
    plot: str = "",
    table: Json | None = None,
    note: str = "",
    badge: str = "",
) -> Json:
    """Value of a card; text may hold a visitor's words, but ``plot`` is SVG of our own.

    ``table`` holds "headers", "rows" (each a name, then a cell per header) and a "label".
    """
    return {
        "kind": "card",
        "title": title,
        "figures": list(figures),
        "columns": columns,
        "plot": plot,
        "table": table,
        "note": note,
        "badge": badge,
    }


def figure(
    picture: Image.Image, caption: str, alt: str, ratio: str = "", pixels: bool = False
) -> Json:
    """A picture of a card and its caption; ``ratio`` (CSS) is the room it gets, else its shape."""
    return {
        "src": png_url(picture) if pixels else image_url(picture, 512),
        "caption": caption,
        "alt": alt,
        "ratio": ratio or f"{picture.width} / {picture.height}",
        "pixels": pixels,
    }


def lines(
    status: str = "",
    notes: Iterable[str] = (),
    problems: Iterable[str] = (),
    state: str = "",
    query: str = "",
) -> Json:
    """Lines in the order problems, notes, status; any text may stand in them.

    ``state`` tells the page what its tabs show: "fresh", "old" (of an earlier input) or "none".
    ``query`` is the link to what is shown, for the page's address.
    """
    said = [("problem", text) for text in problems if text]
    said += [("note", text) for text in notes if text]
    said += [("status", status)] if status else []
    return {"kind": "lines", "lines": said, "state": state, "query": query}


@cache
def level_colours() -> list[list[int]]:
    """RGB of the 64 brightness levels that travel, dark to bright."""
    table = matplotlib.colormaps[render.COLORMAP](np.linspace(0, 1, LEVELS))[:, :3]
    return np.rint(table * 255).astype(int).tolist()


def levels(values: ArrayLike, top: float) -> NDArray[np.uint8]:
    """sqrt(attention / top) in 64 levels, uint8 0 to 63."""
    return np.rint(render.scaled(values, top) * (LEVELS - 1)).astype(np.uint8)


def png_url(picture: Image.Image, effort: int = 3) -> str:
    """A picture as a PNG data URL; ``effort`` 0 to 9 makes it smaller, but later."""
    return _url(picture, "PNG", compress_level=effort)


def image_url(picture: Image.Image, max_side: int) -> str:
    """A picture as a JPEG data URL, at most ``max_side`` a side."""
    return _url(render.fit(picture, max_side), "JPEG", quality=88)


def _url(picture: Image.Image, kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{text}"


def _levels_png(values: NDArray[np.float32], top: float) -> str:
    return png_url(Image.fromarray(levels(values, top)), effort=6)


def _pooled_token(token: int, width: int, square: int, small_width: int) -> int:
    row, column = divmod(int(token), width)
    return row // square * small_width + column // square


def _inside(point: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """A (row, column) moved inside (height, width)."""
    return (
        int(np.clip(point[0], 0, size[0] - 1)),
        int(np.clip(point[1], 0, size[1] - 1)),
    )
