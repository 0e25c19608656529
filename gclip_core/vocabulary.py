"""From typed text to classes and synonyms, and from these to text embeddings."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

import torch
import torch.nn.functional as F
from open_clip import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES
from torch import Tensor

from gclip_core import text_tower, word_lists, writing
from gclip_core.backbone import Backbone
from gclip_core.cache import BoundedCache
from gclip_core.errors import VocabularyError
from gclip_core.masks import owners
from gclip_core.tables import find
from gclip_core.text_tower import Openings
from gclip_core.types import UnknownPhrase, UnknownReason, Vocabulary

MAX_CLASSES = 500
MAX_PHRASES = 2000
MAX_CHARACTERS = 200_000
MAX_PHRASE = 300
_JOINERS = "\u200c\u200d"  # invisible, but part of Persian words and of emoji
NO_REST = "No hidden word is left for the rest: every pixel gets a typed word."
NOT_ENGLISH = "This model learned from English texts, and these words are in other letters: {}."
NEAR_A_KNOWN_WORD = 0.8
"""A phrase that is not itself a known word needs this cosine to one, to count as known."""

TEMPLATES: dict[str, tuple[str, ...]] = {
    "imagenet80": tuple(t("{}") for t in OPENAI_IMAGENET_TEMPLATES),
    "imagenet7": tuple(t("{}") for t in SIMPLE_IMAGENET_TEMPLATES),
    "plain": ("a photo of a {}.",),
}
"""Sets of sentences in which ``{}`` is replaced by a phrase; the first two are open_clip's."""


def parse(words: str | Iterable[str] | Vocabulary) -> Vocabulary:
    """Reads words as a person types them.

    Commas and new lines separate classes, ``;`` separates synonyms, ``#`` starts a comment. Each
    item of a list is a class. Empty items and duplicates are left out; ``notes`` names duplicates.

    Raises:
        VocabularyError: no word, or more than can be used at once.
    """
    if isinstance(words, Vocabulary):
        return words
    classes: list[tuple[str, ...]] = []
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for item in _split_text(words) if isinstance(words, str) else _texts(words):
        synonyms = []
        for phrase in filter(None, map(_clean, item.split(";"))):
            if phrase.casefold() in seen:
                twice[phrase] = None
            else:
                seen.add(phrase.casefold())
                synonyms.append(phrase)
        if synonyms:
            classes.append(tuple(synonyms))
        if len(classes) > MAX_CLASSES or len(seen) > MAX_PHRASES:
            raise VocabularyError(
                f"Up to {MAX_CLASSES} classes and {MAX_PHRASES:,} words and synonyms can be used "
                "at once, but more came. Leave some out."
            )
    if not classes:
        raise VocabularyError(
            "At least one word was expected, but none came. Type the things you look for, "
            "separated by commas: cat, sofa; couch, wall"
        )
    if not twice:
        return Vocabulary(tuple(classes))
    shown = ", ".join(f"'{phrase[:30]}'" for phrase in islice(twice, 5))
    more = ", …" if len(twice) > 5 else ""
    return Vocabulary(tuple(classes), (f"Given more than once and kept once: {shown}{more}.",))


def _split_text(text: str) -> list[str]:
    if len(text) > MAX_CHARACTERS:
        raise VocabularyError(
            f"The words may have up to {MAX_CHARACTERS:,} characters, but {len(text):,} came."
        )
    lines = (line.partition("#")[0] for line in text.splitlines())
    return [item for line in lines for item in line.split(",")]


def _texts(words: Iterable[str]) -> tuple[str, ...]:
    """The items of a list of texts; at most 100 × MAX_CLASSES, as it may be endless."""
    items = tuple(islice(words, 100 * MAX_CLASSES)) if isinstance(words, Iterable) else (words,)
    for item in items:
        if not isinstance(item, str):
            raise VocabularyError(
                f"Words must be text or a list of texts, but a {type(item).__name__} came."
            )
    return items


