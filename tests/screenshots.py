"""``python -m tests.screenshots``: README's pictures, in ``docs/screenshots``.

``ideas.webp`` and ``overlay.webp`` show the masks of its two examples, ``page.webp`` the page in
headless Chromium, with the damaged copy of the built-in model.
"""

import io

from matplotlib.figure import Figure
from PIL import Image

from evaluation import metric
from evaluation.figure import percent, save, styled
from evaluation.photos import shipped_photos
from gclip_core import Segmenter, gclip, load_backbone
from gclip_core.pixels import palette
from tests import ROOT
from tests.browser import chromium
from tests.demo.visitor import serving

BACKBONE, PHOTO = "built-in-damaged", "flower"
SWITCHES = {
    "Neither": (False, False),
    "AMF": (True, False),
    "CS": (False, True),
    "AMF and CS": (True, True),
}


def main() -> None:
    """Writes the pictures and prints their paths."""
    for name, picture in (("ideas", ideas()), ("overlay", overlay()), ("page", page())):
        file = ROOT / "docs" / "screenshots" / f"{name}.webp"
        picture.save(file, quality=90)
        print(file)


def ideas() -> Image.Image:
    """The photo, and its masks without and with AMF and CS."""
    photo = shipped_photos()[PHOTO]
    picture, truth = photo.image(), photo.labels()
    segmenter = Segmenter(load_backbone(BACKBONE))
    encoded = segmenter.encode(picture)
    colours = palette.choose(len(photo.words), truth, picture)
    panels = {"Photo": picture}
    for name, switches in SWITCHES.items():
        mask = segmenter.segment(encoded, photo.text, gclip(*switches))
        labels = mask.labels.numpy()
        score = metric.against_truth(truth, photo.words, labels, mask.vocabulary).miou
        panels[f"{name}: mIoU {percent(score)}"] = palette.painted(picture, labels, colours)
    with styled():
        figure = Figure(figsize=(10, 1.55), layout="constrained")
        for axes, (title, panel) in zip(figure.subplots(1, 5), panels.items(), strict=True):
            axes.set_title(title)
            axes.set_axis_off()
            axes.imshow(panel)
    return Image.open(io.BytesIO(save(figure, dpi=144))).convert("RGB")


def overlay() -> Image.Image:
    """The dog, with the masks of suggested words."""
    picture, segmenter = shipped_photos()["dog"].image(), Segmenter(load_backbone())
    words = segmenter.suggest(picture)
    mask = segmenter.segment(picture, words, background=True, refine="guided")
    painted = palette.painted(picture, mask.labels.numpy(), palette.COLOURS)
    painted.thumbnail((400, 600))
    return painted


def page() -> Image.Image:
    """The page with the photo."""
    with serving() as server, chromium() as browser:
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto(f"{server.url}?__theme=light&example={PHOTO}&backbone={BACKBONE}")
        for part in ("#canvas [data-answers]", "#norms img"):
            tab.wait_for_selector(part, timeout=240_000)
        tab.wait_for_function("[...document.images].every(image => image.complete)")
        return Image.open(io.BytesIO(tab.screenshot())).convert("RGB")


if __name__ == "__main__":
    main()
