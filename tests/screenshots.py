"""``python -m tests.screenshots``: README's pictures, in ``docs/screenshots``.

``amf.webp`` shows what AMF does in the built-in model, ``ideas.webp`` what AMF and CS do in its
damaged copy, ``overlay.webp`` the masks of an example, and ``page.webp`` the page in headless
Chromium, with the damaged copy.
"""

import io
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from demo.photo import OPENING
from demo.plots import save, styled
from evaluation import metric
from evaluation.photos import shipped_photos
from gclip_core import Segmenter, gclip, load_backbone
from gclip_core.pixels import palette
from gclip_core.result import percent
from tests import ROOT
from tests.browser import chromium
from tests.demo.visitor import serving

BACKBONE, PHOTO = "built-in-damaged", "flower"


def main() -> None:
    """Writes the pictures and prints their paths."""
    pictures = {"amf": drawn(amf()), "ideas": drawn(ideas()), "overlay": overlay(), "page": page()}
    for name, picture in pictures.items():
        file = ROOT / "docs" / "screenshots" / f"{name}.webp"
        picture.save(file, quality=90)
        print(file)


def amf() -> dict[str, Image.Image]:
    """The page's first photo, and its masks without and with AMF, as the page draws them."""
    switches = {"Without AMF": (False, False), "With AMF": (True, False)}
    return masks("built-in", OPENING, switches, background=True, refine="guided")


def ideas() -> dict[str, Image.Image]:
    """The photo, and its masks without and with AMF and CS."""
    switches = {
        "Neither": (False, False),
        "AMF": (True, False),
        "CS": (False, True),
        "AMF and CS": (True, True),
    }
    return masks(BACKBONE, PHOTO, switches)


def masks(
    backbone: str,
    name: str,
    switches: dict[str, tuple[bool, bool]],
    **options: Any,
) -> dict[str, Image.Image]:
    """A shipped photo and its masks, by titles with their scores."""
    photo = shipped_photos()[name]
    picture, truth = photo.image(), photo.labels()
    segmenter = Segmenter(load_backbone(backbone))
    encoded = segmenter.encode(picture)
    colours = palette.colours(photo.words)
    shown = {"Photo": picture}
    for title, ideas in switches.items():
        mask = segmenter.segment(encoded, photo.text, gclip(*ideas), image=picture, **options)
        labels = mask.labels.numpy()
        score = metric.against_truth(truth, photo.words, labels, mask.vocabulary).miou
        shown[f"{title}: mIoU {percent(score)}"] = palette.painted(picture, labels, colours)
    return shown


def drawn(shown: dict[str, Image.Image]) -> Image.Image:
    """Pictures of one size side by side, below their titles."""
    width, height = shown["Photo"].size
    with styled():
        figure = Figure(figsize=(10, 0.3 + 10 / len(shown) * height / width), layout="constrained")
        for axes, (title, panel) in zip(figure.subplots(1, len(shown)), shown.items(), strict=True):
            axes.set_title(title)
            axes.set_axis_off()
            axes.imshow(panel)
    return Image.open(io.BytesIO(save(figure, dpi=144))).convert("RGB")


def overlay() -> Image.Image:
    """The dog, with the masks of suggested words."""
    picture, segmenter = shipped_photos()["dog"].image(), Segmenter(load_backbone())
    words = segmenter.suggest(picture)
    mask = segmenter.segment(picture, words, background=True, refine="guided")
    colours = palette.colours(mask.vocabulary.classes)
    painted = palette.painted(picture, mask.labels.numpy(), colours)
    painted.thumbnail((400, 600))
    return painted


def page() -> Image.Image:
    """The page with the photo."""
    with serving() as server, chromium() as browser:
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto(f"{server.url}?__theme=light&example={PHOTO}&backbone={BACKBONE}")
        for part in ("#canvas[data-answers]", "body[data-phase=idle]"):
            tab.wait_for_selector(part, timeout=240_000)
        tab.wait_for_function("[...document.images].every(image => image.complete)")
        return Image.open(io.BytesIO(tab.screenshot())).convert("RGB")


if __name__ == "__main__":
    main()
