"""``python -m tests.screenshots``: the page as README shows it, in ``docs/screenshots``.

Starts the page with the built-in model, opens it in headless Chromium and writes a WebP file.
"""

import io

from PIL import Image

from tests import ROOT
from tests.browser import chromium
from tests.demo.visitor import serving


def main() -> None:
    """Writes the picture and prints its path."""
    with serving() as server, chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{server.url}?__theme=light&example=china")
        for part in ("#canvas [data-answers]", "#norms img"):
            page.wait_for_selector(part, timeout=240_000)
        page.wait_for_function("[...document.images].every(image => image.complete)")
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        file = ROOT / "docs" / "screenshots" / "page.webp"
        picture.save(file, quality=90)
        print(file)


if __name__ == "__main__":
    main()
