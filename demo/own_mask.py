"""A true mask of a visitor's own, uploaded under the picture and gone with it."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

from demo import wording
from demo.controls import RAW, in_browser
from demo.host.files import path_of
from demo.source import mask_colours
from gclip_core.errors import GclipError

HEADERS = ["value", "colour", "share", "class"]
MAX_ROWS, MAX_NAME = 254, 300
_GONE = f"() => [null, {{ headers: {HEADERS}, data: [] }}, '']"


class OwnMask:
    """The file and the table of its classes, which are inputs of a request."""

    def __init__(self) -> None:
        with gr.Accordion("A true mask of your own", open=False, elem_id="own-mask"):
            gr.Markdown(wording.OWN_MASK_HINT, elem_classes=["gclip-note"])
            self.file = gr.File(label="Mask (PNG)", file_types=[".png"], elem_id="mask-file")
            self.classes = gr.Dataframe(
                headers=HEADERS,
                label="Colours and classes",
                interactive=True,
                elem_id="mask-classes",
                static_columns=[0, 1, 2],
            )
            self._said = gr.Markdown("")

    def wire(self, new_picture: Sequence[Any]) -> list[Dependency]:
        """Make the events; a new picture drops the mask. After the others the tab is shown anew."""
        table = [self.classes, self._said]
        gone = in_browser(_GONE, outputs=[self.file, *table])
        # In the browser alone, before the picture's own answer is asked for.
        gr.on(new_picture, **gone)
        return [
            self.file.upload(_read, self.file, table, **RAW),
            self.file.clear(**gone),
            self.classes.input(**in_browser("() => []")),
        ]


def _read(raw: Any) -> tuple[Any, str]:
    """Rows of the table for an uploaded mask, and a sentence."""
    try:
        path = path_of(raw)
        found = mask_colours(path) if path else ()
    except GclipError as error:
        return [], str(error)
    rows = [
        [str(value), colour, wording.percent(share), name] for value, colour, share, name in found
    ]
    return rows, wording.OWN_MASK_READ if rows else ""


def classes_of(raw: Any) -> tuple[tuple[int, str], ...]:
    """Pairs (value in the mask, class name) of the table's raw value; rows without a class out.

    Raises:
        GclipError: more rows, or longer names, than a mask can have.
    """
    rows = raw["data"] if raw else []
    if len(rows) > MAX_ROWS:
        raise GclipError(f"A mask has at most {MAX_ROWS} classes, but {len(rows)} rows came.")
    pairs = []
    for value, _, _, name in (map(str, row) for row in rows if len(row) == len(HEADERS)):
        if len(value) > 3 or len(name) > MAX_NAME:
            raise GclipError(
                f"A class of a mask has a value up to 255 and a name of at most {MAX_NAME} "
                "characters, but longer ones came."
            )
        if value.isascii() and value.isdigit() and name.strip():
            pairs.append((int(value), name.strip()))
    return tuple(pairs)
