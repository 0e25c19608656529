"""The background: the image's own words, or given ones, without those that are like a typed one."""

import pytest
import torch
from torch import Tensor

from gclip_core import Segmenter, VocabularyError
from gclip_core.backbones.backbone import Backbone
from gclip_core.words import background
from gclip_core.words.background import LITERATURE
from gclip_core.words.suggest import Matches, candidate_text, candidates_of
from gclip_core.words.vocabulary import parse
from tests.models import loaded, picture, tiny_backbone


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone(3)


def given(backbone: Backbone, typed: str, words: object = LITERATURE) -> set[str]:
    return set(background.of_words(backbone, parse(typed), words, "plain").words)


def own(typed: str, cosines: Tensor | None = None) -> background.Background:
    """Of the built-in model, for an image of one patch."""
    n = len(candidates_of(loaded()).words)
    cosines = torch.linspace(-0.2, 0.2, n).view(n, 1, 1) if cosines is None else cosines
    return background.of_image(loaded(), parse(typed), Matches(cosines, torch.zeros(n)))


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
    """Words of one's own, without typed ones; other things are refused."""
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
        ("dogs", "dog"),
        ("woman", "person"),  # unknown: the nearest known word does not compete
        ("tram", "train"),
        ("sofa", "couch"),
        ("plate", "bowl"),  # alike
        ("car", "truck"),
    ],
)
def test_like_typed(typed: str, gone: str) -> None:
    """Words that are like a typed one do not compete; others do."""
    words = own(typed).words
    assert gone in own("sky").words
    assert gone not in words
    assert "building" in words


def test_share() -> None:
    """The larger a word's share of the image, the less its logit is lowered; the largest, not."""
    candidates = candidates_of(loaded())
    n, first = len(candidates.words), candidates.words.index("building")
    second = candidates.words.index("tree")
    cosines = torch.rand(n, 4, 4, generator=torch.Generator().manual_seed(0)) / 4
    cosines[first, :, :3], cosines[second, :, 3:] = 1.5, 1.5
    of = own("zebra", cosines)
    offsets = dict(zip(of.words, of.offsets.tolist(), strict=True))
    assert offsets["building"] == max(offsets.values()) == 0
    assert min(offsets.values()) < offsets["tree"] < 0
    assert torch.equal(of.text[of.words.index("tree")], candidate_text(loaded())[second])


def test_alike_of_clip() -> None:
    """A mean that all texts share, as CLIP's do, makes no word like another one."""
    generator = torch.Generator().manual_seed(0)
    words = torch.nn.functional.normalize(torch.randn(50, 64, generator=generator), dim=-1)
    shared = torch.nn.functional.normalize(words + 5 * words[:1].roll(1, -1), dim=-1)
    assert (shared @ shared.T).min() > 0.8
    assert background.alike(shared, shared[7:8]).nonzero().flatten().tolist() == [7]


@pytest.mark.parametrize("given_words", [True, LITERATURE])
def test_segment(backbone: Backbone, given_words: object) -> None:
    """Each patch has the word that fits it best of those that nobody typed, on any backbone."""
    segmenter = Segmenter(backbone, short_side=32, templates="plain")
    encoded = segmenter.encode(picture(32, 40))
    result = segmenter.segment(encoded, "cat", background=given_words)
    assert result.background_map.shape == result.logits.shape[1:]
    assert result.background_map.unique().tolist() == [*range(len(result.background))]
    assert not {"cat", "kitten"} & {*result.background}
    assert result.prompt_classes == (0, -1)
    none = segmenter.segment(encoded, "cat", background=given_words, background_weight=0)
    assert none.background == ()
    assert none.no_class_area() == 0
