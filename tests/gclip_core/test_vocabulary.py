"""From typed text to classes and their embeddings, or an error message."""

import string
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gclip_core import Backbone, VocabularyError, lists
from gclip_core.words import text, vocabulary
from gclip_core.words.text import embed
from gclip_core.words.vocabulary import MAX_CLASSES, UnknownPhrase, Vocabulary, parse
from tests.models import loaded, tiny_backbone

REFUSED: dict[str, list[Any]] = {
    "at least one word": ["", " ,\n;", "# only a comment", [], [""], "\u200b\u202e"],
    "Words must be text": [[1, 2], [None], [b"cat"], 5, None, [["cat"]]],
    "Up to 500 classes": [
        [f"thing {i}" for i in range(MAX_CLASSES + 1)],
        ",".join(map(str, range(10_000))),
    ],
    "synonyms": [";".join(map(str, range(30_000)))],
    f"up to {vocabulary.MAX_CHARACTERS} characters": [
        ["x" * (vocabulary.MAX_CHARACTERS + 1)],
        ["\u202e" + "y" * 2**20],
        ["a" + "\u0327\u0301" * 200_000],  # would take minutes if composed
    ],
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
        (["\u202eblack\x9b\ud800cat\u200b"], [("black cat",)]),
    ],
)
def test_parse(words: Any, classes: list[tuple[str, ...]]) -> None:
    """Commas separate classes, semicolons synonyms; invisible characters are dropped."""
    assert parse(words).classes == tuple(classes)


def test_twice() -> None:
    """A duplicate word is named in a note."""
    assert "“Cat”" in parse("cat, Cat").notes[0]
    assert parse("cat, dog").notes == ()
    assert parse("cat, cat, dog") == parse("cat, dog"), "notes are not part of the value"


