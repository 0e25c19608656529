"""Keeps Gradio from writing type stubs when it is imported."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def unwritten() -> Iterator[None]:
    """While it lasts, no component made gets a type stub, for editors, beside its source.

    Gradio reads and parses each component's source for them: half of the time of its import.
    """
    real = inspect.getfile

    def getfile(of: Any) -> str:
        if type(of).__name__ == "ComponentMeta":
            raise OSError("a component whose source Gradio does not find gets no stub")
        return real(of)

    inspect.getfile = getfile
    try:
        yield
    finally:
        inspect.getfile = real
