"""What a person types becomes classes, equal to the full computation; whatever a stranger types
becomes plain words or an error in words: nothing runs, nothing hangs."""

import itertools
import random
import string
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gclip_core import (
    Backbone,
    VocabularyError,
    load_backbone,
    text_tower,
    vocabulary,
    word_lists,
    wrap_backbone,
)
from gclip_core.cache import BoundedCache
from gclip_core.vocabulary import MAX_CLASSES, MAX_PHRASE, embed, parse
from tests.models import CONTEXT, MEAN, STD, tiny_backbone, tiny_clip, tokenizer


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone(20)


@pytest.fixture(scope="module")
def built_in() -> Backbone:
    return load_backbone()


def full(backbone: Backbone, phrase: str, sentences: tuple[str, ...]) -> Tensor:
    """The embedding by open_clip's own ``encode_text``, all 77 positions."""
    prompts = [sentence.replace("{}", phrase) for sentence in sentences]
    with torch.no_grad():
        each = backbone.model.encode_text(backbone.tokenizer(prompts), normalize=True)
    return F.normalize(each.double().mean(0), dim=0)


def company(dtype: torch.dtype) -> Backbone:
    """A text tower wide enough for matrix products and activations that are split."""
    wide = {"width": 512, "heads": 8, "layers": 2}
    model = tiny_clip(22, layers=1, text=wide, quick_gelu=True).to(dtype)
    return wrap_backbone(model, tokenizer(), mean=MEAN, std=STD)


