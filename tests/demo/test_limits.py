"""Turns of simulated visitors, costs and addresses."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from demo.computing import compute
from demo.scene import check_cost
from demo.turns import BusyError, ReplacedError, Turns, address_of
from gclip_core import GclipError


class Visits:
    """Requests that wait while another one runs; ``order`` is that in which they are served."""

    def __init__(self) -> None:
        self.turns, self.order = Turns(), list[str]()
        self.tasks, self.end = list[asyncio.Task[None]](), asyncio.Event()

    async def ask(self, name: str, session: str, address: str, pieces: int = 1) -> None:
        self.turns.readers.append(session)
        with self.turns.place(session, address) as place:
            for _ in range(pieces):
                async with self.turns.turn(place):
                    self.order.append(name)
                    await self.end.wait()

    async def add(self, *request: Any, **options: Any) -> None:
        self.tasks.append(asyncio.create_task(self.ask(*request, **options)))
        await asyncio.sleep(0)  # it waits in line now
        await asyncio.sleep(0)

    async def served(self) -> list[str]:
        self.end.set()
        await asyncio.wait_for(asyncio.gather(*self.tasks), 5)
        return self.order


@pytest.fixture
def visits() -> Visits:
    return Visits()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_pages_are_served_in_turn(visits: Visits) -> None:
    """Of one address: the only request of a page comes before the second of an earlier one."""
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        await visits.add(name, name[0], "here")
    assert await visits.served() == ["a1", "b1", "c1", "a2", "b2", "a3"]


@pytest.mark.anyio
async def test_addresses_are_served_in_turn(visits: Visits) -> None:
    """One address with many pages has no more than its share while others wait."""
    for number in range(20):
        await visits.add("many", f"page {number}", "there", pieces=2)
    await visits.add("one", "single", "here", pieces=5)
    order = await visits.served()
    assert len(order) == 45
    assert [place for place, name in enumerate(order) if name == "one"] == [1, 3, 5, 7, 9]


@pytest.mark.anyio
async def test_newcomers_do_not_starve_others(visits: Visits) -> None:
    """Who was served before they came goes first, however many new addresses come."""

    async def come(number: int) -> None:
        """A new address; while it is served, the next one comes."""
        name = f"new {number}"
        visits.turns.readers.append(name)
        with visits.turns.place(name, name) as place:
            async with visits.turns.turn(place):
                visits.order.append(name)
                if number < 50:
                    visits.tasks.append(asyncio.create_task(come(number + 1)))
                    await asyncio.sleep(0.001)

    await visits.add("old", "old", "old", pieces=2)
    visits.tasks.append(asyncio.create_task(come(0)))
    await asyncio.sleep(0)
    while len(visits.order) < 50:
        await visits.served()
    assert visits.order.index("old", 1) < 5


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("waiting", "asks", "is_refused"),
    [
        ([("page", "here")] * 4, ("page", "here"), True),
        ([("page", "here")] * 4, ("other", "here"), False),
        ([(f"{n}", "here") for n in range(50)], ("other", "here"), True),
        ([(f"{n}", "here") for n in range(50)], ("other", "there"), False),
        ([(f"{n}", f"{n}") for n in range(199)], ("other", "there"), True),
    ],
    ids=("page", "other page", "address", "other address", "all"),
)
async def test_places(
    waiting: list[tuple[str, str]], asks: tuple[str, str], is_refused: bool, visits: Visits
) -> None:
    """Four of a page, a quarter of all 200 of an address; an answer that began is not refused."""
    await visits.add("running", "running", "elsewhere", pieces=2)
    for place in (*waiting, asks):
        await visits.add("waiting", *place)
    if is_refused:
        with pytest.raises(BusyError, match=r"Try again soon\.$"):
            await asyncio.wait_for(visits.tasks.pop(), 1)
    assert len(await visits.served()) == 2 + len(waiting) + (not is_refused)


@pytest.mark.anyio
async def test_newer_request_takes_the_place_of_older_ones(visits: Visits) -> None:
    """However often a visitor changes something while others are served, the last change is
    answered, and takes one place."""
    await visits.add("running", "running", "elsewhere")

    async def change(number: int) -> None:
        with visits.turns.place("page", "here", replaces=True) as place:
            async with visits.turns.turn(place):
                visits.order.append(f"change {number}")

    visits.turns.readers.append("page")
    changes = []
    for number in range(10):
        changes.append(asyncio.create_task(change(number)))
        await asyncio.sleep(0.001)
        assert len(visits.turns.places) == 2, "of what runs, and of the last change"
    await visits.served()
    ends = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(end) for end in ends] == [ReplacedError] * 9 + [type(None)]
    assert visits.order == ["running", "change 9"]


@pytest.mark.anyio
async def test_cancelled_while_its_turn_comes(visits: Visits) -> None:
    """Everybody else is still served."""
    for name in ("first", "cancelled", "last"):
        await visits.add(name, name, name)
    visits.end.set()
    visits.tasks.pop(1).cancel()  # noticed only after the first has passed its turn on
    assert await visits.served() == ["first", "last"]


@pytest.mark.anyio
async def test_cancelled_computations_run_one_at_a_time(visits: Visits) -> None:
    """A thread cannot be stopped: the next one waits until it ends."""
    running, most = 0, 0

    def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.05)
        running -= 1

    async def ask() -> None:
        with visits.turns.place("page", "here") as place:
            async with visits.turns.turn(place):
                await compute(work)

    visits.turns.readers.append("page")
    for _ in range(4):
        task = asyncio.create_task(ask())
        await asyncio.sleep(0.01)
        task.cancel()
    await asyncio.wait_for(ask(), 5)
    assert most == 1


ADDRESSES = {
    "192.0.2.7": "192.0.2.7",
    "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
    "2001:db8:1:2::9": "2001:db8:1:2::/64",
    "2001:db8:1:3::9": "2001:db8:1:3::/64",
    "::ffff:192.0.2.7": "192.0.2.7",
    "fe80::1%eth0": "fe80::/64",
    "somebody": "somebody",
    "": "",
}


def test_addresses() -> None:
    """An IPv6 network of 64 bits counts as one visitor."""
    requests = [SimpleNamespace(client=SimpleNamespace(host=host)) for host in ADDRESSES]
    assert [*map(address_of, requests)] == [*ADDRESSES.values()]


def test_cost() -> None:
    """The built-in at its own size is far below the limit, and OpenAI's largest is below it."""
    check_cost(1_036, 12 * 256, 16)
    check_cost(24 * 32, 24 * 1_024, 16)
    for patches, methods in ((5_000, 1), (1_036, 160)):
        with pytest.raises(GclipError, match="smaller size"):
            check_cost(patches, 12 * 256, methods)
