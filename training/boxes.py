"""From boxes to labels of patches: which are the thing, which are not, and which stay unknown.

A box is where a thing may be, not which patches are the thing. Inside it, attention by DINO's
affinities takes a few steps, and what leaves the box is lost:

    A = softmax(10 max(a, 0)),   f <- b * (A f) / max(b * (A f)),   first f = b,

where `b` is how much of every patch the box covers. What is left belongs together and is not what
goes on beyond the border. This is the first eigenvector of A within the box, as in spectral
grouping (Shi and Malik 2000), cut short.

- A patch with f of a half or more is the thing; one with less than a fifth is not.
- Where no box of a word, however doubtful, touches a patch, the patch is not that word.
- Everything else is unknown.

Which scores count as certain was chosen by eye on training photos; NOTES.md has the counts.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import nms

from training.affinity import affinity_attention
from training.detector import Box
from training.sources import SOURCES
from training.words import Label, Words

CALLED = {
    "bicycle": "bicycle",
    "stationary bicycle": "bicycle",
    "boot": "shoe",
    "footwear": "shoe",
    "high heels": "shoe",
    "laptop": "laptop",
    "person": "person",
    "chair": "chair",
    "cattle": "cow",
    "desk": "table",
    "table": "table",
    "cat": "cat",
    "computer monitor": "television",
    "box": "box",
    "mug": "cup",
    "coffee cup": "cup",
    "bottle": "bottle",
    "vehicle": "car",
    "car": "car",
    "dog": "dog",
    "book": "book",
    "camera": "camera",
}
"""Classes of the detector and the words that are learned of them; boxes of others count for
nothing. "mouse" is an animal here."""
WORDS = tuple(dict.fromkeys(CALLED.values()))
"""The rows of `patch_labels`."""
THING, ABSENT, UNKNOWN = 1, -1, 0
DOUBT = 0.15
"""Boxes with lower scores count for nothing."""
_OBJECT, _PLACE, _UNNAMED, _AROUND = 0.3, 0.4, 0.5, 0.6
"""Least scores: of the object that a photo is named after, of what its kind of place may have, of
other things there, and of things around an object."""
_COMMON = ("person", "car", "bicycle", "chair", "table")  # right without a label, too
_WIDE = 0.6  # boxes of more of the photo are mistakes, but for the object it is named after
_NEVER_SURE = ("vehicle", "stationary bicycle")
_LIKE_TABLES = ("bed", "countertop", "sink")
_STEPS = 4
"""Steps of attention: what half belongs to the outside keeps a sixteenth."""
_IS, _IS_NOT = 0.5, 0.2
"""A patch with this f or more is the thing; one with less than the second is not."""
_INSIDE, _TOUCHED = 0.5, 0.1
"""A box has a patch inside of which it covers at least the first part, and touches one of which it
covers more than the second."""
_SAME = 0.5
"""Boxes of two words whose IoU is larger are one thing: the one with the better score."""


def certain(box: Box, label: Label, words: Words) -> bool:
    """Whether a box counts as a thing in a photo with this label.

    A photo named after an object fools the detector by that object: there only its own word counts,
    and what stands around. So do beds and counters: in their rooms tables do not count.
    """
    if box.name in _NEVER_SURE or box.name not in CALLED:
        return False
    word = CALLED[box.name]
    number = words.number(word)
    if word == "table" and {*words.numbers(_LIKE_TABLES)} & {*label.there}:
        return False
    if label.kind == "thing" and number in label.there:
        return box.score >= _OBJECT
    top, left, bottom, right = box.corners
    if (bottom - top) * (right - left) >= _WIDE:
        return False
    if label.kind == "place" and number in label.words:
        return box.score >= _PLACE
    usual = word in _COMMON and SOURCES[label.source].trusts_unnamed
    return usual and box.score >= (_AROUND if label.kind == "thing" else _UNNAMED)


def in_view(boxes: Tensor, view: Tensor) -> Tensor:
    """Boxes (K, 4) as shares of a photo to shares of a view (4) of it: top, left, bottom, right."""
    start, size = view[:2].repeat(2), (view[2:] - view[:2]).repeat(2)
    return ((boxes - start) / size).clamp(0, 1)


def cover(boxes: Tensor, grid: tuple[int, int]) -> Tensor:
    """How much of each patch of a grid (h, w) boxes (K, 4) cover: (K, h * w)."""

    def along(start: Tensor, end: Tensor, count: int) -> Tensor:
        edge = torch.arange(count)
        reached = torch.minimum(edge + 1, end[:, None] * count)
        return (reached - torch.maximum(edge, start[:, None] * count)).clamp(0, 1)

    top, left, bottom, right = boxes.unbind(1)
    rows, columns = along(top, bottom, grid[0]), along(left, right, grid[1])
    return (rows[:, :, None] * columns[:, None]).flatten(1)


def grouped(inside: Tensor, affinity: Tensor) -> Tensor:
    """How much each patch belongs to the thing in each box: (K, N), 1 where most.

    `inside` (K, N) is how much of each patch a box covers, `affinity` (N, N) cosines of patches.
    Negative ones count as 0 here and together have 0.1 % of the weight, where `affinity_attention`
    gives them none; that decides 6 of 829,440 labels (360 views).
    """
    attention = affinity_attention(affinity.clamp_min(0))
    belongs = inside
    for _ in range(_STEPS):
        belongs = inside * (belongs @ attention.T)
        belongs = belongs / belongs.amax(1, keepdim=True).clamp_min(1e-8)
    return belongs


def patch_labels(
    boxes: Tensor,
    scores: Tensor,
    numbers: Tensor,
    sure: Tensor,
    affinity: Tensor,
    grid: tuple[int, int],
) -> Tensor:
    """`THING`, `ABSENT` or `UNKNOWN` for every word of `WORDS` and every patch: (words, N) int8.

    Boxes (K, 4) are shares of the view, `numbers` (K) their words, `sure` (K) those that are things
    and not only doubts. Where two things overlap, the patch is the smaller one's.
    """
    inside = cover(boxes, grid)  # (K, N)
    labels = torch.full((len(WORDS), len(affinity)), ABSENT, dtype=torch.int8)
    touched = torch.zeros_like(labels)
    for number, patches in zip(numbers, inside > _TOUCHED, strict=True):
        labels[number, patches] = UNKNOWN
        touched[number] += patches
    chosen = sure.nonzero()[:, 0]
    chosen = chosen[nms(boxes[chosen], scores[chosen], _SAME)]
    chosen = chosen[inside[chosen].sum(1).argsort(descending=True)]
    for row, belongs in zip(chosen, grouped(inside[chosen], affinity), strict=True):
        word, within = numbers[row], inside[row] >= _INSIDE
        only_box = touched[word] == 1  # no other box of the word has a say
        labels[word, within & (belongs < _IS_NOT) & only_box] = ABSENT
        thing = within & (belongs >= _IS)
        labels[(labels == THING) & thing] = UNKNOWN
        labels[word, thing] = THING
    return labels


def view_labels(
    boxes: Sequence[Box],
    label: Label,
    words: Words,
    view: tuple[float, float, float, float],
    affinity: Tensor,
    grid: tuple[int, int],
) -> Tensor:
    """`patch_labels` of a view of a photo, by the boxes of the whole photo: (words, N) int8."""
    boxes = [box for box in boxes if box.score >= DOUBT and box.name in CALLED]
    corners = torch.tensor([box.corners for box in boxes]).reshape(-1, 4)
    return patch_labels(
        in_view(corners, torch.tensor(view)),
        torch.tensor([box.score for box in boxes]),
        torch.tensor([WORDS.index(CALLED[box.name]) for box in boxes], dtype=torch.long),
        torch.tensor([certain(box, label, words) for box in boxes], dtype=torch.bool),
        affinity.float(),
        grid,
    )
