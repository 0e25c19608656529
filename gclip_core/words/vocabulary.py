"""From typed text to classes and synonyms, with their text embeddings."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from gclip_core.backbones.backbone import Backbone
from gclip_core.backbones.builtin import KnownWords
from gclip_core.errors import VocabularyError
from gclip_core.words.text import embed

MAX_CLASSES = 500
MAX_PHRASES = 2000
MAX_CHARACTERS = 300
NOT_ENGLISH = "This model learned from English texts, and these are not in English letters: {}."
_PREPOSITION = re.compile(r" (?:in|on|with) ")
_JOINERS = "\u200c\u200d"  # invisible, but part of Persian words and of emoji


@dataclass(frozen=True)
class Vocabulary:
    """Classes, each a tuple of synonyms (the first is its name); hashable.

    ``notes`` are sentences for people about duplicates that were left out; they do not count in a
    comparison. Raises VocabularyError without a class, if one is not a tuple of words, if two have
    the same name, and for more than 32,768 classes.
    """

    classes: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.classes or not all(c and isinstance(c, tuple) for c in self.classes):
            raise VocabularyError(
                "Classes must be tuples of words such as (('cat', 'kitten'), ('sofa',)), not "
                f"{self.classes!r:.80}."
            )
        if len({*self.names}) < len(self) or len(self) > 2**15:  # labels are int16
            raise VocabularyError(
                "Up to 32,768 classes can be used, each with a name of its own, not "
                f"{len(self):,} with {len({*self.names}):,} names. Rename some, or leave them out."
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The first word of every class."""
        return tuple(synonyms[0] for synonyms in self.classes)

    @property
    def phrases(self) -> tuple[str, ...]:
        """Every synonym of every class, in order."""
        return tuple(phrase for synonyms in self.classes for phrase in synonyms)

    @cached_property
    def ends(self) -> frozenset[str]:
        """The ends of all phrases, each also in the singular."""
        return frozenset(end for phrase in self.phrases for end in ends(phrase))

    @property
    def prompt_classes(self) -> tuple[int, ...]:
        """The class of each phrase."""
        return tuple(i for i, synonyms in enumerate(self.classes) for _ in synonyms)

    def __len__(self) -> int:
        return len(self.classes)


Words = str | Iterable[str] | Vocabulary
"""Words as a person types them, a list of them, or classes that were parsed already."""


@dataclass(frozen=True)
class UnknownPhrase:
    """A phrase that a backbone does not know, and the nearest word that it knows, or None.

    The phrase is not replaced, except by ``with_nearest``.
    """

    phrase: str
    reason: str
    nearest: str | None


def parse(words: Words) -> Vocabulary:
    """Reads words as a person types them.

    Commas and new lines separate classes, ``;`` separates synonyms, and ``#`` starts a comment.
    Each item of a list is a class. Empty items and duplicates are left out; ``notes`` names the
    duplicates. Raises VocabularyError if there is no word, or more than can be used at once.
    """
    if isinstance(words, Vocabulary):
        return words
    if isinstance(words, str):
        lines = (line.partition("#")[0] for line in words.splitlines())
        words = [item for line in lines for item in line.split(",")]
    groups = list[list[str]]()
    for item in words if isinstance(words, Iterable) else (words,):
        if not isinstance(item, str):
            raise VocabularyError(
                f"Words must be text or a list of texts, not {type(item).__name__}."
            )
        groups.append([*filter(None, map(_clean, item.split(";")))])
    classes, twice = _once_each(groups)
    if len(classes) > MAX_CLASSES or sum(map(len, classes)) > MAX_PHRASES:
        raise VocabularyError(
            f"Up to {MAX_CLASSES} classes and {MAX_PHRASES:,} words and synonyms can be used at "
            "once. Leave some out."
        )
    if not classes:
        raise VocabularyError(
            "Type at least one word, or several separated by commas: cat, sofa; couch, wall"
        )
    notes = (f"Given more than once and kept once: {_quoted(twice)}.",) if twice else ()
    return Vocabulary(classes, notes)


