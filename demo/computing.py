"""Answers, computed step by step in the turns of who asked for them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from demo.turns import TURNS, ReplacedError, address_of

COMPUTING = ThreadPoolExecutor(1)
"""One thread: a request that is cancelled gives its turn away, but its computation runs on."""


async def compute(function: Callable[..., Any], *values: Any) -> Any:
    """The result of a computation of whoever has the turn."""
    run = copy_context().run  # a ZeroGPU asks for the context
    return await asyncio.get_running_loop().run_in_executor(COMPUTING, run, function, *values)


async def in_turn(request: Any, function: Callable[[], Any], steps: Iterable[Any] = ()) -> Any:
    """The result of a function, computed in a turn after the steps, each of which has its own.

    Raises BusyError, and what they raise.
    """
    first = iter(steps)

    def step() -> tuple[bool, Any]:
        for _ in first:
            return False, None
        return True, function()

    with TURNS.place(request.session_hash or "", address_of(request)) as place:
        while True:
            async with TURNS.turn(place):
                is_last, result = await compute(step)
            if is_last:
                return result


async def in_turns(request: Any, steps: Iterator[Any]) -> AsyncIterator[Any]:
    """The steps of an answer, each computed in a turn; a newer one of the same page ends it."""
    session, address = request.session_hash or "", address_of(request)
    with TURNS.place(session, address, replaces=True) as place, suppress(ReplacedError):
        while True:
            async with TURNS.turn(place):
                step = await compute(next, steps, None)
            if step is None:
                return
            yield step