def _clean(phrase: str) -> str:
    """One line of visible characters, without control characters and repeated spaces."""
    phrase = " ".join(_visible(phrase).split())
    # NFC takes quadratic time for a run of combining marks: minutes for 200,000 of them.
    if len(phrase) <= 4 * MAX_PHRASE:
        phrase = unicodedata.normalize("NFC", phrase).strip(" " + _JOINERS)
    if len(phrase) > MAX_PHRASE:
        raise VocabularyError(
            f"A word or phrase may have up to {MAX_PHRASE} characters, but one of {len(phrase):,} "
            f"came: '{_visible(phrase[:40])}…'. Separate classes with commas."
        )
    return phrase


def _visible(text: str) -> str:
    hidden = ("Cc", "Cf", "Cs", "Co")
    return "".join(
        " " if unicodedata.category(c) in hidden and c not in _JOINERS else c for c in text
    )


def embed(
    backbone: Backbone, phrases: Iterable[str], templates: str | Sequence[str] = "imagenet80"
) -> Tensor:
    """Text embedding of each phrase: (len(phrases), E) float32, L2-normalised.

    It is the normalised mean of the normalised embeddings of the phrase in all templates; cached.
    Raises VocabularyError for a text instead of a list, too long a phrase, or unusable templates.
    """
    if isinstance(phrases, str):
        raise VocabularyError(f"A list of phrases was expected, but one text came: {phrases[:40]}")
    phrases = _texts(phrases)
    sentences = template_set(templates)
    if not phrases:
        return torch.empty(0, backbone.model.visual.proj.shape[1])
    text_cache = backbone.text_cache
    embeddings = {phrase: text_cache.get((sentences, phrase)) for phrase in dict.fromkeys(phrases)}
    missing = [phrase for phrase, embedding in embeddings.items() if embedding is None]
    if missing:
        rows = _embed_new(backbone, missing, sentences)
        for phrase, row in zip(missing, rows, strict=True):
            embeddings[phrase] = row.clone()  # a view would keep the whole tensor in memory
            text_cache.put((sentences, phrase), embeddings[phrase])
    return torch.stack([embeddings[phrase] for phrase in phrases])


def embed_together(backbone: Backbone, phrases: Sequence[str], templates: str) -> Tensor:
    """As :func:`embed`, with one cache entry for the whole list: for long lists used often."""
    sentences = TEMPLATES[templates]
    key = (sentences, *phrases)
    return backbone.text_cache.get_or_make(key, lambda: _embed_new(backbone, phrases, sentences))


@dataclass(frozen=True, eq=False)
class ParsedWords:
    """Classes and hidden words with their embeddings.

    ``text`` (entries, E) float32, L2-normalised, has an entry per phrase of the classes, then one
    per hidden word; ``owner`` is the class of each entry, -1 for hidden words.
    """

    classes: Vocabulary
    hidden: tuple[str, ...]
    text: Tensor
    owner: tuple[int, ...]
    unknown: tuple[UnknownPhrase, ...]
    notes: tuple[str, ...]


def read_words(
    backbone: Backbone,
    words: str | Iterable[str] | Vocabulary,
    rest: str | Iterable[str],
    templates: str | tuple[str, ...],
) -> ParsedWords:
    """Parses and embeds words, with the errors of :func:`parse` and :func:`embed`; cached."""
    typed = words if isinstance(words, str | Vocabulary) else _texts(words)
    other = rest if isinstance(rest, str) else _texts(rest)

    def make() -> ParsedWords:
        classes = parse(typed)
        hidden = hidden_words(backbone, classes, other)
        notes = list(classes.notes)
        if not hidden and (other == "background" or not isinstance(other, str)):
            notes.append(NO_REST)
        if backbone.known is None:
            notes += _foreign(classes)
        return ParsedWords(
            classes,
            hidden,
            embed(backbone, (*classes.phrases, *hidden), templates),
            owners(classes, len(hidden)),
            describe_unknown(backbone, classes),
            tuple(notes),
        )

    notes = typed.notes if isinstance(typed, Vocabulary) else ()
    return _parsed.get_or_make((backbone.uid, typed, notes, other, templates), make)


def _foreign(classes: Vocabulary) -> list[str]:
    """A note on phrases in other letters, for a model with an open vocabulary."""
    foreign = [
        f"'{phrase[:30]}'"
        for phrase in classes.phrases
        if writing.reason_of(phrase) == UnknownReason.OTHER_LANGUAGE
        and not any(c.isascii() and c.isalpha() for c in phrase)
    ]
    return [NOT_ENGLISH.format(", ".join(foreign[:5]))] if foreign else []


