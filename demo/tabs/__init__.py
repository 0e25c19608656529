"""The tabs of the page, in their order; what several of them show is in :mod:`demo.tabs.common`."""

from collections.abc import Callable
from dataclasses import dataclass

from demo.controls import Controls, Tab
from demo.look import Studio
from demo.tabs import attention, channels, compare, export, learn, side


@dataclass(frozen=True)
class TabEntry:
    """A tab of the page: its name in links, its label, and what builds it.

    ``heavy``: it always waits in the queue for heavy requests.
    """

    name: str
    label: str
    build: Callable[[Studio, Controls], Tab]
    heavy: bool = False


TABS: tuple[TabEntry, ...] = (
    TabEntry("side", "Side by side", side.build),
    TabEntry("compare", "Compare", compare.build, heavy=True),
    TabEntry("attention", "Attention", attention.build),
    TabEntry("channels", "Channels", channels.build),
    TabEntry("export", "Export", export.build, heavy=True),
    TabEntry("learn", "Learn", learn.build),
)
