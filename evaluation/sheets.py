"""Two sheets of the photos that ship: masks of four methods, and attention of five patches.

    python -m evaluation.sheets masks.png attention.png [--backbone NAME]

The first sheet has, for each photo, the photo, its true mask, and the masks of ClearCLIP, AMF, CS
and both, without and with a planted channel. The second has block 6's attention from five patches.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from evaluation.photos import Photo, star_photos
from gclip_core import palette
from gclip_core.backbone import Backbone, load_backbone, plant_channel
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS, gclip
from gclip_core.registry import BACKBONES, BUILT_IN
from gclip_core.segmenter import Segmenter
from gclip_core.types import Method, Vocabulary

WAYS: dict[str, Method] = {
    "neither": METHODS["clearclip"],
    "AMF": gclip(amf=True, cs=False),
    "CS": gclip(amf=False, cs=True),
    "both": gclip(amf=True, cs=True),
}
"""ClearCLIP without and with the paper's two ideas."""
PLANTED: dict[str, Any] = {"channel": 77, "gain": 300.0, "blocks": range(6, 11)}
_SIZE = (220, 165)
_BLOCK = 5
_FROM = ((0.5, 0.5), (0.25, 0.3), (0.25, 0.7), (0.75, 0.3), (0.8, 0.7))
"""Positions of the five patches, as shares of height and width."""
_OPACITY = 0.55


def _tile(picture: NDArray | Image.Image, title: str = "", nearest: bool = False) -> Image.Image:
    how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    tile = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    tile = tile.convert("RGB").resize(_SIZE, how)
    ImageDraw.Draw(tile).text((4, 3), title, "yellow", stroke_fill="black", stroke_width=1)
    return tile


def _sheet(rows: Sequence[Sequence[Image.Image]], out: Path) -> None:
    sheet = Image.new("RGB", (_SIZE[0] * max(map(len, rows)), _SIZE[1] * len(rows)))
    for top, row in enumerate(rows):
        for left, tile in enumerate(row):
            sheet.paste(tile, (left * _SIZE[0], top * _SIZE[1]))
    sheet.save(out)


def overlay(photo: Photo, labels: NDArray) -> Image.Image:
    """The photo with labels (H, W) over it in the words' colours."""
    colours = Image.fromarray(palette.table(photo.names)[labels])
    return Image.blend(photo.image(), colours, _OPACITY)


def masks(backbone: Backbone, photos: Iterable[Photo], out: Path) -> None:
    """Write the sheet of masks."""
    models = {"": Segmenter(backbone), "planted ": Segmenter(plant_channel(backbone, **PLANTED))}
    rows = []
    for photo in photos:
        truth = overlay(photo, photo.labels())
        row = [_tile(photo.image(), ", ".join(photo.names)), _tile(truth, "truth")]
        for title, segmenter in models.items():
            encoded, words = segmenter.encode(photo.image()), Vocabulary(photo.words)
            for name, method in WAYS.items():
                labels = segmenter.segment(encoded, words, method).labels.numpy()
                row.append(_tile(overlay(photo, labels), title + name))
        rows.append(row)
    _sheet(rows, out)


def attention(backbone: Backbone, photos: Iterable[Photo], out: Path) -> None:
    """Write the sheet of attention: photos with five patches marked, and a map for each patch."""
    segmenter, rows = Segmenter(backbone), []
    for photo in photos:
        encoded = segmenter.encode(photo.image())
        height, width = encoded.grid
        patches = segmenter.attention_map(encoded, _BLOCK)[1:, 1:]
        tiles, marked = [], _tile(photo.image(), photo.name)
        for number, (down, right) in enumerate(_FROM, 1):
            at = (_SIZE[0] * right, _SIZE[1] * down)
            ImageDraw.Draw(marked).text(
                at, str(number), "yellow", stroke_fill="black", stroke_width=2
            )
            row = patches[int(down * height) * width + int(right * width)]
            shown = (row / torch.quantile(row, 0.99)).clamp(0, 1).sqrt().reshape(height, width)
            tiles.append(_tile((255 * shown).byte().numpy(), str(number), nearest=True))
        rows.append([marked, *tiles])
    _sheet(rows, out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both sheets; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.sheets", description=__doc__)
    parser.add_argument("masks", type=Path, help="file for the sheet of masks")
    parser.add_argument("attention", type=Path, help="file for the sheet of attention")
    parser.add_argument("--backbone", default=BUILT_IN, choices=list(BACKBONES), metavar="NAME")
    args = parser.parse_args(arguments)
    try:
        backbone, photos = load_backbone(args.backbone), star_photos().values()
        masks(backbone, photos, args.masks)
        attention(backbone, photos, args.attention)
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
