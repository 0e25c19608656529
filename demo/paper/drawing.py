"""Draws a figure's values with matplotlib: where each panel lies, in inches from the top left."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from demo.drawing.lettering import drawable, families, left_to_right, printable, without_font
from demo.paper import panels
from demo.paper.page import (
    FULL,
    SMALL,
    STYLE,
    Box,
    Form,
    Page,
    caption_height,
    fitted,
    line_height,
    lines_of,
    width_of,
)
from demo.paper.values import Mask, Values
from demo.wording import counted
from gclip_core import palette

Kind = Literal["png", "pdf", "svg"]
GAP = 0.15
LOW = 1.65
"""Height of the lower row."""
NORMS = 2.0
"""Least width of the norms."""
FLATTEST, WIDEST = 0.4, 4.5
"""Width over height of a panel with a picture; beyond, it gets white space."""
MAX_WORDS = 20
"""Words in the legend; of more, those that cover most."""
MAX_MAPS = 4
"""Fused blocks that are shown; of more, the first."""
_one = RLock()


@contextmanager
def _styled(names: Sequence[str] = ()) -> Iterator[None]:
    """Around all drawing: matplotlib's settings and fonts are those of the whole process."""
    with _one, mpl.rc_context(STYLE | {"font.family": families(names)}):
        yield


def draw(values: Values, small: bool = False) -> Figure:
    """The figure, or its small form: title, photo and mask, words, method and foot.

    One thread at a time draws.
    """
    with _styled(values.names):
        return _small(values) if small else _full(values)


def saved(figure: Figure, kind: Kind = "png", dpi: int = 300) -> bytes:
    """A figure's file; pictures in a PDF or SVG have ``dpi``, text stays text."""
    buffer = io.BytesIO()
    # Without a date, equal figures are equal files.
    dated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
    with _styled():
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=dated)
    return buffer.getvalue()


def _full(values: Values) -> Figure:
    form = FULL
    boxes, top = _picture_boxes(values, form, _head_height(values, form))
    legend, columns = _legend(values, form)
    legend_top = top + 0.12
    lower = legend_top + _legend_height(len(legend), columns, form) + 0.2
    foot = 0.2 if values.foot else 0.0
    page = Page(form, lower + caption_height(form) + LOW + 0.42 + foot)
    _head(page, values)
    _pictures(page, values, boxes)
    _draw_legend(page, legend, columns, legend_top)
    _lower_row(page, values, lower)
    _foot(page, values)
    return page.figure


def _small(values: Values) -> Figure:
    form = SMALL
    alone = [("Photo", None), (values.after.title, values.after)]
    boxes, top = _boxes(len(alone), _aspect(values), form, _head_height(values, form))
    legend, columns = _legend(values, form)
    legend_top = top + 0.16
    bottom = legend_top + _legend_height(len(legend), columns, form)
    page = Page(form, bottom + (0.55 if values.foot else 0.2))
    _head(page, values)
    for (title, mask), box in zip(alone, boxes, strict=True):
        _picture(page, values, title, mask, box)
    _draw_legend(page, legend, columns, legend_top)
    _foot(page, values)
    return page.figure


# --- head, words, foot -----------------------------------------------------------------------


def _details(values: Values, form: Form) -> list[str]:
    """The line under the title, in as many lines as it needs."""
    lines: list[str] = []
    for part in values.details:
        longer = f"{lines[-1]} · {part}" if lines else part
        if lines and width_of(longer, form.text) <= _inner(form):
            lines[-1] = longer
        else:
            lines.append(part)
    numbered = without_font(values.names)
    return [*lines, *([fitted(numbered, _inner(form), form.text)] if numbered else [])]


def _inner(form: Form) -> float:
    return form.width - 2 * form.margin


def _title(values: Values, form: Form) -> list[str]:
    return lines_of(values.title, _inner(form), form.title, "bold")


def _head_height(values: Values, form: Form) -> float:
    lines = len(_details(values, form)) + bool(values.norms.simulated)
    title = len(_title(values, form)) * line_height(form.title)
    return form.margin + title + 0.02 + lines * line_height(form.text) + 0.1


def _head(page: Page, values: Values) -> None:
    form = page.form
    top = form.margin
    for line in _title(values, form):
        page.text(form.margin, top, left_to_right(line), form.title, fontweight="bold")
        top += line_height(form.title)
    top += 0.02
    for line in _details(values, form):
        page.text(form.margin, top, line, form.text, color=panels.SOFT)
        top += line_height(form.text)
    if values.norms.simulated:
        page.text(form.margin, top, values.norms.simulated, form.text, color=panels.ORANGE)


def _foot(page: Page, values: Values) -> None:
    form = page.form
    foot = fitted(printable(values.foot), _inner(form), form.note)
    top = page.height - form.margin - line_height(form.note)
    page.text(form.margin, top, foot, form.note, color=panels.SOFT)


