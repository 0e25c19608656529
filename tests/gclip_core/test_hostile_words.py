"""Whatever a stranger types becomes plain words or an error in words: nothing runs, nothing hangs.

How the page shows such words is tested with the page.
"""

import string
import time
import unicodedata

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gclip_core import Backbone
from gclip_core.errors import VocabularyError
from gclip_core.vocabulary import MAX_CLASSES, MAX_PHRASE, embed, parse
from tests.models import tiny_backbone

MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "&lt;b&gt;&amp;amp;&#x3c;",
    "![x](javascript:alert(1))",
    "</textarea><iframe src=//example.org>",
    "'--",
    "../../etc/passwd",
)
TEMPLATES = ("{}", "{0.__class__}", "{value}", "{{7*7}}", "${7*7}", "%s%n", "$(id)", "`id`", "{")
SPECIAL_TOKENS = ("<start_of_text>", "<end_of_text>", "<|endoftext|>", "a <end_of_text> b")
SCRIPTS = (
    "猫",
    "кошка",
    "قطة",
    "חתול",
    "แมว",
    "🐈‍⬛",
    "👨‍👩‍👧",
    "𝕔𝕒𝕥",
    "ﬁsh",
    "straße",
    "\u0301",
    "ก็็็็็็",
)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone(layers=3)


@pytest.fixture(scope="module")
def cat_alone() -> torch.Tensor:
    return embed(tiny_backbone(layers=3), ["cat"], "imagenet7")[0]


@pytest.mark.parametrize("phrase", MARKUP + TEMPLATES + SPECIAL_TOKENS + SCRIPTS)
def test_a_phrase_stays_the_phrase_it_is(
    phrase: str, backbone: Backbone, cat_alone: torch.Tensor
) -> None:
    vocabulary = parse([phrase, "cat"])
    assert vocabulary.names[-1] == "cat"
    typed = [unicodedata.normalize("NFC", part.strip()) for part in phrase.split(";")]
    assert vocabulary.classes[0] == tuple(part for part in typed if part)
    embeddings = embed(backbone, vocabulary.phrases, "imagenet7")
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(len(embeddings)), atol=1e-5)
    assert torch.allclose(embeddings[-1], cat_alone, atol=1e-5), "and changes no other word"


@pytest.mark.parametrize("braces", ["{}", "{} {}", "{0}", "{{}}"])
def test_braces_are_words_and_take_no_place_in_a_sentence(braces: str, backbone: Backbone) -> None:
    sentence = "a photo of a {}."
    given_sentence = f"a photo of a {braces}."
    tokens = backbone.tokenizer([given_sentence])
    expected = torch.nn.functional.normalize(backbone.model.encode_text(tokens), dim=-1)
    assert torch.allclose(embed(backbone, [braces], (sentence,)), expected, atol=1e-5)


@pytest.mark.parametrize(
    "hidden",
    [chr(code) for code in (0, 7, 8, 9, 27, 127, 0x85, 0x9B, 0x200B, 0x200E, 0x200F, 0x2066)]
    + [chr(code) for code in (0x202A, 0x202D, 0x202E, 0xFEFF, 0xFFF9, 0xE0041, 0xE000, 0xD800)],
    ids=lambda character: f"U+{ord(character):04X}",
)
def test_characters_that_cannot_be_seen_are_dropped(hidden: str) -> None:
    assert parse([f"{hidden}cat{hidden}"]).names == ("cat",)
    assert parse([f"black{hidden}cat"]).names == ("black cat",)


def test_no_direction_override_is_left_to_turn_the_page_around() -> None:
    names = parse("cat\u202egod, \u2067dog\u2069, \u061cbird").names
    assert not {
        c for name in names for c in name if unicodedata.bidirectional(c)[:2] in ("RL", "LR")
    }


