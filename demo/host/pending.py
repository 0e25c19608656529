"""How many requests wait, are computed or have an unread answer: of a session, and of all."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.exceptions import HTTPException

MAX_WAITING = 200
"""Requests that may wait in Gradio's queue."""
MAX_OF_SESSION = 32
MAX_OF_ALL, MAX_BYTES = 2 * MAX_WAITING, 4 * 2**20
"""Requests of all sessions, and the bytes of their bodies."""
UNREAD_SECONDS, LEFT_SECONDS = 600, 15
"""A session's answers expire so long after its last request, or after it stopped to read."""


@dataclass
class _Request:
    session: str
    nbytes: int
    until: float = 0.0


class Pending:
    """Requests by Gradio's name of their event; sessions that read their answers now.

    Once it ``is_closed`` no request may wait.
    """

    def __init__(self) -> None:
        self._requests: dict[str, _Request] = {}
        self._readers: Counter[str] = Counter()
        self.is_closed = False

    def __len__(self) -> int:
        return len(self._requests)

    def check(self, session: str, nbytes: int) -> None:
        """Check whether one more request may wait.

        Raises:
            HTTPException: too many wait, of all visitors or of this session, or the page ends.
        """
        if self.is_closed:
            raise HTTPException(503, "This page is shutting down. Try again in a minute.")
        if len(self._of(session)) >= MAX_OF_SESSION:
            unread = "Too many answers of this session wait to be read. Read them, then ask again."
            raise HTTPException(429, unread)
        waiting = sum(request.nbytes for request in self._requests.values())
        if len(self) >= MAX_OF_ALL or waiting + nbytes > MAX_BYTES:
            busy = "This page is too busy: too many requests wait. Try again in a minute."
            raise HTTPException(503, busy)

    def joined(self, event: str, session: str, nbytes: int) -> None:
        """Count a request of ``nbytes``."""
        self._requests[event] = _Request(session, nbytes)
        self._keep(session, UNREAD_SECONDS)

    def read(self, event: str) -> None:
        """Count a request no more: its answer was sent."""
        self._requests.pop(event, None)

    @contextmanager
    def reading(self, session: str) -> Iterator[None]:
        """While a session reads its answers."""
        self._readers[session] += 1
        try:
            yield
        finally:
            self._readers -= Counter([session])
            self._keep(session, LEFT_SECONDS)

    def readers(self) -> int:
        """How many sessions read their answers now: until the last one was sent."""
        return len(self._readers)

    def expire(self) -> set[str]:
        """Count the requests of expired sessions no more; returns these sessions."""
        now = time.monotonic()
        sessions = {request.session for request in self._requests.values() if request.until <= now}
        sessions -= self._readers.keys()
        self._requests = {
            event: request
            for event, request in self._requests.items()
            if request.session not in sessions
        }
        return sessions

    def _keep(self, session: str, seconds: float) -> None:
        """Let a session's requests expire ``seconds`` from now."""
        until = time.monotonic() + seconds
        for request in self._of(session):
            request.until = until

    def _of(self, session: str) -> list[_Request]:
        return [request for request in self._requests.values() if request.session == session]
