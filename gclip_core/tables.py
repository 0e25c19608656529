"""Tables of named entries."""

from typing import Protocol, TypeVar

from gclip_core.errors import GclipError


class Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=Named)


class Table(dict[str, Entry]):
    """Entries by ``name``; an unknown name, or one that two entries have, raises ``error``."""

    def __init__(self, *entries: Entry, what: str, error: type[GclipError] = GclipError) -> None:
        super().__init__()
        self.what, self.error = what, error
        for entry in entries:
            if entry.name in self:
                raise error(f"Two entries of kind {what} are named '{entry.name}'. Rename one.")
            self[entry.name] = entry

    def __getitem__(self, name: str) -> Entry:
        try:
            return super().__getitem__(name)
        except (KeyError, TypeError):  # unknown, or not hashable
            raise self.error(
                f"'{str(name)[:80]}' is not a {self.what}. Choose one of: {', '.join(self)}."
            ) from None
