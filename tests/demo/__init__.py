"""Tests of the page, which share the built-in model and what it has made."""

from functools import cache

from demo.engine import Engine
from tests.models import loaded


@cache
def engine() -> Engine:
    return Engine(loaded())
