"""``python -m tests.benchmarks.toggle``: from a switch to the new picture, seen in a browser."""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Sequence

from playwright.sync_api import Page, sync_playwright

from demo import page as page_of
from demo.host import guard
from demo.look import Studio
from demo.main import build, launch_settings, parser
from tests.benchmarks import clock

GOAL = 0.3
FLAGS = ["--no-sandbox", "--disable-gpu"]
# From the press until the frame after the new mask stands in the page, in milliseconds.
PRESS = """(name) => new Promise((done) => {
  const mask = document.querySelector('#side-canvas .gw');
  const start = performance.now();
  mask.addEventListener('placed', () => requestAnimationFrame(() =>
    requestAnimationFrame(() => done(performance.now() - start))), { once: true });
  document.querySelector(`#${name} input`).click();
})"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Press AMF and CS in turns and print the medians; the built-in model, no network."""
    args = _parser().parse_args(arguments)
    demo = build(Studio())
    options = launch_settings(parser().parse_args([])) | {"server_port": None}
    _, url, _ = demo.launch(
        **options,
        app_kwargs=guard.app_settings(demo, page_of.head()) | {"routes": page_of.routes()},
        prevent_thread_lock=True, quiet=True,
    )  # fmt: skip
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=args.chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            machine = clock.machine().replace("processor time", "wall-clock time")
            print(f"{machine}; {os.getloadavg()[0]:.1f} programs at work")
            for query, what in (("", "as it opens"), ("?plant=1", "with a planted channel")):
                page.goto(url + query)
                page.wait_for_selector("#says .status", timeout=120_000)
                for name in ("amf", "cs"):
                    print(line(name.upper(), what, press(page, name, args.repeats)), flush=True)
    finally:
        demo.close()
    return 0


def press(page: Page, name: str, repeats: int) -> list[float]:
    """Seconds from each press of a switch to the new picture, after one round of warming."""
    page.wait_for_timeout(1000)
    taken = []
    for _ in range(repeats + 2):
        taken.append(page.evaluate(PRESS, name) / 1000)
        page.wait_for_timeout(300)
    return taken[2:]


def line(switch: str, what: str, taken: Sequence[float]) -> str:
    """One switch's median, fastest and slowest, and whether the goal is met."""
    middle = statistics.median(taken)
    met = "met" if middle <= GOAL else "missed"
    return (
        f"{switch}, {what}: median {middle:.3f} s of {len(taken)} "
        f"({min(taken):.3f} to {max(taken):.3f}); goal {GOAL} s {met}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.toggle", description=main.__doc__
    )
    parser.add_argument("--repeats", type=int, default=20, help="presses of each switch")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="Chromium's path")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
