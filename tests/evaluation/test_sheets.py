"""Sheets of masks and of attention."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from evaluation import sheets
from evaluation.photos import star_photos
from tests.models import loaded


def test_a_photo_has_a_row_of_masks_and_one_of_attention(tmp_path: Path) -> None:
    backbone, photos = replace(loaded(), short_side=160), [star_photos()["dog"]]
    sheets.masks(backbone, photos, tmp_path / "masks.png")
    sheets.attention(backbone, photos, tmp_path / "attention.png")
    for name, tiles in (("masks", 10), ("attention", 6)):
        sheet = np.asarray(Image.open(tmp_path / f"{name}.png"))
        columns = np.split(sheet, tiles, axis=1)
        assert all(column.std() > 5 for column in columns), "no tile is blank"
