"""How many requests wait, are computed or have an unread answer: of a session, and of all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException

MAX_WAITING = 200
"""Requests that may wait in Gradio's queue."""
MAX_OF_SESSION = 32
MAX_OF_ALL, MAX_BYTES = 2 * MAX_WAITING, 4 * 2**20
"""Requests of all sessions, and the bytes of their bodies."""


class Pending:
    """Requests by Gradio's name of their event; sessions that read their answers now."""

    def __init__(self) -> None:
        self._events: dict[str, tuple[str, int]] = {}
        self._readers: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._events)

    def check(self, session: str, nbytes: int) -> None:
        """Check whether one more request may wait.

        Raises:
            HTTPException: too many wait, of all visitors or of this session.
        """
        if self.of(session) >= MAX_OF_SESSION:
            unread = "Too many answers of this session wait to be read. Read them, then ask again."
            raise HTTPException(429, unread)
        waiting = sum(size for _, size in self._events.values())
        if len(self) >= MAX_OF_ALL or waiting + nbytes > MAX_BYTES:
            busy = "This page is too busy: too many requests wait. Try again in a minute."
            raise HTTPException(503, busy)

    def joined(self, event: str, session: str, nbytes: int) -> None:
        """Count a request of ``nbytes``."""
        self._events[event] = session, nbytes

    def read(self, event: str) -> None:
        """Count a request no more: its answer was sent."""
        self._events.pop(event, None)

    def dropped(self, session: str) -> None:
        """Count a session's requests no more: their answers were dropped."""
        self._events = {e: asked for e, asked in self._events.items() if asked[0] != session}

    def session_of(self, event: str) -> str:
        """The session of a request, by default one of the request's own."""
        return self._events.get(event, (event, 0))[0]

    @contextmanager
    def reading(self, session: str) -> Iterator[None]:
        """While a session reads its answers."""
        self._readers[session] += 1
        try:
            yield
        finally:
            self._readers -= Counter([session])

    def is_read(self, session: str) -> bool:
        """Whether a session reads its answers now."""
        return session in self._readers

    def readers(self) -> int:
        """How many sessions read their answers now: until the last one was sent."""
        return len(self._readers)

    def of(self, session: str) -> int:
        """How many requests are a session's."""
        return sum(whose == session for whose, _ in self._events.values())