def _legend(values: Values, form: Form) -> tuple[list[Patch], int]:
    """Words in their colours with their shares, and how many columns have room."""
    order = list(range(len(values.names)))
    if len(order) > MAX_WORDS:
        order = sorted(sorted(order, key=lambda i: -values.areas[i])[:MAX_WORDS])
    colours = palette.of_names(values.names)
    texts = [
        left_to_right(drawable(values.names[i], i), f"  {_percent(values.areas[i])}") for i in order
    ]
    entries = [Patch(color=colours[i], label=t) for i, t in zip(order, texts, strict=True)]
    none = 1 - sum(values.areas)
    if none > 5e-4:
        label = f"background  {_percent(none)}"
        entries.append(Patch(facecolor="white", edgecolor=panels.SOFT, label=label))
    if len(values.names) > MAX_WORDS:
        more = len(values.names) - MAX_WORDS
        label = f"and {counted(more, 'more word')}"
        entries.append(Patch(color="white", label=label))
    widest = max(width_of(entry.get_label(), form.text) for entry in entries)
    most = max(1, int(_inner(form) / (widest + 3.6 * form.text / 72)))
    rows = -(-len(entries) // most)
    return entries, -(-len(entries) // rows)


def _legend_height(entries: int, columns: int, form: Form) -> float:
    return -(-entries // columns) * 1.62 * form.text / 72


def _draw_legend(page: Page, entries: Sequence[Patch], columns: int, top: float) -> None:
    page.figure.legend(
        handles=entries,
        loc="upper left",
        bbox_to_anchor=page.place(page.form.margin, top),
        ncols=columns,
        fontsize=page.form.text,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.2,
        handleheight=0.8,
        handletextpad=0.5,
        columnspacing=1.6,
        labelspacing=0.45,
    )


def _percent(share: float) -> str:
    return "<0.1 %" if 0 < share < 5e-4 else f"{100 * share:.1f} %"


# --- pictures --------------------------------------------------------------------------------


def _aspect(values: Values) -> float:
    """Width over height of a panel with a picture."""
    return min(WIDEST, max(FLATTEST, values.photo.width / values.photo.height))


def _boxes(n: int, aspect: float, form: Form, top: float) -> tuple[list[Box], float]:
    """Places of ``n`` pictures, beside each other or below, and the end of the last."""
    inner, caption = _inner(form), caption_height(form)
    if aspect < form.stacked:
        slot = (inner - (n - 1) * GAP) / n
        height = min(form.tallest, slot / aspect)
        across, down = slot + GAP, 0.0
    else:
        height = min(form.stacked_height, inner / aspect)
        across, down = 0.0, caption + height + 0.06
    boxes = [
        (form.margin + i * across, top + caption + i * down, height * aspect, height)
        for i in range(n)
    ]
    return boxes, top + caption + (n - 1) * down + height


def _shown(values: Values) -> list[tuple[str, Mask | None]]:
    """Photo and masks with their titles."""
    masks = [mask for mask in (values.before, values.after) if mask is not None]
    return [("Photo", None), *((mask.title, mask) for mask in masks)]


def _picture_boxes(values: Values, form: Form, top: float) -> tuple[list[Box], float]:
    return _boxes(len(_shown(values)), _aspect(values), form, top)


def _pictures(page: Page, values: Values, boxes: Sequence[Box]) -> None:
    for (title, mask), box in zip(_shown(values), boxes, strict=True):
        _picture(page, values, title, mask, box)


def _picture(page: Page, values: Values, title: str, mask: Mask | None, box: Box) -> None:
    """The photo, with a mask over it if there is one."""
    axes = _panel(page, box, title)
    panels.picture(axes, panels.painted(values.photo, values.names, mask))


def _panel(page: Page, box: Box, title: str) -> Axes:
    left, top, *_ = box
    form = page.form
    page.text(left, top - caption_height(form), title, form.text, fontweight="bold")
    return page.axes(box)


# --- the lower row ---------------------------------------------------------------------------


def _lower_row(page: Page, values: Values, top: float) -> None:
    """Maps of the fused blocks, the last block's matrix, norms."""
    form, shown = page.form, values.attention[:MAX_MAPS]
    top += caption_height(form)
    left = form.margin
    if shown:
        left = _maps(page, values, top) + 0.62
    else:
        left += 0.2
    box = (left, top, LOW, LOW)
    panels.matrix(_panel(page, box, f"Attention of block {values.last_block}"), values.matrix)
    left += LOW + 0.62
    box = (left, top, form.width - form.margin - left, LOW)
    title = f"Channel norms, block {values.norms.block}"
    panels.norms(_panel(page, box, title), values.norms, form.note)


def _maps(page: Page, values: Values, top: float) -> float:
    """The maps in the rows in which they are largest, and their scale; returns its right end."""
    form, shown, aspect = page.form, values.attention[:MAX_MAPS], _aspect(values)
    room = _inner(form) - LOW - NORMS - 1.75
    caption = caption_height(form)

    def size(rows: int) -> float:
        """Width of a map in so many rows."""
        columns = -(-len(shown) // rows)
        height = (LOW - (rows - 1) * (caption + 0.05)) / rows
        return min((room - (columns - 1) * 0.1) / columns, height * aspect)

    rows = max(range(1, len(shown) + 1), key=size)
    columns = -(-len(shown) // rows)
    width = size(rows)
    height = width / aspect
    highest = panels.highest(shown)
    for index, block in enumerate(shown):
        row, column = divmod(index, columns)
        place = form.margin + column * (width + 0.1), top + row * (height + caption + 0.05)
        axes = _panel(page, (*place, width, height), f"Block {block.block}")
        panels.block_map(axes, block, highest)
    right = form.margin + columns * width + (columns - 1) * 0.1
    bottom = top + rows * height + (rows - 1) * (caption + 0.05)
    bar = page.axes((right + 0.07, top, 0.06, bottom - top))
    panels.scale(bar, highest)
    return right + 0.13
