"""What one visitor may ask: sizes, costs, and turns. ``door.py`` checks requests by them."""

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

from gclip_core.errors import GclipError

# What is computed and kept: else the process would exceed 4 GB.
MAX_PIXELS = 64_000_000  # of a picture, by its header, before it is decoded
WORKED_PIXELS = 3_000_000  # to which it is then scaled
MAX_ASPECT = 8  # height by width of a photo in a figure: 1 × 300 would need all memory
MAX_PHRASES = 200  # classes and synonyms: each is embedded in up to 80 sentences
MAX_CHARACTERS = 4_000
MAX_MARKS = 40
MAX_SHOWN = 20_000  # characters: ten words with 512 numbers each
MAX_COST = 31_000_000  # of one request, in the units of check_cost: 8 s on two cores
SHOWN_PATCHES = 1_200  # a finer grid is pooled before it is sent to the browser
ATTENDED_PATCHES = 560  # the same for the patches that each of them attends to
BLOCK_PATCHES = 140  # and for these in the small maps of the blocks
MAX_BACKBONES = 3  # loaded at the same time
MAX_CACHED = 600 * 2**20  # bytes of pictures, encodings and masks of all visitors
# What is received: else bodies would fill the memory, and stalled uploads would shut others out.
MAX_FILE = 64 * 2**20  # bytes of an upload
MAX_UPLOADS = 2  # at once from an address; further ones wait
UPLOAD_SECONDS = 300
MIN_FREE = 2**30  # bytes of free disk space to keep
MAX_BODY = 64 * 2**10  # bytes of any other request
MAX_BRACKETS = 300  # lists and objects in it: this bounds its depth and its memory
IDLE_SECONDS = 10  # without a byte of a body
# Who waits: else the visitor with the most requests would be served most.
MAX_QUEUE = 200  # waiting computations, a quarter of them of one address
MAX_STARTED = 2 * MAX_QUEUE  # requests that Gradio starts at once, so that all of these can wait
MAX_SESSIONS = 200  # of which Gradio keeps the last inputs
MAX_WAITING = 4  # of one page, or of one request of a program
UNREAD_SECONDS = 10  # without a reader

UNREAD = "Nobody reads the answer of this request."


class BusyError(GclipError):
    """Too much is waiting, or nobody waits for it."""


def check_cost(patches: int, channels: int, methods: int = 1) -> None:
    """Checks the cost of an encoding; ``channels`` are those of all blocks.

    The cost of attention grows with the square of the number of patches. An encoding with up to 14
    methods counts once; more methods count in proportion. Raises GclipError.
    """
    cost = patches * (1 + patches / 2_000) * channels * max(1, methods / 14)
    if cost > MAX_COST:
        raise GclipError(
            f"This needs {cost / MAX_COST:.2f} × the computation that one request may use. "
            "Choose a smaller size or a smaller backbone."
        )


def address_of(host: str) -> str:
    """The address that counts as one visitor's: an IPv4 address, or an IPv6 network of 64 bits."""
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped:  # where a server listens to both
                return str(address.ipv4_mapped)
            return str(ipaddress.ip_network((int(address), 64), strict=False))
    return host


# --- turns ---------------------------------------------------------------------------------------


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
        self.served = OrderedDict[str, int]()
        """When addresses and pages were served last, in turns, the oldest first."""
        self.count = 0
        self.changed = asyncio.Condition()

    @contextmanager
    def reader(self, session: str) -> Iterator[None]:
        """While a stream of answers is open."""
        self.readers.append(session)
        try:
            yield
        finally:
            self.readers.remove(session)

    @asynccontextmanager
    async def turn(
        self, session: str, address: str, is_admitted: bool = False
    ) -> AsyncIterator[None]:
        """Waits for a turn; ``is_admitted`` if the request had one before, so that an answer is
        refused as a whole or not at all.

        Raises BusyError if too much waits, or if nobody reads the answer.
        """
        if not is_admitted:
            self._check_room(session, address)
        entry = Entry(session, address, self.count - 0.5)
        self.waiting.append(entry)
        try:
            await self._reader_of(session)
            entry.is_ready = True
            async with self.changed:
                self.changed.notify_all()
                await self.changed.wait_for(lambda: self._next() is entry)
                self._start(entry)
            if session not in self.readers:  # it has gone while this waited
                raise BusyError(UNREAD)
            yield
        finally:
            if entry in self.waiting:
                self.waiting.remove(entry)
            if entry is self.running:
                self.running = None
            async with self.changed:
                self.changed.notify_all()

    def _check_room(self, session: str, address: str) -> None:
        of_session = sum(entry.session == session for entry in self.waiting)
        of_address = sum(entry.address == address for entry in self.waiting)
        if of_session >= MAX_WAITING or of_address >= MAX_QUEUE // 4:
            raise BusyError("This page already has requests waiting. Try again soon.")
        if len(self.waiting) >= MAX_QUEUE:
            raise BusyError("Too many requests are waiting. Try again soon.")

    async def _reader_of(self, session: str) -> None:
        for _ in range(50 * UNREAD_SECONDS):
            if session in self.readers:
                return
            await asyncio.sleep(0.02)
        raise BusyError(UNREAD)

    def _next(self) -> "Entry | None":
        """Whose turn it is."""
        ready = [entry for entry in self.waiting if entry.is_ready]
        if self.running or not ready:
            return None
        return min(ready, key=lambda e: [self.served.get(name, e.arrived) for name in e.names])

    def _start(self, entry: "Entry") -> None:
        self.waiting.remove(entry)
        self.running = entry
        self.count += 1
        for name in entry.names:
            self.served[name] = self.count
            self.served.move_to_end(name)
        while len(self.served) > 10 * MAX_QUEUE:
            self.served.popitem(last=False)


@dataclass(eq=False)
class Entry:
    """A request that waits for its turn, or has it."""

    session: str
    address: str
    arrived: float
    """In terms of ``served``: after what ended, before what runs."""
    is_ready: bool = False
    """It has a reader."""

    @property
    def names(self) -> tuple[str, str]:
        return f"address {self.address}", f"page {self.session}"


TURNS = Turns()
