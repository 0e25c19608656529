"""The process: its open files, connections, proxy, log and memory.

Without it, ``idle_connections`` of ``tests.load`` would shut out every visitor and flood the log,
freed memory would not be returned (255 MB after ``hostile_pictures``), and all visitors of a Space
would count as one.
"""

import ctypes
import logging
import os
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line is read before Gradio is imported
    import gradio as gr

MAX_CONNECTIONS = 2_000  # further requests get a 503
IDLE_SECONDS = 20  # after which a connection without a request is closed
MAX_OPEN = 65_536  # files and connections, if the system sets no limit
PRIVATE_NETWORKS = "127.0.0.0/8,::1,10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16"

logger = logging.getLogger(__name__)
_logged: dict[tuple[str, int], float] = {}  # time by location in the code


def allow_open_files() -> None:
    """Raises the soft limit of open files and connections to the hard limit."""
    with suppress(ImportError, OSError, ValueError):  # not on Windows
        import resource  # noqa: PLC0415

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = MAX_OPEN if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def trust_proxy_of_space() -> None:
    """On a Space, let Uvicorn read visitors' addresses from the proxy, which is the only client.

    Uvicorn takes the last address in the header that it does not trust: a visitor cannot forge it.
    With ``*`` it would take the first one, which a visitor can.
    """
    if "SPACE_ID" in os.environ:
        os.environ.setdefault("FORWARDED_ALLOW_IPS", PRIVATE_NETWORKS)


class Connections:
    """Closes connections of the page's server that have not sent a request for too long."""

    def __init__(self, page: "gr.Blocks") -> None:
        self.page = page
        self.idle: dict[Any, int] = {}  # seconds

    def close_idle(self) -> None:
        """Closes idle connections; call this every second."""
        server = self.page.server
        server.config.limit_concurrency = MAX_CONNECTIONS  # Gradio has no option for it
        connections = server.server_state.connections
        patience = IDLE_SECONDS if len(connections) < MAX_CONNECTIONS // 2 else 1
        self.idle = {
            connection: self.idle.get(connection, 0) + 1
            for connection in connections
            if getattr(connection, "scope", "a websocket") is None  # no request yet
        }
        for connection, seconds in self.idle.items():
            if seconds > patience:
                connection.transport.close()


def keep_log_short() -> None:
    """Logs an error of the server, or of a forged press, at most once a second."""
    for name in ("asyncio", "uvicorn.error"):
        logging.getLogger(name).addFilter(_is_due)
    logger.addFilter(_is_due)


def _is_due(record: logging.LogRecord) -> bool:
    place = record.pathname, record.lineno
    due = record.created > _logged.get(place, 0) + 1
    if due:
        _logged[place] = record.created
    return due


def log_place(error: Exception) -> None:
    """Logs where an error was raised, without its text, which may quote a visitor."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("%s in %s, %s", type(error).__name__, Path(place.filename).name, place.lineno)


def give_back_memory() -> None:
    """Returns freed memory to the system: glibc keeps the gaps of arrays (25 ms for 600 MB)."""
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
