"""Two sheets to look at: masks of four methods, and attention of five patches, a row a photo.

    python -m training.sheets masks.png attention.png [--photos FOLDER]

Of the photos that ship, or of a folder of photos with masks (``--dataset photos`` in
docs/EVALUATION.md has its layout). The first sheet has the photo, its true mask, and the masks of
ClearCLIP, AMF, CS and both, without and with a planted channel. The second has block 6's attention
from five patches.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from evaluation.benchmark import queried_classes
from evaluation.datasets import LabelledSet
from evaluation.metric import IGNORE
from evaluation.photos import photo_folder, shipped_set
from gclip_core import palette
from gclip_core.backbone import Backbone, damage, load_backbone
from gclip_core.segmenter import Segmenter
from training.measure import PLANTED, WAYS

_SIZE = (220, 165)
_BLOCK = 5
_FROM = ((0.5, 0.5), (0.25, 0.3), (0.25, 0.7), (0.75, 0.3), (0.8, 0.7))
"""Positions of the five patches, as shares of height and width."""
_OPACITY = 0.55


def masks(backbone: Backbone, photos: LabelledSet) -> Image.Image:
    """The sheet of masks."""
    models = {"": Segmenter(backbone), "planted ": Segmenter(damage(backbone, **PLANTED))}
    rows = []
    for sample in photos.samples:
        image, truth = sample.load()
        there = queried_classes(truth, photos.classes, "present", sample.name)
        words = photos.vocabulary(there)
        of_word = np.full(len(photos.classes) + 1, IGNORE)  # the last is that of ignored pixels
        of_word[list(there)] = range(len(there))
        true_mask = _over(image, words.names, of_word[truth])
        row = [_tile(image, ", ".join(words.names)), _tile(true_mask, "truth")]
        for title, segmenter in models.items():
            encoded = segmenter.encode(image)
            for name, method in WAYS.items():
                labels = segmenter.segment(encoded, words, method).labels.numpy()
                row.append(_tile(_over(image, words.names, labels), title + name))
        rows.append(row)
    return _sheet(rows)


def attention(backbone: Backbone, photos: LabelledSet) -> Image.Image:
    """The sheet of attention: photos with five patches marked, and a map for each patch."""
    segmenter, rows = Segmenter(backbone), []
    for sample in photos.samples:
        image, _ = sample.load()
        encoded = segmenter.encode(image)
        height, width = encoded.grid
        patches = segmenter.attention_map(encoded, _BLOCK)[1:, 1:]  # (N, N)
        tiles, marked = [], _tile(image, sample.name)
        for number, (down, right) in enumerate(_FROM, 1):
            _write(marked, (_SIZE[0] * right, _SIZE[1] * down), str(number))
            row = patches[int(down * height) * width + int(right * width)]
            brightness = (row / torch.quantile(row, 0.99)).clamp(0, 1).sqrt()
            picture = (255 * brightness).byte().reshape(height, width).numpy()
            tiles.append(_tile(Image.fromarray(picture), str(number), Image.Resampling.NEAREST))
        rows.append([marked, *tiles])
    return _sheet(rows)


def _over(image: Image.Image, names: Sequence[str], labels: NDArray) -> Image.Image:
    """The photo with labels (H, W) over it in the words' colours."""
    return Image.blend(image, Image.fromarray(palette.table(names)[labels]), _OPACITY)


def _tile(
    image: Image.Image, title: str, scaling: Image.Resampling = Image.Resampling.BILINEAR
) -> Image.Image:
    tile = image.convert("RGB").resize(_SIZE, scaling)
    _write(tile, (4, 3), title)
    return tile


def _write(tile: Image.Image, at: tuple[float, float], text: str) -> None:
    ImageDraw.Draw(tile).text(at, text, "yellow", stroke_fill="black", stroke_width=1)


def _sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    sheet = Image.new("RGB", (_SIZE[0] * max(map(len, rows)), _SIZE[1] * len(rows)))
    for top, row in enumerate(rows):
        for left, tile in enumerate(row):
            sheet.paste(tile, (left * _SIZE[0], top * _SIZE[1]))
    return sheet


def main(arguments: Sequence[str] | None = None) -> None:
    """Write both sheets."""
    parser = argparse.ArgumentParser(prog="python -m training.sheets", description=__doc__)
    parser.add_argument("masks", type=Path, help="file for the sheet of masks")
    parser.add_argument("attention", type=Path, help="file for the sheet of attention")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="photos with masks")
    args = parser.parse_args(arguments)
    photos = photo_folder(args.photos) if args.photos else shipped_set()
    backbone = load_backbone()
    masks(backbone, photos).save(args.masks)
    attention(backbone, photos).save(args.attention)


if __name__ == "__main__":
    main()
