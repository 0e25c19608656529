"""The background: words that nobody typed compete with the typed ones for the pixels of an image.

By default they are the image's own words: every word that may be suggested competes, with a logit
that is lowered by its share of the image, as ``suggest.mixture`` estimates it. So "bus" alone
does not take the buildings behind it, because "building" has a large share of this image. A word
that is like a typed one does not compete: "truck" may be what a person means by "van".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core.backbones.backbone import Backbone
from gclip_core.words import lists, vocabulary
from gclip_core.words.suggest import Matches, candidate_text, candidates_of, mixture, word_groups
from gclip_core.words.text import embed
from gclip_core.words.vocabulary import Vocabulary, parse

LITERATURE = tuple(lists.read("background"))
"""The background words of VOC21 and COCO-Object in the literature: pass them as ``background``."""
WEIGHT = 0.7
"""Default weight of the background, chosen on photos with masks by `training/choose.py`."""
SHARE = 0.3
"""How much the logarithm of a word's share counts, in standard deviations of the cosines."""
ALIKE = 0.35
"""A word competes only with typed words of which the centred cosine with it is lower."""


@dataclass(frozen=True, eq=False)
class Background:
    """Words that compete with the typed ones.

    ``text`` (words, E) float32 are their embeddings, L2-normalised. ``offsets`` (words,) float32
    are added to their cosines.
    """

    words: tuple[str, ...]
    text: Tensor
    offsets: Tensor


def of_image(backbone: Backbone, typed: Vocabulary, matches: Matches) -> Background:
    """The image's own words that are not like a typed word, or the nearest word of an unknown one.

    The offset of a word with the share ``s`` of the image is ``SHARE std(cosines) log(s / max s)``.
    """
    candidates = candidates_of(backbone)
    shares = mixture(candidates, matches).after.mean(1)
    words, text = candidates.words[: len(shares)], candidate_text(backbone)[: len(shares)]
    unknown = vocabulary.unknown_phrases(backbone, typed)
    typed = vocabulary.with_nearest(typed, unknown)
    names_of = {group[0]: group for group in word_groups(backbone)}
    kept = ~alike(text, embed(backbone, typed.phrases, "plain"))
    kept &= torch.tensor([not is_typed(names_of[word], typed) for word in words])
    offsets = SHARE * matches.spread * (shares / shares.max()).clamp_min(1e-6).log()
    names = tuple(word for word, is_kept in zip(words, kept.tolist(), strict=True) if is_kept)
    return Background(names, text[kept], offsets[kept])


def of_words(
    backbone: Backbone, typed: Vocabulary, words: str | Iterable[str], templates: str
) -> Background:
    """Given words, without those that are typed: "pine trees" leaves out "tree".

    Raises VocabularyError for what ``vocabulary.parse`` cannot read.
    """
    synonyms = lists.read("background")
    phrases = parse(words).phrases
    names_of = {word: (word, *synonyms.get(word.casefold(), ())) for word in phrases}
    kept = tuple(word for word in phrases if not is_typed(names_of[word], typed))
    return Background(kept, embed(backbone, kept, templates), torch.zeros(len(kept)))


def alike(text: Tensor, typed: Tensor) -> Tensor:
    """Which of the words (n, E) are like one of the typed phrases (m, E): (n,) bool.

    Cosines of CLIP's texts are all high, so the mean of the words is taken off first.
    """
    mean = text.mean(0)
    cosines = F.normalize(text - mean, dim=-1) @ F.normalize(typed - mean, dim=-1).T
    return cosines.amax(1) >= ALIKE


def is_typed(names: tuple[str, ...], typed: Vocabulary) -> bool:
    """Whether one of a word's names is the end of a typed phrase, or its singular."""
    return not _forms(names).isdisjoint(_ends(typed))


@lru_cache(4096)
def _forms(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(form for name in names for form in vocabulary.forms(name.casefold()))


@lru_cache(1)
def _ends(typed: Vocabulary) -> frozenset[str]:
    return frozenset(end for phrase in typed.phrases for end in vocabulary.ends(phrase))
