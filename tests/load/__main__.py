"""``python -m tests.load --clients 30 --requests 3000 --check``.

Every request is drawn from all settings of the page, all tabs, uploads, and the API: each setting
may be at its default, at a limit or anywhere in between. With ``--check`` each is answered alone on
one server first; then a fresh server gets them from all clients at once, in random order, and
answers are compared. With ``--worst`` the request that needs the most memory is made once, then by
all clients at once.
"""

import argparse
import itertools
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from queue import Queue
from typing import Any
from urllib.parse import urlencode

import httpx

from demo.host import memory
from demo.settings import FIELDS, MAX_CLASSES, choices, key_of, limits
from demo.tabs import TABS
from demo.variants import ABLATIONS
from evaluation.photos import shipped_photos
from gclip_core.methods import METHODS
from tests.models import picture
from tests.pictures import encoded
from tests.visitor import Answer, BusyError, FailedError, Server, Visitor, serving

WORDS = (
    "dog, grass",
    "person; man; woman, sky, tree, road",
    "cat",
    "water, boat, sky, building",
    "",
    "qwzx, cat",
    ", ".join(f"thing {number}" for number in range(MAX_CLASSES)),
)
SIZES = ((120, 160), (480, 640), (1500, 2000), (2000, 2000), (3000, 4000), (4000, 6000))
"""Uploaded pictures, height before width."""
TEXTS = {
    "amf_blocks": ("auto", "6 7", "3"),
    "cs_blocks": ("auto", "7-11"),
    "channels": ("77", "1-9"),
    "plant_blocks": ("7-11", "5"),
    "view_block": ("3", "12"),
    "view_head": ("1", "mean"),
    "patch": ("3,4", "0,0"),
    "pixel": ("20,30",),
    "left": ("clip", "truth"),
    "right": ("naclip", "cs"),
}


@dataclass(frozen=True)
class Wish:
    """One request: a link to the page, or values for an endpoint of the API; and an upload.

    ``upload`` is the number of its size, -1 for none; pictures of one size differ by ``seed``.
    """

    query: str = ""
    endpoint: str = ""
    values: tuple[Any, ...] = ()
    upload: int = -1
    seed: int = 0
    light: bool = False

    def ask(self, visitor: Visitor) -> Answer:
        """Follow the link in a visitor's tab, or call the endpoint."""
        image = None
        if self.upload >= 0:
            name = f"{self.upload}-{self.seed}"
            image = visitor.uploaded(photo(self.upload, self.seed), f"{name}.jpg")
        if self.endpoint:
            return visitor.program(self.endpoint, [image, *self.values])
        lane = "light" if self.light else "heavy"
        return visitor.ask(self.query, image, lane=lane)


@cache
def photo(number: int, seed: int = 0) -> bytes:
    """An uploaded picture as a file."""
    return encoded(picture(*SIZES[number], seed=number + 100 * seed), "JPEG")


def wishes(amount: int, seed: int = 0) -> list[Wish]:
    """So many different requests, drawn from all settings; one in seven is a program's."""
    chance, drawn = random.Random(seed), dict[Wish, None]()
    while len(drawn) < amount:
        drawn[_program(chance) if chance.random() < 0.15 else _visit(chance)] = None
    return list(drawn)


def _visit(chance: random.Random) -> Wish:
    """Up to six settings differ from the page as it opens, beside those that every request has."""
    names = [name for name in FIELDS if name not in ("source", "example", "words", "tab")]
    changed = chance.sample(names, chance.randint(0, 6))
    asked = {key_of(name): value for name in changed if (value := _value(name, chance))}
    asked |= {"words": chance.choice(WORDS), "tab": chance.choice(TABS).name}
    upload = chance.randrange(-len(SIZES), len(SIZES))
    light = chance.random() < 0.5
    if upload >= 0:
        query = urlencode(asked | {"source": "upload"})
        return Wish(query, upload=upload, light=light)
    example = chance.choice(list(shipped_photos()))
    return Wish(urlencode(asked | {"example": example}), light=light)


def _program(chance: random.Random) -> Wish:
    """A call of the API; about half of all values are at their defaults."""
    upload = chance.randrange(len(SIZES))
    if chance.random() < 1 / 3:
        return Wish("", "suggest", (chance.randint(1, 20), "default"), upload)
    method = chance.choice([*METHODS, *ABLATIONS])
    blocks = [chance.choice(("backbone", "auto", "6 7")) for _ in range(2)]
    threshold = chance.choice((0.0, 0.0, chance.random()))
    background = chance.choice(choices("background"))
    refine = chance.choice(choices("refine"))
    values = (chance.choice(WORDS), method, "default", *blocks, threshold, background, refine)
    return Wish("", "segment", values, upload)


def _value(name: str, chance: random.Random) -> str:
    """A value of a setting as a link writes it; empty for its default."""
    low, high = limits(name)
    if low is not None and high is not None:
        value = chance.choice((low, high, chance.uniform(low, high)))
        return f"{value:.3f}" if isinstance(FIELDS[name].default, float) else str(int(value))
    if choices(name):
        return chance.choice(choices(name))
    if isinstance(FIELDS[name].default, bool):
        return chance.choice("01")
    return chance.choice(TEXTS[name])


