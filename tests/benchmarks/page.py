"""The page in Chromium, with the built-in model in a server process of its own.

Every row is of a browser with an empty cache. Bytes are those of the browser's network panel:
compressed, with headers. A mask counts from the first frame in which it is drawn.
"""

import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from tests.visitor import serving

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu"]
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
TIMEOUT_MS = 600_000
# Notes when a widget's content is replaced by the content of an answer, and sums layout shifts.
WATCH = """
  window.drawn = {}; window.shift = 0;
  new MutationObserver((changes) => changes.forEach(({ target }) => {
    const widget = target.closest?.('#side-canvas, #methods');
    if (target.matches?.('.gw') && target.dataset.ready === '1' && widget)
      requestAnimationFrame(() => { window.drawn[widget.id] = performance.now(); });
  })).observe(document, { subtree: true, childList: true, attributeFilter: ['data-ready'] });
  new PerformanceObserver((list) => list.getEntries().forEach((one) => {
    if (!one.hadRecentInput) window.shift += one.value;
  })).observe({ type: 'layout-shift', buffered: true });
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
        one = event["requestId"]
        self._bytes[one] = max(self._bytes[one], event["encodedDataLength"])


def opened(browser: Browser, size: dict[str, int]) -> tuple[Page, Wire]:
    """A page in a window of that size, with an empty cache."""
    context = browser.new_context(viewport=size)
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
    began = f"window.drawn = {{}}; window.began = performance.now(); {_input(name)}.click()"
    page.evaluate(f"() => {{ {began} }}")
    page.wait_for_function(f"window.drawn['{widget}']", timeout=TIMEOUT_MS)
    return float(page.evaluate(f"window.drawn['{widget}'] - window.began")) / 1000


def _input(name: str) -> str:
    return f"document.querySelector('#{name} input')"


def measure(repeats: int) -> dict[str, float]:
    """Seconds, megabytes and layout shifts by name; seconds but the start are medians."""
    found: dict[str, float] = {}
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), "--no-downloads") as server,
        sync_playwright() as playwright,
    ):
        found["start"] = time.monotonic() - began
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        firsts, switches, alls = [], [], []
        for _ in range(repeats):
            page, wire = opened(browser, DESKTOP)
            firsts.append(visit(page, server.url))
            page.wait_for_timeout(3000)  # what the page loads in the background counts as well
            found["megabytes"] = wire.megabytes
            found["shift"] = page.evaluate("window.shift")
            switches += [press(page, name) for name in ("amf", "cs", "amf", "cs")]
            visit(page, f"{server.url}?tab=compare", "methods")
            alls.append(press(page, "extras", "methods"))
            page.context.close()
        page, _ = opened(browser, PHONE)
        visit(page, server.url)
        page.wait_for_timeout(3000)
        found["shift on a phone"] = page.evaluate("window.shift")
        browser.close()
    medians = {"first mask": firsts, "switch": switches, "all methods": alls}
    return found | {name: statistics.median(times) for name, times in medians.items()}
