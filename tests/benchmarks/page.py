"""``python -m tests.benchmarks.page [OTHER_CHECKOUT]``: the page beside another checkout's.

Both are started in turn on this machine, without downloads, and driven in Chromium with an empty
cache; an older checkout may have Gradio's own front end. Seconds are medians; bytes are those of
the browser's network panel, compressed and with headers. A mask counts from the frame in which the
canvas changes, the last such frame within some seconds; a press, from the first.
"""

import argparse
import contextlib
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, CDPSession, Page

from gclip_core import assets
from tests import ROOT, free_port
from tests.browser import chromium

BARE = """import sys, torch, open_clip, gradio as gr
with gr.Blocks() as page: gr.Textbox()
page.launch(server_port=int(sys.argv[2]), quiet=True)"""
"""A page with one text box that imports what our page imports."""
SIZES = {"1280": (1280, 900), "390": (390, 844)}
MASK, AMF, PHOTO = "#canvas .mask", "#canvas .idea", "#photo input[type=file]"
LINK = "?example=panda"
"""A link to an example that nobody has opened since the start."""

LOOK = """window.look = (selector) => [...document.querySelectorAll(selector)].map((canvas) => {
  const small = new OffscreenCanvas(48, 32).getContext("2d", { willReadFrequently: true });
  if (canvas.width) small.drawImage(canvas, 0, 0, 48, 32);
  return small.getImageData(0, 0, 48, 32).data.join();
}).join();
window.frame = () => new Promise(requestAnimationFrame);
window.changed = async (selector, before, quiet) => {
  let last = 0;
  for (;;) {
    await window.frame();
    const now = window.look(selector), time = performance.now();
    if (/[1-9]/.test(now) && now !== before) [last, before] = [time, now];
    if (last && time - last >= quiet) return last;
  }
};"""
PRESS = """([mask, button]) => {
  const before = window.look(mask), began = performance.now();
  document.querySelector(button).click();
  return window.changed(mask, before, 0).then((end) => (end - began) / 1000);
}"""
FIRST_SCREEN = """() => {
  const seen = (node) =>
    node.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
    !node.closest(".visually-hidden, .sr-only, .live, .unseen");  // for screen readers and layout
  const inside = ({ top, left, bottom, right, width, height }) => width && height &&
    bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let words = 0;
  while (texts.nextNode()) {
    const text = texts.currentNode, range = document.createRange();
    range.selectNodeContents(text);
    if (seen(text.parentElement) && inside(range.getBoundingClientRect()))
      words += (text.data.match(/[\\p{L}\\p{N}][^\\s]*/gu) ?? []).length;
  }
  const controls = document.querySelectorAll(
    "button, input, select, textarea, a[href], summary, [role=button], [role=tab], [tabindex='0']");
  const shown = [...controls].filter((one) => seen(one) && inside(one.getBoundingClientRect()));
  return [words, shown.length];
}"""


class Wire:
    """What a browser asked for, and what it received."""

    def __init__(self, session: CDPSession) -> None:
        self.began, self.requests = 0.0, 0
        self._bytes = dict[str, list[tuple[float, float]]]()
        """By request: times and bytes."""
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", self._begin)
        session.on("Network.dataReceived", self._add)
        session.on("Network.loadingFinished", self._finish)

    def kilobytes(self, seconds: float = math.inf) -> float:
        """Received until this long after the first request."""
        parts = (part for parts in self._bytes.values() for part in parts)
        return sum(size for when, size in parts if when - self.began <= seconds) / 1e3

    def _begin(self, event: dict[str, Any]) -> None:
        if event["request"]["url"].startswith("http"):  # else it is in the page itself
            self.began = self.began or event["timestamp"]
            self.requests += 1

    def _add(self, event: dict[str, Any]) -> None:  # response streams may end long after
        part = event["timestamp"], event["encodedDataLength"]
        self._bytes.setdefault(event["requestId"], []).append(part)

    def _finish(self, event: dict[str, Any]) -> None:
        parts = self._bytes.setdefault(event["requestId"], [])
        rest = event["encodedDataLength"] - sum(size for _, size in parts)
        parts.append((event["timestamp"], max(0, rest)))


