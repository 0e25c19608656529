"""The page's cache: bounded in bytes; its keys are digests of requests."""

import sys
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from typing import Any
from weakref import WeakValueDictionary

from gclip_core.cache import BoundedCache


class ByteCache(BoundedCache[Any]):
    """Keeps values of any kind up to ``limit`` bytes, those used last.

    A key may be anything whose ``repr`` contains all of it; only its digest is kept. A value for
    which there is no room is still found while a request uses it: to make it again would need the
    memory twice.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit, nbytes)
        self._in_use: WeakValueDictionary[bytes, Any] = WeakValueDictionary()

    def get(self, key: Hashable) -> Any | None:
        """The value, now the most recently used, or None."""
        name = digest(key)
        value = super().get(name)
        return self._in_use.get(name) if value is None else value

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a value; one larger than the whole limit only while it is in use."""
        name = digest(key)
        with suppress(TypeError):  # there is no weak reference to a tuple or a number
            self._in_use[name] = value
        super().put(name, value)

    def clear(self) -> None:
        """Drop all of it."""
        super().clear()
        self._in_use.clear()


def digest(key: Any) -> bytes:
    """The digest of a key, 16 bytes."""
    return blake2b(repr(key).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def nbytes(value: Any) -> int:
    """Bytes of arrays, texts and containers of them; other objects count as they are."""
    own = getattr(value, "nbytes", None)
    if isinstance(own, int):
        return own
    size = sys.getsizeof(value)
    if isinstance(value, dict):
        return size + sum(nbytes(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple, set, frozenset)):
        return size + sum(map(nbytes, value))
    if is_dataclass(value) and not isinstance(value, type):
        return size + sum(nbytes(getattr(value, field.name)) for field in fields(value))
    return size
