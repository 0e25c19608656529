"""Tests of the page, which share the built-in model and what it has made."""

from functools import cache

from demo.look import Studio
from tests.models import loaded


@cache
def studio() -> Studio:
    return Studio(loaded())
