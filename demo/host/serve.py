"""Starts the web server, waits until it answers, and stops it after the last answer."""

import contextlib
import gc
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
import httpx
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from demo.host.files import make_room
from demo.host.guard import Guard
from demo.host.judge import Check
from demo.host.mcp import Pictures
from demo.host.pending import MAX_WAITING, Pending
from demo.host.uploads import Uploads

START_SECONDS = 120
STOP_SECONDS = 20
"""Time for running requests to finish after the signal to stop."""
CLEAN_SECONDS = 3600
"""Old files of visitors are deleted so often."""


def serve(
    page: gr.Blocks,
    settings: dict[str, Any],
    checks: Mapping[str, Check],
    state: Callable[[], dict[str, Any]] = dict,
    routes: Sequence[Route] = (),
) -> int:
    """Serve until SIGTERM or Ctrl-C; a failed start prints one sentence.

    ``checks`` check the values of public endpoints; ``routes`` are served beside the page.
    ``/health`` answers 200 with ``state()`` as JSON, or 503 after the signal to stop.

    Returns the exit status: 0 after a signal to stop, 2 if it could not start.
    """
    page.queue(max_size=MAX_WAITING, api_open=False)
    queue = Pending()
    own = app_settings(
        page,
        checks,
        [*routes, health(queue, state)],
        pending=queue,
        login=settings["auth"] is not None,
        mcp=bool(settings["mcp_server"]),
    )
    problem = _launch(page, {**settings, "app_kwargs": own})
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    gc.freeze()  # nothing of what exists now is ever freed: collections may skip it
    gc.enable()
    _wait_for_signal()
    queue.is_closed = True
    end = time.monotonic() + STOP_SECONDS
    while time.monotonic() < end and queue.readers():
        time.sleep(0.05)
    time.sleep(0.2)  # the last answer is still being sent
    page.close(verbose=False)
    return 0


def app_settings(
    page: gr.Blocks,
    checks: Mapping[str, Check],
    routes: Sequence[Route] = (),
    **options: Any,
) -> dict[str, Any]:
    """Arguments for ``launch(app_kwargs=…)``: the guard with the page's events, and own routes.

    ``checks`` judge the values of the public endpoints; ``options`` are the guard's. Answers are
    compressed, their stream is not.
    """
    events = {number: event for number, event in page.fns.items() if event.fn is not None}
    taken = Uploads()
    stack = [
        Middleware(GZipMiddleware, minimum_size=500, compresslevel=6),
        Middleware(Guard, events=events, checks=checks, **options),
        Middleware(Pictures, uploads=taken),
    ]
    return {"middleware": stack, "routes": [taken.route(), *routes], "openapi_url": None}


def _wait_for_signal() -> None:
    """Wait for SIGTERM or Ctrl-C; meanwhile delete old files of visitors."""
    signals: list[int] = []
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda number, _: signals.append(number))
    cleaned = time.monotonic()
    # The system may deliver a signal to any thread: waiting for a lock here could miss it.
    while not signals:
        time.sleep(0.2)
        if time.monotonic() - cleaned > CLEAN_SECONDS:
            cleaned = time.monotonic()
            with contextlib.suppress(OSError):
                make_room()


def health(queue: Pending, state: Callable[[], dict[str, Any]]) -> Route:
    """The route for a host's monitor: status, versions, the number of requests that wait."""

    def answer(_: HttpRequest) -> JSONResponse:
        status = "ending" if queue.is_closed else "ok"
        report = {"status": status, **state(), "waiting": len(queue)}
        return JSONResponse(report, 503 if queue.is_closed else 200)

    return Route("/health", answer)


def _launch(page: gr.Blocks, settings: dict[str, Any]) -> str:
    """Start the server; returns what went wrong, empty for nothing.

    Gradio waits 5 s for its server and 3 s for the page, which is too short on a busy machine; its
    message on an address that cannot be used names settings of its own.
    """
    host, port = settings.get("server_name") or "127.0.0.1", settings["server_port"] or 0
    try:
        family = socket.getaddrinfo(host, port)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return f"{host}: {error.strerror}. Choose another --host or --port."
    try:
        page.launch(**settings, prevent_thread_lock=True)
    except OSError as error:
        return str(error)
    except ValueError:
        if not (page.is_running and _answers(page.local_url, START_SECONDS)):
            return (
                f"the page did not answer on this machine within {START_SECONDS} s. Check proxy "
                "settings (NO_PROXY should name localhost) and the machine's load."
            )
    return ""


def _answers(url: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.head(url, timeout=10).status_code < 500:
                return True
        time.sleep(0.5)
    return False
