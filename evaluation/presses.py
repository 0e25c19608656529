"""``python -m evaluation presses``: what marks add, with a simulated person who presses.

- **pointing**: a thing without any word. The first press is in the middle of the region of a word
  that covers LEAST to MOST of the photo. Each further one, in the middle of the largest part that
  is wrong, says that it belongs to the thing, or that it does not. The score is the thing's IoU.
- **all words**: all words of the photo are typed. Each press is in the middle of the largest wrong
  part and says its true word. The score is the mean IoU of the words.
- **two words**: the two largest are typed, with a background; a press on anything else says that
  none of them is there.

The middle is the pixel that is farthest from the border. Words of less than VOID of a photo are
ignored. Once nothing is wrong, the score stays. Pointing has no score without a press.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from evaluation import metric
from evaluation.datasets import LabelledSet, Sample
from evaluation.metric import IGNORE
from evaluation.tables import markdown
from gclip_core.encoder import Encoded
from gclip_core.marks import Mark
from gclip_core.pixels import masks
from gclip_core.segmenter import Segmenter

LEAST, MOST, VOID = 0.03, 0.5, 0.01
"""Shares of a photo's pixels."""


Scores = dict[str, list[list[float]]]
"""By question, for each region or photo, the score in percent after 0, 1, 2, … presses."""


def scores(segmenter: Segmenter, photos: LabelledSet, count: int, **options: Any) -> Scores:
    """Those of all photos with up to ``count`` presses; ``options`` are ``Segmenter.segment``'s."""
    names, found = [entry.name for entry in photos.classes], defaultdict[str, list](list)
    for sample in photos.samples:
        for question, of_photo in _of_photo(segmenter, sample, names, count, options).items():
            found[question] += of_photo
    return found


def _of_photo(
    segmenter: Segmenter, sample: Sample, names: Sequence[str], count: int, options: dict[str, Any]
) -> Scores:
    picture, truth = sample.load()
    sizes = np.bincount(truth[truth >= 0], minlength=len(names)) / truth.size
    words = [int(c) for c in np.argsort(-sizes) if sizes[c] >= VOID]
    encoded = segmenter.encode(picture)

    def ask(words: Sequence[int], marks: Sequence[Mark] = (), **more: Any) -> list[float]:
        class_of = np.full(len(names) + 1, len(words))
        class_of[[*words, IGNORE]] = [*range(len(words)), IGNORE]
        typed, own = [names[word] for word in words], {**options, **more, "image": picture}
        n = count - len(marks)
        return pressed(segmenter, encoded, class_of[truth], typed, n, marks, own)

    things = [word for word in words if LEAST <= sizes[word] <= MOST]
    marks = {word: Mark(*middle(truth == word), names[word]) for word in things}
    return {
        "pointing": [[np.nan, *ask([word], [marks[word]])] for word in things],
        "all words": [ask(words)] if words else [],
        "two words": [ask(words[:2], background=True)] if words else [],
    }


def pressed(
    segmenter: Segmenter,
    encoded: Encoded,
    truth: NDArray[np.integer],
    words: Sequence[str],
    count: int,
    marks: Sequence[Mark],
    options: dict[str, Any],
) -> list[float]:
    """Mean IoU in percent of ``words``, typed unless they are marked, after 0 to ``count`` presses
    that correct a mask. ``truth`` (H, W) has their indices, ``len(words)`` for none, or IGNORE."""
    found, typed, marks = list[float](), () if marks else words, list(marks)
    for _ in range(count + 1):
        result = segmenter.segment(encoded, typed, marks=marks, **options)
        labels = result.labels.numpy()
        counts = metric.confusion(truth, labels, len(words), len(words) + 1)
        found.append(100 * metric.iou_scores(counts).miou)
        wrong = (truth != IGNORE) & (truth != np.where(labels < 0, len(words), labels))
        if not wrong.any():
            return found + found[-1:] * (count + 1 - len(found))
        x, y = middle(wrong)
        marks.append(Mark(x, y, [*words, None][truth[int(y), int(x)]]))
    return found


def middle(region: NDArray[np.bool_]) -> tuple[float, float]:
    """The middle (x, y) of a region's largest part: the pixel farthest from its border."""
    parts = masks.connected_parts(region)
    largest = parts == 1 + np.bincount(parts[region])[1:].argmax()
    depth: Any = ndimage.distance_transform_edt(np.pad(largest, 1))
    y, x = np.unravel_index(depth[1:-1, 1:-1].argmax(), region.shape)
    return float(x), float(y)


def table(found: Scores) -> str:
    """Means as Markdown: a row for each question, a column for each number of presses."""
    count = len(next(iter(found.values()))[0])
    rows = [["presses", "n", *map(str, range(count))]]
    for question, of in found.items():
        means = ("" if np.isnan(mean) else f"{mean:.1f}" for mean in np.mean(of, axis=0))
        rows.append([question, str(len(of)), *means])
    return markdown(rows)