@contextmanager
def threads_of(amount: int) -> Iterator[None]:
    """So many threads for PyTorch, and afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(amount)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TestReading:
    @pytest.mark.parametrize(
        ("words", "classes"),
        [
            ("cat, dog", [("cat",), ("dog",)]),
            ("cat\ndog\r\nwall", [("cat",), ("dog",), ("wall",)]),
            ("cat; kitten, sofa;couch", [("cat", "kitten"), ("sofa", "couch")]),
            ("cat # the grey one, dog\nwall", [("cat",), ("wall",)]),
            ("# nothing\ncat", [("cat",)]),
            (",, cat ,\n\n, ;, dog;", [("cat",), ("dog",)]),
            ("  traffic   light ", [("traffic light",)]),
            ("cat, Cat, CAT; kitten", [("cat",), ("kitten",)]),
            (["cat", "sofa; couch", "wall"], [("cat",), ("sofa", "couch"), ("wall",)]),
            (["black, white cat"], [("black, white cat",)]),
            (("猫", "🐈‍⬛", "кошка", "قطة"), [("猫",), ("🐈‍⬛",), ("кошка",), ("قطة",)]),
            ("cafe\u0301, caf\u00e9", [("café",)]),
            ("cat\u202edog\u0000\u200bx", [("cat dog x",)]),
        ],
    )
    def test_classes_and_synonyms(
        self, words: str | list[str], classes: list[tuple[str, ...]]
    ) -> None:
        assert vocabulary.parse(words).classes == tuple(classes)

    def test_what_was_dropped_twice_is_said(self) -> None:
        assert "'Cat'" in vocabulary.parse("cat, Cat").notes[0]
        assert vocabulary.parse("cat, dog").notes == ()

    def test_a_vocabulary_passes_through(self) -> None:
        parsed = vocabulary.parse("cat")
        assert vocabulary.parse(parsed) is parsed

    @pytest.mark.parametrize("words", ["", " ,\n;", "# only a comment", [], [""], "\u200b\u202e"])
    def test_no_word_at_all_is_refused(self, words: str | list[str]) -> None:
        with pytest.raises(VocabularyError, match="At least one word"):
            vocabulary.parse(words)

    def test_500_classes_are_read_and_501_refused(self) -> None:
        words = [f"thing {i}" for i in range(501)]
        assert len(vocabulary.parse(words[:500])) == 500
        with pytest.raises(VocabularyError, match="500"):
            vocabulary.parse(words)
        with pytest.raises(VocabularyError, match="500"):
            vocabulary.parse(",".join(words))

    def test_endless_words_are_refused_and_not_waited_for(self) -> None:
        with pytest.raises(VocabularyError):
            vocabulary.parse(str(i) for i in itertools.count())
        with pytest.raises(VocabularyError, match="characters"):
            vocabulary.parse("a," * 200_000)
        with pytest.raises(VocabularyError, match="synonyms"):
            vocabulary.parse(";".join(map(str, range(30_000))))

    @pytest.mark.parametrize("words", [[1, 2], [None], [b"cat"], 5, None, [["cat"]]])
    def test_what_is_no_text_is_refused_in_words(self, words: object) -> None:
        with pytest.raises(VocabularyError, match="text"):
            vocabulary.parse(words)

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=80))
    def test_any_unicode_is_read_or_refused_in_words(self, text: str) -> None:
        try:
            parsed = vocabulary.parse(text)
        except VocabularyError:
            return
        assert all(phrase == phrase.strip() and phrase for phrase in parsed.phrases)
        folded = [phrase.casefold() for phrase in parsed.phrases]
        assert len(set(folded)) == len(folded)

    @settings(max_examples=100, deadline=None)
    @given(st.text(max_size=80))
    def test_reading_what_was_read_changes_nothing(self, text: str) -> None:
        try:
            parsed = vocabulary.parse(text)
        except VocabularyError:
            return
        again = vocabulary.parse(", ".join("; ".join(synonyms) for synonyms in parsed.classes))
        assert again == parsed
        assert again.notes == ()


class TestEmbedding:
    @pytest.mark.parametrize("templates", vocabulary.TEMPLATES)
    @pytest.mark.parametrize(
        "text",
        [{}, {"proj_type": "linear"}, {"no_causal_mask": True}, {"pool_type": "last"}],
        ids=["stock", "linear projection", "not causal", "last position"],
    )
    @pytest.mark.parametrize("custom_text", [False, True], ids=["CLIP", "custom text tower"])
    def test_equal_to_the_full_computation(
        self, templates: str, text: dict, custom_text: bool
    ) -> None:
        backbone = tiny_backbone(21, layers=1, text=text, custom_text=custom_text)
        phrases = ["cat", "a very long sofa with many words", "🐈"]
        found = vocabulary.embed(backbone, phrases, templates)
        assert found.shape == (3, 16)
        assert found.dtype == torch.float32
        for ours, phrase in zip(found, phrases, strict=True):
            theirs = full(backbone, phrase, vocabulary.TEMPLATES[templates])
            assert (ours.double() - theirs).abs().max() <= 1e-5

    def test_the_sets_of_sentences(self) -> None:
        assert [len(vocabulary.TEMPLATES[name]) for name in ("imagenet80", "imagenet7")] == [80, 7]

    def test_only_towers_that_can_be_cut_short_are(self) -> None:
        assert text_tower.is_causal(tiny_backbone(layers=1).model)
        for other in (
            {"custom_text": True},
            {"text": {"no_causal_mask": True}},
            {"text": {"pool_type": "last"}},
        ):
            assert not text_tower.is_causal(tiny_backbone(layers=1, **other).model)

    def test_only_the_tokens_that_are_new_are_computed(self) -> None:
        backbone = tiny_backbone(20)
        computed = 0

        def count(_: object, given: tuple[Tensor]) -> None:
            nonlocal computed
            computed += given[0].numel() // given[0].shape[-1]

        block = backbone.model.transformer.resblocks[0]
        hook = block.ln_2.register_forward_pre_hook(count)
        vocabulary.embed(backbone, ["cat", "sofa", "a green wall"])
        assert 0 < computed < 3 * 80 * CONTEXT / 3
        computed = 0
        vocabulary.embed(backbone, ["cat", "sofa", "a green wall"])
        hook.remove()
        assert computed == 0

    @pytest.mark.parametrize(
        "phrase", [".", "!!", "'s", ") (", "-cat", "2x", "1", "&amp;", "…", "ﬁ"]
    )
    @pytest.mark.parametrize("sentence", ["a ({}).", "{}", "x{}y", "it's {}'s {}", "9{}9.", "{}."])
    def test_phrases_that_grow_together_with_their_sentence(
        self, backbone: Backbone, sentence: str, phrase: str
    ) -> None:
        """Tokens must be those of the whole sentence, wherever the phrase stands in it."""
        found = vocabulary.embed(backbone, [phrase], (sentence,))[0].double()
        assert torch.allclose(found, full(backbone, phrase, (sentence,)), atol=1e-5)

    @pytest.mark.parametrize("threads", [1, 2])
    def test_what_else_is_asked_changes_logits_by_rounding_alone(self, threads: int) -> None:
        backbone, chance = company(torch.float32), random.Random(threads)
        phrases = ["cat", "an extremely long and winding road", *map(str, range(70))]
        patches = torch.randn(64, 16, generator=torch.Generator().manual_seed(0))
        patches = 40 * torch.nn.functional.normalize(patches, dim=-1).T
        with threads_of(threads):
            together = vocabulary.embed(backbone, phrases, "imagenet7") @ patches
            for amount in (1, 2, 9, 40):
                some = chance.sample(range(len(phrases)), amount)
                backbone.text_cache.clear()
                found = vocabulary.embed(backbone, [phrases[i] for i in some], "imagenet7")
                assert (found @ patches - together[some]).abs().max() <= 1e-5

    def test_the_same_phrase_twice(self, backbone: Backbone) -> None:
        found = vocabulary.embed(backbone, ["cat", "dog", "cat"], "plain")
        assert torch.equal(found[0], found[2])

    def test_templates_and_backbones_do_not_share_embeddings(self, backbone: Backbone) -> None:
        one = vocabulary.embed(backbone, ["cat"], "plain")
        assert not torch.allclose(one, vocabulary.embed(backbone, ["cat"], "imagenet7"))
        assert not torch.allclose(one, vocabulary.embed(tiny_backbone(23), ["cat"], "plain"))
        own = vocabulary.embed(backbone, ["cat"], ("a photo of a {}.",))
        assert torch.allclose(own, one, atol=1e-6)

    def test_the_cache_is_bounded_and_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        backbone = tiny_backbone(24, layers=1)
        object.__setattr__(backbone, "text_cache", BoundedCache(3))
        first = vocabulary.embed(backbone, list("abcde"), "plain")
        assert len(backbone.text_cache) == 3
        monkeypatch.setattr(vocabulary, "_embed_new", None)
        assert torch.equal(vocabulary.embed(backbone, list("cde"), "plain"), first[2:])

    def test_500_classes(self) -> None:
        found = vocabulary.embed(tiny_backbone(25), [f"thing {i}" for i in range(500)], "imagenet7")
        assert found.shape == (500, 16)
        assert torch.allclose(found.norm(dim=1), torch.ones(500), atol=1e-5)

    def test_no_phrase_gives_no_row(self, backbone: Backbone) -> None:
        assert vocabulary.embed(backbone, []).shape == (0, 16)

    def test_one_string_is_no_list_of_phrases(self, backbone: Backbone) -> None:
        with pytest.raises(VocabularyError, match="list"):
            vocabulary.embed(backbone, "cat")

    @pytest.mark.parametrize("words", [70, 300])
    def test_a_phrase_longer_than_the_text_tower_is_refused(
        self, backbone: Backbone, words: int
    ) -> None:
        with pytest.raises(VocabularyError, match=r"tokens.*reads up to") as refused:
            vocabulary.embed(backbone, ["cat", " ".join(["cat"] * words)])
        assert len(str(refused.value)) < 300

    @settings(max_examples=60, deadline=None)
    @given(st.text(max_size=90))
    def test_no_accepted_phrase_is_cut(self, text: str) -> None:
        backbone = tiny_backbone_without_blocks()
        try:
            phrases = vocabulary.parse([text]).phrases
            vocabulary.embed(backbone, phrases, "imagenet7")
        except VocabularyError:
            return
        for phrase in phrases:
            for sentence in vocabulary.TEMPLATES["imagenet7"]:
                prompt = sentence.replace("{}", phrase)
                assert len(tokenizer().encode(prompt)) <= CONTEXT - 2

    @pytest.mark.parametrize("templates", ["imagenet", (), ("a photo",), ("a {}", 3), 5])
    def test_sentences_that_cannot_be_used_are_refused(
        self, backbone: Backbone, templates: object
    ) -> None:
        with pytest.raises(VocabularyError, match=r"template|\{\}"):
            vocabulary.embed(backbone, ["cat"], templates)

    def test_braces_in_a_phrase_are_text(self, backbone: Backbone) -> None:
        found = vocabulary.embed(backbone, ["{0} {} {cat}"], "plain")[0].double()
        theirs = full(backbone, "{0} {} {cat}", ("a photo of a {}.",))
        assert torch.allclose(found, theirs, atol=1e-5)


_without_blocks: list[Backbone] = []


def tiny_backbone_without_blocks() -> Backbone:
    """One for all examples of a property test."""
    if not _without_blocks:
        _without_blocks.append(tiny_backbone(26, layers=1, text={"layers": 1}))
    return _without_blocks[0]


class TestWordsTheBuiltInModelKnows:
    @pytest.mark.parametrize("word", ["cat", "CAT", "kitten", "blue sky", "the cat", "a sky"])
    def test_its_own_words(self, built_in: Backbone, word: str) -> None:
        assert vocabulary.unknown_phrases(built_in, vocabulary.parse([word])) == ()

    @pytest.mark.parametrize("word", ["xylophone", "parliament", "猫", "qwrtzp"])
    def test_words_it_never_met(self, built_in: Backbone, word: str) -> None:
        found = vocabulary.unknown_phrases(built_in, vocabulary.parse(["cat", word, "dog"]))
        assert found == (word,)

    def test_any_other_model_has_an_open_vocabulary(self, backbone: Backbone) -> None:
        assert vocabulary.unknown_phrases(backbone, vocabulary.parse("xylophone")) == ()


class TestTheNearestKnownWord:
    @pytest.mark.parametrize(
        ("typed", "known"),
        [
            ("golden retriever", "dog"),
            ("Golden Retrievers", "dog"),
            ("two old poodles", "dog"),
            ("cathedral", "building"),
            ("trout", "fish"),
            ("teacher", "person"),
        ],
    )
    def test_a_noun_leads_to_the_seen_word_above_it(
        self, built_in: Backbone, typed: str, known: str
    ) -> None:
        assert vocabulary.nearest_known(built_in, typed) == known

    @pytest.mark.parametrize("typed", ["happiness", "Paris", "Einstein", "Hund", "猫", "qwrtzp"])
    def test_ideas_names_and_other_languages_lead_nowhere(
        self, built_in: Backbone, typed: str
    ) -> None:
        assert vocabulary.nearest_known(built_in, typed) is None

    def test_every_word_offered_is_one_it_has_seen(self, built_in: Backbone) -> None:
        seen = {word for group in built_in.known.seen for word in group}
        assert set(built_in.known.nearest.values()) <= seen
        assert not built_in.known.nearest.keys() & built_in.known.words

    def test_a_model_with_an_open_vocabulary_needs_none(self, backbone: Backbone) -> None:
        assert vocabulary.nearest_known(backbone, "golden retriever") is None


class TestHiddenWords:
    """What stands for the rest: the field's list, less whatever the visitor named."""

    def hidden(self, backbone: Backbone, words: str, rest: str | list[str] = "background") -> set:
        return set(vocabulary.hidden_words(backbone, vocabulary.parse(words), rest))

    def test_the_field_s_list_for_a_model_with_an_open_vocabulary(self, backbone: Backbone) -> None:
        assert self.hidden(backbone, "cat") == set(word_lists.read("background"))

    def test_nothing_hides_unless_asked_for(self, backbone: Backbone) -> None:
        assert self.hidden(backbone, "cat", "none") == set()

    @pytest.mark.parametrize(
        ("typed", "gone"),
        [
            ("sky", {"sky"}),
            ("SKY", {"sky"}),
            ("trees", {"tree"}),
            ("pine trees", {"tree"}),
            ("bookshelves; shelves", {"shelf"}),
            ("street", {"road"}),
            ("cat; couch, wall", {"wall"}),
            ("garage door", {"door"}),
            ("doormat", set()),
            ("lawn", {"grass"}),
            ("ocean", {"sea", "water"}),
        ],
    )
    def test_what_was_typed_its_synonyms_and_plurals_do_not_hide(
        self, backbone: Backbone, typed: str, gone: set[str]
    ) -> None:
        assert self.hidden(backbone, "cat") - self.hidden(backbone, typed) == gone

    def test_words_of_one_s_own_less_what_was_typed(self, backbone: Backbone) -> None:
        found = self.hidden(backbone, "cat", ["cats", "dog", "sofa; couch", "polecat"])
        assert found == {"dog", "sofa", "couch", "polecat"}
        assert self.hidden(backbone, "cat", []) == set()

    @pytest.mark.parametrize("rest", ["foreground", "", 7, [7]])
    def test_what_is_no_rest_is_refused_in_words(self, backbone: Backbone, rest: Any) -> None:
        with pytest.raises(VocabularyError):
            vocabulary.hidden_words(backbone, vocabulary.parse("cat"), rest)

    def test_a_model_that_knows_its_words_hides_only_those(self, built_in: Backbone) -> None:
        found = self.hidden(built_in, "cat")
        assert vocabulary.unknown_phrases(built_in, vocabulary.parse(sorted(found))) == ()
        assert "ceiling" not in found
        assert not {"grass", "leaves"} & self.hidden(built_in, "meadow, hedge")


# --- what a stranger types ------------------------------------------------------------------------


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
def cat_alone() -> torch.Tensor:
    return embed(tiny_backbone(20), ["cat"], "imagenet7")[0]


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
