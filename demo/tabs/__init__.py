"""The tabs of the page: each builds its components and says how to fill them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradio.components import Component

from demo.service import Request, Service, Status

Answer = dict[Component, Any]


@dataclass(frozen=True)
class Tab:
    """A tab once it is built: its outputs, and how to fill them for a request.

    ``show`` returns a value for each output it changes, and how the request went. It is called
    when the tab is opened and whenever a setting changes while the tab is open.
    """

    outputs: list[Component]
    show: Callable[[Service, Request], tuple[Answer, Status]]
