"""What a person types becomes classes and embeddings equal to the full computation; anything else
is refused in words, at once."""

import itertools
import string
import time
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gclip_core import Backbone, VocabularyError, text, vocabulary, word_lists
from gclip_core.text import embed
from gclip_core.types import UnknownPhrase, UnknownReason, Vocabulary
from gclip_core.vocabulary import MAX_CLASSES, MAX_PHRASE, parse
from tests.models import loaded, tiny_backbone, tokenizer

REFUSED: dict[str, list[Any]] = {
    "At least one word": ["", " ,\n;", "# only a comment", [], [""], "\u200b\u202e"],
    "Words must be text": [[1, 2], [None], [b"cat"], 5, None, [["cat"]]],
    "Up to 500 classes": [
        [f"thing {i}" for i in range(MAX_CLASSES + 1)],
        ",".join(map(str, range(10_000))),
        (str(i) for i in itertools.count()),
    ],
    "synonyms": [";".join(map(str, range(30_000)))],
    "characters": ["a," * 200_000, ["a" + "\u0327\u0301" * 200_000]],  # minutes if composed
    f"up to {MAX_PHRASE} characters": [["x" * (MAX_PHRASE + 1)], ["\u202e" + "y" * 2**20]],
}


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone(20)


def full(backbone: Backbone, phrase: str, sentences: tuple[str, ...]) -> Tensor:
    """The embedding by open_clip's own ``encode_text``, all 77 positions."""
    prompts = [sentence.replace("{}", phrase) for sentence in sentences]
    with torch.no_grad():
        each = backbone.model.encode_text(backbone.tokenizer(prompts), normalize=True)
    return F.normalize(each.double().mean(0), dim=0)


def refused_soon(words: object, match: str, read: Callable[[Any], Any] = parse) -> None:
    start = time.process_time()
    with pytest.raises(VocabularyError, match=match) as caught:
        read(words)
    assert time.process_time() - start < 5
    assert len(str(caught.value)) < 300
    assert "\u202e" not in str(caught.value)


class TestParsing:
    @pytest.mark.parametrize(
        ("words", "classes"),
        [
            ("cat, dog", [("cat",), ("dog",)]),
            ("cat\ndog\r\nwall", [("cat",), ("dog",), ("wall",)]),
            ("cat; kitten, sofa;couch", [("cat", "kitten"), ("sofa", "couch")]),
            ("cat # the grey one, dog\nwall", [("cat",), ("wall",)]),
            (",, cat ,\n\n, ;, dog;", [("cat",), ("dog",)]),
            ("  traffic   light ", [("traffic light",)]),
            ("cat, Cat, CAT; kitten", [("cat",), ("kitten",)]),
            (["black, white cat", "sofa; couch"], [("black, white cat",), ("sofa", "couch")]),
            (("猫", "🐈‍⬛", "кошка", "قطة"), [("猫",), ("🐈‍⬛",), ("кошка",), ("قطة",)]),
            ("cafe\u0301, caf\u00e9", [("café",)]),
        ],
    )
    def test_separators(self, words: Any, classes: list[tuple[str, ...]]) -> None:
        """Commas separate classes and semicolons synonyms."""
        assert parse(words).classes == tuple(classes)

    def test_twice(self) -> None:
        """A word given twice is named in a note."""
        assert "'Cat'" in parse("cat, Cat").notes[0]
        assert parse("cat, dog").notes == ()

    @pytest.mark.parametrize("match", REFUSED)
    def test_unusable(self, match: str) -> None:
        """No word no text and more than is used are refused at once."""
        for words in REFUSED[match]:
            refused_soon(words, match)

    def test_much_text(self) -> None:
        """500 classes and separators by the hundred thousand are read at once."""
        assert len(parse([f"thing {i}" for i in range(MAX_CLASSES)])) == MAX_CLASSES
        start = time.process_time()
        for separator in (",", ";", "\n", "#", " ", "\u200b"):
            assert parse("cat" + separator * 190_000 + "\ndog").names[0] == "cat"
        assert time.process_time() - start < 10

    @pytest.mark.parametrize("code", [0, 9, 27, 0x9B, 0x200B, 0x202E, 0x2066, 0xE0041, 0xD800])
    def test_invisible(self, code: int) -> None:
        """Characters that cannot be seen are dropped."""
        assert parse([f"{chr(code)}black{chr(code)}cat"]).names == ("black cat",)

    @settings(max_examples=120, deadline=None, database=None)
    @given(
        st.text(max_size=300)
        | st.text(alphabet=list(",;#\n\r \t<>&{}$\0\u202e\u0301a") + list(string.ascii_letters))
    )
    def test_any_text(self, text: str) -> None:
        """Any text becomes clean words or a refusal."""
        try:
            phrases = parse(text).phrases
        except VocabularyError as error:
            assert "expected" in str(error) or "up to" in str(error).lower()
            return
        assert len({phrase.casefold() for phrase in phrases}) == len(phrases)
        for phrase in phrases:
            assert phrase == phrase.strip() != ""
            assert not set(phrase) & set(",;#\n\r\t\0\u202e")
        assert parse(phrases).phrases == phrases, "parsing them again changes nothing"


