"""A cache of limited size that several threads can use at once."""

from collections.abc import Callable, Hashable
from contextlib import suppress
from threading import Condition
from typing import Any, Generic, TypeVar

from cachetools import LRUCache, cached

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """At most ``limit`` values; the least recently used ones are dropped.

    With ``weigh``, the sum of the values' weights is limited instead; a value is weighed when it is
    put. ``get_or_make(key, make)`` returns the value of ``key``, which ``make()`` computes if it is
    not cached. If two threads need the same missing key, the second waits for the first to compute
    it. If ``make`` fails, nothing is cached, and the next thread calls its own.
    """

    def __init__(self, limit: int, weigh: Callable[[Value], int] | None = None) -> None:
        self._values: LRUCache[Hashable, Value] = LRUCache(limit, weigh)
        self._condition = Condition()

        @cached(self._values, key=lambda key, make: key, condition=self._condition)
        def get_or_make(key: Hashable, make: Callable[[], Value]) -> Value:
            return make()

        self.get_or_make = get_or_make

    def get(self, key: Hashable) -> Value | None:
        """Returns the value and marks it as the most recently used; None if there is none."""
        with self._condition:
            return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        """Replaces the value; one above the limit is not kept."""
        with self._condition:
            self._values.pop(key, None)
            with suppress(ValueError):  # too large
                self._values[key] = value

    def values(self) -> list[Value]:
        """The values that are cached now."""
        with self._condition:
            return [*self._values.values()]

    def drop(self, is_unwanted: Callable[[Any], bool]) -> None:
        """Drops the values of some keys."""
        with self._condition:
            for key in [key for key in self._values if is_unwanted(key)]:
                del self._values[key]

    def __len__(self) -> int:
        return len(self._values)
