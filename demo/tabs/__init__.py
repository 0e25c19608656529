"""The tabs of the page: each builds its components and says how to fill them.

A tab is added in three lines: a module with ``build(service, controls) -> Tab``, its import, and an
entry in :data:`demo.page.TABS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from demo.controls import Controls
from demo.service import Request, Service, Status

Answer = dict[Any, Any]
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""Options of an event that no program calls and that answers too soon for a progress bar."""


@dataclass(frozen=True)
class Tab:
    """A tab once it is built: its outputs, and how to fill them for a request.

    ``show`` returns a value for each output it changes, and how the request went (None for a tab
    that shows nothing of it). It is called
    when the tab is opened and whenever a setting changes while the tab is open. ``changes`` are
    events after which the page shows the open tab anew: those that write a setting's component
    from the server. ``extra`` are inputs beyond the settings, by their name in :class:`Request`,
    each with what reads its raw value.
    """

    outputs: list[Any]
    show: Callable[[Service, Request], tuple[Answer, Status | None]]
    changes: list[Dependency] = field(default_factory=list)
    extra: dict[str, tuple[Component, Callable[[Any], Any]]] = field(default_factory=dict)


def slide_opacity(mask: gr.HTML, controls: Controls) -> None:
    """Let a mask's own slider set the page's opacity, in the browser alone."""
    mask.input(
        fn=None, js="() => window.gclipOpacity", outputs=controls.component("opacity"), **QUIET
    )
