"""Sheets to look at: masks of each way, and where patches look."""

from pathlib import Path

import numpy as np
from PIL import Image

import gclip_core as gclip
from evaluation import sheets
from evaluation.photos import star_photos


def test_a_photo_has_a_row_of_masks_and_one_of_attention(tmp_path: Path) -> None:
    backbone, photos = gclip.load_backbone(), [next(iter(star_photos().values()))]
    sheets.masks(backbone, photos, tmp_path / "masks.png")
    sheets.attention(backbone, photos, tmp_path / "attention.png")
    for name, tiles in (("masks", 10), ("attention", 6)):
        sheet = np.asarray(Image.open(tmp_path / f"{name}.png"))
        columns = np.split(sheet, tiles, axis=1)
        assert all(column.std() > 5 for column in columns), "no tile is blank"
