"""What all tests share: where the checkout is, and ports for pages and processes."""

import socket
from pathlib import Path

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
