"""Two sheets to look at: masks of the photos that ship, and where patches of them look.

    python -m evaluation.sheets masks.png attention.png [--backbone NAME]

Masks of ClearCLIP, AMF, CS and both, as the model is and with a channel planted, beside the photo
and its true mask; block 6's attention from five patches of each photo.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

import gclip_core as gclip
from evaluation.photos import Photo, star_photos
from gclip_core.backbone import Backbone, plant_channel
from gclip_core.methods import METHODS
from gclip_core.registry import BUILT_IN
from gclip_core.segmenter import Segmenter
from gclip_core.types import Method, Vocabulary

WAYS: dict[str, Method] = {
    "neither": METHODS["clearclip"],
    "AMF": gclip.gclip(amf=True, cs=False),
    "CS": gclip.gclip(amf=False, cs=True),
    "both": gclip.gclip(amf=True, cs=True),
}
"""The paper's two ideas on top of ClearCLIP."""
PLANTED: dict[str, Any] = {"channel": 77, "gain": 200.0, "blocks": range(6, 11)}
_SIZE = (220, 165)
_BLOCK = 5
_FROM = ((0.5, 0.5), (0.25, 0.3), (0.25, 0.7), (0.75, 0.3), (0.8, 0.7))
"""Where the five patches lie, as shares of height and width."""
_COLOURS = np.array([[0, 0, 0], [230, 80, 60], [60, 130, 220], [70, 180, 90], [240, 190, 60],
                     [150, 90, 200], [240, 140, 190], [120, 120, 120], [90, 210, 210]])  # fmt: skip


def _tile(picture: npt.NDArray, title: str = "", nearest: bool = False) -> Image.Image:
    how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    tile = Image.fromarray(picture.astype(np.uint8)).convert("RGB").resize(_SIZE, how)
    ImageDraw.Draw(tile).text((4, 3), title, fill=(255, 255, 0), stroke_fill=(0, 0, 0),
                              stroke_width=1)  # fmt: skip
    return tile


def _sheet(rows: Sequence[Sequence[Image.Image]], out: Path) -> None:
    sheet = Image.new("RGB", (_SIZE[0] * max(map(len, rows)), _SIZE[1] * len(rows)))
    for top, row in enumerate(rows):
        for left, tile in enumerate(row):
            sheet.paste(tile, (left * _SIZE[0], top * _SIZE[1]))
    sheet.save(out)


def _painted(photo: Photo, labels: npt.NDArray) -> npt.NDArray:
    return 0.45 * np.asarray(photo.image()) + 0.55 * _COLOURS[(labels + 1) % len(_COLOURS)]


def masks(backbone: Backbone, photos: Iterable[Photo], out: Path) -> None:
    """Photo, truth, and the four ways without and with a planted channel."""
    kinds = {"": Segmenter(backbone), "planted ": Segmenter(plant_channel(backbone, **PLANTED))}
    rows = []
    for photo in photos:
        row = [_tile(np.asarray(photo.image()), ", ".join(photo.names)),
               _tile(_painted(photo, photo.labels()), "truth")]  # fmt: skip
        for title, segmenter in kinds.items():
            encoded, words = segmenter.encode(photo.image()), Vocabulary(photo.words)
            for name, method in WAYS.items():
                labels = segmenter.segment(encoded, words, method).labels.numpy()
                row.append(_tile(_painted(photo, labels), title + name))
        rows.append(row)
    _sheet(rows, out)


def attention(backbone: Backbone, photos: Iterable[Photo], out: Path) -> None:
    """Photos with five patches marked, and block 6's attention from each of them."""
    segmenter, rows = Segmenter(backbone), []
    for photo in photos:
        encoded = segmenter.encode(photo.image())
        height, width = encoded.grid
        looks = segmenter.attention_map(encoded, _BLOCK)[1:, 1:]
        tiles, marked = [], _tile(np.asarray(photo.image()), photo.name)
        for number, (down, right) in enumerate(_FROM, 1):
            at = (_SIZE[0] * right, _SIZE[1] * down)
            ImageDraw.Draw(marked).text(at, str(number), fill=(255, 255, 0), stroke_fill=(0, 0, 0),
                                        stroke_width=2)  # fmt: skip
            row = looks[int(down * height) * width + int(right * width)]
            seen = (row / torch.quantile(row, 0.99)).clamp(0, 1).sqrt().reshape(height, width)
            tiles.append(_tile(255 * seen.numpy(), str(number), nearest=True))
        rows.append([marked, *tiles])
    _sheet(rows, out)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw masks and attention of shipped photos.")
    parser.add_argument("masks", type=Path)
    parser.add_argument("attention", type=Path)
    parser.add_argument("--backbone", default=BUILT_IN)
    given = parser.parse_args()
    backbone = gclip.load_backbone(given.backbone)
    masks(backbone, star_photos().values(), given.masks)
    attention(backbone, star_photos().values(), given.attention)


if __name__ == "__main__":
    main()
