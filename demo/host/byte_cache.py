"""The page's cache: bounded in bytes; its keys are digests of requests."""

import sys
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from typing import Any

from gclip_core.cache import BoundedCache


class ByteCache(BoundedCache[Any]):
    """Keeps values of any kind up to ``limit`` bytes, those used last.

    A key may be anything whose ``repr`` contains all of it; only its digest is kept.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit, nbytes)

    def get(self, key: Hashable) -> Any | None:
        """The value, now the most recently used, or None."""
        return super().get(digest(key))

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a value; one larger than the whole limit is not kept."""
        super().put(digest(key), value)


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
