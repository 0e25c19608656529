"""Turns: visitors who wait are served one after the other, while somebody reads the answer.

A visitor is a page, which Gradio calls a session, at an address (``address_of``).
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cachetools import LRUCache

from demo import limits
from gclip_core.errors import GclipError


class BusyError(GclipError):
    """Too much is waiting, or nobody waits for it."""


def address_of(request: Any) -> str:
    """The address from which a request comes, of Starlette or Gradio, and which counts as one
    visitor's: an IPv4 address, or an IPv6 network of 64 bits."""
    host = request.client.host if request.client else ""
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped:  # where a server listens to both
                return str(address.ipv4_mapped)
            return str(ipaddress.ip_network((int(address), 64), strict=False))
    return host


@dataclass(eq=False)
class Entry:
    """A request that waits for its turn, or has it; it ``arrived`` after so many turns. It leaves
    when it ``is_wanted`` no longer."""

    session: str
    address: str
    arrived: float
    is_wanted: Callable[[], bool]
    called: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def names(self) -> tuple[str, str]:
        return f"address {self.address}", f"page {self.session}"


class Turns:
    """A lock for one computation at a time, which the visitors who wait get in turn: first the
    address that was served least recently, then its page that was.

    Gradio must start all requests at once: its own queue knows no turns.
    """

    def __init__(self) -> None:
        self.waiting: list[Entry] = []
        self.running: Entry | None = None
        self.readers: list[str] = []
        """Open streams of answers, by the name of the page's session, or of a program's request."""
        self.count = 0
        self.served = LRUCache[str, float](10 * limits.MAX_QUEUE)
        """When addresses and pages were served last, in turns."""

    @contextmanager
    def reader(self, session: str) -> Iterator[None]:
        """While a stream of answers is open."""
        self.readers.append(session)
        self._call_next()
        try:
            yield
        finally:
            self.readers.remove(session)

    @asynccontextmanager
    async def turn(
        self,
        session: str,
        address: str,
        is_admitted: bool = False,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> AsyncIterator[None]:
        """Waits for a turn; ``is_admitted`` if the request had one before, so that an answer is
        refused as a whole or not at all. ``is_wanted`` is asked when another request comes.

        Raises BusyError if too much waits, if nobody reads the answer, or if it is not wanted.
        """
        for other in self.waiting:
            if not other.is_wanted():
                other.called.set()  # it leaves, and takes no place from here on
        if not is_admitted:
            self._check_room(session, address)
        arrived = self.count - 0.5  # between what ended last and what runs now
        entry = Entry(session, address, arrived, is_wanted)
        self.waiting.append(entry)
        self._call_next()
        try:
            while self.running is not entry and is_wanted():
                with suppress(TimeoutError):
                    await asyncio.wait_for(entry.called.wait(), limits.UNREAD_SECONDS)
                if session not in self.readers:
                    raise BusyError("Nobody reads the answer of this request.")
            if not is_wanted():
                raise BusyError("A newer request has taken the place of this one.")
            yield
        finally:
            if self.running is entry:
                self.running = None
            else:
                self.waiting.remove(entry)
            self._call_next()

    def _check_room(self, session: str, address: str) -> None:
        waiting = [entry for entry in self.waiting if entry.is_wanted()]
        of_session = sum(entry.session == session for entry in waiting)
        of_address = sum(entry.address == address for entry in waiting)
        if of_session >= limits.MAX_WAITING or of_address >= limits.MAX_QUEUE // 4:
            raise BusyError("This page or address has many requests waiting. Try again soon.")
        if len(waiting) >= limits.MAX_QUEUE:
            raise BusyError("Too many requests are waiting. Try again soon.")

    def _call_next(self) -> None:
        ready = [e for e in self.waiting if e.session in self.readers and e.is_wanted()]
        if self.running or not ready:
            return
        entry = min(ready, key=lambda e: [self.served.get(name, e.arrived) for name in e.names])
        self.waiting.remove(entry)
        self.running = entry
        self.count += 1
        self.served.update(dict.fromkeys(entry.names, self.count))
        entry.called.set()


TURNS = Turns()
COMPUTING = ThreadPoolExecutor(1)
"""One thread: a request that is cancelled gives its turn away, but its computation runs on."""


async def compute(function: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """The result of a computation of whoever has the turn."""
    run = partial(copy_context().run, function, *values, **named)  # a ZeroGPU asks for the context
    return await asyncio.get_running_loop().run_in_executor(COMPUTING, run)
