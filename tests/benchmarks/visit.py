"""``python -m tests.benchmarks.visit``: a large backbone behind the page, for one and for thirty.

ViT-B/16 with seeded random weights, in the size of the real ones, in a process of its own. One
visitor's seconds are from the press to the whole answer, the least of several; then thirty ask at
once, each for a picture of their own; then one switches what is kept while four heavy requests
(windows, 500 words) hold every place.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evaluation.photos import star_photos
from gclip_core.load import WEIGHTS_FOLDER
from tests.benchmarks import clock
from tests.benchmarks.page import row
from tests.load.__main__ import weights_folder
from tests.visitor import Server, Turn, Visitor, serving

BACKBONE = "openai-vit-b-16"
SWITCHES = ("amf=0", "cs=0", "amf=0&cs=0", "amf=1&cs=1")
CROWD, HEAVY = 30, 4
WORDS = "words=cat,tree,road"


def least(visitor: Visitor, queries: Sequence[str]) -> float:
    """The least seconds of several requests, each of which must be answered."""
    return min(answered(visitor, query) for query in queries)


def answered(visitor: Visitor, query: str) -> float:
    """Seconds from the press to the answer."""
    answer = visitor.ask(query)
    assert not answer.problem, answer.problem
    return answer.seconds


def alone(server: Server, started: float) -> None:
    """One visitor's session, from the page's first second."""
    with Visitor(server.url).staying() as visitor:
        print(row("start to page", f"{started:.1f} s", "≤ 7 s"))
        print(row("first answer, with its words", f"{answered(visitor, ''):.2f} s", "≤ 1.5 s"))
        session(visitor)
    print(row("peak memory until here", f"{server.peak_mb / 1000:.2f} GB", "≤ 1.4 GB"), flush=True)
    visitor.close()


def session(visitor: Visitor) -> None:
    """Other pictures, switches, new words."""
    names = list(star_photos())
    photos = [f"source=example&example={name}&{WORDS}" for name in names[1:4]]
    answered(visitor, f"source=example&example={names[0]}&{WORDS}")
    print(row("another picture", f"{least(visitor, photos):.2f} s", "≤ 0.8 s"))
    for switch in SWITCHES:
        answered(visitor, f"{photos[0]}&{switch}")  # once each: what CS makes is kept from then on
    again = [f"{photos[0]}&{switch}&scale={scale}" for switch in SWITCHES for scale in (30, 50)]
    slowest = max(answered(visitor, query) for query in again)
    print(row("a switch, the slowest of them", f"{slowest:.2f} s", "≤ 0.2 s"))
    source = f"source=example&example={names[1]}"
    new = [f"{source}&words=cat,{one}" for one in ("kiosk", "lantern", "meadow")]
    print(row("a new word", f"{least(visitor, new):.2f} s", "≤ 0.3 s"))


def begun(server: Server, query: str) -> Visitor:
    """A visitor who has pressed the button."""
    visitor = Visitor(server.url)
    image, *values = visitor.open(query)
    joined = visitor.join(visitor.shows(values), visitor.pressed(image, values))
    assert joined.status_code == 200, joined.text
    return visitor


def crowd(server: Server) -> None:
    """Thirty at once, and what they were told."""
    start = time.monotonic()
    with ThreadPoolExecutor(CROWD) as pool:
        visitors = list(pool.map(begun, [server] * CROWD, queries()))
        turns: list[Turn] = list(pool.map(Visitor.turn, visitors))
    ratios = [ratio for turn in turns for ratio in turn.ratios()]
    true = sum(0.5 <= ratio <= 2 for ratio in ratios) / len(ratios)
    waits = sorted(turn.done - start for turn in turns)
    print(row(f"{CROWD} at once: all answered after", f"{waits[-1]:.1f} s", ""))
    told = f"{true:.0%} of {len(ratios)}; median {statistics.median(ratios):.2f} of the told"
    print(row("told seconds within a factor of two", told, "all"), flush=True)


def queries() -> list[str]:
    """A picture of one's own for everybody."""
    return [f"seed={100 + number}&{WORDS}" for number in range(CROWD)]


def beside_heavy(server: Server) -> None:
    """Switches of what is kept, while heavy requests hold every place."""
    with Visitor(server.url).staying() as visitor:
        found = switched(server, visitor)
    print(row(f"a switch while {HEAVY} heavy ones run", found, "≤ 2 s"))


def switched(server: Server, visitor: Visitor) -> str:
    """How long switches took, and a heavy one."""
    answered(visitor, f"seed=7&{WORDS}")
    words = ",".join(f"thing {number}" for number in range(500))
    many = f"short=448&window=224&stride=112&words={words}"
    with ThreadPoolExecutor(HEAVY) as pool:
        heavy = [begun(server, f"seed={number}&{many}") for number in range(HEAVY)]
        ends: list[Any] = [pool.submit(Visitor.turn, one) for one in heavy]
        taken = []
        while sum(end.done() for end in ends) <= HEAVY - 2 and len(taken) < 100:
            taken.append(answered(visitor, f"seed=7&{WORDS}&{SWITCHES[len(taken) % 4]}"))
        longest = max(end.result().done - end.result().began for end in ends)
    return f"{max(taken):.2f} s at most of {len(taken)}; a heavy one took {longest:.0f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve it, visit it, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.visit", description=main.__doc__
    )
    parser.add_argument("--only", nargs="+", choices=("alone", "crowd", "heavy"))
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = {WEIGHTS_FOLDER: str(weights_folder(folder, BACKBONE))}
        machine = clock.machine().replace("processor time", "wall-clock time")
        print(f"{machine}; {os.getloadavg()[0]:.1f} programs at work\n")
        print(f"{row('what', 'found', 'may cost')}\n|---|---|---|", flush=True)
        began = time.monotonic()
        with serving(folder, "--no-downloads", "--quiet", environment=weights) as server:
            started = time.monotonic() - began
            parts = {
                "alone": lambda: alone(server, started),
                "crowd": lambda: crowd(server),
                "heavy": lambda: beside_heavy(server),
            }
            for part in args.only or parts:
                parts[part]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