# 64 kB is an estimate for the words themselves, in the key and in the value.
_parsed: BoundedCache[ParsedWords] = BoundedCache(
    8 * 2**20, lambda parsed: parsed.text.nbytes + 64 * 2**10
)


def hidden_words(
    backbone: Backbone, typed: Vocabulary, rest: str | Iterable[str] = "background"
) -> tuple[str, ...]:
    """Words for the rest of an image: a pixel that one of them fits best gets no class.

    ``"background"`` is the background list used in the literature, without words that the backbone
    was not trained on. ``"none"`` is no word. ``"auto"`` is the former for one class alone, the
    latter for more. A list gives other words. Typed words, their synonyms and plurals are left out:
    "pine trees" leaves out "tree". Raises VocabularyError for another ``rest``.
    """
    if rest == "auto":
        rest = "background" if len(typed) == 1 else "none"
    if rest == "none":
        return ()
    synonyms = word_lists.read("background")
    if rest == "background":
        unknown = unknown_phrases(backbone, Vocabulary((tuple(synonyms),)))
        words = tuple(phrase for phrase in synonyms if phrase not in unknown)
    elif isinstance(rest, str):
        raise VocabularyError(
            f"rest must be auto, background, none or a list of words, but '{rest[:40]}' came."
        )
    else:
        own = _texts(rest)
        words = parse(own).phrases if own else ()

    def is_typed(word: str) -> bool:
        means = (word, *synonyms.get(word.casefold(), ()))
        return any(_names(phrase, name) for phrase in typed.phrases for name in means)

    return tuple(word for word in words if not is_typed(word))


def _names(phrase: str, word: str) -> bool:
    """Whether a phrase ends in a word, its plural or its singular."""
    *before, last = word.casefold().split()
    *rest, end = phrase.casefold().split()
    same = len(rest) >= len(before) and rest[len(rest) - len(before) :] == before
    return same and bool(_forms(last) & _forms(end))


def _forms(noun: str) -> set[str]:
    """A noun and its possible singulars."""
    singular = {"s": "", "es": "", "ies": "y", "ves": "f"}
    return {noun} | {noun.removesuffix(s) + to for s, to in singular.items() if noun.endswith(s)}


_SMALL_WORDS = frozenset(["a", "an", "the", "of", "in", "on", "at", "with", "and", "or"])


