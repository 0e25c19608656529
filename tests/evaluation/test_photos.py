"""The photos that ship: files, credits, and masks that agree with what the photos show."""

import re

import numpy as np
import pytest

from evaluation.metric import IGNORE
from evaluation.photos import Photo, Region, shipped_photos
from gclip_core import assets, vocabulary
from tests.models import loaded

PHOTOS = list(shipped_photos().values())
SEEN = {
    "chelsea": {(170, 110): "cat", (420, 250): "blanket", (420, 40): ""},
    "coffee": {(290, 150): "coffee", (290, 230): "cup", (365, 285): "spoon", (130, 200): "saucer",
               (540, 300): "table", (30, 30): ""},
    "astronaut": {(225, 100): "person", (150, 330): "person", (400, 450): "helmet",
                  (30, 70): "flag", (395, 150): "space shuttle", (330, 100): "wall"},
    "china": {(205, 80): "building", (500, 80): "sky", (600, 300): "tree", (430, 280): "water"},
    "flower": {(305, 215): "flower", (370, 410): "flower", (80, 150): "plant", (390, 360): ""},
    "jockey": {(260, 180): "horse", (410, 250): "horse", (260, 35): "person", (80, 300): "grass",
               (350, 295): "grass", (60, 195): "fence", (30, 120): "bush", (480, 50): "tree"},
    "dog": {(390, 400): "dog", (150, 190): "dog", (150, 130): "person", (290, 260): "person",
            (250, 650): "grass", (145, 520): "grass", (400, 30): "sky", (420, 160): "soil"},
    "teddy": {(460, 170): "teddy bear", (240, 220): "person", (320, 420): "floor",
              (360, 180): "tree", (510, 100): ""},
    "raccoon": {(385, 280): "raccoon", (575, 80): "raccoon", (600, 40): "plant",
                (60, 400): "plant"},
    "rocket": {(322, 200): "rocket", (250, 200): "sky", (60, 100): "tower", (445, 300): "tower"},
    "moose": {(350, 220): "elk", (470, 80): "elk", (560, 60): "tree", (560, 400): "bush"},
    "panda": {(200, 150): "giant panda", (400, 320): "giant panda", (500, 400): "rock",
              (100, 250): "tree"},
}  # fmt: skip


@pytest.fixture(params=PHOTOS, ids=lambda photo: photo.name)
def photo(request: pytest.FixtureRequest) -> Photo:
    return request.param


def test_mask(photo: Photo) -> None:
    """A mask is as large as its photo and names what it shows."""
    width, height = photo.image().size
    assert photo.image().mode == "RGB"
    labels = photo.labels()
    assert labels.shape == photo.size == (height, width)
    assert max(photo.size) <= 768
    areas = [(labels == index).mean() for index in range(len(photo.words))]
    assert min(areas) >= 0.01, "every word covers a hundredth"
    assert 0.75 < sum(areas) <= 1
    corners = np.array([corner for region in photo.regions for corner in region.corners])
    assert (corners >= 0).all() and (corners <= photo.size[::-1]).all()
    names = [synonyms[0] for synonyms in photo.words] + [""]
    assert {at: names[labels[at[1], at[0]]] for at in SEEN[photo.name]} == SEEN[photo.name]


def test_polygons() -> None:
    """Later polygons cover earlier ones, and one without a word uncovers."""
    square = ((0, 0), (9, 0), (9, 9), (0, 9))
    left, corner = ((0, 0), (4, 0), (4, 9), (0, 9)), ((0, 0), (2, 0), (2, 2), (0, 2))
    regions = (Region(0, square), Region(1, left), Region(IGNORE, corner))
    labels = Photo("", "", "", (10, 10), (("a",), ("b",)), "a, b", regions).labels()
    assert [int((labels == index).sum()) for index in (0, 1, -1)] == [50, 41, 9]
    assert labels[5, 4] == 1
    assert labels[5, 5] == 0


def test_credits() -> None:
    """Every photo that ships has a mask, an author and a licence."""
    files = {path.name for path in assets.path("photos").iterdir()}
    assert files == {"README.md", "photos.json", *(photo.path.name for photo in PHOTOS)}
    notes = assets.path("photos", "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\S+)\.jpg \| (.+)$", notes, re.MULTILINE))
    for photo in PHOTOS:
        assert all(part in rows[photo.name] for part in photo.credit.split(", "))


def test_known_words(photo: Photo) -> None:
    """The built-in model was trained on every word of the photos."""
    assert vocabulary.unknown_phrases(loaded(), vocabulary.parse(photo.text)) == ()
