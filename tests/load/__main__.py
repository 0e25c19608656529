"""``python -m tests.load``: many clients at once, with attacks beside them, or a soak test.

Requests are drawn from the page's settings and tabs, uploads and the API. Each is first answered
alone on one server. Then a fresh server gets them from all clients at once, in random order, while
other clients attack it and a control visitor repeatedly requests the mask of a new photo; all
answers are compared. ``--soak 1000`` sends that many new photos instead, one after the other.
"""

import argparse
import itertools
import json
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from queue import Queue
from typing import Any

import httpx

from gclip_core.relatives import METHODS
from tests.demo.visitor import API, BusyError, FailedError, Server, Visitor, serving
from tests.load.attacks import ATTACKS
from tests.models import picture
from tests.pictures import encoded

MAX_MB = 4_000
"""Memory that the page may need, whatever clients do."""
WORDS = ("dog, grass", "person; man; woman, sky, tree, road", "water, boat, sky", "", "qwzx, cat")
WORDS += (", ".join(f"thing {number}" for number in range(200)),)
SIZES = (120, 160), (480, 640), (1500, 2000), (4000, 6000)
"""Uploaded pictures, height before width."""
CHOICES: dict[str, Sequence[Any]] = {
    "amf": (False, True),
    "cs": (False, True),
    "background": (False, True),
    "background_weight": (0.2, 0.9),
    "backbone": ("built-in", "built-in-damaged"),
    "method": tuple(METHODS),
    "refine": ("none", "guided", "pamr"),
    "threshold": (0.3,),
    "short_side": (200, 448),
    "templates": ("plain", "imagenet7"),
    "amf_blocks": ("auto", "6 7"),
    "cs_blocks": ("auto", "7-11"),
}
CLIENTS, REQUESTS, DIFFERENT = 12, 120, 60
TABS = "segment", "segment", "how", "compare", "share"


@dataclass(frozen=True)
class Wish:
    """One request: settings and a tab of the page, or values for an endpoint; and an upload."""

    settings: tuple[tuple[str, Any], ...] = ()
    tab: str = "segment"
    endpoint: str = ""
    values: tuple[Any, ...] = ()
    size: tuple[int, int] | None = None
    seed: int = 0

    def ask(self, visitor: Visitor) -> str:
        """What the page shows, or its refusal; the same text for the same answer."""
        data = photo_file(self.size, self.seed) if self.size else b""
        try:
            if self.endpoint:
                shown = visitor.program(self.endpoint, visitor.file(data), *self.values)
                if self.endpoint == "segment":
                    shown[0] = visitor.web.get(f"{API}/file={shown[0]['path']}").content.hex()
            else:
                shown = {"gone": ""}
                while "gone" in shown:  # the browser sends its photo again
                    photo = visitor.uploaded(data) if data else "china"
                    shown = visitor.ask(photo, self.tab, **dict(self.settings))
        except FailedError as error:
            return str(error)
        return json.dumps(comparable(shown), sort_keys=True, ensure_ascii=False)


def comparable(value: Any) -> Any:
    """The value with numbers of four digits."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: comparable(inside) for key, inside in value.items()}
    return [comparable(inside) for inside in value] if isinstance(value, list) else value


@cache
def photo_file(size: tuple[int, int], seed: int) -> bytes:
    return encoded(picture(*size, seed=seed), "JPEG")


def wishes(amount: int) -> list[Wish]:
    """This many different requests; one in seven is a program's."""
    chance, drawn = random.Random(0), dict[Wish, None]()
    while len(drawn) < amount:
        size = chance.choice((None, *SIZES))
        if chance.random() < 0.15:
            size = size or SIZES[0]
            values = (chance.randint(1, 20), "default")
            if chance.random() < 0.7:
                method, refine = chance.choice([*METHODS]), chance.choice(CHOICES["refine"])
                words = chance.choice([words for words in WORDS if words])
                values = (words, method, "default", "backbone", "auto", 0.0, "on", refine)
            endpoint = "segment" if len(values) > 2 else "suggest"
            wish = Wish(endpoint=endpoint, values=values, size=size, seed=chance.randrange(3))
        else:
            names = chance.sample(list(CHOICES), chance.randint(0, 3))
            settings = {name: chance.choice(CHOICES[name]) for name in names}
            settings["words"] = chance.choice(WORDS)
            tab, number = chance.choice(TABS), chance.randrange(3)
            wish = Wish(tuple(settings.items()), tab, size=size, seed=number)
        drawn[wish] = None
    return list(drawn)


PHOTOS = [Wish((("words", "dog, grass"),), size=(480, 640), seed=10_000 + n) for n in range(40)]
"""The control visitor's requests."""


@dataclass
class Tally:
    """The outcome; times in seconds."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Requests whose answer was lost, or differs from that without load."""
    busy: int = 0


