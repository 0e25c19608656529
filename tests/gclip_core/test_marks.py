"""Marks: what is alike, and how a press counts beside the words."""

import pytest
import torch
import torch.nn.functional as F

import gclip_core as gclip
from gclip_core import GclipError, Mark, Segmenter
from gclip_core.words import suggest
from tests.models import picture, small, tiny_backbone

PHOTO = "assets/photos/teddy.jpg"
BEAR, FLOOR = (320.0, 300.0), (60.0, 440.0)
"""Two places on the photo."""


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter(small())


@pytest.fixture(scope="module")
def encoded(segmenter: Segmenter) -> gclip.Encoded:
    return segmenter.encode(PHOTO)


def test_likeness_by_its_formula(segmenter: Segmenter, encoded: gclip.Encoded) -> None:
    """In float64, patch by patch, with the inverse of the system."""
    candidates, matches = suggest.candidates_of(segmenter.backbone), segmenter.matches(encoded)
    p = suggest.mixture(candidates, matches).after.T.double()
    assert encoded.stem_patches is not None
    x = F.normalize(encoded.stem_patches.double().flatten(0, 1), dim=1)
    columns = encoded.grid[1]
    weights = torch.zeros(len(x), len(x), dtype=torch.float64)
    for i in range(len(x)):
        for j in range(len(x)):
            down, across = i // columns - j // columns, i % columns - j % columns
            if i != j:
                weights[i, j] = (20 * (x[i] @ x[j] - 1) - (down**2 + across**2) / 128).exp()
    degrees = weights.sum(1)
    graph_of_all = weights / (degrees[:, None] * degrees[None]).sqrt()
    spread = 0.1 * (torch.eye(len(x), dtype=torch.float64) - 0.9 * graph_of_all).inverse() @ p
    p = spread / spread.sum(1, keepdim=True)
    own = segmenter.dense_features(encoded, gclip.METHODS["clearclip"]).double().flatten(0, 1)
    y = F.normalize(own - own.mean(0), dim=1)
    cosines = (x @ x.T).clamp_min(0) * (y @ y.T).clamp_min(0)
    alike = (p[:, None] * p[None]).sqrt().sum(2) * cosines.sqrt()
    found = segmenter._likeness(encoded).to(range(len(x)))
    torch.testing.assert_close(found.double(), alike, atol=1e-3, rtol=0)


def at(result: gclip.Segmentation, place: tuple[float, float]) -> str:
    label = int(result.labels[int(place[1]), int(place[0])])
    return result.vocabulary.names[label] if label >= 0 else ""


@pytest.mark.parametrize("refine", ["none", "guided"])
def test_a_mark_gives_its_word(segmenter: Segmenter, refine: str) -> None:
    """To what is under it, and with no word, none; other marks hold."""
    words, options = "person, tree", {"background": True, "refine": refine}
    placed = [Mark(*BEAR, "tree"), Mark(*FLOOR, None)]
    result = segmenter.segment(PHOTO, words, marks=placed, **options)
    assert (at(result, BEAR), at(result, FLOOR)) == ("tree", "")
    result = segmenter.segment(PHOTO, words, marks=[Mark(*FLOOR, "rug"), *placed[:1]], **options)
    assert (at(result, BEAR), at(result, FLOOR)) == ("tree", "rug")
    assert result.vocabulary.names == ("person", "tree", "rug")


def test_by_pointing_alone(segmenter: Segmenter, encoded: gclip.Encoded) -> None:
    """Without words, what is like no mark has no class; a mark without a word takes away."""
    bear = Mark(*BEAR, "bear")
    one = segmenter.segment(encoded, "", marks=[bear])
    assert at(one, BEAR) == "bear" and 0.02 < one.areas()[0] < 0.9
    less = segmenter.segment(encoded, (), marks=[bear, Mark(*FLOOR, None)])
    assert at(less, FLOOR) == "" and less.areas() <= one.areas()
    box = segmenter.segment(encoded, "", marks=[Mark.box(200, 100, 400, 450, "bear")])
    inside = box.labels[52:, 152:448]  # and a patch around it, because maps are interpolated
    every = segmenter.segment(encoded, "", marks=[Mark.box(0, 0, 640, 476, "photo")])
    assert (every.labels == 0).all()
    assert (box.labels >= 0).sum() == (inside >= 0).sum() > 0


def test_every_backbone(segmenter: Segmenter) -> None:
    """Without a stem, and on a finer grid than the tower's, a mark gives its word, too."""
    tiny = Segmenter(tiny_backbone())
    image = picture(96, 64)
    for name in ("gclip", "clip", "maskclip"):
        method = gclip.METHODS[name]
        result = tiny.segment(image, "cat, dog", method, marks=[Mark(50, 40, "dog")])
        assert at(result, (50, 40)) == "dog"


@pytest.mark.parametrize(
    ("words", "mark", "message"),
    [
        ("cat", Mark(1e6, 0, "cat"), "inside the image of 640 × 476"),
        ("cat", Mark.box(9, 9, 5, 20, "cat"), "left <= right"),
        ("", Mark(5, 5), "Type a word, or give a mark the name"),
        ("cat", Mark(5, 5, " "), "at least one word"),
    ],
)
def test_refused(
    segmenter: Segmenter, encoded: gclip.Encoded, words: str, mark: Mark, message: str
) -> None:
    with pytest.raises(GclipError, match=message):
        segmenter.segment(encoded, words, marks=[mark])


@pytest.mark.parametrize("values", [(-1, 0), (float("nan"), 0), (0, 0, 3), (0, 0, "cat", 4)])
def test_no_mark(values: tuple) -> None:
    with pytest.raises(GclipError):
        Mark(*values)


def test_a_word_that_is_shown(segmenter: Segmenter, encoded: gclip.Encoded) -> None:
    """By its formula; it is no longer unknown, and covers what it was shown on."""
    marks = [Mark(*BEAR, "?"), Mark(*FLOOR, None)]
    word = segmenter.show("blorp", (encoded, marks), (PHOTO, marks))
    taken = segmenter.segment(encoded, "", marks=marks)
    unknown = segmenter.segment(encoded, "blorp, floor", background=True)
    known = segmenter.segment(encoded, "Blorp, floor", background=True, shown=[word])
    assert [entry.phrase for entry in unknown.unknown] == ["blorp"] and not known.unknown
    inside = (taken.labels == 0) & (known.labels == 0)
    assert inside.sum() > 0.5 * (taken.labels == 0).sum()
    for words in ("floor", ""):
        with pytest.raises(GclipError, match="type “blorp”, too|at least one word"):
            segmenter.segment(encoded, words, marks=marks, shown=[word])
    with pytest.raises(GclipError, match="at least one mark"):
        segmenter.show("blorp", (encoded, [Mark(5, 5, None)]))


@pytest.mark.parametrize("background", [False, True])
def test_unknown_words_are_what_marks_show(
    segmenter: Segmenter, encoded: gclip.Encoded, background: bool
) -> None:
    """Typed words that the model does not know count as if only marks had them; a known word
    competes as if they were not typed."""

    def labels(words: tuple | str, background: bool = background) -> torch.Tensor:
        marks = [Mark(*BEAR, "hedgehog")]
        return segmenter.segment(encoded, words, marks=marks, background=background).labels

    alone = labels((), False)
    assert 0 < (alone == 0).double().mean() < 0.9
    assert torch.equal(labels("hedgehog, okapi"), alone)
    assert torch.equal(labels("floor, hedgehog, okapi"), labels("floor"))
