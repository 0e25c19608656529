"""Shared by all tests: the root of the checkout, ports for pages and processes, and refusals."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "training/*.md", "assets/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"  # which names what was
)
TRACES = ("Traceback", "site-packages", 'File "', str(ROOT))
"""What no message to a person may contain."""


def refusal(error: type[Exception], ask: Callable[[], object], *words: str) -> str:
    """The error's message, which contains all ``words`` and reveals nothing about the machine."""
    with pytest.raises(error) as caught:
        ask()
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert not any(trace in message for trace in TRACES), message
    return message


def free_port() -> int:
    """A port on which nobody listens right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
