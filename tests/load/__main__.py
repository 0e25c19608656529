"""``python -m tests.load --clients 30 --requests 3000 --write docs/SOAK.md``.

Every request is drawn from all settings of the page: each may be at its default, at a limit or
anywhere in between. With ``--check`` each is answered alone on one server first; then a fresh
server gets them from all clients at once, in random order, and answers are compared.
"""

import argparse
import itertools
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psutil

from demo.host import memory
from demo.settings import FIELDS, choices, declared, key_of, limits
from demo.tabs import TABS
from evaluation.photos import star_photos
from tests.models import picture
from tests.pictures import encoded
from tests.visitor import Answer, BusyError, FailedError, Server, Visitor, serving

WORDS = ("dog, grass", "person; man; woman, sky, tree, road", "cat", "water, boat, sky, building")
SIZES = ((120, 160), (480, 640), (1500, 2000), (3000, 4000), (4000, 6000))
"""Uploaded pictures, height before width."""
CHANGED = 6
"""Settings at most in which a request differs from the page as it opens."""
TEXTS = {
    "amf_blocks": ("auto", "6 7", "3"),
    "cs_blocks": ("auto", "7-11"),
    "channels": ("77", "1-9"),
    "plant_blocks": ("7-11", "5"),
    "view_block": ("3", "12"),
    "view_head": ("1", "mean"),
    "patch": ("3,4", "0,0"),
    "pixel": ("20,30",),
}
SKIPPED = ("source", "example", "words", "tab", "backbone")


@dataclass(frozen=True)
class Wish:
    """One request: a link, and the number of an uploaded picture (-1: none)."""

    query: str
    upload: int = -1

    def ask(self, visitor: Visitor) -> Answer:
        """Follow the link in a visitor's tab."""
        if self.upload < 0:
            return visitor.ask(self.query)
        name = f"{self.upload}.jpg"
        return visitor.ask(self.query, visitor.uploaded(photo(self.upload), name))


@cache
def photo(number: int) -> bytes:
    """An uploaded picture as a file."""
    return encoded(picture(*SIZES[number], seed=number), "JPEG")


def wishes(amount: int, seed: int = 0) -> list[Wish]:
    """So many different requests, drawn from all settings."""
    chance, found = random.Random(seed), {}
    while len(found) < amount:
        found[_wish(chance)] = None
    return list(found)


def _wish(chance: random.Random) -> Wish:
    names = [name for name in FIELDS if name not in SKIPPED]
    changed = chance.sample(names, chance.randint(0, CHANGED))
    asked = {key_of(name): value for name in changed if (value := _value(name, chance))}
    asked |= {"words": chance.choice(WORDS), "tab": chance.choice(TABS).name}
    upload = chance.randrange(-len(SIZES), len(SIZES))
    if upload >= 0:
        return Wish(urlencode(asked | {"source": "upload"}), upload)
    return Wish(urlencode(asked | {"example": chance.choice(list(star_photos()))}))


def _value(name: str, chance: random.Random) -> str:
    """A value of a setting as a link writes it; empty for its default."""
    low, high = limits(name)
    if low is not None and high is not None:
        value = chance.choice((low, high, chance.uniform(low, high)))
        return f"{value:.3f}" if isinstance(FIELDS[name].default, float) else str(int(value))
    if choices(name):
        return chance.choice(choices(name))
    if declared(name)["control"] == "switch" or isinstance(FIELDS[name].default, bool):
        return chance.choice("01")
    return chance.choice(TEXTS.get(name, ("",)))


@dataclass
class Tally:
    """What came of it all; every list is one entry per request, in the order of the answers."""

    seconds: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    refused: int = 0
    busy: int = 0
    peak: float = 0.0
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def run(
    server: Server,
    alone: dict[Wish, Answer | None],
    clients: int,
    minutes: float = 1e9,
    requests: int = sys.maxsize,
) -> Tally:
    """Let ``clients`` ask at once for ``minutes`` or ``requests``, whichever ends first."""
    tally, end, given = Tally(), time.monotonic() + 60 * minutes, itertools.count()

    def client(number: int) -> None:
        chance, visitor = random.Random(number), Visitor(server.url)
        while time.monotonic() < end and next(given) < requests:
            wish = chance.choice(list(alone))
            try:
                answer = wish.ask(visitor)
            except BusyError:
                tally.busy += 1
                continue
            except (FailedError, httpx.HTTPError) as error:
                tally.failed.append(f"{wish}: {error!r}"[:300])
                continue
            with tally.lock:
                tally.seconds.append(answer.seconds)
                tally.waits.append(answer.waited)
                tally.memory.append(server.memory_mb)
                tally.refused += bool(answer.problem)
                expected = alone[wish]
                if "our side" in answer.problem or (expected and not answer.same_as(expected)):
                    tally.wrong.append(f"{wish}: {answer.text}"[:300])
                if not len(tally.seconds) % 100:
                    print(f"{len(tally.seconds)} answers; {server.peak_mb:.0f} MB", flush=True)
        visitor.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.peak = server.peak_mb
    return tally


