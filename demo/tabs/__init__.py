"""The tabs of the page, in their order; :mod:`contents` is what the contents of several have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from demo.answer import Answer
from demo.controls import Controls, Tab
from demo.engine import Engine
from demo.request import Request
from demo.tabs import attention, channels, compare, export, learn, side


@dataclass(frozen=True)
class TabEntry:
    """A tab of the page: its name in links, its label, and its three functions.

    ``build`` makes its components; ``compute`` makes its own frozen content of an answer; ``view``
    makes of that content what each component shows, by the names of ``build``'s parts. ``compute``
    asks the engine for masks, ``build`` and its events only for facts of a backbone; around
    matrices of attention ``compute`` takes ``Engine.turn``.

    ``heavy``: it always waits in the queue for heavy requests. ``request`` is the one of a tab that
    shows everybody the same, also where the visitor's own cannot be answered.
    """

    name: str
    label: str
    build: Callable[[Engine, Controls], Tab]
    compute: Callable[[Engine, Answer], Any]
    view: Callable[[Any], dict[str, Any]]
    heavy: bool = False
    request: Request | None = None


TABS: tuple[TabEntry, ...] = (
    TabEntry("side", "Side by side", side.build, side.compute, side.view),
    TabEntry("learn", "Learn", learn.build, learn.compute, learn.view, request=learn.REQUEST),
    TabEntry("compare", "Compare", compare.build, compare.compute, compare.view, heavy=True),
    TabEntry("attention", "Attention", attention.build, attention.compute, attention.view),
    TabEntry("channels", "Channels", channels.build, channels.compute, channels.view),
    TabEntry("export", "Export", export.build, export.compute, export.view),
)

LANES = tuple(
    (entry, heavy) for heavy in (False, True) for entry in TABS if heavy or not entry.heavy
)
"""Each tab with each queue that its requests may wait in: a heavy tab has the heavy one alone."""