def _once_each(groups: Iterable[Iterable[str]]) -> tuple[tuple[tuple[str, ...], ...], list[str]]:
    """Groups without words that came before, whatever their case, and without empty groups; and
    those words."""
    seen, twice, classes = set[str](), dict[str, None](), []
    for group in groups:
        kept = []
        for phrase in group:
            if phrase.casefold() in seen:
                twice[phrase] = None
            else:
                seen.add(phrase.casefold())
                kept.append(phrase)
        if kept:
            classes.append(tuple(kept))
    return tuple(classes), [*twice]


def _clean(phrase: str) -> str:
    """One line of visible characters, without control characters and repeated spaces."""
    invisible = ("Cc", "Cf", "Cs", "Co")
    visible = "".join(
        " " if unicodedata.category(c) in invisible and c not in _JOINERS else c for c in phrase
    )
    phrase = " ".join(visible.split()).strip(" " + _JOINERS)
    if len(phrase) > MAX_CHARACTERS:  # before NFC, which takes minutes for many combining marks
        raise VocabularyError(
            f"A word or phrase may have up to {MAX_CHARACTERS} characters, but this one has "
            f"{len(phrase):,}: '{phrase[:40]}…'. Separate classes with commas."
        )
    return unicodedata.normalize("NFC", phrase)


def _quoted(phrases: Iterable[str]) -> str:
    return _first_five([f"“{phrase[:30]}”" for phrase in phrases])


def _first_five(items: list[str]) -> str:
    return ", ".join(items[:5] + ["…"] * (len(items) > 5))


@dataclass(frozen=True, eq=False)
class Prompts:
    """Classes with the embeddings of their phrases, ``text`` (phrases, E) float32, L2-normalised
    except for those of shown words.

    ``unknown`` are phrases that the backbone does not know; ``notes`` are sentences for people.
    """

    vocabulary: Vocabulary
    text: Tensor
    unknown: tuple[UnknownPhrase, ...]
    notes: tuple[str, ...]

    def known(self) -> tuple["Prompts | None", tuple[int, ...]]:
        """The prompts without classes none of whose words the backbone knows, or None if there are
        no others, and the number of each class that is kept."""
        unknown, classes = {entry.phrase for entry in self.unknown}, self.vocabulary.classes
        kept = tuple(c for c, words in enumerate(classes) if not unknown.issuperset(words))
        if not kept or len(kept) == len(classes):
            return (self if kept else None), kept
        rows = [row for row, c in enumerate(self.vocabulary.prompt_classes) if c in kept]
        vocabulary = Vocabulary(tuple(classes[c] for c in kept), self.vocabulary.notes)
        return replace(self, vocabulary=vocabulary, text=self.text[rows]), kept

    def cosines(self, features: Tensor) -> Tensor:
        """Those of every phrase with features (h, w, E): (phrases, h, w)."""
        return torch.einsum("pe,hwe->phw", self.text, features)


@dataclass(frozen=True, eq=False)
class Shown:
    """A word that marks have shown on images (``Segmenter.show``), which no text describes.

    ``embedding`` (E,) float32 takes the place of a text embedding. Its length brings its cosines to
    the scale of those of known words.
    """

    name: str
    embedding: Tensor


def prompts(
    backbone: Backbone, words: Words, templates: str, shown: Iterable[Shown] = ()
) -> Prompts:
    """Parses and embeds words, with the errors of ``parse`` and ``embed``.

    A backbone that knows only the end of a phrase embeds that: it reads "red bus" as "bus". A
    phrase that is the name of a ``shown`` word gets its embedding. Raises VocabularyError for
    a name that is not typed, too.
    """
    classes = parse(words)
    embeddings = {word.name.casefold(): word.embedding for word in shown}
    missing = embeddings.keys() - {phrase.casefold() for phrase in classes.phrases}
    if missing:
        raise VocabularyError(
            f"Shown words must be among the typed ones; type {_quoted(sorted(missing))}, too."
        )
    phrases = [phrase for phrase in classes.phrases if phrase.casefold() not in embeddings]
    read, unknown = read_phrases(backbone, phrases)
    text = iter(embed(backbone, read, templates) if read else ())
    rows = [embeddings.get(phrase.casefold()) for phrase in classes.phrases]
    rows = torch.stack([next(text) if row is None else row for row in rows])
    return Prompts(classes, rows, unknown, (*classes.notes, *_notes(backbone, phrases, read)))


