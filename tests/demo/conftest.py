"""The page in a process of its own, shared by the tests that talk to it as visitors do."""

from collections.abc import Iterator

import pytest

from tests.visitor import Server, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("--backbone", "built-in", "--no-downloads") as running:
        yield running
