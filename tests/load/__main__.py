"""``python -m tests.load --clients 30 --minutes 5``, or ``--requests 2000 --write docs/SOAK.md``.

First every request is made alone on one server. Then a fresh server with empty caches gets them
from all clients at once, in random order, and every answer is compared with the one given alone.
Requests differ in picture, words, switches, tab and backbone: beside the built-in model a ViT-B/32
with seeded random weights, read from a local file.
"""

import argparse
import itertools
import random
import statistics
import sys
import tempfile
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx
import open_clip
import psutil
import torch
from safetensors.torch import save_file

from demo.host import memory
from demo.tabs import TABS
from gclip_core.load import WEIGHTS_FOLDER
from gclip_core.registry import find_backbone
from tests.models import picture
from tests.pictures import encoded
from tests.visitor import Answer, BusyError, FailedError, Server, Visitor, serving

WORDS = ("frog, grass", "strawberry; berry, frog, grass", "house, tree, sky, road", "cat")
SIZES = ((120, 160), (480, 640), (1500, 2000), (3000, 4000), (4000, 6000))
"""Uploaded pictures, height before width: up to the 24 megapixels that the page takes."""
SECOND = "openai-vit-b-32"


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


def wishes(amount: int, second: bool) -> list[Wish]:
    """Different pictures, words, switches and tabs; a fifth of them on the second backbone."""
    switches = list(itertools.product((0, 1), (0, 1)))
    tabs = [entry.name for entry in TABS]
    found = [
        Wish(f"seed={seed}&words={words}&amf={amf}&cs={cs}&tab={tab}")
        for seed, words, (amf, cs), tab in itertools.product(range(1, 9), WORDS, switches, tabs)
    ]
    found += [
        Wish(f"source=upload&words={words}&cs={cs}&tab={tab}", number)
        for number, words, cs, tab in itertools.product(range(len(SIZES)), WORDS, (0, 1), tabs)
    ]
    random.Random(0).shuffle(found)
    others = [
        Wish(f"seed={seed}&words={words}&tab={tab}&backbone={SECOND}&templates=plain&short=224")
        for seed, words, tab in itertools.product((1, 2), WORDS, ("side", "compare"))
    ]
    others = others[: amount // 5] if second else []
    return found[: amount - len(others)] + others


def weights_folder(folder: Path, name: str = SECOND) -> Path:
    """A folder with seeded random weights of a backbone."""
    folder = folder / "weights"
    folder.mkdir(exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.create_model(find_backbone(name).architecture)
    state = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    save_file(state, folder / f"{name}.safetensors")
    return folder


def page(folder: Path, weights: Path | None, bound: int) -> AbstractContextManager[Server]:
    """The page to load, with the second backbone's weights on its disk if given."""
    arguments = ("--no-downloads", "--quiet", "--memory", str(bound / 10**9))
    return serving(folder, *arguments, environment={WEIGHTS_FOLDER: str(weights or "")})


@dataclass
class Tally:
    """What came of it all; every list is one entry per request, in the order of the answers."""

    seconds: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    ranks: int = 0
    peak: float = 0.0
    busy: int = 0
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
                tally.ranks += any(rank > 0 for rank in answer.ranks)
                if not len(tally.seconds) % 500:
                    print(f"{len(tally.seconds)} answers; {server.peak_mb:.0f} MB", flush=True)
                expected = alone[wish]
                if answer.problem or (expected and not answer.same_as(expected)):
                    tally.wrong.append(f"{wish}: {answer.text}"[:300])
        visitor.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def table(tally: Tally, every: int = 100) -> str:
    """Memory and latency by hundred requests, as Markdown."""
    rows = [
        "| requests | memory (MB): at the end | most | median (s) | slowest (s) |",
        "|---|---|---|---|---|",
    ]
    for start in range(0, len(tally.seconds), every):
        part = tally.seconds[start : start + every]
        used = tally.memory[start : start + every]
        last = start + len(part)
        rows.append(
            f"| {start + 1} to {last} | {used[-1]:.0f} | {max(used):.0f} "
            f"| {statistics.median(part):.2f} | {max(part):.2f} |"
        )
    return "\n".join(rows)


def growth(tally: Tally) -> float:
    """Growth of memory from the end of the first third (warm-up) to the end, as a share.

    The mean of a tenth at either end: a large picture at work is no growth.
    """
    third, tenth = len(tally.memory) // 3, max(1, len(tally.memory) // 10)
    ends = (tally.memory[third : third + tenth], tally.memory[-tenth:])
    first, last = (statistics.fmean(part) for part in ends)
    return last / first - 1


def answers_alone(url: str, asked: list[Wish]) -> dict[Wish, Answer | None]:
    """Each request's answer, made one after the other by a page that nobody else asks."""
    visitor = Visitor(url)
    found = {wish: wish.ask(visitor) for wish in asked}
    visitor.close()
    problems = [f"{wish}: {answer.problem}" for wish, answer in found.items() if answer.problem]
    assert not problems, problems
    return found


def cache_share(server: Server) -> float:
    """How full the cache of trunks is, as a share of its bound."""
    answer = httpx.post(f"{server.url}/gradio_api/run/about", json={"data": []}, timeout=60)
    cache = answer.json()["data"][0]["cache"]
    return cache["bytes"] / cache["limit"]


def summary(tally: Tally, clients: int, different: int, filled: float, bound: int) -> str:
    """The figures in words."""
    return (
        f"{clients} clients, {different} different requests, {len(tally.seconds)} answers, "
        f"{len(tally.wrong)} wrong, {len(tally.failed)} lost, {tally.busy} told “busy”, "
        f"{tally.ranks} told their place in the queue; waits: median "
        f"{statistics.median(tally.waits):.1f} s, longest {max(tally.waits):.1f} s; memory "
        f"{growth(tally):+.1%} over the last two thirds, {tally.peak:.0f} MB at the most of "
        f"{bound / 10**6:.0f}; the cache of trunks {filled:.0%} full"
    )


RUN = "## The last run\n"
SECTION = """
`python -m tests.load {arguments}` on {cores} cores that {load:.1f} processes wanted on average in
the last 15 minutes, this page among them: latencies beside other work are no benchmark.

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
    """Run, print the figures, and return 1 if an answer was wrong or lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--requests", type=int, default=sys.maxsize)
    parser.add_argument("--different", type=int, default=80, help="how many different requests")
    parser.add_argument("--memory", type=memory.parsed, default=memory.BOUND, help="GB, as app.py")
    parser.add_argument(
        "--unchecked", action="store_true",
        help="no run alone beforehand: answers are not compared, only refusals counted",
    )  # fmt: skip
    parser.add_argument("--write", type=Path, help="document whose last run this is")
    args = parser.parse_args()
    if args.minutes == 1e6 and args.requests == sys.maxsize:
        args.minutes = 5
    with tempfile.TemporaryDirectory() as folder:
        weights = None if args.unchecked else weights_folder(Path(folder))
        if args.unchecked:
            alone = dict.fromkeys(wishes(args.different, second=False))
        else:
            with page(Path(folder), weights, args.memory) as server:
                alone = answers_alone(server.url, wishes(args.different, second=True))
            print(f"{len(alone)} requests answered alone", flush=True)
        with page(Path(folder), weights, args.memory) as server:
            tally = run(server, alone, args.clients, args.minutes, args.requests)
            filled, tally.peak = cache_share(server), server.peak_mb
    if not tally.seconds:
        print("no answer came", tally.busy, tally.failed[:5])
        return 1
    said = summary(tally, args.clients, len(alone), filled, args.memory)
    print(f"{table(tally)}\n\n{said}")
    print("\n".join([*tally.wrong[:5], *tally.failed[:5]]))
    if args.write:
        section = SECTION.format(
            arguments=" ".join(sys.argv[1:]),
            summary=said,
            cores=psutil.cpu_count(),
            load=psutil.getloadavg()[2],
            table=table(tally),
        )
        write(args.write, section)
    return int(bool(tally.wrong or tally.failed))


if __name__ == "__main__":
    sys.exit(main())
