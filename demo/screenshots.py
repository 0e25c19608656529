"""``python -m demo.screenshots``: pictures of the page, desktop and phone, light and dark.

Starts the page with the built-in model, opens its tabs in a headless Chromium and writes PNG files.
Needs Playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from demo.learn import lesson
from demo.look import Studio
from demo.main import build, launch_settings, parser
from demo.page import routes

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
TABS = ("side", "compare")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pictures and print their paths."""
    args = _parser().parse_args(arguments)
    demo = build(Studio())
    settings = launch_settings(parser().parse_args([])) | {"server_port": None}
    _, url, _ = demo.launch(
        **settings, app_kwargs={"routes": routes()}, prevent_thread_lock=True, quiet=True
    )
    try:
        for path in take(url, args.out, args.chromium, args.tabs):
            print(path)
        if args.lesson:
            for path in take_lesson(url, args.out, args.chromium):
                print(path)
    finally:
        demo.close()
    return 0


def take(url: str, folder: Path, chromium: str, tabs: Sequence[str]) -> list[Path]:
    """Pictures of these tabs at every size and in both themes."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - optional

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for tab in tabs:
            for device, (width, height) in SIZES.items():
                for theme in THEMES:
                    page = browser.new_page(viewport={"width": width, "height": height})
                    page.goto(f"{url}?tab={tab}&__theme={theme}")
                    page.wait_for_selector("#says .status", timeout=120_000)
                    page.wait_for_timeout(1500)
                    path = folder / f"{tab}-{device}-{theme}.png"
                    page.screenshot(path=path)
                    page.close()
                    written.append(path)
        browser.close()
    return written


def take_lesson(url: str, folder: Path, chromium: str) -> list[Path]:
    """A picture of every step of the lesson after its guess, as it stands on the wall."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - optional

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(f"{url}?tab=learn&__theme=light")
        page.wait_for_selector("#learn-machine .gm-box", timeout=120_000)
        page.get_by_role("button", name="Full screen").last.click()
        for step in range(1, lesson.COUNT + 1):
            page.keyboard.press("PageDown")
            at = f'#learn-machine .gm-lesson[data-step="{step}"]'
            page.wait_for_selector(at, timeout=60_000)
            page.locator(f"{at} .gm-options button").nth(1).click()
            page.wait_for_selector(f'{at}[data-told="1"]', timeout=60_000)
            page.wait_for_timeout(1500)
            path = folder / f"lesson-{step}.png"
            taken = Image.open(io.BytesIO(page.screenshot()))
            taken.convert("RGB").quantize(256).save(path, optimize=True)
            written.append(path)
        browser.close()
    return written


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo.screenshots",
        description="Write pictures of the page, desktop and phone, light and dark.",
    )
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"), help="folder")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="Chromium's path")
    parser.add_argument("--tabs", nargs="*", default=list(TABS), help="which tabs")
    parser.add_argument("--lesson", action="store_true", help="also every step of the lesson")
    return parser


if __name__ == "__main__":
    sys.exit(main())
