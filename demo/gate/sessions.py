"""Sessions: the order of waiting requests, and unread responses, in Gradio's queue.

Without it, the client with the most requests would be served most (``heavy_requests`` of
``tests.load``), and unread responses would stay in memory (``unread_answers``).
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

if TYPE_CHECKING:  # the command line is read before Gradio is imported
    import gradio as gr

HEAVY = "heavy"  # Gradio's name for the queue of requests that compute, one at a time
MAX_QUEUE = 200  # waiting requests
MAX_NAME = 64  # characters of a session's name
MAX_WAITING = 4  # requests of one session in the queue HEAVY
MAX_OF_SESSION = 8  # requests of one session that wait or have an unread response
MAX_OF_PROGRAMS = 100  # the same for all API clients together, which have no session
UNREAD_SECONDS = 10  # after which unread responses are dropped
MAX_SESSIONS = 200  # sessions whose state is kept


def waiting(page: "gr.Blocks") -> int:
    """How many requests wait for their turn."""
    return len(page._queue)


class Sessions:
    """Sessions with waiting requests, and with readers; API clients have no session."""

    def __init__(self, page: "gr.Blocks") -> None:
        self.page = page
        self.joining, self.readers = list[tuple[str | None, str]](), list[str]()
        self.unread: dict[str, int] = {}  # seconds without a reader

    @contextmanager
    def join(self, session: Any, queue: str) -> Iterator[None]:
        """Counts a request until it is in a queue, then gives every visitor a turn."""
        pending = self.page._queue.pending_event_ids_session
        if session is None:  # Gradio then names one after its only request
            count, most = sum(name in ids for name, ids in pending.items()), MAX_OF_PROGRAMS
        elif isinstance(session, str) and len(session) <= MAX_NAME:
            count, most = len(pending.get(session, ())), MAX_OF_SESSION
            self.unread[session] = 0
        else:
            raise HTTPException(400, f"A session's name has at most {MAX_NAME} characters.")
        count += sum(name == session for name, _ in self.joining)
        heavy = [event.session_hash for event in self._events(HEAVY)]
        heavy += [name for name, other in self.joining if other == HEAVY]
        if count >= most or (session and queue == HEAVY and heavy.count(session) >= MAX_WAITING):
            raise HTTPException(429, "This page already has requests waiting. Try again soon.")
        self.joining.append((session, queue))
        try:
            yield
        finally:
            self.joining.remove((session, queue))
            self._take_turns()

    def _events(self, queue: str) -> list[Any]:
        """The events that wait in a queue of Gradio, which serves the first one."""
        known = self.page._queue.event_queue_per_concurrency_id
        return known[queue].queue if queue in known else []

    def _take_turns(self) -> None:
        """Sort waiting requests: the first of each session, then the second of each, and so on.

        Ties are broken in the same way by IP address, which many sessions may share.
        """
        jobs = filter(None, self.page._queue.active_jobs)
        running = [event for job in jobs for event in job if event.concurrency_id == HEAVY]
        events, turns = self._events(HEAVY), dict[Any, tuple[int, int]]()
        sessions, addresses = Counter[str](), Counter[str]()
        for event in [*running, *sorted(events, key=lambda event: event.enqueue_time)]:
            session, client = event.session_hash, event.request.client
            address = client.host if client else ""
            turns[event] = sessions[session], addresses[address]
            sessions[session] += 1
            addresses[address] += 1
        events.sort(key=turns.__getitem__)

    @contextmanager
    def read(self, request: str | None, query: str) -> Iterator[None]:
        """Counts a reader of an API request, or of the session in a query."""
        event = self.page._queue.event_ids_to_events.get(request or "")
        named = request or QueryParams(query).get("session_hash", "")
        session = event.session_hash if event else named
        self.readers.append(session)
        try:
            yield
        finally:
            self.readers.remove(session)

    async def drop_unread(self) -> None:
        """Drops the requests and responses of sessions that had no reader for too long."""
        queue = self.page._queue
        names = {*queue.pending_event_ids_session, *queue.pending_messages_per_session}
        unread = names.difference(self.readers)
        self.unread = {name: self.unread.get(name, 0) + 1 for name in unread}
        for name in unread:
            if self.unread[name] > UNREAD_SECONDS:
                await queue.clean_events(session_hash=name)
                queue.pending_event_ids_session.pop(name, None)
                queue.pending_messages_per_session.pop(name, None)
