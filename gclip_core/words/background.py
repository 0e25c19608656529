"""The background: words that were not typed compete with the typed ones for an image's pixels.

By default, these are the image's own words: every word that can be suggested competes, with a logit
that is lowered according to its share of the image, as estimated by ``suggest.mixture``. So "bus"
alone does not take the buildings behind it, because "building" has a large share of the image. A
word that fits the same patches as a typed one does not compete: if a person types "van" and the
backbone would call the same patches a truck, they become "van".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import lists
from gclip_core.backbones.backbone import Backbone
from gclip_core.words import vocabulary
from gclip_core.words.suggest import Matches, candidate_text, candidates_of, mixture
from gclip_core.words.text import embed
from gclip_core.words.vocabulary import Prompts, Vocabulary, parse, with_nearest

LITERATURE = tuple(lists.read("background"))
"""The background words of VOC21 and COCO-Object in the literature, to pass as ``background``."""
BACKGROUND_WEIGHT = 0.8
"""Default weight of the background, chosen on 100 photos of COCO: assets/built-in/README.md."""
SHARE = 0.6
"""Weight of the logarithm of a word's share, in standard deviations of the cosines."""
MAX_CORRELATION = 0.7
"""A word competes only if its cosines have a lower correlation with those of every typed word."""
NO_BACKGROUND = "No background word is left: every pixel gets a typed word."


@dataclass(frozen=True, eq=False)
class BackgroundWords:
    """Words that were not typed and compete with the typed ones.

    ``text`` (words, E) float32 are their embeddings, L2-normalised. ``offsets`` (words,) float32
    are added to their cosines.
    """

    words: tuple[str, ...]
    text: Tensor
    offsets: Tensor


def background_of_image(
    backbone: Backbone, prompts: Prompts, cosines: Tensor, matches: Matches
) -> BackgroundWords:
    """The image's own words, without typed words and words that fit the same patches.

    ``cosines`` (prompts, h, w) float32 are those of the ``prompts``, and ``matches`` has those of
    the candidates. The offset of a word with share ``s`` of the image is ``SHARE std(cosines)
    log(s / max s)``.
    """
    candidates = candidates_of(backbone)
    shares = mixture(candidates, matches).after.mean(1)
    n, typed = len(shares), with_nearest(prompts.vocabulary, prompts.unknown)
    kept = correlation(matches.cosines[:n], cosines).amax(1) < MAX_CORRELATION
    kept &= torch.tensor([not is_typed(group, typed) for group in candidates.groups[:n]])
    offsets = SHARE * matches.deviation * (shares / shares.max()).clamp_min(1e-6).log()
    names = tuple(candidates.words[index] for index in kept.nonzero()[:, 0].tolist())
    return BackgroundWords(names, candidate_text(backbone)[:n][kept], offsets[kept])


def correlation(words: Tensor, typed: Tensor) -> Tensor:
    """Correlation over patches of the cosines of words (n, h, w) and phrases (m, h, w): (n, m).

    The mean over words is subtracted at each patch first.
    """
    mean = words.mean(0)
    first, second = ((x - mean).flatten(1) for x in (words, typed))
    first, second = (F.normalize(x - x.mean(1, keepdim=True), dim=1) for x in (first, second))
    return first @ second.T


def background_of_words(
    backbone: Backbone, typed: Vocabulary, words: Iterable[str], templates: str
) -> BackgroundWords:
    """The given words without typed ones: a typed "pine trees" leaves out "tree".

    Raises VocabularyError for words that ``vocabulary.parse`` cannot read.
    """
    synonyms = lists.read("background")
    phrases = parse(words).phrases
    names_of = {word: (word, *synonyms.get(word.casefold(), ())) for word in phrases}
    kept = tuple(word for word in phrases if not is_typed(names_of[word], typed))
    read, _ = vocabulary.read_phrases(backbone, kept)
    return BackgroundWords(kept, embed(backbone, read, templates), torch.zeros(len(kept)))


def is_typed(names: tuple[str, ...], typed: Vocabulary) -> bool:
    """Whether one of a word's names is the end of a typed phrase, or the singular of it."""
    return not _forms(names).isdisjoint(typed.ends)


@lru_cache(4096)
def _forms(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(form for name in names for form in vocabulary.forms(name.casefold()))


@dataclass(frozen=True, eq=False)
class Competition:
    """Logits (prompts, h, w) float32 with the class of each prompt.

    A background is the last prompt, of class -1: ``background`` are its words that fit some patch
    best, and ``background_map`` (h, w) int64 is the index of each patch's best one. ``notes`` are
    sentences for people.
    """

    logits: Tensor
    prompt_classes: tuple[int, ...]
    background: tuple[str, ...] = ()
    background_map: Tensor | None = None
    notes: tuple[str, ...] = ()


def compete(
    features: Tensor,
    prompts: Prompts,
    cosines: Tensor,
    background: BackgroundWords | None,
    scale: float,
    weight: float,
) -> Competition:
    """The logits of prompts, ``scale`` times their ``cosines`` with features (h, w, E), and of a
    background if there is one.

    Each logit of a background word is raised by its offset and moved towards the mean of all
    logits: ``mean + weight (logit + offset - mean)``; a weight of 1 weakens nothing. The
    background's logit is the largest of them.
    """
    logits = scale * cosines
    classes = prompts.vocabulary.prompt_classes
    if background is None:
        return Competition(logits, classes)
    if not background.words:
        return Competition(logits, classes, notes=(NO_BACKGROUND,))
    others = scale * torch.einsum("pe,hwe->phw", background.text, features)
    mean = torch.cat([logits, others]).mean(0)
    raised = others + (scale * background.offsets)[:, None, None]
    largest, word = mean.lerp(raised, weight).max(0)
    found, index = word.unique(return_inverse=True)
    names = tuple(background.words[word] for word in found.tolist())
    return Competition(torch.cat([logits, largest[None]]), (*classes, -1), names, index)