def answers_alone(url: str, asked: Sequence[Wish]) -> dict[Wish, Answer | None]:
    """Each request's answer, made one after the other by a page that nobody else asks."""
    visitor = Visitor(url)
    found: dict[Wish, Answer | None] = {wish: wish.ask(visitor) for wish in asked}
    visitor.close()
    return found


def table(tally: Tally, every: int = 100) -> str:
    """Memory and latency by hundred requests, as Markdown."""
    rows = ["| requests | memory (MB), most | median (s) | slowest (s) |", "|---|---|---|---|"]
    for start in range(0, len(tally.seconds), every):
        part, used = (one[start : start + every] for one in (tally.seconds, tally.memory))
        rows.append(
            f"| {start + 1} to {start + len(part)} | {max(used):.0f} "
            f"| {statistics.median(part):.2f} | {max(part):.2f} |"
        )
    return "\n".join(rows)


def summary(tally: Tally, clients: int, different: int) -> str:
    """The figures in words."""
    return (
        f"{clients} clients, {different} different requests, {len(tally.seconds)} answers, "
        f"{tally.refused} of them refusals in words, {len(tally.wrong)} wrong, {len(tally.failed)} "
        f"lost, {tally.busy} told that the page is busy; waits: median "
        f"{statistics.median(tally.waits):.1f} s, longest {max(tally.waits):.1f} s; memory: "
        f"{tally.peak:.0f} MB at the most"
    )


RUN = "## The last run\n"
SECTION = """
`python -m tests.load {arguments}` on {cores} cores that {load:.1f} processes wanted on average in
the last 15 minutes, this page among them.

{summary}.

{table}
"""


def write(path: Path, section: str) -> None:
    """Put a section in the place of the document's last run, or at its end."""
    text = path.read_text("utf-8") if path.exists() else ""
    before, _, rest = text.partition(RUN)
    _, title, after = rest.partition("\n## ")
    path.write_text(before + RUN + section + title + after, "utf-8")


def main() -> int:
    """Run, print the figures, and return 1 if an answer was wrong or lost, or memory too much."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--different", type=int, default=400, help="how many different requests")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--check", action="store_true", help="compare with answers given alone")
    parser.add_argument("--write", type=Path, help="document whose last run this is")
    args = parser.parse_args()
    asked = wishes(args.different, args.seed)
    alone: dict[Wish, Answer | None] = dict.fromkeys(asked)
    with tempfile.TemporaryDirectory() as folder:
        options = ("--backbone", "built-in", "--no-downloads", "--quiet")
        if args.check:
            with serving(Path(folder), *options) as server:
                alone = answers_alone(server.url, asked)
        with serving(Path(folder), *options) as server:
            tally = run(server, alone, args.clients, requests=args.requests)
            traces = server.said().count("Traceback")
    if not tally.seconds:
        print("no answer came", tally.busy, tally.failed[:5])
        return 1
    said = summary(tally, args.clients, len(alone))
    print(f"{table(tally)}\n\n{said}; {traces} traces in the log")
    print("\n".join([*tally.wrong[:5], *tally.failed[:5]]))
    if args.write:
        section = SECTION.format(
            arguments=" ".join(sys.argv[1:]), summary=said, cores=psutil.cpu_count(),
            load=psutil.getloadavg()[2], table=table(tally),
        )  # fmt: skip
        write(args.write, section)
    over = tally.peak > memory.BOUND / 10**6
    return int(bool(tally.wrong or tally.failed or traces or over))


if __name__ == "__main__":
    sys.exit(main())
