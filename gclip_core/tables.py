"""Tables of named entries."""

from typing import Protocol, TypeVar

from gclip_core.errors import GclipError


class Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=Named)


class Table(dict[str, Entry]):
    """Entries by ``name``; an unknown name raises ``error``, whose message lists the names.

    Raises ``error`` for two entries of one name.
    """

    def __init__(self, *entries: Entry, what: str, error: type[GclipError] = GclipError) -> None:
        super().__init__({entry.name: entry for entry in entries})
        self.what, self.error = what, error
        if len(self) < len(entries):
            names = [entry.name for entry in entries]
            twice = next(name for name in names if names.count(name) > 1)
            raise error(f"Each {what} needs a name of its own, but two are '{twice}'. Rename one.")

    def __missing__(self, name: str) -> Entry:
        raise self.error(
            f"'{str(name)[:80]}' is not a {self.what}. Choose one of: {', '.join(self)}."
        )
