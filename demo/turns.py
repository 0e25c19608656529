"""Turns: visitors who wait are served one after the other, while somebody reads the answer.

A visitor is a page, which Gradio calls a session, at an address (``address_of``).
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache

from demo import limits
from gclip_core.errors import GclipError


class BusyError(GclipError):
    """Too much is waiting, or nobody waits for it."""


class ReplacedError(Exception):
    """A newer request of the same page has taken the place of this one."""


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
class Place:
    """The place of a request until it is answered; it ``arrived`` after so many turns."""

    session: str
    address: str
    is_replaceable: bool
    arrived: float = 0
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
        self.places: list[Place] = []
        self.waiting: list[Place] = []
        self.running: Place | None = None
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

    @contextmanager
    def place(self, session: str, address: str, replaces: bool = False) -> Iterator[Place]:
        """A place for a request, or that of an older one of its page which ``replaces``, too.

        Raises BusyError if there is none.
        """
        place = Place(session, address, replaces)
        for other in [*self.places] if replaces else ():
            if other.session == session and other.is_replaceable:
                self.places.remove(other)
                other.called.set()
        of_session = sum(other.session == session for other in self.places)
        of_address = sum(other.address == address for other in self.places)
        if of_session >= limits.MAX_WAITING or of_address >= limits.MAX_OF_QUEUE:
            raise BusyError("This page or address has many requests waiting. Try again soon.")
        if len(self.places) >= limits.MAX_QUEUE:
            raise BusyError("Too many requests are waiting. Try again soon.")
        self.places.append(place)
        try:
            yield place
        finally:
            if place in self.places:
                self.places.remove(place)

    @asynccontextmanager
    async def turn(self, place: Place) -> AsyncIterator[None]:
        """Waits for a turn. Raises BusyError if nobody reads the answer, and ReplacedError."""
        place.arrived = self.count - 0.5  # between what ended last and what runs now
        place.called.clear()
        self.waiting.append(place)
        self._call_next()
        try:
            while self.running is not place and place in self.places:
                with suppress(TimeoutError):
                    await asyncio.wait_for(place.called.wait(), limits.UNREAD_SECONDS)
                if place.session not in self.readers:
                    raise BusyError("Nobody reads the answer of this request.")
            if place not in self.places:
                raise ReplacedError
            yield
        finally:
            if self.running is place:
                self.running = None
            else:
                self.waiting.remove(place)
            self._call_next()

    def _call_next(self) -> None:
        ready = [p for p in self.waiting if p.session in self.readers and p in self.places]
        if self.running or not ready:
            return
        place = min(ready, key=lambda p: [self.served.get(name, p.arrived) for name in p.names])
        self.waiting.remove(place)
        self.running = place
        self.count += 1
        self.served.update(dict.fromkeys(place.names, self.count))
        place.called.set()


TURNS = Turns()
