"""Sheets of masks and of attention."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from evaluation import sheets
from evaluation.photos import star_photos
from gclip_core import palette
from tests.models import loaded


def test_a_photo_has_a_row_of_masks_and_one_of_attention(tmp_path: Path) -> None:
    backbone, photos = replace(loaded(), short_side=160), [star_photos()["dog"]]
    sheets.masks(backbone, photos, tmp_path / "masks.png")
    sheets.attention(backbone, photos, tmp_path / "attention.png")
    for name, tiles in (("masks", 10), ("attention", 6)):
        sheet = np.asarray(Image.open(tmp_path / f"{name}.png"))
        columns = np.split(sheet, tiles, axis=1)
        assert all(column.std() > 5 for column in columns), "no tile is blank"


def test_an_overlay_has_the_words_colours() -> None:
    photo = star_photos()["flower"]
    shown = np.asarray(sheets.overlay(photo, photo.labels()), float)
    expected = np.asarray(photo.image(), float)[215, 305] * 0.45
    expected += palette.table(photo.names)[0] * 0.55
    np.testing.assert_allclose(shown[215, 305], expected, atol=1)