@contextlib.contextmanager
def started(command: list[str], folder: Path) -> Iterator[tuple[str, float]]:
    """A page's address, and the seconds from its start until it responds."""
    port, began = free_port(), time.monotonic()
    with tempfile.TemporaryDirectory() as files:
        env = os.environ | {"HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": files}
        env |= {"GRADIO_ANALYTICS_ENABLED": "False"}
        process = subprocess.Popen(
            [sys.executable, *command, "--port", str(port)],
            cwd=folder,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            while True:
                assert process.poll() is None and time.monotonic() - began < 600, command
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(url, timeout=60).is_success:
                        break
                time.sleep(0.05)
            yield url, time.monotonic() - began
        finally:
            process.kill()
            process.wait()


def opened(browser: Browser, url: str, size: tuple[int, int]) -> tuple[Page, Wire, float]:
    """A page with an empty cache that shows its first mask, and the seconds until then."""
    width, height = size
    is_phone = width < 700
    context = browser.new_context(
        viewport={"width": width, "height": height}, has_touch=is_phone, is_mobile=is_phone
    )
    context.add_init_script(LOOK)
    page = context.new_page()
    page.set_default_timeout(300_000)
    wire = Wire(context.new_cdp_session(page))
    page.goto(url, wait_until="commit")
    page.wait_for_selector(MASK, state="attached")
    first = page.evaluate("(mask) => window.changed(mask, '', 3000)", MASK)
    return page, wire, first / 1000


def measure(browser: Browser, folder: Path, figures: dict[str, list[float]]) -> None:
    """Starts a checkout's page once and adds its figures."""
    photos = [str(assets.path("photos", f"{name}.jpg")) for name in ("coffee", "astronaut")]
    command = ["app.py", "--no-downloads", "--quiet", "--backbone", "built-in"]
    with started(command, folder) as (url, seconds):
        figures["start, s"].append(seconds)
        page, wire, first = opened(browser, f"{url}/{LINK}", SIZES["1280"])
        figures["from opening a link to another example to its mask, s"].append(first)
        page.context.close()
        for name, size in SIZES.items():
            page, wire, first = opened(browser, url, size)
            words, controls = page.evaluate(FIRST_SCREEN)
            figures[f"words in the first screen at {name}"].append(words)
            figures[f"controls in the first screen at {name}"].append(controls)
            if name == "1280":
                figures["from opening the page to its first mask, s"].append(first)
                figures["received until the first mask, empty cache, kB"].append(
                    wire.kilobytes(first)
                )
                use(page, wire, photos, figures)
            page.context.close()


def use(page: Page, wire: Wire, photos: list[str], figures: dict[str, list[float]]) -> None:
    """Presses AMF, and chooses photos."""
    for _ in range(6):
        received, requests = wire.kilobytes(), wire.requests
        seconds = page.evaluate(PRESS, [MASK, AMF])
        figures["from pressing AMF to its mask, s"].append(seconds)
        page.wait_for_timeout(1500)
        figures["received when AMF is pressed, kB"].append(wire.kilobytes() - received)
        figures["requests when AMF is pressed"].append(wire.requests - requests)
    for photo in photos:
        old = page.evaluate("(mask) => window.look(mask)", MASK)
        began = page.evaluate("performance.now()")
        page.set_input_files(PHOTO, photo)
        end = page.evaluate("([mask, old]) => window.changed(mask, old, 2000)", [MASK, old])
        figures["from choosing a photo to its suggested mask, s"].append((end - began) / 1000)


def main() -> None:
    """Prints one Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.page", description=__doc__)
    parser.add_argument("other", nargs="?", type=Path, help="folder of another checkout")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    folders = [ROOT, *([args.other.resolve()] if args.other else [])]
    all_figures = [defaultdict[str, list[float]](list) for _ in folders]
    bare = list[float]()
    for _ in range(args.repeats):
        with started(["-c", BARE], ROOT) as (_, seconds):
            bare.append(seconds)
        for folder, figures in zip(folders, all_figures, strict=True):
            with chromium() as browser:
                measure(browser, folder, figures)
    ours = statistics.median(all_figures[0]["start, s"]) / statistics.median(bare)
    print(f"start of a bare page, s: {statistics.median(bare):.2f}; ours ÷ bare: {ours:.2f}\n")
    print("| what | here | other | here ÷ other |\n|---|---|---|---|")
    for name in all_figures[0]:
        here, *other = (statistics.median(figures[name]) for figures in all_figures)
        ratio = f"{here / other[0]:.2f}" if other and other[0] else ""
        print(f"| {name} | {here:.3g} | {f'{other[0]:.3g}' if other else ''} | {ratio} |")


if __name__ == "__main__":
    main()
