"""What one visitor may ask: sizes, costs, and turns. ``door.py`` checks requests by them."""

import asyncio
import ipaddress
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache

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
# What a picture may contain: else a file of a few megabytes would occupy a processor for minutes.
MAX_SIDE = 65_535  # pixels
MAX_READS = 10_000, 300_000  # of a file until its header is complete, and until its pixels are
MAX_EXIF = 2**16  # bytes: many entries can point to the same ones, which Pillow copies for each
MAX_SCANS = 50  # of a JPEG, each as long as a whole image; encoders write about ten
# What is received: else bodies would fill the memory, and stalled uploads would shut others out.
MAX_FILE = 64 * 2**20  # bytes of an upload
MAX_UPLOADS = 2  # at once from an address; further ones wait
UPLOAD_SECONDS = 300
MAX_BODY = 64 * 2**10  # bytes of any other request
IDLE_SECONDS = 10  # without a byte of a body
LOGIN_SECONDS = 1  # for each wrong password of a connection
# What is stored: else uploads would fill the disk.
MIN_FREE = 2**30  # bytes of free disk space to keep
MAX_STORED = 2 * 2**30  # bytes of all files of visitors
LEAST_STORED = 128 * 2**10  # bytes that a smaller file counts as
MAX_OF_ADDRESS = 200  # files: a class of thirty shares an address
MAX_AGE = 23 * 3600  # seconds; with the next look, at most a day
LOOK_SECONDS = 3600  # between two looks for old files
# Who waits: else the visitor with the most requests would be served most.
MAX_QUEUE = 200  # waiting computations, a quarter of them of one address
MAX_STARTED = 2 * MAX_QUEUE  # requests that Gradio starts at once, so that all of these can wait
MAX_SESSIONS = 200  # of which Gradio keeps the last inputs
MAX_WAITING = 4  # of one page, or of one request of a program
UNREAD_SECONDS = 10  # without a reader


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


def most_patches(channels: int) -> int:
    """As many patches as ``check_cost`` admits with one method."""
    return int(1_000 * (math.sqrt(1 + MAX_COST / channels / 500) - 1))


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


# --- turns ---------------------------------------------------------------------------------------


@dataclass(eq=False)
class Entry:
    """A request that waits for its turn, or has it; it ``arrived`` after so many turns."""

    session: str
    address: str
    arrived: float
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
        self.served = LRUCache[str, float](10 * MAX_QUEUE)
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
        self, session: str, address: str, is_admitted: bool = False
    ) -> AsyncIterator[None]:
        """Waits for a turn; ``is_admitted`` if the request had one before, so that an answer is
        refused as a whole or not at all.

        Raises BusyError if too much waits, or if nobody reads the answer.
        """
        if not is_admitted:
            self._check_room(session, address)
        entry = Entry(session, address, self.count - 0.5)  # after what ended, before what runs
        self.waiting.append(entry)
        self._call_next()
        try:
            while self.running is not entry:
                with suppress(TimeoutError):
                    await asyncio.wait_for(entry.called.wait(), UNREAD_SECONDS)
                if session not in self.readers:
                    raise BusyError("Nobody reads the answer of this request.")
            yield
        finally:
            if self.running is entry:
                self.running = None
            else:
                self.waiting.remove(entry)
            self._call_next()

    def _check_room(self, session: str, address: str) -> None:
        of_session = sum(entry.session == session for entry in self.waiting)
        of_address = sum(entry.address == address for entry in self.waiting)
        if of_session >= MAX_WAITING or of_address >= MAX_QUEUE // 4:
            raise BusyError("This page already has requests waiting. Try again soon.")
        if len(self.waiting) >= MAX_QUEUE:
            raise BusyError("Too many requests are waiting. Try again soon.")

    def _call_next(self) -> None:
        ready = [entry for entry in self.waiting if entry.session in self.readers]
        if self.running or not ready:
            return
        entry = min(ready, key=lambda e: [self.served.get(name, e.arrived) for name in e.names])
        self.waiting.remove(entry)
        self.running = entry
        self.count += 1
        self.served.update(dict.fromkeys(entry.names, self.count))
        entry.called.set()


TURNS = Turns()
