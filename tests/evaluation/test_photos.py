"""The photos that ship: files, credits, masks, and words that the built-in model knows."""

import re

import numpy as np
import pytest

from evaluation.photos import ShippedPhoto, shipped_photos
from gclip_core import assets
from gclip_core.words import vocabulary
from tests.models import loaded

PHOTOS = list(shipped_photos().values())


@pytest.fixture(params=PHOTOS, ids=lambda photo: photo.name)
def photo(request: pytest.FixtureRequest) -> ShippedPhoto:
    return request.param


def test_mask(photo: ShippedPhoto) -> None:
    """A mask is as large as its photo, and covers most of it with the photo's words."""
    width, height = photo.image().size
    assert photo.image().mode == "RGB"
    labels = photo.labels()
    assert labels.shape == photo.size == (height, width)
    assert max(photo.size) <= 768
    areas = [(labels == index).mean() for index in range(len(photo.words))]
    assert 0.75 < sum(areas) <= 1
    if photo.is_part:
        return
    assert min(areas) >= 0.01, "every word covers a hundredth"
    corners = np.array([corner for _, corners in photo.regions for corner in corners])
    assert (corners >= 0).all() and (corners <= photo.size[::-1]).all()


def test_part() -> None:
    """A part has the mask of its place in the whole photo."""
    whole, part = shipped_photos()["teddy"], shipped_photos()["teddy-part"]
    assert np.array_equal(part.labels(), whole.labels()[0:375, 140:639])
    difference = np.asarray(part.image(), float) - np.asarray(whole.image())[0:375, 140:639]
    assert np.abs(difference).mean() < 3


def test_credits() -> None:
    """Every photo that ships has a mask, an author and a licence."""
    files = {path.name for path in assets.path("photos").iterdir()}
    assert files == {"README.md", "photos.json", *(photo.path.name for photo in PHOTOS)}
    notes = assets.path("photos", "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\S+)\.jpg \| (.+)$", notes, re.MULTILINE))
    for photo in PHOTOS:
        assert all(part in rows[photo.name] for part in photo.credit.split(", "))


def test_known_words(photo: ShippedPhoto) -> None:
    """The built-in model knows every word of the photos."""
    assert vocabulary.read_phrases(loaded(), vocabulary.parse(photo.text).phrases)[1] == ()
