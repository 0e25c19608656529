"""``python -m tests.screenshots``: the page as README shows it, in ``docs/screenshots``.

Starts the page with the built-in model, opens it in a headless Chromium and writes a PNG file of
256 colours.
"""

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests import ROOT
from tests.visitor import serving


def main() -> None:
    """Write the picture and print its path."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), "--no-downloads") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{server.url}?__theme=light")
        page.wait_for_selector("#says .status", timeout=240_000)
        page.wait_for_timeout(3000)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(256)
        file = ROOT / "docs" / "screenshots" / "side-desktop-light.png"
        picture.save(file, optimize=True)
        print(file)


if __name__ == "__main__":
    main()
