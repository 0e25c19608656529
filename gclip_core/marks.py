"""Marks: a point or a box on an image, with a word for what is there, or with none.

A word cannot say which of two things is meant; a mark can: it corrects what is like the marked
patch, and leaves the rest to the words. The formulas are in METHOD.md's section on marks.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import graph
from gclip_core.cache import BoundedCache
from gclip_core.encoder import Encoded
from gclip_core.errors import GclipError, VocabularyError, check_between
from gclip_core.types import Grid, Size
from gclip_core.words import suggest
from gclip_core.words.suggest import Matches
from gclip_core.words.vocabulary import Vocabulary, parse

FLOOR = -8.0
"""Minimum of the words' log-probabilities, so that a mark can win where its word fits badly."""
WEIGHT = 20.0
"""Factor of the likeness."""
LEAST = 0.3
"""Patches that are less alike get no evidence."""
ALONE = 0.4
"""Without words, a patch is taken if it is at least this alike."""

OUTSIDE = 5
"""A patch of a box is not its thing's if it is more alike to this many patches around it."""
COMPARED = 1024
"""Of larger boxes and surroundings, about as many patches are compared."""
NEGLIGIBLE = 1e-5
"""Classes with a smaller share of the image, all but twenty to forty, are left out."""


@dataclass(frozen=True, repr=False)
class Mark:
    """A point (x, y) on an image, or a box, in pixels from the left and the top.

    ``word`` says what is there: a typed word, or a new name, which makes a class of what is like
    the marked patch. None says that none of the words is there. Raises GclipError for negative
    numbers, half a box and a word that is not text.
    """

    x: float
    y: float
    word: str | None = None
    right: float | None = None
    bottom: float | None = None

    def __post_init__(self) -> None:
        for name in ("x", "y", "right", "bottom"):
            value = getattr(self, name)
            if value is not None:
                check_between(f"A mark's {name}", value, 0, math.inf, GclipError)
        if not isinstance(self.word, str | None) or (self.right is None) != (self.bottom is None):
            raise GclipError(f"A mark is a point or a box with a word or None, not {self}.")

    def __repr__(self) -> str:
        if self.right is None:
            return f"Mark({self.x}, {self.y}, {self.word!r})"
        return f"Mark.box({self.x}, {self.y}, {self.right}, {self.bottom}, {self.word!r})"

    @classmethod
    def box(
        cls, left: float, top: float, right: float, bottom: float, word: str | None = None
    ) -> "Mark":
        """A box around a thing, which reaches its sides and does not go beyond."""
        return cls(left, top, word, right, bottom)


@dataclass(frozen=True, eq=False)
class Likeness:
    """How alike an image's patches are, by what is compared: ``roots`` (N, classes) float32 of the
    propagated probabilities, and two ``features``, (N, channels) float16, L2-normalised."""

    roots: Tensor
    features: tuple[Tensor, Tensor]
    grid: Grid
    to_marks: BoundedCache[Tensor] = field(default_factory=lambda: BoundedCache(100))
    """The likeness to marks, which methods and further marks share."""

    def to(self, patches: Sequence[int] | Tensor) -> Tensor:
        """The likeness of every patch to the given ones: (patches, N), from 0 to 1."""
        of_all = (x.float() for x in self.features)
        first, second = ((x[patches] @ x.T).clamp_min(0) for x in of_all)
        return (self.roots[patches] @ self.roots.T) * (first * second).sqrt()


def likeness(encoded: Encoded, matches: Matches, own: Tensor) -> Likeness:
    """The likeness of an encoded image's patches, whose words have the ``matches``, and whose
    features (h, w, E) are ``own``."""
    own = own - own.mean((0, 1))
    features = own if encoded.stem_patches is None else encoded.stem_patches
    after = suggest.mixture(suggest.candidates_of(encoded.backbone), matches).after
    probabilities = after[after.mean(1) > NEGLIGIBLE].T
    propagated = graph.propagated(graph.edges(features), probabilities).clamp_min(0)
    roots = (propagated / propagated.sum(1, keepdim=True)).sqrt()
    rows = (F.normalize(x.float().flatten(0, 1), dim=-1) for x in (features, own))
    first, second = (x.half() for x in rows)  # half of the memory
    return Likeness(roots, (first, second), encoded.grid)


def nearest(alike: Likeness, marks: Iterable[Mark], size: Size) -> Tensor:
    """The likeness of every patch to the nearest of some marks, (h, w) float32; 0 without marks.

    Raises GclipError for a mark outside an image of ``size``.
    """
    maps = [
        alike.to_marks.get_or_make((mark, size), lambda mark=mark: _near(alike, mark, size))
        for mark in marks
    ]
    return torch.stack([torch.zeros(alike.grid), *maps]).amax(0)