def worst(amount: int) -> list[Wish]:
    """Requests for all methods on the largest pictures in the largest sizes."""
    many = {"words": WORDS[-1], "source": "upload", "tab": "compare", "extras": "1"}
    sizes = ({"short": "2048"}, {"short": "448", "window": "112", "stride": "56"})
    return [
        Wish(urlencode(many | size), upload=SIZES.index((2000, 2000)), seed=seed)
        for seed, size in zip(range(amount), itertools.cycle(sizes), strict=False)
    ]


@dataclass
class Tally:
    """What came of it all; times in seconds, memory in MB at the most."""

    seconds: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    busy: int = 0
    peak: float = 0.0
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, wish: Wish, answer: Answer | Exception, expected: Answer | None) -> None:
        """Count what came of a request and compare it with the answer given alone."""
        if isinstance(answer, BusyError):
            self.busy += 1
        elif isinstance(answer, Exception):
            self.failed.append(f"{wish}: {answer!r}"[:600])
        else:
            if answer.problem:
                self.refused[answer.problem] += 1
            if "our side" in answer.problem or (expected and not answer.same_as(expected)):
                self.wrong.append(f"{wish}: {answer.text}"[:600])

    def __str__(self) -> str:
        return (
            f"{len(self.seconds)} answers, {self.refused.total()} of them refusals in words, "
            f"{len(self.wrong)} differing, {len(self.failed)} lost, {self.busy} refused because "
            f"the page was busy. Seconds: median {statistics.median(self.seconds or [0]):.1f}, "
            f"longest {max(self.seconds, default=0):.1f}. Memory: {self.peak:.0f} MB at the most"
        )


def run(
    server: Server,
    alone: dict[Wish, Answer | None],
    clients: int,
    requests: int,
    every: bool = False,
) -> Tally:
    """Let ``clients`` ask at once, each time for any of the requests, or for ``every`` in turn."""
    tally, asked = Tally(), list(alone)
    visitors: Queue[Visitor] = Queue()
    for _ in range(clients):
        visitors.put(Visitor(server.url))

    def ask(number: int) -> tuple[Wish, Answer | Exception]:
        wish = asked[number % len(asked)] if every else random.Random(number).choice(asked)
        visitor, began = visitors.get(), time.monotonic()
        try:
            answer: Answer | Exception = wish.ask(visitor)
            tally.seconds.append(time.monotonic() - began)
        except (BusyError, FailedError, httpx.HTTPError) as error:
            answer = error
        visitors.put(visitor)
        return wish, answer

    with ThreadPoolExecutor(clients) as pool:
        for number, (wish, answer) in enumerate(pool.map(ask, range(requests)), 1):
            tally.add(wish, answer, alone[wish])
            tally.peak = server.peak_mb
            if not number % 100 or number == requests:
                print(tally, *tally.wrong[:3], *tally.failed[:3], sep="\n", flush=True)
    return tally


def answers_alone(url: str, asked: Sequence[Wish]) -> dict[Wish, Answer | None]:
    """Each request's answer, made one after the other by a page that nobody else asks."""
    visitor = Visitor(url)
    return {wish: wish.ask(visitor) for wish in asked}


def main() -> int:
    """Run, print the figures, and return 1 if an answer was wrong or lost, or memory too much."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--different", type=int, default=400, help="how many different requests")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--check", action="store_true", help="compare with answers given alone")
    parser.add_argument("--worst", action="store_true", help="measure the worst memory instead")
    args = parser.parse_args()
    asked = worst(args.clients) if args.worst else wishes(args.different, args.seed)
    alone: dict[Wish, Answer | None] = dict.fromkeys(asked)
    options = ("--backbone", "built-in", "--no-downloads", "--quiet")
    if args.check:
        with serving(*options) as server:
            alone = answers_alone(server.url, asked)
            print(f"{len(alone)} answers alone; {server.peak_mb:.0f} MB", flush=True)
    with serving(*options) as server:
        if args.worst:
            for wish in asked[:2]:
                print(f"{wish.ask(Visitor(server.url)).problem or wish}", flush=True)
                print(f"one request: {server.peak_mb:.0f} MB at the most", flush=True)
        amount = args.clients if args.worst else args.requests
        tally = run(server, alone, args.clients, amount, every=args.worst)
        traces = server.output().count("Traceback")
    print(f"{args.clients} clients, {len(alone)} different requests; {traces} traces in the log")
    print(*[f"{count} × {words}" for words, count in tally.refused.items()], sep="\n")
    print(*tally.wrong[:20], *tally.failed[:20], sep="\n")
    over = tally.peak > memory.BOUND / 10**6
    return int(bool(tally.wrong or tally.failed or traces or over or not tally.seconds))


if __name__ == "__main__":
    sys.exit(main())
