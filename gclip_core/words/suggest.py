"""Suggested words for an image: the words that fit its patches best, things first.

Each candidate's share of the image is estimated from all patches together: the larger a word's
share of the other patches, the more it gains on a patch. So of two synonyms, or of a thing and its
part, the better one takes nearly all patches. Garments, face and hair belong to the class "person";
otherwise a photo of a man in a suit would get the words "suit" and "wall". If the backbone has an
image classifier, words that it finds in the whole image have a higher prior. Things come before
stuff (sky, wall, grass), which is seldom the subject of a photo.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import lists
from gclip_core.backbones.backbone import Backbone
from gclip_core.pixels.masks import per_class
from gclip_core.words.text import TEMPLATES, embed_new

PERSON = "person"
EVERYDAY = 20.0
"""How many times as probable an everyday word is as another one, before any patch is seen."""
LEAST_PROBABILITY = 0.001
"""Minimum of the image classifier's probabilities: it knows few words, and is often wrong."""
TAUGHT_PROBABILITY = 0.03
"""The same for words that training taught with masks: training/README.md has what it changes."""
SHARPNESS = 2.0
"""Factor of the cosines, which are in units of their standard deviation over all candidates."""
PEAK = 0.01
"""The peak of a thing is its mean score over this share of the patches, its best ones."""
SEEN = 3e-4
"""The minimum score of a typed class that an image shows, for ``seen``: docs/EVALUATION.md."""
ROUNDS = 2
"""Number of times the words' shares of the image are re-estimated."""


@dataclass(frozen=True)
class Thresholds:
    """The minimum scores of suggested words, from 0 to 1; see ``choose``.

    Stuff needs a higher score than a thing, because a wrong word on a large background is worse
    than none. A thing whose peak is high enough may be small.
    """

    thing: float = 0.04
    stuff: float = 0.05
    peak: float = 0.3


DEFAULT = Thresholds()
"""Chosen on 100 photos of COCO: assets/built-in/README.md."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Words that can be suggested, each the first of a group of synonyms.

    ``class_of`` has the class of each word. Words that belong to another word's class come last, so
    word ``c`` names class ``c``. ``everyday`` (words,) and ``stuff`` (classes,) are bool.
    """

    groups: tuple[tuple[str, ...], ...]
    class_of: tuple[int, ...]
    everyday: Tensor
    stuff: Tensor

    @cached_property
    def words(self) -> tuple[str, ...]:
        return tuple(group[0] for group in self.groups)


@dataclass(frozen=True, eq=False)
class Matches:
    """How the candidates match an image.

    ``cosines`` (words, h, w) float32 are those of the patches. ``probability`` (words,) float32 is
    the image classifier's, 0 for words that it does not know.
    """

    cosines: Tensor
    probability: Tensor

    @property
    def deviation(self) -> Tensor:
        """The standard deviation of the cosines over all words, averaged over patches."""
        return self.cosines.std(0).mean()


def choose(
    candidates: Candidates, matches: Matches, most: int = 5, thresholds: Thresholds = DEFAULT
) -> tuple[str, ...]:
    """At most ``most`` words: things before stuff, each by its share of the image.

    The score of a class is the mean over patches of ``before * after`` (``Mixture``): a word must
    have a share of the image, and fit there without the help of other patches. Its peak, which
    finds small things, is the mean over the best hundredth of the patches. Words below the
    thresholds are left out, except for the best one.
    """
    words, stuff = candidates.words, candidates.stuff
    patches = mixture(candidates, matches)
    scores, share = patches.before * patches.after, patches.after.mean(1)
    peak = scores.topk(max(1, round(PEAK * scores.shape[1])), dim=1).values.mean(1)
    score = scores.mean(1)
    good = score >= torch.where(stuff, thresholds.stuff, thresholds.thing)
    good |= ~stuff & (peak >= thresholds.peak)
    good[score.argmax()] = True
    chosen: list[int] = good.nonzero().flatten().tolist()
    order = sorted(chosen, key=lambda i: (bool(stuff[i]), -float(share[i])))
    return tuple(words[index] for index in order[:most])


@dataclass(frozen=True, eq=False)
class Mixture:
    """The probability of each class at each patch, (classes, h*w) float32, before and after the
    other patches are seen."""

    before: Tensor
    after: Tensor


