"""The tool that shows the photos' masks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation import photo_masks
from evaluation.photos import star_photos
from gclip_core import palette


def test_masks_and_sheet_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert photo_masks.main([str(tmp_path)]) == 0
    written = {path.stem for path in tmp_path.iterdir()}
    assert written == {*star_photos(), "sheet"}
    labels = star_photos()["dog"].labels()
    with Image.open(tmp_path / "dog.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), np.where(labels < 0, 255, labels))
    assert "dog: dog, person; girl" in capsys.readouterr().out


def test_the_grid_is_the_photo_enlarged_under_its_outlines(tmp_path: Path) -> None:
    photo = star_photos()["teddy"]
    assert photo_masks.main([str(tmp_path), "--grid", "teddy", "--scale", "3"]) == 0
    with Image.open(tmp_path / "teddy-grid.png") as shown:
        assert shown.size == (3 * photo.size[1], 3 * photo.size[0])
        x, y = photo.regions[-1].corners[0]
        assert shown.getpixel((3 * x, 3 * y)) == tuple(palette.table(photo.names)[0])


def test_an_overlay_carries_the_words_colours() -> None:
    photo = star_photos()["flower"]
    shown = np.asarray(photo_masks.overlay(photo), float)
    tint = palette.table(photo.names)[0]
    expected = np.asarray(photo.image(), float)[215, 305] * 0.45 + tint * 0.55
    np.testing.assert_allclose(shown[215, 305], expected, atol=1)
