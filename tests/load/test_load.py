"""SECURITY’s promise: under attack, no answer is lost or differs, in less than 4 GB.

Requests are drawn from the page's settings and tabs, uploads and the API. Each is first answered
alone on one server. Then a fresh server gets them from many clients at once, in random order, while
others attack it and a control visitor repeatedly requests the mask of a new photo.
"""

import itertools
import json
import os
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import httpx
import pytest

from gclip_core.relatives import METHODS
from tests.demo.photos import OTHER
from tests.demo.visitor import API, BusyError, FailedError, Visitor, serving
from tests.load import attacks
from tests.load.attacks import ATTACKS
from tests.models import picture
from tests.pictures import encoded

pytestmark = pytest.mark.long
MAX_MB = 4_000
"""Memory that the page may need, whatever clients do."""
OPTIONS = "--backbone", "built-in", "--quiet"
CLIENTS, REQUESTS, DIFFERENT, NEW_PHOTOS = 12, 120, 60, 400
WORDS = "dog, grass", "person; man; woman, sky, tree, road", "water, boat, sky", "qwzx, cat"
WORDS += (", ".join(f"thing {number}" for number in range(200)),)
SIZES = (120, 160), (480, 640), (1500, 2000), (4000, 6000)
"""Uploaded pictures, height before width."""
Ask = Callable[[Visitor], Any]


@cache
def photo_file(size: tuple[int, int], seed: int) -> bytes:
    return encoded(picture(*size, seed=seed), "JPEG")


def page(visitor: Visitor, size: Any, seed: int, tab: str, **settings: Any) -> dict[str, Any]:
    """What the page shows of a new photo, or of an example; a photo that is gone is sent again."""
    while True:
        photo = visitor.uploaded(photo_file(size, seed)) if size else "china"
        pieces = visitor.ask(photo, tab, **settings)
        if "gone" not in pieces:
            return pieces


def program(visitor: Visitor, size: Any, seed: int, call: tuple) -> Any:
    """What a program gets, with the content of the file."""
    endpoint, *values = call
    answer = visitor.program(endpoint, visitor.file(photo_file(size, seed)), *values)
    if endpoint == "segment":
        answer[0] = visitor.web.get(f"{API}/file={answer[0]['path']}").content.hex()
    return answer


def wishes() -> list[Ask]:
    """Different requests; one in seven is a program's."""
    chance, drawn = random.Random(0), list[Ask]()
    for seed in range(DIFFERENT):
        size, words, method = map(chance.choice, ((None, *SIZES), WORDS, [*METHODS]))
        if chance.random() < 0.15:
            values = words, method, "default", "backbone", "auto", 0.0, "on", "guided", ""
            call = chance.choice((("suggest", 5, "default"), ("segment", *values)))
            drawn.append(partial(program, size=size or SIZES[0], seed=seed % 3, call=call))
        else:
            others = OTHER | {"backbone": "built-in-damaged", "method": method}
            names = chance.sample([*others], chance.randint(0, 4))
            settings = {name: others[name] for name in names} | {"words": words}
            tab = chance.choice(("segment", "segment", "how", "compare", "share"))
            drawn.append(partial(page, size=size, seed=seed % 3, tab=tab, **settings))
    return drawn


def text_of(ask: Ask, visitor: Visitor) -> str:
    """The answer, or its refusal; the same text for the same answer."""
    try:
        return json.dumps(comparable(ask(visitor)), sort_keys=True, ensure_ascii=False)
    except FailedError as error:
        return str(error)