class TestEmbedding:
    @pytest.mark.parametrize("templates", text.TEMPLATES)
    def test_full_computation(self, templates: str) -> None:
        """Equal to the full computation."""
        backbone = tiny_backbone(21, layers=1)
        phrases = ["cat", "a very long sofa with many words", "🐈"]
        embeddings = embed(backbone, phrases, templates)
        assert embeddings.shape == (3, 16)
        assert embeddings.dtype == torch.float32
        for ours, phrase in zip(embeddings, phrases, strict=True):
            theirs = full(backbone, phrase, text.TEMPLATES[templates])
            assert (ours.double() - theirs).abs().max() <= 1e-5

    @pytest.mark.parametrize("phrase", [".", "'s", ") (", "-cat", "2x", "&amp;", "ﬁ", "{0} {}"])
    @pytest.mark.parametrize("sentence", ["a ({}).", "{}", "x{}y", "it's {}'s {}", "9{}9."])
    def test_tokens(self, backbone: Backbone, sentence: str, phrase: str) -> None:
        """Tokens are a sentence s."""
        embedding = embed(backbone, [phrase], (sentence,))[0].double()
        assert torch.allclose(embedding, full(backbone, phrase, (sentence,)), atol=1e-5)

    @pytest.mark.parametrize(
        "phrase",
        ["<img src=x onerror=alert(1)>", "{value}", "${7*7}", "<end_of_text>", "../../etc", "ก็็็็"],
    )
    def test_hostile_text(self, backbone: Backbone, phrase: str) -> None:
        """What is typed is text and nothing more."""
        parsed = parse([phrase, "cat"])
        assert parsed.names == (unicodedata.normalize("NFC", phrase), "cat")
        embeddings = embed(backbone, parsed.phrases, "imagenet7")
        assert torch.allclose(embeddings.norm(dim=1), torch.ones(2), atol=1e-5)
        assert torch.allclose(embeddings[1], embed(tiny_backbone(20), ["cat"], "imagenet7")[0])

    @pytest.mark.parametrize("amount", [1, 9, 70])
    def test_company(self, amount: int) -> None:
        """A phrase is the same in any company."""
        words = sorted(loaded().known.words)[:amount]
        together = embed(loaded(), words, "plain")
        for index in {0, amount // 2, amount - 1}:
            loaded().text_cache.clear()
            alone = embed(loaded(), [words[index]], "plain")[0]
            assert torch.allclose(alone, together[index], atol=1e-5)

    def test_not_shared(self, backbone: Backbone) -> None:
        """Templates and backbones do not share embeddings."""
        plain = embed(backbone, ["cat"], "plain")
        assert not torch.allclose(plain, embed(backbone, ["cat"], "imagenet7"))
        assert not torch.allclose(plain, embed(tiny_backbone(23), ["cat"], "plain"))
        assert torch.allclose(embed(backbone, ["cat"], ("a photo of a {}.",)), plain, atol=1e-6)

    def test_cache(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The cache of embeddings is bounded."""
        monkeypatch.setattr("gclip_core.backbone.MOST_EMBEDDINGS", 3)
        backbone = tiny_backbone(24, layers=1)
        embed(backbone, list("abcde"), "plain")
        assert len(backbone.text_cache) == 3
        cached = backbone.text_cache.get((text.TEMPLATES["plain"], "e"))
        assert cached.untyped_storage().nbytes() == cached.nbytes, "it keeps no other in memory"

    def test_no_phrase(self, backbone: Backbone) -> None:
        """No phrase gives no row and one string is no list."""
        assert embed(backbone, []).shape == (0, 16)
        refused_soon("cat", "list", lambda words: embed(backbone, words))

    @pytest.mark.parametrize("phrase", ["cat " * 74, "猫" * 150, "cat " * 300])
    def test_long_phrase(self, backbone: Backbone, phrase: str) -> None:
        """A phrase longer than it is refused."""
        refused_soon(["cat", phrase], r"reads up to.*tokens", lambda words: embed(backbone, words))

    @settings(max_examples=60, deadline=None)
    @given(text=st.text(max_size=90))
    def test_not_cut(self, backbone: Backbone, text: str) -> None:
        """No accepted phrase is cut."""
        try:
            phrases = parse([text]).phrases
            embed(backbone, phrases, "plain")
        except VocabularyError:
            return
        for phrase in phrases:
            assert len(tokenizer().encode(f"a photo of a {phrase}.")) <= 75

    @pytest.mark.parametrize("templates", ["imagenet", (), ("a photo",), ("a {}", 3), 5])
    def test_templates(self, backbone: Backbone, templates: Any) -> None:
        """Sentences of no use are refused."""
        with pytest.raises(VocabularyError, match=r"template|\{\}"):
            embed(backbone, ["cat"], templates)


class TestUnknownPhrases:
    def test_known(self) -> None:
        """A word of the training is known and one it never met is not."""
        known = ["CAT", "kitten", "blue sky", "the cat", "a sky"]
        never = ["xylophone", "parliament", "猫", "qwrtzp"]
        unknown = vocabulary.unknown_phrases(loaded(), parse([*known, *never, "dog"]))
        assert [phrase.phrase for phrase in unknown] == never

    def test_open_vocabulary(self, backbone: Backbone) -> None:
        """A model with an open vocabulary knows all."""
        assert vocabulary.unknown_phrases(backbone, parse("xylophone")) == ()
        assert vocabulary.nearest_known(backbone, "golden retriever") is None


class TestNearestKnown:
    @pytest.mark.parametrize(
        ("known", "typed"),
        [
            ("dog", ["golden retriever", "Golden Retrievers", "two old poodles"]),
            ("building", ["cathedral"]),
            ("fish", ["trout"]),
            ("person", ["teacher"]),
            (None, ["happiness", "Paris", "Einstein", "Hund", "猫", "qwrtzp"]),
            ("train", ["tram", "two trams", "Streetcar"]),
            ("truck", ["lorry", "excavator"]),
            ("person", ["skier", "climbers", "children"]),
            ("dog", ["🐶", "🐕"]),
            (None, ["two", "42", "pink", "😀", "!!!"]),
        ],
    )
    def test_nearest(self, known: str | None, typed: list[str]) -> None:
        """A noun leads to one above it and ideas and other languages nowhere."""
        assert {vocabulary.nearest_known(loaded(), word) for word in typed} == {known}

    def test_offered(self) -> None:
        """Only seen words are offered."""
        offered = {word for group in loaded().known.seen for word in group}
        assert {*loaded().known.nearest.values()} - {""} <= offered
        assert not loaded().known.nearest.keys() & loaded().known.words

    def test_unknown(self) -> None:
        """An unknown phrase has a reason and the nearest word."""
        unknown = vocabulary.unknown_phrases(loaded(), parse("dog, tram, 犬, 42"))
        assert unknown == (
            UnknownPhrase("tram", UnknownReason.NEVER_MET, "train"),
            UnknownPhrase("犬", UnknownReason.OTHER_LANGUAGE, None),
            UnknownPhrase("42", UnknownReason.NUMBER, None),
        )

    def test_replaced(self) -> None:
        """The nearest words take the place of unknown ones each once."""

        def replaced(text: str) -> tuple[tuple[str, ...], ...]:
            typed = parse(text)
            unknown = vocabulary.unknown_phrases(loaded(), typed)
            return vocabulary.with_nearest(typed, unknown).classes

        assert replaced("dog, tram, sky") == (("dog",), ("train",), ("sky",))
        assert replaced("dog, qwrtzp") == (("dog",), ("qwrtzp",))
        assert replaced("tram; streetcar, Train, road") == (("train",), ("road",))

    def test_other_letters(self, backbone: Backbone) -> None:
        """A model of an open vocabulary notes what is in other letters."""

        def notes(words: str) -> tuple[str, ...]:
            return vocabulary.prompts(backbone, words, False, "plain").notes

        assert notes("dog, café, 🐶, 42") == ()
        (note,) = notes("dog, 犬, собака")
        assert note.endswith("in other letters: '犬', 'собака'.")

    def test_plurals(self) -> None:
        """A plural is known by its singular, also where training had no plural."""
        plurals = [f"{word}s" for word in word_lists.read("everyday") if not word.endswith("s")]
        known = [word for word in plurals if vocabulary.knows(loaded(), word[:-1])]
        assert all(vocabulary.knows(loaded(), word) for word in known)
        assert sum(word not in loaded().known.words for word in known) > 10


class TestReasons:
    @pytest.mark.parametrize(
        ("reason", "phrases"),
        [
            (UnknownReason.NEVER_MET, ["tram", "Hund", "3 trams", "R2-D2"]),
            (UnknownReason.OTHER_LANGUAGE, ["犬", "собака", "Löwe", "كلب"]),
            (UnknownReason.NUMBER, ["42", "3.5", "½", "１２"]),
            (UnknownReason.EMOJI, ["🐶", "❤️", "👩‍🚒", "☕☕"]),
            (UnknownReason.SYMBOL, ["!!!", "$", "–"]),
        ],
    )
    def test_reasons(self, reason: UnknownReason, phrases: list[str]) -> None:
        """Letters, digits, emoji and symbols are different reasons."""
        unknown = vocabulary.unknown_phrases(loaded(), parse(phrases))
        assert [entry.reason for entry in unknown] == [reason] * len(phrases)


class TestBackground:
    def background(self, backbone: Backbone, words: str, background: Any = True) -> set[str]:
        return set(vocabulary.background_prompts(backbone, parse(words), background))

    def test_list(self, backbone: Backbone) -> None:
        """Background is the field's list and none is no word."""
        assert self.background(backbone, "cat") == set(word_lists.read("background"))
        assert self.background(backbone, "cat", False) == set()

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
    def test_typed(self, backbone: Backbone, typed: str, gone: set[str]) -> None:
        """What was typed its synonyms and plurals are no background prompts."""
        assert self.background(backbone, "cat") - self.background(backbone, typed) == gone

    def test_own_words(self, backbone: Backbone) -> None:
        """Prompts of one's own, without what was typed."""
        background = self.background(backbone, "cat", ["cats", "dog", "sofa; couch", "polecat"])
        assert background == {"dog", "sofa", "couch", "polecat"}

    @pytest.mark.parametrize("background", [7, [7], [" "]])
    def test_unusable(self, backbone: Backbone, background: Any) -> None:
        """Any other background is refused."""
        with pytest.raises(VocabularyError):
            self.background(backbone, "cat", background)

    def test_known_words(self) -> None:
        """A model with a known vocabulary has prompts of it only."""
        background = tuple(self.background(loaded(), "cat"))
        assert background
        assert vocabulary.unknown_phrases(loaded(), Vocabulary((background,))) == ()
