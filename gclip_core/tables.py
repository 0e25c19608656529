"""Tables of named entries."""

from typing import Protocol, TypeVar

from gclip_core.errors import GclipError


class Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=Named)


class Table(dict[str, Entry]):
    """Entries by ``name``; an unknown name, or one that two entries have, raises ``error``."""

    def __init__(
        self, *entries: Entry, what: str, error: type[GclipError] = GclipError, hint: str = ""
    ) -> None:
        super().__init__()
        self.what, self.error, self.hint = what, error, hint
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        if entry.name in self:
            raise self.error(
                f"There is a {self.what} named '{entry.name}' already. Give this one another name."
            )
        self[entry.name] = entry

    def __getitem__(self, name: str) -> Entry:
        try:
            return super().__getitem__(name)
        except (KeyError, TypeError):  # unknown, or not hashable
            raise self.error(
                f"'{str(name)[:80]}' is not a {self.what}. Choose one of: {', '.join(self)}."
                f"{self.hint}"
            ) from None
