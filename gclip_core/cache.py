"""A bounded cache that several threads can use at once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """Drops the least recently used values while the sum of ``size_of(value)`` exceeds ``limit``.

    If two threads need the same missing key, the second waits for the first to make the value. If
    ``make`` fails, nothing is cached, and the next thread calls it again.
    """

    def __init__(self, limit: int, size_of: Callable[[Value], int] = lambda _: 1) -> None:
        self.limit = limit
        self._size_of = size_of
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self.size = 0

    def get(self, key: Hashable) -> Value | None:
        """Returns the value and marks it as most recently used; None if there is none."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Value) -> None:
        """Caches a value, unless it is larger than the limit."""
        size = self._size_of(value)
        with self._lock:
            if key in self._values:
                self.size -= self._values.pop(key)[1]
            if size > self.limit:
                return
            self._values[key] = (value, size)
            self.size += size
            while self.size > self.limit:
                self.size -= self._values.popitem(last=False)[1][1]

    def get_or_make(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of ``key``, made by ``make`` if it is not cached."""
        cached = self.get(key)
        if cached is not None:
            return cached
        with self._lock:
            key_lock = self._making.setdefault(key, threading.Lock())
        with key_lock:
            cached = self.get(key)
            if cached is not None:
                return cached
            try:
                value = make()
                self.put(key, value)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            return value

    def __len__(self) -> int:
        return len(self._values)

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self.size = 0
