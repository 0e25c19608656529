"""``python -m tests.benchmarks.page``: what the page costs on the wire and to look at, in Chromium.

Every row is a fresh browser with an empty cache. Bytes are those on the wire as the browser's own
network panel counts them (headers and packing included); a slow line and a phone are the browser's
emulation of them. The page runs in a process of its own on the same machine.
"""

import argparse
import io
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from demo.tabs import TABS
from gclip_core import assets
from tests.benchmarks import clock
from tests.visitor import serving

FLAGS = ["--no-sandbox", "--disable-gpu"]
PLACED_SECONDS = 180
WIDTHS = (320, 390, 640, 768, 820, 1280, 1440, 2560)
# Kept from the first script on: when a key or a file came, when masks were placed (also one of
# another picture), and how far things moved by themselves.
WATCH = """
  window.placed = []; window.shift = 0; window.given = 0; window.last = 0;
  for (const type of ['keydown', 'change'])
    addEventListener(type, () => window.given = performance.now(), true);
  addEventListener('gclip:placed', (e) => requestAnimationFrame(() => {
    window.last = performance.now(); e.detail.stale || window.placed.push(window.last); }));
  new PerformanceObserver((list) => { for (const e of list.getEntries())
    if (!e.hadRecentInput) window.shift += e.value;
  }).observe({ type: 'layout-shift', buffered: true });
"""


@dataclass(frozen=True)
class Line:
    """A browser's connection and processor: bits a second, seconds there and back, slowness."""

    name: str
    bits: float = 0
    delay: float = 0
    slower: int = 1
    width: int = 1280
    height: int = 800


LOCAL = Line("local")
OFFICE = Line("10 Mbit/s and 40 ms", bits=10e6, delay=0.04)
PHONE = Line("phone: 1.6 Mbit/s, 150 ms, 4 × slower", 1.6e6, 0.15, 4, 390, 844)


@dataclass
class Wire:
    """Counts what a browser receives."""

    sent: dict[str, str] = field(default_factory=dict)
    bytes: dict[str, float] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    def watch(self, session: CDPSession) -> None:
        """Count from now on."""
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", self._asked)
        session.on("Network.responseReceived", self._began)
        session.on("Network.dataReceived", self._came)
        session.on("Network.loadingFinished", self._ended)

    def clear(self) -> None:
        """Count anew."""
        self.sent.clear()
        self.bytes.clear()

    @property
    def total(self) -> float:
        """Kilobytes since the last :meth:`clear`."""
        return sum(self.bytes.values()) / 1000

    def of(self, *parts: str, but: str = "\0") -> float:
        """Kilobytes of addresses with one of these parts."""
        chosen = [i for i, url in self.sent.items() if any(p in url for p in parts)]
        return sum(self.bytes.get(i, 0) for i in chosen if but not in self.sent[i]) / 1000

    def _asked(self, event: dict[str, Any]) -> None:
        self.sent[event["requestId"]] = event["request"]["url"]

    def _began(self, event: dict[str, Any]) -> None:
        self.kinds[event["requestId"]] = event["response"]["mimeType"]

    def _came(self, event: dict[str, Any]) -> None:
        # A stream of answers may end long after: what has come of it counts as it comes.
        one = event["requestId"]
        self.sent.setdefault(one, "a stream")
        self.bytes[one] = self.bytes.get(one, 0) + event["encodedDataLength"]

    def _ended(self, event: dict[str, Any]) -> None:
        if event["requestId"] in self.sent and not self._streams(event["requestId"]):
            self.bytes[event["requestId"]] = event["encodedDataLength"]

    def _streams(self, one: str) -> bool:
        return self.kinds.get(one) == "text/event-stream"


def opened(browser: Browser, line: Line) -> tuple[Page, Wire]:
    """A page of an empty browser on that line."""
    context = browser.new_context(viewport={"width": line.width, "height": line.height})
    context.add_init_script(WATCH)
    page, wire = context.new_page(), Wire()
    session = context.new_cdp_session(page)
    wire.watch(session)
    if line.bits:
        session.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False, "latency": line.delay * 1000,
                "downloadThroughput": line.bits / 8, "uploadThroughput": line.bits / 8,
            },
        )  # fmt: skip
    if line.slower > 1:
        session.send("Emulation.setCPUThrottlingRate", {"rate": line.slower})
    return page, wire


def first_mask(page: Page, url: str) -> float:
    """Seconds from the start of the visit to the frame with the first mask."""
    page.goto(url, wait_until="commit")
    page.wait_for_function("window.placed.length > 0", timeout=1000 * PLACED_SECONDS)
    return float(page.evaluate("window.placed[0]")) / 1000


def phone_shift(browser: Browser, url: str) -> float:
    """How far things move by themselves on a phone's first visit."""
    page, _ = opened(browser, replace(PHONE, bits=0, slower=1))
    first_mask(page, url)
    page.wait_for_timeout(2000)
    shift = float(page.evaluate("window.shift"))
    page.context.close()
    return shift


def pressed(page: Page, name: str) -> float:
    """Seconds from a press of a switch to the frame with its mask."""
    page.evaluate("window.placed.length = 0; window.began = performance.now()")
    page.evaluate(f"document.querySelector('#{name} input').click()")
    page.wait_for_function("window.placed.length > 0", timeout=1000 * PLACED_SECONDS)
    return float(page.evaluate("window.placed[0] - window.began")) / 1000