def _notes(backbone: Backbone, phrases: Sequence[str], read: Sequence[str]) -> list[str]:
    """What a user should know of how the backbone reads the phrases."""
    if backbone.known is None:
        foreign = [phrase for phrase in phrases if not _has_english_letter(phrase)]
        return [NOT_ENGLISH.format(_quoted(foreign))] if foreign else []
    shortened = {
        phrase: noun
        for phrase, noun in zip(phrases, read, strict=True)
        if noun.casefold() not in forms(phrase.casefold())
    }
    if not shortened:
        return []
    pairs = [f"“{phrase[:30]}” as “{noun}”" for phrase, noun in shortened.items()]
    notes = [f"This model reads {_first_five(pairs)}."]
    ends_of = (phrase.split()[-2:] for phrase in shortened)
    if any(all(look_up(backbone.known, word)[0] for word in two) for two in ends_of):
        notes.append("Commas separate things.")
    return notes


def read_phrases(
    backbone: Backbone, phrases: Iterable[str]
) -> tuple[list[str], tuple[UnknownPhrase, ...]]:
    """What the backbone reads each phrase as, and the phrases that it does not know.

    It reads a phrase as the end that it knows, else as it is. An unknown phrase has the reason and
    the nearest word; there is none for names and other languages. A backbone with an open
    vocabulary knows all phrases.
    """
    if backbone.known is None:
        return [*phrases], ()
    read, unknown = list[str](), list[UnknownPhrase]()
    for phrase in phrases:
        is_known, noun = look_up(backbone.known, phrase)
        read.append(noun if is_known and noun else phrase)
        if not is_known:
            is_english = _has_english_letter(phrase)
            reason = "not one of its words" if is_english else "not in English letters"
            unknown.append(UnknownPhrase(phrase, reason, noun))
    return read, tuple(unknown)


def _has_english_letter(phrase: str) -> bool:
    return any(c.isascii() and c.isalpha() for c in phrase)


def ends(phrase: str) -> list[str]:
    """The ends of a phrase, the longest first, each also with its last word in the singular."""
    words = phrase.casefold().split()
    return [form for start in range(len(words)) for form in forms(" ".join(words[start:]))]


def forms(phrase: str) -> list[str]:
    """A phrase and its possible singulars."""
    singular = (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"))
    return [phrase, *(phrase.removesuffix(s) + end for s, end in singular if phrase.endswith(s))]


def look_up(known: KnownWords, phrase: str) -> tuple[bool, str | None]:
    """Whether a phrase or its end is known ("old red car" is), and the known word it leads to.

    The longest end that is a known word or another noun of the table decides, also in the singular:
    the end of what stands before "in", "on" or "with", as in "man in a hat". If it is not known,
    what stands before "of" may be: a "glass of red wine" is a glass.
    """
    head = _PREPOSITION.split(phrase.casefold())[0]
    nouns = (*forms(phrase.casefold()), *ends(head))
    found = next((noun for noun in nouns if noun in known.words or noun in known.nearest), "")
    if found in known.words:
        return True, found
    before = phrase.casefold().rpartition(" of ")[0]
    heads = (noun for noun in ends(before) if noun in known.words)
    return False, next(heads, known.nearest.get(found)) or None


def with_nearest(vocabulary: Vocabulary, unknown: Iterable[UnknownPhrase]) -> Vocabulary:
    """The vocabulary with each unknown phrase replaced by its nearest known word, if it has one.

    A word that then occurs twice is kept once.
    """
    nearest = {entry.phrase: entry.nearest for entry in unknown if entry.nearest}
    groups = ([nearest.get(p, p) for p in synonyms] for synonyms in vocabulary.classes)
    return Vocabulary(_once_each(groups)[0], vocabulary.notes)
