"""Tables of named entries."""

from collections.abc import Mapping
from typing import TypeVar

from gclip_core.errors import GclipError

Entry = TypeVar("Entry")


def table(*entries: Entry) -> dict[str, Entry]:
    """A dictionary of entries by their ``name``, in their order."""
    return {entry.name: entry for entry in entries}


def find(entries: Mapping[str, Entry], name: str, what: str, error: type[GclipError]) -> Entry:
    """The entry of that name, or an ``error`` that lists the valid ones."""
    if name not in entries:
        raise error(f"'{name[:80]}' is not a {what}. Choose one of: {', '.join(entries)}.")
    return entries[name]
