"""The page in Chromium, with the built-in model in a server process of its own.

Every row is of a browser with an empty cache. Bytes are those of the browser's network panel:
compressed, with headers. A mask counts from the first frame in which it is drawn.
"""

import statistics
import time
from collections import defaultdict
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from tests.browser import chromium
from tests.visitor import serving

TIMEOUT_MS = 600_000
# Notes when a widget's content is replaced by the content of an answer.
WATCH = """
  window.drawn = {};
  new MutationObserver((changes) => changes.forEach(({ target }) => {
    const widget = target.closest?.('#side-canvas, #methods');
    if (target.matches?.('.gw') && target.dataset.ready === '1' && widget)
      requestAnimationFrame(() => { window.drawn[widget.id] = performance.now(); });
  })).observe(document, { subtree: true, childList: true, attributeFilter: ['data-ready'] });
"""


class Wire:
    """Bytes that a browser received, by request."""

    def __init__(self, session: CDPSession) -> None:
        self._bytes: dict[str, float] = defaultdict(float)
        session.send("Network.enable")
        session.on("Network.dataReceived", self._add)
        session.on("Network.loadingFinished", self._finish)

    @property
    def megabytes(self) -> float:
        return sum(self._bytes.values()) / 1e6

    def _add(self, event: dict[str, Any]) -> None:  # streams of answers may end long after
        self._bytes[event["requestId"]] += event["encodedDataLength"]

    def _finish(self, event: dict[str, Any]) -> None:
        request = event["requestId"]
        self._bytes[request] = max(self._bytes[request], event["encodedDataLength"])


def opened(browser: Browser) -> tuple[Page, Wire]:
    """A page with an empty cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(WATCH)
    page = context.new_page()
    return page, Wire(context.new_cdp_session(page))


def visit(page: Page, url: str, widget: str = "side-canvas") -> float:
    """Seconds from the start of a visit until a widget shows its first answer."""
    page.goto(url, wait_until="commit", timeout=TIMEOUT_MS)
    page.wait_for_function(f"window.drawn['{widget}']", timeout=TIMEOUT_MS)
    return float(page.evaluate(f"window.drawn['{widget}']")) / 1000


def press(page: Page, name: str, widget: str = "side-canvas") -> float:
    """Seconds from a press of a switch until a widget shows the answer."""
    begin = "window.drawn = {}; window.began = performance.now()"
    page.evaluate(f"() => {{ {begin}; document.querySelector('#{name} input').click() }}")
    page.wait_for_function(f"window.drawn['{widget}']", timeout=TIMEOUT_MS)
    return float(page.evaluate(f"window.drawn['{widget}'] - window.began")) / 1000


def measure(repeats: int) -> dict[str, float]:
    """Seconds and megabytes by name; seconds but the start are medians."""
    figures: dict[str, float] = {}
    firsts, switches, alls = [], [], []
    began = time.monotonic()
    with serving("--no-downloads") as server:
        figures["start"] = time.monotonic() - began
        with chromium() as browser:
            for _ in range(repeats):
                page, wire = opened(browser)
                firsts.append(visit(page, server.url))
                page.wait_for_timeout(3000)  # what loads in the background counts as well
                figures["megabytes"] = wire.megabytes
                switches += [press(page, name) for name in ("amf", "cs", "amf", "cs")]
                visit(page, f"{server.url}?tab=compare", "methods")
                alls.append(press(page, "extras", "methods"))
                page.context.close()
    medians = {"first mask": firsts, "switch": switches, "all methods": alls}
    return figures | {name: statistics.median(times) for name, times in medians.items()}
