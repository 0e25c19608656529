"""Debian's Chromium, for tests, measurements and screenshots."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
PLAIN_HTTP = "gclip.test"
"""A name of this machine that is not a secure context, as 127.0.0.1 is."""
FLAGS = [
    "--disable-gpu",
    "--process-per-site",
    f"--host-resolver-rules=MAP {PLAIN_HTTP} 127.0.0.1",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser that is closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
