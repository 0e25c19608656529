"""``python -m tests.screenshots``: the page as README shows it; with options any tab and size.

Starts the page with the built-in model, opens its tabs in a headless Chromium and writes PNG files
of 256 colours.
"""

import argparse
import io
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.visitor import serving

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
FLAGS = ["--no-sandbox", "--disable-gpu"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the pictures and print their paths."""
    args = _parser().parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    wanted = itertools.product(args.tabs, args.sizes, args.themes)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), "--no-downloads") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=args.chromium, args=FLAGS)
        for name, png in take(browser, server.url, wanted):
            small = Image.open(io.BytesIO(png)).convert("RGB").quantize(256)
            small.save(args.out / name, optimize=True)
            print(args.out / name)


def take(
    browser: Browser, url: str, wanted: Iterator[tuple[str, str, str]]
) -> Iterator[tuple[str, bytes]]:
    """A picture of every tab, device and theme that is wanted."""
    for tab, device, theme in wanted:
        width, height = SIZES[device]
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(240_000)
        page.goto(f"{url}?__theme={theme}" + (f"&tab={tab}" if tab != "side" else ""))
        page.wait_for_selector("#says .status")
        page.wait_for_timeout(3000)
        yield f"{tab}-{device}-{theme}.png", page.screenshot()
        page.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"), help="folder")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="Chromium's path")
    parser.add_argument("--tabs", nargs="*", default=["side"], help="which tabs")
    for name, every in (("sizes", [*SIZES]), ("themes", THEMES)):
        parser.add_argument(f"--{name}", nargs="*", default=every[:1], choices=every)
    return parser


if __name__ == "__main__":
    main()