@pytest.mark.parametrize("match", REFUSED)
def test_unusable_words(match: str) -> None:
    """No words, no text, and more than the limit are refused immediately."""
    for words in REFUSED[match]:
        refused_soon(words, match)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        *((one, "tuples of words") for one in ((), ("dog", "cat"), ((),), "dog")),
        ((("cat",), ("dog", "hound"), ("cat", "kitten")), "not 3 with 2 names"),
        (tuple((str(i),) for i in range(2**15 + 1)), "Up to 32,768 classes"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_unusable_classes(classes: Any, message: str) -> None:
    """A bare word would become a class of its letters; labels are int16."""
    with pytest.raises(VocabularyError, match=message):
        Vocabulary(classes)


@settings(max_examples=30, deadline=None, database=None)
@given(
    st.text(max_size=300)
    | st.text(alphabet=list(",;#\n\r \t<>&{}$\0\u202e\u0301a") + list(string.ascii_letters))
)
def test_any_text(text: str) -> None:
    """Any text gives clean words or a refusal."""
    try:
        phrases = parse(text).phrases
    except VocabularyError as error:
        assert "at least one word" in str(error) or "up to" in str(error).lower()
        return
    assert len({phrase.casefold() for phrase in phrases}) == len(phrases)
    for phrase in phrases:
        assert phrase == phrase.strip() != ""
        assert not set(phrase) & set(",;#\n\r\t\0\u202e")
    assert parse(phrases).phrases == phrases, "parsing them again changes nothing"


@pytest.mark.parametrize("templates", text.TEMPLATES)
def test_embed(templates: str) -> None:
    """Embeddings equal those of the full computation."""
    backbone = tiny_backbone(21, layers=2)
    phrases = ["cat", "a very long sofa with many words", "🐈"]
    embeddings = embed(backbone, phrases, templates)
    assert embeddings.dtype == torch.float32
    for ours, phrase in zip(embeddings, phrases, strict=True):
        theirs = full(backbone, phrase, text.TEMPLATES[templates])
        assert (ours.double() - theirs).abs().max() <= 1e-5


@pytest.mark.parametrize("sentence", ["a ({}).", "{}", "x{}y", "it's {}'s {}", "9{}9."])
def test_tokens(backbone: Backbone, sentence: str) -> None:
    """Even where a phrase's first letters change the tokens before it in the sentence."""
    phrases = [".", "'s", ") (", "-cat", "2x", "&amp;", "ﬁ", "{0} {}", "<end_of_text>", "ก็็็็"]
    embeddings = text.embed_new(backbone, phrases, (sentence,)).double()
    for phrase, embedding in zip(phrases, embeddings, strict=True):
        assert torch.allclose(embedding, full(backbone, phrase, (sentence,)), atol=1e-5), phrase


@pytest.mark.parametrize("phrase", ["cat " * 74, "猫" * 150, "cat " * 300])
def test_long_phrase(backbone: Backbone, phrase: str) -> None:
    """A phrase longer than the text tower's limit is refused."""
    refused_soon(["cat", phrase], r"reads up to.*tokens", lambda words: embed(backbone, words))


def unknown(words: Any, backbone: Backbone | None = None) -> dict[str, UnknownPhrase]:
    _, entries = vocabulary.read_phrases(backbone or loaded(), parse(words).phrases)
    return {entry.phrase: entry for entry in entries}


def test_known_words(backbone: Backbone) -> None:
    """Words from training, their plurals, and phrases that end in them are known."""
    never = ["xylophone", "parliament", "猫", "qwrtzp"]
    assert [*unknown(["CAT", "kitten", "blue sky", "the cat", *never, "dog"])] == never
    everyday = [word for word in lists.read("everyday") if not word.endswith("s")]
    known = [word for word in everyday if word not in unknown(everyday)]
    assert not unknown([f"{word}s" for word in known])
    assert not unknown("xylophone", backbone), "an open vocabulary knows all"


@pytest.mark.parametrize(
    ("nearest", "typed"),
    [
        ("dog", ["golden retriever", "Golden Retrievers", "two old poodles"]),
        ("building", ["cathedral"]),
        ("knife", ["penknife", "penknives"]),
        ("fish", ["trout"]),
        ("person", ["teacher", "skier", "climbers", "boy", "girls", "young woman"]),
        (None, ["happiness", "Paris", "Einstein", "Hund", "猫", "qwrtzp", "two", "42"]),
        ("train", ["tram", "two trams", "Streetcar"]),
        ("glass", ["glass of red wine", "small glass of Riesling"]),
        ("truck", ["lorry", "excavator"]),
    ],
)
def test_nearest(nearest: str | None, typed: list[str]) -> None:
    """A noun leads to one above it; ideas, names and other languages lead nowhere."""
    assert {entry.nearest for entry in unknown(typed).values()} == {nearest}


@pytest.mark.parametrize(
    ("typed", "classes"),
    [
        ("dog, tram, sky", (("dog",), ("train",), ("sky",))),
        ("dog, qwrtzp", (("dog",), ("qwrtzp",))),
        ("tram; streetcar, Train, road", (("train",), ("road",))),
    ],
)
def test_with_nearest(typed: str, classes: tuple[tuple[str, ...], ...]) -> None:
    """The nearest words replace unknown ones, each once."""
    entries = unknown(typed).values()
    assert vocabulary.with_nearest(parse(typed), entries).classes == classes


def test_reasons() -> None:
    """Other scripts, numbers and emoji have a reason of their own: no English letter."""
    reasons = [entry.reason for entry in unknown("Hund, R2-D2, собака, 42, 🐶, !!!").values()]
    assert reasons == 2 * ["not one of its words"] + 4 * ["not in English letters"]


def test_longer_phrase() -> None:
    """The built-in model embeds the end of a phrase that it knows, and says so."""
    longer = vocabulary.prompts(loaded(), "red bus, Cats, dog in a red hat; puppy", "plain")
    known = embed(loaded(), ["bus", "cats", "dog", "puppy"], "plain")
    assert torch.equal(longer.text, known)
    assert longer.notes == ("This model reads “red bus” as “bus”, “dog in a red hat” as “dog”.",)
    assert vocabulary.prompts(loaded(), "dog cat", "plain").notes[1] == "Commas separate things."


def test_other_letters(backbone: Backbone) -> None:
    """A model with an open vocabulary notes words in other scripts."""
    assert vocabulary.prompts(backbone, "dog, café, R2-D2", "plain").notes == ()
    (note,) = vocabulary.prompts(backbone, "dog, 犬, собака", "plain").notes
    assert note.endswith("not in English letters: “犬”, “собака”.")
