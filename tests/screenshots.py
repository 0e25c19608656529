"""``python -m tests.screenshots``: pictures of the page, desktop and phone, light and dark.

Starts the page with the built-in model, opens its tabs in a headless Chromium and writes PNG files.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.visitor import serving

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
TABS = ("side", "compare")
FLAGS = ["--no-sandbox", "--disable-gpu"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the pictures and print their paths."""
    args = _parser().parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), "--no-downloads") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=args.chromium, args=FLAGS)
        for name, png in take(browser, server.url, args.tabs):
            (args.out / name).write_bytes(png)
            print(args.out / name)


def take(browser: Browser, url: str, tabs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Pictures of these tabs at every size and in both themes."""
    for tab, (device, (width, height)), theme in itertools.product(tabs, SIZES.items(), THEMES):
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(f"{url}?tab={tab}&__theme={theme}")
        page.wait_for_selector("#says .status", timeout=120_000)
        page.wait_for_timeout(1500)
        yield f"{tab}-{device}-{theme}.png", page.screenshot()
        page.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"), help="folder")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="Chromium's path")
    parser.add_argument("--tabs", nargs="*", default=list(TABS), help="which tabs")
    return parser


if __name__ == "__main__":
    main()
