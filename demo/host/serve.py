"""Starts the web server with patience and ends it with care."""

import gc
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
import httpx
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from demo.host import guard
from demo.host.lanes import Lanes

ATTEMPTS = 3
START_SECONDS = 120
QUEUE_SECONDS, IDLE_SECONDS = 0.01, 0.25
"""How often the queue looks for work while somebody is connected, and while nobody is: Gradio's
0.001 keeps an idle page at several percent of a core."""
PROGRESS_SECONDS = 0.25
"""How often it looks for how far a download is."""
STOP_SECONDS = 20
"""What is being computed when the end is asked for gets this long to finish."""


def serve(
    page: gr.Blocks,
    settings: dict[str, Any],
    state: Callable[[], dict[str, Any]] = dict,
    routes: Sequence[Route] = (),
    head: str = "",
) -> int:
    """Serve until SIGTERM or Ctrl-C; what went wrong at the start is one sentence.

    ``routes`` are answered beside the page, whose document gets the tags in ``head``. ``/health``
    answers 200 with ``state()`` as JSON, or 503 from when the end is asked for.

    Returns the exit status: 0 after an end that was asked for, 2 if it could not start.
    """
    ending = threading.Event()
    page.queue(max_size=guard.MAX_WAITING)
    page._queue.progress_update_sleep_when_free = PROGRESS_SECONDS
    Lanes(page._queue)
    own = guard.app_settings(page, head, ending)
    own["routes"] = [*routes, health(page, ending, state)]
    own["middleware"] = [Middleware(Pace, queue=page._queue), *own["middleware"]]
    problem = _launch(page, {**settings, "app_kwargs": own})
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    gc.freeze()  # of what is here by now nothing goes: it need not be looked through again
    gc.enable()
    asked: list[int] = []
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda number, _: asked.append(number))
    # The system may give a signal to any thread: a lock waited for here would sleep on.
    while not asked:
        time.sleep(0.2)
    ending.set()
    _finish(page)
    return 0


def health(page: gr.Blocks, ending: threading.Event, state: Callable[[], dict[str, Any]]) -> Route:
    """The route a host's monitor asks: is the page well, what runs, how many requests wait."""

    def answer(_: HttpRequest) -> JSONResponse:
        well = not ending.is_set()
        found = {"status": "ok" if well else "ending", **state(), "waiting": len(page._queue)}
        return JSONResponse(found, 200 if well else 503)

    return Route("/health", answer)


class Pace:
    """ASGI middleware: the queue looks for work often only while a request is open, and every
    open page keeps one open, its heartbeat."""

    def __init__(self, app: Callable, queue: Any) -> None:
        self.app, self.queue, self.open = app, queue, 0
        queue.sleep_when_free = IDLE_SECONDS

    async def __call__(self, scope: Any, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.open += 1
        self.queue.sleep_when_free = QUEUE_SECONDS
        try:
            await self.app(scope, receive, send)
        finally:
            self.open -= 1
            if not self.open:
                self.queue.sleep_when_free = IDLE_SECONDS


def _launch(page: gr.Blocks, settings: dict[str, Any]) -> str:
    """Start the server; returns what went wrong, empty for nothing.

    Gradio gives its server 5 s to start and itself 3 s to see the page, which is too little on a
    busy machine; of an address that cannot be had it speaks of its own settings, or not at all.
    """
    host, port = settings.get("server_name") or "127.0.0.1", settings["server_port"] or 0
    try:
        family = socket.getaddrinfo(host, port)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return f"{host}: {error.strerror}. Choose another --host or --port."
    problem = ""
    for _ in range(ATTEMPTS):
        try:
            page.launch(**settings, prevent_thread_lock=True)
            return ""
        except OSError as error:
            problem = str(error)
            time.sleep(1)
        except ValueError:
            if page.is_running and _answers(page.local_url, START_SECONDS):
                return ""
            return (
                f"the page did not answer on this machine within {START_SECONDS} s. Check proxy "
                "settings (NO_PROXY should name localhost) and the machine's load."
            )
    return problem


def _answers(url: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if httpx.head(url, timeout=10).status_code < 500:
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    return False


def _finish(page: gr.Blocks) -> None:
    """Let what was asked for be answered, up to a time, and close."""
    queue, end = page._queue, time.monotonic() + STOP_SECONDS
    while time.monotonic() < end and (len(queue) or queue.get_active_worker_count()):
        time.sleep(0.05)
    time.sleep(0.2)  # the last answer is still on its way
    page.close(verbose=False)