def comparable(value: Any) -> Any:
    """The value with numbers of four digits."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: comparable(inside) for key, inside in value.items()}
    return [comparable(inside) for inside in value] if isinstance(value, list) else value


@dataclass
class Tally:
    """The outcome; times in seconds."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Requests whose answer was lost, or differs from that without load."""
    busy: int = 0

    def attempt(self, ask: Ask, alone: str, visitor: Visitor) -> None:
        """Sends a request again while the page is busy, as a person would; compares the answer."""
        began = time.monotonic()
        for pause in itertools.count(1):
            try:
                answer = text_of(ask, visitor)
                break
            except BusyError:
                self.busy += 1
                time.sleep(min(pause, 5))
            except httpx.HTTPError as error:
                answer = repr(error)
                break
        self.seconds.append(time.monotonic() - began)
        if answer != alone:
            same = len(os.path.commonprefix([answer, alone]))
            place = slice(max(0, same - 40), same + 100)
            self.wrong.append(f"{ask!s:.300}\n  {alone[place]}\n  {answer[place]}")

    def print(self, name: str) -> None:
        print(*self.wrong[:10], sep="\n")
        print(
            f"{name}: {len(self.seconds)} answers, {len(self.wrong)} lost or differing, "
            f"{self.busy} asked again because the page was busy. Seconds: median "
            f"{statistics.median(self.seconds):.1f}, longest {max(self.seconds):.1f}."
        )


def load(url: str, asked: Sequence[tuple[Ask, str]]) -> Tally:
    """Clients send requests at once, each time any of them."""
    tally, here = Tally(), threading.local()

    def ask(number: int) -> None:
        here.visitor = vars(here).get("visitor") or Visitor(url)
        tally.attempt(*random.Random(number).choice(asked), here.visitor)

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, range(REQUESTS)))
    return tally


def control(url: str, asked: Sequence[tuple[Ask, str]], end: threading.Event) -> Tally:
    """The control visitor: a new page and the next photo each time, until the end."""
    tally, every = Tally(), itertools.cycle(asked)
    while not end.wait(2):
        tally.attempt(*next(every), Visitor(url))
    return tally


def test_attacks_beside_visitors(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"size": (480, 640), "tab": "segment", "words": "dog, grass"}
    photos = [partial(page, seed=10_000 + number, **own) for number in range(40)]
    with serving(*OPTIONS) as server:
        visitor = Visitor(server.url)
        different, new = (
            [(ask, text_of(ask, visitor)) for ask in some] for some in (wishes(), photos)
        )
    with serving(*OPTIONS) as server, ThreadPoolExecutor(2) as pool:
        end, before = threading.Event(), server.memory("VmRSS")
        running = pool.submit(load, server.url, different)
        controlled = pool.submit(control, server.url, new, end)
        try:
            for number, attack in enumerate(ATTACKS, 2):
                monkeypatch.setattr(attacks, "ADDRESS", f"127.0.0.{number}")  # not yet limited
                began, results = time.monotonic(), Counter(map(str, attack(server)))
                seconds = time.monotonic() - began
                print(f"{attack.__name__}: {dict(results)}; {seconds:.0f} s", flush=True)
                print(f"  {server.memory('VmRSS'):.0f} MB now, {server.memory():.0f} at the most")
            tallies = {f"{CLIENTS} clients": running.result()}
        finally:
            end.set()
        tallies["the control visitor"] = controlled.result()
        peak = server.memory()
        assert "Traceback" not in server.output()
    print(f"Memory: {before:.0f} MB before, {peak:.0f} MB at the most.")
    for name, tally in tallies.items():
        tally.print(name)
    assert not any(tally.wrong for tally in tallies.values())
    assert peak < MAX_MB


def test_soak() -> None:
    """Memory stops growing after a few hundred new photos."""
    memory = list[float]()
    with serving(*OPTIONS) as server:
        visitor = Visitor(server.url)
        for seed in range(NEW_PHOTOS):
            data = encoded(picture(480, 640, seed=seed), "JPEG")
            visitor.ask(visitor.uploaded(data), words="dog, grass, sky")
            memory.append(server.memory("VmRSS"))
    quarter = NEW_PHOTOS // 4
    before, after = map(statistics.mean, (memory[quarter : 2 * quarter], memory[-quarter:]))
    print(f"{before:.0f} MB in the second quarter, {after:.0f} MB in the last")
    assert after < 1.1 * before
