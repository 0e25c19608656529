"""The background: words that nobody typed compete with the typed ones for the pixels of an image.

By default they are the image's own words: every word that may be suggested competes, with a logit
that is lowered by its share of the image, as ``suggest.mixture`` estimates it. So "bus" alone
does not take the buildings behind it, because "building" has a large share of this image. A word
that is like a typed one does not compete: "truck" may be what a person means by "van".
"""

from collections.abc import Iterable
from dataclasses import dataclass

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
    synonyms = {group[0]: group for group in word_groups(backbone)}
    far = ~alike(text, embed(backbone, typed.phrases, "plain"))
    kept = torch.tensor(
        [
            bool(x) and not is_typed(word, synonyms, typed)
            for word, x in zip(words, far, strict=True)
        ]
    )
    offsets = SHARE * matches.spread * (shares / shares.max()).clamp_min(1e-6).log()
    return Background(
        tuple(word for word, keep in zip(words, kept.tolist(), strict=True) if keep),
        text[kept],
        offsets[kept],
    )


def of_words(
    backbone: Backbone, typed: Vocabulary, words: str | Iterable[str], templates: str
) -> Background:
    """Given words, without those that are typed: "pine trees" leaves out "tree".

    Raises VocabularyError for what ``vocabulary.parse`` cannot read.
    """
    synonyms = lists.read("background")
    kept = tuple(word for word in parse(words).phrases if not is_typed(word, synonyms, typed))
    return Background(kept, embed(backbone, kept, templates), torch.zeros(len(kept)))


def alike(text: Tensor, typed: Tensor) -> Tensor:
    """Which of the words (n, E) are like one of the typed phrases (m, E): (n,) bool.

    Cosines of CLIP's texts are all high, so the mean of the words is taken off first.
    """
    mean = text.mean(0)
    cosines = F.normalize(text - mean, dim=-1) @ F.normalize(typed - mean, dim=-1).T
    return cosines.amax(1) >= ALIKE


def is_typed(word: str, synonyms: dict[str, tuple[str, ...]], typed: Vocabulary) -> bool:
    """Whether a word or one of its synonyms is the end of a typed phrase, or its singular."""
    ends = {end for phrase in typed.phrases for end in vocabulary.ends(phrase)}
    names = (word.casefold(), *synonyms.get(word.casefold(), ()))
    return any(form in ends for name in names for form in vocabulary.forms(name))