def attempt(wish: Wish, alone: str, tally: Tally, visitor: Visitor) -> None:
    """Sends a request again while the page is busy, as a person would, and compares the answer."""
    began = time.monotonic()
    for pause in itertools.count(1):
        try:
            answer = wish.ask(visitor)
            break
        except BusyError:
            tally.busy += 1
            time.sleep(min(pause, 5))
        except (FailedError, httpx.HTTPError) as error:
            tally.wrong.append(f"{wish!s:.300}: {error!r}")
            return
    tally.seconds.append(time.monotonic() - began)
    if answer != alone:
        same = len(os.path.commonprefix([answer, alone]))
        place = slice(max(0, same - 40), same + 100)
        tally.wrong.append(f"{wish!s:.300}\n  {alone[place]}\n  {answer[place]}")


def load(server: Server, alone: dict[Wish, str]) -> Tally:
    """Lets clients send requests at once, each time any of them."""
    tally, visitors, asked = Tally(), Queue[Visitor](), list(alone)
    for _ in range(CLIENTS):
        visitors.put(Visitor(server.url))

    def ask(number: int) -> None:
        wish, visitor = random.Random(number).choice(asked), visitors.get()
        attempt(wish, alone[wish], tally, visitor)
        visitors.put(visitor)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, range(REQUESTS)))
    return tally


def control(server: Server, alone: dict[Wish, str], end: threading.Event) -> Tally:
    """The control visitor: a new page and the next photo each time, until the end."""
    tally = Tally()
    for wish, answer in itertools.cycle(alone.items()):
        attempt(wish, answer, tally, Visitor(server.url))
        if end.wait(2):
            break
    return tally


def soak(photos: int) -> int:
    """Sends new photos; return 1 if the page grew by a tenth during the last half of them."""
    with serving("--backbone", "built-in", "--quiet") as server:
        visitor, memory = Visitor(server.url), list[float]()
        for seed in range(photos):
            data = encoded(picture(480, 640, seed=seed), "JPEG")
            visitor.ask(visitor.uploaded(data), words="dog, grass, sky")
            memory.append(server.memory("VmRSS"))
            if not seed % max(1, photos // 20):
                print(f"{seed} photos: {memory[-1]:.0f} MB", flush=True)
    quarter = photos // 4
    before, after = map(statistics.mean, (memory[quarter : 2 * quarter], memory[-quarter:]))
    print(f"{photos} photos: {before:.0f} MB in the second quarter, {after:.0f} MB in the last")
    return int(after > 1.1 * before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; returns 1 if an answer was lost or differs, or a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--soak", type=int, default=0, help="new photos, instead of all this")
    names = [attack.__name__ for attack in ATTACKS]
    parser.add_argument("--attacks", nargs="*", choices=names, default=names)
    args = parser.parse_args(arguments)
    if args.soak:
        return soak(args.soak)
    options = ("--backbone", "built-in", "--quiet")
    with serving(*options) as server:
        visitor = Visitor(server.url)
        asked, photos = (
            {wish: wish.ask(visitor) for wish in some} for some in (wishes(DIFFERENT), PHOTOS)
        )
        print(f"{len(asked) + len(photos)} answers alone; {server.memory():.0f} MB", flush=True)
    with serving(*options) as server, ThreadPoolExecutor(2) as pool:
        end, before = threading.Event(), server.memory("VmRSS")
        running = pool.submit(load, server, asked)
        controlled = pool.submit(control, server, photos, end)
        try:
            for attack in [attack for attack in ATTACKS if attack.__name__ in args.attacks]:
                began, results = time.monotonic(), Counter(map(str, attack(server)))
                seconds = time.monotonic() - began
                print(f"{attack.__name__}: {dict(results)}; {seconds:.0f} s", flush=True)
                print(f"  {server.memory('VmRSS'):.0f} MB now, {server.memory():.0f} at the most")
            tallies = {f"{CLIENTS} clients": running.result()}
        finally:
            end.set()
        tallies["the control visitor"] = controlled.result()
        peak, traces = server.memory(), server.output().count("Traceback")
    for name, tally in tallies.items():
        print(*tally.wrong[:10], sep="\n")
        print(
            f"{name}: {len(tally.seconds)} answers, {len(tally.wrong)} lost or differing, "
            f"{tally.busy} asked again because the page was busy. Seconds: median "
            f"{statistics.median(tally.seconds or [0]):.1f}, longest "
            f"{max(tally.seconds, default=0):.1f}."
        )
    print(f"Memory: {before:.0f} MB before, {peak:.0f} MB at the most. {traces} traces in the log.")
    return int(any(tally.wrong for tally in tallies.values()) or traces > 0 or peak > MAX_MB)


if __name__ == "__main__":
    sys.exit(main())