def _near(alike: Likeness, mark: Mark, size: Size) -> Tensor:
    """The likeness of every patch to a mark, (h, w).

    Of a box, those patches count that are more alike to others inside than outside, compared with
    the mean. A patch outside, or one that is more alike to OUTSIDE patches there, is like none.
    """
    inside = _inside(mark, alike.grid, size)
    of_mark = alike.to(_some(inside))
    if mark.right is not None and not inside.all():
        contrast = of_mark[:, inside].mean(1) - of_mark[:, ~inside].mean(1)
        of_mark = of_mark[contrast >= contrast.mean()]
        around = alike.to(_some(~inside))
        around = around.topk(min(OUTSIDE, len(around)), dim=0).values[-1]
        of_mark *= inside & (of_mark.amax(0) > around)
    return of_mark.amax(0).unflatten(0, alike.grid)


def _some(chosen: Tensor) -> Tensor:
    """The chosen patches, of (N,) bool, or a part that is spread evenly."""
    patches = chosen.nonzero()[:, 0]
    return patches[:: -(-len(patches) // COMPARED)]


def _inside(mark: Mark, grid: Grid, size: Size) -> Tensor:
    """The patches (N,) bool that are under a point, or whose middle is in a box."""
    height, width = size
    right = mark.x if mark.right is None else mark.right
    bottom = mark.y if mark.bottom is None else mark.bottom
    if not (0 <= mark.x <= right <= width and 0 <= mark.y <= bottom <= height):
        raise GclipError(
            f"A mark must be inside the image of {width} × {height} pixels (width × height), with "
            f"left <= right and top <= bottom; this one is not: {mark}."
        )
    places = []
    for low, high, side, n in ((mark.y, bottom, height, grid[0]), (mark.x, right, width, grid[1])):
        middles = (torch.arange(n) + 0.5) * side / n
        within = (middles >= low) & (middles <= high)
        if not within.any():  # a point, or a box that is smaller than a patch
            within[min(n - 1, int((low + high) / 2 * n / side))] = True
        places.append(within)
    return (places[0][:, None] & places[1]).flatten()


def of_marks(alike: Likeness, marks: Sequence[Mark], size: Size) -> Tensor:
    """What marks show, (h, w) bool: patches that are like a mark with a word, and no less like it
    than like one without."""
    inside = nearest(alike, [mark for mark in marks if mark.word is not None], size)
    outside = nearest(alike, [mark for mark in marks if mark.word is None], size)
    return inside >= outside.clamp_min(ALONE)


def read(marks: Iterable[Mark], typed: Vocabulary | None) -> tuple[Vocabulary, list[int]]:
    """The typed classes, then those of new names, and the class of each mark, -1 for no word.

    Raises VocabularyError if nothing has a name.
    """
    classes = list(typed.classes) if typed else []
    index = {phrase.casefold(): c for c, phrases in enumerate(classes) for phrase in phrases}
    labels = list[int]()
    for mark in marks:
        if mark.word is None:
            labels.append(-1)
            continue
        name = parse([mark.word]).names[0]
        if name.casefold() not in index:
            index[name.casefold()] = len(classes)
            classes.append((name,))
        labels.append(index[name.casefold()])
    if not classes:
        raise VocabularyError("Type a word, or give a mark the name of what it shows.")
    return Vocabulary(tuple(classes), typed.notes if typed else ()), labels


def evidence(
    alike: Likeness, marks: Sequence[Mark], labels: Sequence[int], size: Size, grid: Sequence[int]
) -> dict[int, Tensor]:
    """By label, the likeness to its ``nearest`` mark, (h, w) float32 on a ``grid``."""
    maps = dict[int, Tensor]()
    for label in {*labels}:
        mine = [mark for mark, of in zip(marks, labels, strict=True) if of == label]
        maps[label] = F.interpolate(nearest(alike, mine, size)[None, None], [*grid])[0, 0]
    return maps


def decide(
    logits: Tensor, classes: Sequence[int], found: Mapping[int, Tensor], count: int
) -> tuple[Tensor, tuple[int, ...]]:
    """The scores of all prompts (prompts, h, w) float32 after the evidence of marks counts, and the
    class of each.

    ``logits`` (prompts, h, w) and ``classes`` are those of the words' prompts. The background comes
    last; its class is -1. ``found`` has, by class, the likeness to its ``nearest`` mark; each of
    ``count`` classes without a prompt gets one. Without words, the likeness of the background is at
    least ALONE.
    """
    if not classes:
        nothing = found.get(-1, torch.zeros(logits.shape[1:]))
        found = {**found, -1: nothing.clamp_min(ALONE)}
    words = logits.log_softmax(0).clamp_min(FLOOR)
    typed = [c for c in classes if c >= 0]
    new = sorted({*range(count)} - {*typed})
    order = [*typed, *new, *([-1] if -1 in {*classes, *found} else [])]
    scores = words.new_full((len(order), *words.shape[1:]), FLOOR)
    scores[: len(typed)] = words[: len(typed)]
    if -1 in classes:
        scores[-1] = words[-1]
    for prompt, label in enumerate(order):
        if label in found:
            scores[prompt] += WEIGHT * (found[label] - LEAST).clamp_min(0)
    return scores, tuple(order)
