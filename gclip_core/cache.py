"""A cache of a number of values that several threads can use at once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """At most ``limit`` values; the least recently used ones are dropped.

    If two threads need the same missing key, the second waits for the first to make the value. If
    ``make`` fails, nothing is cached, and the next thread calls it again.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._making: set[Hashable] = set()
        self._lock = threading.Condition()

    def get(self, key: Hashable) -> Value | None:
        """The value, now the most recently used; None if there is none."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self.limit:
                self._values.popitem(last=False)

    def get_or_make(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of ``key``, made by ``make`` if it is not cached."""
        with self._lock:
            self._lock.wait_for(lambda: key not in self._making)
            value = self.get(key)
            if value is not None:
                return value
            self._making.add(key)
        try:
            value = make()
            self.put(key, value)
            return value
        finally:
            with self._lock:
                self._making.remove(key)
                self._lock.notify_all()

    def __len__(self) -> int:
        return len(self._values)
