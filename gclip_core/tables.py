"""Tables of named entries."""

from collections.abc import Mapping
from typing import TypeVar

from gclip_core.errors import GclipError

Entry = TypeVar("Entry")


def table(*entries: Entry) -> dict[str, Entry]:
    """A dictionary of entries by their ``name``, in their order."""
    return {entry.name: entry for entry in entries}


def find(entries: Mapping[str, Entry], name: str, what: str, error: type[GclipError]) -> Entry:
    """The entry of that name. Raises ``error``, which lists the valid names, if there is none."""
    if name not in entries:
        raise error(f"'{str(name)[:80]}' is not a {what}. Choose one of: {', '.join(entries)}.")
    return entries[name]