def unknown_phrases(backbone: Backbone, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Phrases that the backbone was not trained on; none for an open vocabulary.

    A phrase is unknown if each of its words has a token that the backbone was not trained on, or
    if the phrase's embedding is near no known word.
    """
    known = backbone.known
    if known is None:
        return ()

    def is_seen(phrase: str) -> bool:
        words = (word for word in phrase.casefold().split() if word not in _SMALL_WORDS)
        return any(known.tokens >= set(_token_ids(backbone, word)) for word in words)

    doubtful = [p for p in vocabulary.phrases if p.casefold() not in known.words]
    nearest = dict.fromkeys(doubtful, -1.0)
    partly = [p for p in doubtful if is_seen(p)]
    if partly:
        plurals = {f"{word}s" for word in known.words}  # their embeddings differ very little
        theirs = embed_together(backbone, sorted(known.words - plurals), "plain")
        near = embed(backbone, partly, "plain") @ theirs.T
        nearest |= zip(partly, near.max(dim=1).values.tolist(), strict=True)
    return tuple(phrase for phrase in doubtful if nearest[phrase] < NEAR_A_KNOWN_WORD)


def describe_unknown(backbone: Backbone, vocabulary: Vocabulary) -> tuple[UnknownPhrase, ...]:
    """:func:`unknown_phrases`, each with the reason and with :func:`nearest_known`."""
    return tuple(
        UnknownPhrase(phrase, writing.reason_of(phrase), nearest_known(backbone, phrase))
        for phrase in unknown_phrases(backbone, vocabulary)
    )


def with_nearest(vocabulary: Vocabulary, unknown: Iterable[UnknownPhrase]) -> Vocabulary:
    """The vocabulary with the nearest known word in the place of each unknown phrase that has one.

    A word that comes twice by that is kept once.
    """
    nearest = {entry.phrase: entry.nearest for entry in unknown if entry.nearest}
    used: set[str] = set()
    classes = []
    for synonyms in vocabulary.classes:
        words = dict.fromkeys(nearest.get(phrase, phrase) for phrase in synonyms)
        kept = tuple(word for word in words if word.casefold() not in used)
        used.update(word.casefold() for word in kept)
        if kept:
            classes.append(kept)
    return Vocabulary(tuple(classes), vocabulary.notes)


def nearest_known(backbone: Backbone, phrase: str) -> str | None:
    """The known word nearest to a phrase that the backbone was not trained on, or None.

    It looks up the phrase in our list of words and among WordNet's nouns, then the phrase without
    its first words ("old golden retriever"). An emoji is looked up by its name. The result is None
    for names, other languages and an open vocabulary.
    """
    known = backbone.known
    if known is None:
        return None
    own = _nearest_listed()
    words = (writing.emoji_name(phrase) or phrase.casefold()).split()
    for start in range(len(words)):
        *before, last = words[start:]
        for form in sorted(_forms(last), key=len, reverse=True):
            noun = " ".join([*before, form])
            if noun in known.words:
                return noun
            if noun in own:
                return own[noun] if own[noun] in known.words else None
            if noun in known.nearest:
                return known.nearest[noun]
    return None


@cache
def _nearest_listed() -> dict[str, str]:
    """Our list of words and the word nearest to each; empty where none is near."""
    lists = word_lists.read("nearest").items()
    return {word: nearest for nearest, words in lists for word in words}


def template_set(templates: str | Sequence[str]) -> tuple[str, ...]:
    """The sentences of a named set, or those given. Raises VocabularyError if there are none."""
    if isinstance(templates, str):
        return find(TEMPLATES, templates, "template set", VocabularyError)
    sentences = tuple(templates) if isinstance(templates, Iterable) else ()
    if not sentences or not all(isinstance(text, str) and "{}" in text for text in sentences):
        raise VocabularyError(
            "templates must be a set's name or sentences with {} where the phrase goes, "
            f"but {str(templates)[:80]} came."
        )
    return sentences


@torch.no_grad()
def _embed_new(backbone: Backbone, phrases: Sequence[str], sentences: tuple[str, ...]) -> Tensor:
    """Embeddings of phrases that are not cached: (len(phrases), E) float32 on the CPU."""
    _check_lengths(backbone, phrases, sentences)
    prompts = [sentence.replace("{}", phrase) for phrase in phrases for sentence in sentences]
    tokens = backbone.tokenizer(prompts).to(backbone.device)

    def read_openings() -> Openings:
        before = backbone.tokenizer([sentence.partition("{}")[0] for sentence in sentences])
        return text_tower.read_openings(backbone.model, before.to(backbone.device))

    which = torch.arange(len(sentences), device=backbone.device).repeat(len(phrases))
    openings = backbone.openings_cache.get_or_make(sentences, read_openings)
    each = text_tower.encode(backbone.model, tokens, openings, which)
    each = F.normalize(each.float(), dim=-1).reshape(len(phrases), len(sentences), -1)
    return F.normalize(each.mean(1), dim=-1).cpu()


def _token_ids(backbone: Backbone, phrase: str) -> list[int]:
    """A phrase's tokens without start, end and padding; [] for a tokenizer without ``encode``."""
    encode = getattr(backbone.tokenizer, "encode", None)
    return list(encode(phrase)) if callable(encode) else []


def _check_lengths(backbone: Backbone, phrases: Sequence[str], sentences: tuple[str, ...]) -> None:
    frame = max(len(_token_ids(backbone, sentence.replace("{}", ""))) for sentence in sentences)
    room = backbone.model.context_length - 2 - frame  # without start and end token
    for phrase in phrases:
        length = len(_token_ids(backbone, phrase))
        if length > room:
            raise VocabularyError(
                f"'{phrase[:40]}…' is too long: {backbone.title} reads up to {room} tokens of a "
                f"phrase, but this one has {length}. Shorten it, or separate classes with commas."
            )
