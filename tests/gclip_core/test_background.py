"""The background: the image's own words, or given ones, except those similar to a typed one."""

import pytest

from gclip_core import Segmenter, VocabularyError
from gclip_core.backbones.backbone import Backbone
from gclip_core.words import background
from gclip_core.words.background import LITERATURE
from gclip_core.words.suggest import match
from gclip_core.words.text import embed
from gclip_core.words.vocabulary import parse, prompts
from tests.models import loaded, picture, tiny_backbone


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone(3)


def given(backbone: Backbone, typed: str, words: object = LITERATURE) -> set[str]:
    return set(background.background_of_words(backbone, parse(typed), words, "plain").words)


def own(typed: str, *words: str) -> background.BackgroundWords:
    """For the built-in model and an image whose quarters belong to four words."""
    model = loaded()
    quarters = embed(model, words or ("building", "sky", "zebra", "pizza"), "plain")
    features = quarters.view(2, 2, 1, 1, -1).expand(2, 2, 3, 3, -1)
    features = features.permute(0, 2, 1, 3, 4).reshape(6, 6, -1)
    matches = match(model, features, None)
    asked = prompts(model, typed, "plain")
    return background.background_of_image(model, asked, asked.cosines(features), matches)


@pytest.mark.parametrize(
    ("typed", "gone"),
    [
        ("SKY", {"sky"}),
        ("pine trees", {"tree"}),
        ("bookshelves; shelves", {"shelf"}),
        ("street", {"road"}),
        ("cat; couch, wall", {"wall"}),
        ("garage door", {"door"}),
        ("doormat", set()),
        ("ocean", {"sea", "water"}),
    ],
)
def test_literature(backbone: Backbone, typed: str, gone: set[str]) -> None:
    """The field's list, without typed words, their synonyms and plurals."""
    assert given(backbone, "cat") == set(LITERATURE)
    assert given(backbone, "cat") - given(backbone, typed) == gone


def test_given_words(backbone: Backbone) -> None:
    """One's own words, without typed ones; other objects are refused."""
    assert given(backbone, "cat", ["cats", "dog", "sofa; couch", "polecat"]) == {
        *("dog", "sofa", "couch", "polecat")
    }
    assert given(backbone, "black cat", ["big cat", "old black cat", "cat"]) == {
        *("big cat", "old black cat")
    }
    for unusable in (7, [7], [" "]):
        with pytest.raises(VocabularyError):
            given(backbone, "cat", unusable)


@pytest.mark.parametrize(
    ("typed", "gone"),
    [
        ("buildings", "building"),
        ("woman", "person"),  # unknown: the nearest known word does not compete
        ("house", "building"),  # among all words, it fits the same patches
    ],
)
def test_like_typed(typed: str, gone: str) -> None:
    """Words that are typed, or mean the same in this image, do not compete; others do."""
    assert gone in own("sky").words
    words = own(typed).words
    assert gone not in words
    assert len(words) > 100


def test_share() -> None:
    """The larger a word's share of the image, the less its logit is lowered; the largest is not."""
    of = own("pizza", "building", "building", "zebra", "pizza")
    offsets = dict(zip(of.words, of.offsets.tolist(), strict=True))
    assert offsets["building"] == max(offsets.values()) == 0
    assert min(offsets.values()) < offsets["zebra"] < 0


@pytest.mark.parametrize("given_words", [True, LITERATURE])
def test_segment(backbone: Backbone, given_words: object) -> None:
    """Each patch has the best fitting word that nobody typed, on any backbone."""
    segmenter = Segmenter(backbone, short_side=32, templates="plain")
    encoded = segmenter.encode(picture(32, 40))
    result = segmenter.segment(encoded, "cat", background=given_words)
    assert result.background_map.shape == result.logits.shape[1:]
    assert result.background_map.unique().tolist() == [*range(len(result.background))]
    assert not {"cat", "kitten"} & {*result.background}
    assert result.prompt_classes == (0, -1)
