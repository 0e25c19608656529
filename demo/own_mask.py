"""A true mask of a visitor's own, uploaded under the picture and gone with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from demo import wording
from demo.controls import QUIET, RAW
from demo.host.files import path_of
from demo.source import mask_colours
from gclip_core.errors import GclipError

HEADERS = ["value", "colour", "share", "class"]
MAX_ROWS, MAX_NAME = 254, 300
_GONE = f"() => [null, {{ headers: {HEADERS}, data: [] }}, '']"


@dataclass(frozen=True)
class OwnMask:
    """Its components: inputs of a request by their name in it, each with what reads it."""

    inputs: dict[str, tuple[Component, Callable[[Any], Any]]]
    wire: Callable[[Sequence[Any]], list[Dependency]]


def build() -> OwnMask:
    """The file and the table of classes; ``wire`` makes their events from those of a new picture.

    The open tab is shown anew after those that it returns.
    """
    with gr.Accordion(wording.OWN_MASK, open=False, elem_id="own-mask"):
        gr.Markdown(wording.OWN_MASK_HINT, elem_classes=["gclip-note"])
        file = gr.File(
            label=wording.OWN_MASK_FILE, file_types=[".png"], type="filepath", elem_id="mask-file"
        )
        classes = gr.Dataframe(
            headers=HEADERS, datatype="str", label=wording.OWN_MASK_CLASSES, interactive=True,
            type="array", elem_id="mask-classes", static_columns=[0, 1, 2],
        )  # fmt: skip
        said = gr.Markdown("")

    def read(raw: Any) -> tuple[Any, str]:
        try:
            path = path_of(raw)
            found = mask_colours(path) if path else ()
        except GclipError as error:
            return [], str(error)
        rows = [[str(c.value), c.colour, f"{c.share * 100:.1f} %", c.name] for c in found]
        return rows, wording.OWN_MASK_READ if rows else ""

    def wire(new_picture: Sequence[Any]) -> list[Dependency]:
        # In the browser alone, before the picture's own answer is asked for.
        gr.on(new_picture, fn=None, js=_GONE, outputs=[file, classes, said], **QUIET)
        return [
            file.upload(read, file, [classes, said], **RAW),
            file.clear(fn=None, js=_GONE, outputs=[file, classes, said], **QUIET),
            classes.input(fn=None, js="() => []", **QUIET),
        ]

    return OwnMask({"truth_file": (file, path_of), "truth_classes": (classes, _classes)}, wire)


def _classes(raw: Any) -> tuple[tuple[int, str], ...]:
    """Pairs (value in the mask, class name) of the table's raw value; rows without a class out.

    Raises:
        GclipError: more rows, or longer names, than a mask can have.
    """
    data = raw.get("data") if isinstance(raw, dict) else getattr(raw, "data", raw)
    rows = data if isinstance(data, list) else []
    if len(rows) > MAX_ROWS:
        raise GclipError(f"A mask has at most {MAX_ROWS} classes, but {len(rows)} rows came.")
    pairs = []
    for row in rows:
        if not isinstance(row, list) or len(row) != len(HEADERS):
            continue
        value, name = str(row[0]), str(row[3]).strip()
        if len(value) > 3 or len(name) > MAX_NAME:
            raise GclipError(
                f"A class of a mask has a value up to 255 and a name of at most {MAX_NAME} "
                "characters, but longer ones came."
            )
        if value.isascii() and value.isdigit() and name:
            pairs.append((int(value), name))
    return tuple(pairs)
