"""``python -m tests.load --clients 30 --minutes 5``, or ``--requests 2000`` as a soak.

First every request is made alone on one server. Then a fresh server with empty caches gets them
from all clients at once, in random order, and every answer is compared with the one given alone.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.pictures import encoded, noise
from tests.visitor import Answer, BusyError, FailedError, Server, Visitor, serving

WORDS = ("frog, grass", "strawberry; berry, frog, grass", "house, tree, sky, road", "cat")
UPLOADS = 4


@dataclass(frozen=True)
class Wish:
    """One request: a link, and the number of an uploaded picture (-1: none)."""

    query: str
    upload: int = -1

    def ask(self, url: str) -> Answer:
        """Make the request in a tab of its own."""
        visitor = Visitor(url)
        try:
            image = None
            if self.upload >= 0:
                picture = noise(120, 160, seed=self.upload)
                image = visitor.uploaded(encoded(picture, "PNG"), f"{self.upload}.png")
            return visitor.ask(self.query, image)
        finally:
            visitor.close()


def wishes(amount: int) -> list[Wish]:
    """Different pictures, words, switches and tabs, spread over all combinations."""
    seeds, toggles, tabs = range(1, 9), itertools.product((0, 1), (0, 1)), ("side", "compare")
    found = [
        Wish(f"seed={seed}&words={words}&amf={amf}&cs={cs}&tab={tab}")
        for seed, words, (amf, cs), tab in itertools.product(seeds, WORDS, list(toggles), tabs)
    ]
    found += [
        Wish(f"source=upload&words={words}&cs={cs}", number)
        for number, words, cs in itertools.product(range(UPLOADS), WORDS, (0, 1))
    ]
    random.Random(0).shuffle(found)
    return found[:amount]


@dataclass
class Tally:
    """What came of it all; every list is one entry per request, in the order of the answers."""

    seconds: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    ranks: int = 0
    busy: int = 0
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def run(
    server: Server,
    alone: dict[Wish, str],
    clients: int,
    minutes: float = 1e9,
    requests: int = sys.maxsize,
) -> Tally:
    """Let ``clients`` ask at once for ``minutes`` or ``requests``, whichever ends first."""
    tally, end, given = Tally(), time.monotonic() + 60 * minutes, itertools.count()

    def client(number: int) -> None:
        chance = random.Random(number)
        while time.monotonic() < end and next(given) < requests:
            wish = chance.choice(list(alone))
            try:
                answer = wish.ask(server.url)
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
                tally.ranks += any(rank > 0 for rank in answer.ranks)
                if answer.shown != alone[wish]:
                    tally.wrong.append(f"{wish}: {answer.text}"[:300])

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def table(tally: Tally, every: int = 100) -> str:
    """Memory and latency by hundred requests, as Markdown."""
    rows = ["| requests | memory (MB) | median (s) | slowest (s) |", "|---|---|---|---|"]
    for start in range(0, len(tally.seconds), every):
        part = tally.seconds[start : start + every]
        memory = tally.memory[start : start + every][-1]
        last = start + len(part)
        rows.append(
            f"| {start + 1} to {last} | {memory:.0f} | {statistics.median(part):.2f} "
            f"| {max(part):.2f} |"
        )
    return "\n".join(rows)


def growth(tally: Tally) -> float:
    """Growth of memory from the end of the first quarter (warm-up) to the end, as a share."""
    warm = tally.memory[len(tally.memory) // 4]
    return tally.memory[-1] / warm - 1


def answers_alone(folder: Path, amount: int) -> dict[Wish, str]:
    """The digest of each request's answer, made one after the other on a server of its own."""
    with serving(folder, "--no-downloads") as server:
        found = {wish: wish.ask(server.url) for wish in wishes(amount)}
    problems = [f"{wish}: {answer.problem}" for wish, answer in found.items() if answer.problem]
    assert not problems, problems
    return {wish: answer.shown for wish, answer in found.items()}


def main() -> int:
    """Run, print the figures, and return 1 if an answer was wrong or lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--requests", type=int, default=sys.maxsize)
    parser.add_argument("--different", type=int, default=60, help="how many different requests")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        alone = answers_alone(Path(folder), args.different)
        print(f"{len(alone)} requests answered alone", flush=True)
        with serving(Path(folder), "--no-downloads") as server:
            tally = run(server, alone, args.clients, args.minutes, args.requests)
    if not tally.seconds:
        print("no answer came", tally.busy, tally.failed[:5])
        return 1
    print(table(tally))
    print(
        f"\n{args.clients} clients, {len(tally.seconds)} answers, {len(tally.wrong)} wrong, "
        f"{len(tally.failed)} lost, {tally.busy} told “busy”, {tally.ranks} told their place in "
        f"the queue; waits: median {statistics.median(tally.waits):.1f} s, longest "
        f"{max(tally.waits):.1f} s; memory {growth(tally):+.1%} after warm-up"
    )
    print("\n".join([*tally.wrong[:5], *tally.failed[:5]]))
    return int(bool(tally.wrong or tally.failed))


if __name__ == "__main__":
    sys.exit(main())