@pytest.mark.parametrize(
    "empty", ["", " ", ",", ";", ",;\n;,\r\n", "\0", "\u200b,\u200d", "#", "# cat\n#"]
)
def test_separators_alone_are_no_words(empty: str) -> None:
    with pytest.raises(VocabularyError, match="At least one word"):
        parse(empty)


def test_ten_thousand_classes_are_refused_at_once() -> None:
    _refused_soon(", ".join(f"word{number}" for number in range(10_000)), f"Up to {MAX_CLASSES}")
    _refused_soon([f"word{number}" for number in range(10_000)], f"Up to {MAX_CLASSES}")


def test_synonyms_without_end_are_refused_at_once() -> None:
    _refused_soon(";".join(map(str, range(30_000))), "synonyms")
    _refused_soon([";".join(map(str, range(300_000)))], "synonyms")


def test_a_class_of_a_megabyte_is_refused_at_once() -> None:
    _refused_soon("x" * 2**20, "characters")
    _refused_soon(["x" * 2**20], f"up to {MAX_PHRASE} characters")
    _refused_soon(["x" * (MAX_PHRASE + 1)], f"up to {MAX_PHRASE} characters")


@pytest.mark.parametrize("marks", ["\u0327\u0301", "\u0301\u0327", "\u0300", "\u1dfa\u0315\u0334"])
def test_a_tower_of_combining_marks_is_refused_at_once(marks: str) -> None:
    """Composing such a run takes minutes if one begins with it."""
    _refused_soon("a" + marks * (199_000 // len(marks)), "characters")
    _refused_soon(["a" + marks * 200_000], "characters")
    _refused_soon(", ".join(f"{n}" + marks * (280 // len(marks)) for n in range(400)), None)


def test_separators_by_the_hundred_thousand_are_read_at_once() -> None:
    start = time.process_time()
    for separator in (",", ";", "\n", "#", " ", "\u200b", ",;"):
        assert parse("cat" + separator * (190_000 // len(separator)) + "\ndog").names[0] == "cat"
    assert time.process_time() - start < 10


def test_a_phrase_too_long_for_the_text_tower_is_refused(backbone: Backbone) -> None:
    for phrase in ("cat " * 74, "猫" * 150, "\u0e01\u0e47" * 100):
        with pytest.raises(VocabularyError, match="tokens"):
            embed(backbone, parse([phrase]).phrases, "imagenet7")


@pytest.mark.parametrize("thing", [7, None, b"cat", ["cat"], {"cat": 1}])
def test_items_that_are_no_text_are_refused(thing: object) -> None:
    with pytest.raises(VocabularyError, match="Words must be text"):
        parse([thing])


def test_an_error_repeats_no_more_than_a_little_of_what_came() -> None:
    for words in (["x" * 10**6], "<b>" * 60_000, ["\u202e" + "y" * 10**5]):
        with pytest.raises(VocabularyError) as caught:
            parse(words)
        assert len(str(caught.value)) < 300
        assert "\u202e" not in str(caught.value)


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.text(max_size=300)
    | st.text(alphabet=list(",;#\n\r \t<>&{}$\0\u202e\u0301a") + list(string.ascii_letters))
)
def test_any_text_becomes_clean_words_or_a_refusal(text: str) -> None:
    try:
        vocabulary = parse(text)
    except VocabularyError as error:
        assert "expected" in str(error) or "up to" in str(error).lower()
        return
    phrases = vocabulary.phrases
    assert 1 <= len(vocabulary) <= MAX_CLASSES
    assert len({phrase.casefold() for phrase in phrases}) == len(phrases)
    for phrase in phrases:
        assert phrase == phrase.strip() != ""
        assert not set(phrase) & set(",;#\n\r\t\0\u202e")
    assert parse(vocabulary.phrases).phrases == phrases, "reading them again changes nothing"


def _refused_soon(words: str | list[str], says: str | None) -> None:
    start = time.process_time()
    if says is None:
        parse(words)
    else:
        with pytest.raises(VocabularyError, match=says):
            parse(words)
    assert time.process_time() - start < 5