def mixture(candidates: Candidates, matches: Matches) -> Mixture:
    """An image's patches as a mixture of classes (Dempster, Laird, Rubin 1977).

    At a patch with the fit ``f``, class ``c`` has the probability

        p_c = softmax over c of (f_c + log s_c)

    With the prior shares ``s``, this is ``before``. After the shares are replaced by the mean of
    ``p`` over all patches, twice, it is ``after``, and its mean over patches is the class's share
    of the image. The fit is SHARPNESS times the cosine averaged over 3 × 3 patches, in units of
    ``Matches.deviation``.
    """
    prior = matches.probability.clamp_min(LEAST_PROBABILITY)
    prior = per_class(prior * torch.where(candidates.everyday, EVERYDAY, 1), candidates.class_of)
    fit = _fit(matches.cosines, matches.deviation, candidates.class_of)
    return _estimate(fit, prior / prior.sum())


def _fit(cosines: Tensor, deviation: Tensor, class_of: Sequence[int]) -> Tensor:
    means = F.avg_pool2d(cosines, 3, 1, 1, count_include_pad=False).flatten(1)
    return SHARPNESS * per_class(means / deviation, class_of)


def _estimate(fit: Tensor, prior: Tensor) -> Mixture:
    before = after = (fit + prior.log()[:, None]).softmax(0)
    for _ in range(ROUNDS):
        share = after.mean(1, keepdim=True).clamp_min(1e-9)
        after = (fit + share.log()).softmax(0)
    return Mixture(before, after)


def seen(cosines: Tensor, class_of: Sequence[int], deviation: Tensor) -> Tensor:
    """Which of many typed classes an image shows, (classes,) bool: at least one.

    ``cosines`` (phrases, h, w) float32 are those of their phrases with the image's patches, and
    ``deviation`` is that of its ``Matches``. As in ``choose``, but with equal priors.
    """
    fit = _fit(cosines, deviation, class_of)
    patches = _estimate(fit, torch.full((len(fit),), 1 / len(fit)))
    score = (patches.before * patches.after).mean(1)
    return (score >= SEEN) | (score == score.max())


def match(backbone: Backbone, features: Tensor, probabilities: Tensor | None) -> Matches:
    """How the backbone's ``candidates_of`` match features (h, w, E) of a whole image.

    ``probabilities`` (classes,) float32 are the image classifier's, if there is one; the
    probability of a word is the sum over its classes.
    """
    words, text = candidates_of(backbone).words, candidate_text(backbone)
    total = dict.fromkeys(words, 0.0)
    if probabilities is not None and backbone.known:
        class_words = backbone.known.class_words
        for names, probability in zip(class_words, probabilities.tolist(), strict=True):
            for name in names:
                total[name] += probability
        total |= {w: max(total[w], TAUGHT_PROBABILITY) for w in backbone.known.taught}
    return Matches(
        torch.einsum("pe,hwe->phw", text, features), torch.tensor([total[word] for word in words])
    )


def candidate_text(backbone: Backbone) -> Tensor:
    """Text embeddings of the candidates with one template: (words, E) float32, L2-normalised."""
    words = candidates_of(backbone).words
    return backbone.text_cache.get_or_make(
        ("candidates", words), lambda: embed_new(backbone, words, TEMPLATES["plain"])
    )


def candidates_of(backbone: Backbone) -> Candidates:
    """The words that can be suggested with this backbone: those of its training photos, or everyday
    words for an open vocabulary."""
    known = backbone.known
    return _candidates(known.seen, known.taught) if known else _candidates(_everyday())


@cache
def _candidates(
    groups: tuple[tuple[str, ...], ...], taught: frozenset[str] = frozenset()
) -> Candidates:
    # A person's clothes are part of the person, if the backbone knows that word.
    worn = lists.read("worn") if any(group[0] == PERSON for group in groups) else ()
    stuff = lists.read("stuff")
    usual = {*taught, *(word for group in _everyday() for word in group)}
    # Last, so that the first words are the classes: background_of_image and stuff rely on it.
    groups = tuple(sorted(groups, key=lambda group: group[0] in worn))
    words = tuple(group[0] for group in groups)
    class_of = tuple(words.index(PERSON) if word in worn else i for i, word in enumerate(words))
    return Candidates(
        groups,
        class_of,
        torch.tensor([not usual.isdisjoint(group) for group in groups]),
        torch.tensor([word in stuff for word in words[: max(class_of) + 1]]),
    )


@cache
def _everyday() -> tuple[tuple[str, ...], ...]:
    return tuple((word, *others) for word, others in lists.read("everyday").items())
