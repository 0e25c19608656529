"""Sheets of masks and of attention."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from evaluation.datasets import LabelledSet
from evaluation.photos import shipped_set
from gclip_core.backbone import Backbone
from tests.models import loaded
from training import sheets


@pytest.mark.parametrize(("draw", "tiles"), [(sheets.masks, 10), (sheets.attention, 6)])
def test_a_photo_has_a_row_of_masks_and_one_of_attention(
    draw: Callable[[Backbone, LabelledSet], Image.Image], tiles: int
) -> None:
    backbone, photos = replace(loaded(), short_side=160), shipped_set()
    dog = [sample for sample in photos.samples if sample.name == "dog"]
    sheet = draw(backbone, replace(photos, samples=dog))
    columns = np.split(np.asarray(sheet), tiles, axis=1)
    assert all(column.std() > 5 for column in columns), "no tile is blank"
