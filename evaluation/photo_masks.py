"""What the hand-drawn masks of the photos look like: ``python -m evaluation.photo_masks OUT``.

Writes each photo's mask as an indexed PNG and a sheet of all of them laid over the photos. Whoever
draws or corrects a polygon in ``assets/photos/photos.json`` reads the corners from
``--grid NAME``: the photo enlarged, under a grid of its pixels, with every outline on it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from evaluation.photos import VOID, Photo, star_photos
from gclip_core import palette

Labels = npt.NDArray[np.int16]
OPACITY = 0.55
TILE = 400
LEGEND = 20
COLUMNS = 4


def overlay(photo: Photo, labels: Labels | None = None) -> Image.Image:
    """The photo with its mask, or other labels (H, W), over it, in the words' colours."""
    tint = palette.table(photo.names)[photo.labels() if labels is None else labels]
    return Image.blend(photo.image(), Image.fromarray(tint), OPACITY)


def sheet(photos: Sequence[Photo], masks: Sequence[Labels] | None = None) -> Image.Image:
    """All overlays in rows, under each the words with their colour and share of the picture.

    `masks`, labels (H, W) a photo, take the place of the true ones.
    """
    lines = max(len(photo.words) for photo in photos)
    cell = TILE + LEGEND * lines + 10
    rows = -(-len(photos) // COLUMNS)
    paper = Image.new("RGB", (COLUMNS * (TILE + 10), rows * cell), palette.PAPER)
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(15)
    for place, photo in enumerate(photos):
        left, top = place % COLUMNS * (TILE + 10), place // COLUMNS * cell
        labels = photo.labels() if masks is None else masks[place]
        shown = overlay(photo, labels)
        shown.thumbnail((TILE, TILE))
        paper.paste(shown, (left, top + TILE - shown.height))
        colours = palette.of_names(photo.names)
        for index, (word, colour) in enumerate(zip(photo.names, colours, strict=True)):
            y = top + TILE + 4 + index * LEGEND
            draw.rectangle((left, y, left + 14, y + 14), fill=colour)
            share = f"{(labels == index).mean():.1%}"
            draw.text((left + 22, y - 2), f"{word}  {share}", palette.INK, font)
    return paper


def grid(photo: Photo, scale: int = 2, step: int = 20) -> Image.Image:
    """The photo enlarged, a line every ``step`` of its pixels, and the regions' outlines."""
    height, width = photo.size
    shown = photo.image().resize((width * scale, height * scale), Image.Resampling.LANCZOS)
    draw, font = ImageDraw.Draw(shown, "RGBA"), ImageFont.load_default(11)
    for x in range(0, width, step):
        draw.line((x * scale, 0, x * scale, shown.height), fill=(255, 255, 255, 90))
        for y in range(0, height, 8 * step):
            draw.text((x * scale + 1, y * scale), str(x), "yellow", font, stroke_width=1,
                      stroke_fill="black")  # fmt: skip
    for y in range(0, height, step):
        draw.line((0, y * scale, shown.width, y * scale), fill=(255, 255, 255, 90))
        for x in range(0, width, 8 * step):
            draw.text((x * scale + 1, y * scale), str(y), "cyan", font, stroke_width=1,
                      stroke_fill="black")  # fmt: skip
    colours = palette.of_names(photo.names)
    for region in photo.regions:
        colour = palette.NO_CLASS if region.word == VOID else colours[region.word]
        corners = [(x * scale, y * scale) for x, y in region.corners]
        draw.line([*corners, corners[0]], fill=colour, width=2)
    return shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the masks and the sheet, or one photo under its grid; returns the exit code."""
    photos = star_photos()
    parser = argparse.ArgumentParser(prog="python -m evaluation.photo_masks", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--grid", choices=list(photos), help="only this photo, under a grid")
    parser.add_argument("--scale", type=int, default=2, help="how much --grid enlarges (2)")
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.grid:
        grid(photos[args.grid], args.scale).save(args.out / f"{args.grid}-grid.png")
        return 0
    for name, photo in photos.items():
        palette.indexed(photo.labels(), photo.names).save(args.out / f"{name}.png")
        named = np.mean(photo.labels() >= 0)
        print(f"{name}: {photo.text} ({named:.0%} of the picture named)")
    sheet(list(photos.values())).save(args.out / "sheet.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
