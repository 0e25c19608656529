"""How much memory the page may use, and what its one cache keeps of it."""

import argparse

import numpy as np
import pytest

from demo.host import memory
from demo.host.byte_cache import ByteCache, digest, nbytes
from demo.look import Request
from demo.settings import Settings


def test_the_cache_keeps_what_was_used_last_within_its_bytes() -> None:
    cache = ByteCache(10_000)
    for number in range(5):
        cache.put(("array", number), np.zeros(4000, np.uint8))
    assert cache.size <= 10_000
    assert cache.get(("array", 0)) is None
    assert cache.get(("array", 4)) is not None


def test_a_key_costs_the_same_whatever_a_visitor_sent() -> None:
    assert len(digest("x")) == len(digest("x" * 10**6)) == 16
    assert digest(("a", 1)) != digest(("a", 2))


def test_the_size_of_an_answer_counts_its_texts_and_arrays() -> None:
    assert nbytes({"text": "x" * 1000, "rows": [np.zeros(500, np.uint8)]}) > 1500


def test_the_size_of_a_request_counts_all_that_a_visitor_sent() -> None:
    words, names = "x" * 4000, ((1, "y" * 300),) * 254
    assert nbytes(Request(Settings(words=words), truth_classes=names)) > 4000 + 254 * 300


@pytest.mark.parametrize("text", ["1.1", "-3", "nan", "inf", "much", ""])
def test_a_bound_too_small_to_work_in_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="1.2 .GB. was expected"):
        memory.parsed(text)


def test_what_is_not_working_memory_is_the_caches() -> None:
    assert memory.cache_bytes(memory.parsed("2")) == 2 * 10**9 - memory.WORKING