def answered(page: Page, give: Callable[[], None]) -> float:
    """Seconds from what ``give`` hands to the page to the frame with its mask."""
    page.evaluate("window.given = window.last = 0")
    give()
    page.wait_for_function("window.given && window.last > window.given", timeout=60_000)
    return float(page.evaluate("window.last - window.given")) / 1000


def uploaded(page: Page, url: str, kind: str, size: tuple[int, int], number: int) -> float:
    """Seconds from an upload of that (width, height) to its mask; each ``number`` is another."""
    first_mask(page, url)
    made = io.BytesIO()
    with Image.open(assets.path("photos", "chelsea.jpg")) as photo:
        photo.convert("RGB").rotate(number).resize(size).save(made, kind)
    file = {"name": f"a.{kind}", "mimeType": f"image/{kind}", "buffer": made.getvalue()}
    given = page.locator("#photo input[type=file]")
    return answered(page, lambda: given.set_input_files(file))


def overflows(page: Page, url: str) -> list[str]:
    """Tabs and widths at which the page is wider than its window."""
    found = []
    for entry in TABS:
        page.goto(f"{url}?tab={entry.name}")
        page.wait_for_selector("#tabs[data-state='fresh']")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_timeout(200)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{entry.name} at {width}")
    return found


def turned(page: Page, wire: Wire, label: str) -> float:
    """Kilobytes that came when a tab was opened."""
    wire.clear()
    page.get_by_role("tab", name=label).first.click()
    page.wait_for_timeout(4000)
    return wire.total


def measure(browser: Browser, url: str, repeats: int, say: Callable[[str], None]) -> None:
    """Print the rows of the table."""
    page, wire = opened(browser, LOCAL)
    seconds = [first_mask(page, url)]
    page.wait_for_timeout(4000)
    whole, requests = wire.total, len(wire.sent)
    document = [i for i, to in wire.sent.items() if to.rstrip("/") == url.rstrip("/")]
    html = sum(wire.bytes.get(i, 0) for i in document) / 1000
    plain = len(httpx.get(url, headers={"accept-encoding": "identity"}).content) / 1000
    say(row("layout shift on load (CLS)", f"{page.evaluate('window.shift'):.3f}", "≤ 0.05"))
    say(row("the same on a phone", f"{phone_shift(browser, url):.3f}", "≤ 0.05"))
    say(row("HTML, uncompressed / on the wire", f"{plain:.0f} / {html:.0f} kB", "≤ 250 / 60 kB"))
    say(row("whole first visit on the wire", f"{whole:.0f} kB, {requests} requests", "≤ 900 kB"))
    times, downs, afters = [], [], []
    for number in range(2 * repeats):
        wire.clear()
        times.append(pressed(page, ("amf", "cs")[number % 2]))
        downs.append(wire.of("queue/", "a stream"))
        page.wait_for_timeout(2500)
        afters.append(wire.of("/held/"))
    say(
        row(
            "a switch: bytes down up to the picture; press to picture",
            f"{max(downs):.0f} kB at most; {statistics.median(times):.2f} s (median)",
            "≤ 90 kB; ≤ 0.2 s",
        )
    )
    say(row("what hover needs after a switch", f"{max(afters):.0f} kB at most", "≤ 200 kB"))
    say(row("Attention tab", f"{turned(page, wire, 'Attention'):.0f} kB", "≤ 200 kB"))
    turned(page, wire, "Side by side")
    turned(page, wire, "Attention")
    held = wire.of("/held/")
    say(row("a tab shown again: pictures", f"{held:.0f} kB (all: {wire.total:.0f})", "0 kB"))
    page.context.close()
    page, _ = opened(browser, LOCAL)
    for kind, size, goal in (("png", (2000, 40), 1.5), ("jpeg", (6000, 4000), 2.5)):
        found = min(uploaded(page, url, kind, size, number) for number in range(repeats))
        say(row(f"a {size[0]} × {size[1]} {kind}, best", f"{found:.2f} s", f"≤ {goal:g} s"))
    wide = ", ".join(overflows(page, url)) or "none"
    say(row(f"overflow at {min(WIDTHS)} to {max(WIDTHS)} px, every tab", wide, "none"))
    page.context.close()
    for line, goal in ((LOCAL, 1.5), (OFFICE, 2.5), (PHONE, 7.0)):
        taken = [] if line is not LOCAL else seconds
        while len(taken) < repeats:
            page, _ = opened(browser, line)
            taken.append(first_mask(page, url))
            page.context.close()
        found = f"{statistics.median(taken):.1f} s (of {len(taken)})"
        say(row(f"first mask, cold cache, {line.name}", found, f"≤ {goal:g} s"))


def row(*cells: str) -> str:
    """A line of the Markdown table."""
    return "| " + " | ".join(cells) + " |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the built-in model, visit it, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.page", description=main.__doc__
    )
    parser.add_argument("--repeats", type=int, default=3, help="visits and presses a median is of")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="Chromium's path")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), "--no-downloads") as server:
        machine = clock.machine().replace("processor time", "wall-clock time")
        print(f"{machine}; {os.getloadavg()[0]:.1f} programs at work\n")
        print(f"{row('what', 'found', 'may cost')}\n|---|---|---|", flush=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=args.chromium, args=FLAGS)
            measure(browser, server.url, args.repeats, lambda text: print(text, flush=True))
            browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
