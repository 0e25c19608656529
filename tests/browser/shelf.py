"""A page with widgets on made-up values, for tests of what a person sees of one widget."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from demo import page as layout
from demo import theme, widgets
from demo.widgets import code, values
from demo.widgets.blobs import BlobStore

SHOWN = "<style>.main.main { visibility: visible }</style>"
"""The page itself is shown once its input is there, which a shelf has not."""
QUIET = {"api_visibility": "private", "show_progress": "hidden"}


@contextmanager
def shelf(
    store: BlobStore,
    kinds: dict[str, str],
    shown: Callable[[bool], dict[str, Any]],
    explain: Callable[[gr.SelectData], Any] | None = None,
) -> Iterator[str]:
    """The address of a page with a widget for every name of ``kinds``.

    ``shown`` gives their values, for a switch "on" that is off at first. What a widget selects is
    written into "said"; ``explain`` answers a press on a canvas.
    """
    with gr.Blocks(analytics_enabled=False) as demo:
        made = {name: getattr(widgets, kind)(elem_id=name) for name, kind in kinds.items()}
        why = widgets.why(elem_id="why")
        said = gr.Textbox(elem_id="said", label="said")
        on = gr.Checkbox(False, label="on", elem_id="on")

        def select(event: gr.SelectData) -> str:
            return str(event.index)

        def fill(on: bool) -> list[Any]:
            found = shown(on)
            return [values.packed(found[name]) for name in made]

        for name, one in made.items():
            one.select(select, None, said, **QUIET)
            one.clear(lambda: "cleared", None, said, **QUIET)
            if explain and kinds[name] == "canvas":
                one.select(explain, None, why, **QUIET)
        demo.load(fill, on, list(made.values()), **QUIET)
        on.input(fill, on, list(made.values()), **QUIET)
    _, address, _ = demo.launch(
        prevent_thread_lock=True, quiet=True, run_history=False, theme=theme.theme(),
        head=layout.head() + SHOWN, app_kwargs={"routes": [store.route(), *code.routes()]},
    )  # fmt: skip
    yield address
    demo.close()
