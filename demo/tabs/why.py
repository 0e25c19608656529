"""Why here: the best words at one pixel under every variant, beside the canvas pressed."""

from demo import wording
from demo.look import Look
from demo.tabs import compare
from demo.variants import VARIANTS
from demo.widgets.cards import Reason, why_value
from demo.widgets.values import Json
from gclip_core import masks
from gclip_core.types import Grid


def value(look: Look, pixel: tuple[int, int]) -> Json:
    """The best words at a pixel under every variant that Compare shows."""
    size = look.picture.image.height, look.picture.image.width
    at = inside(pixel, size)
    found = see(look, at, compare.shown(look.settings.extras))
    patch = [at[k] * look.grid[k] // size[k] for k in (0, 1)]
    return {
        **why_value(found, look.segment(look.chosen).vocabulary.names, at),
        "note": wording.why_note(*patch),
    }


def inside(pixel: tuple[int, int] | None, size: Grid) -> tuple[int, int]:
    """The pixel, moved inside an image of ``size``; its middle where none was chosen."""
    if pixel is None:
        return size[0] // 2, size[1] // 2
    return min(max(pixel[0], 0), size[0] - 1), min(max(pixel[1], 0), size[1] - 1)


def see(
    look: Look, pixel: tuple[int, int] | None, names: tuple[str, ...] = (), top: int = 5
) -> tuple[Reason, ...]:
    """The best classes at a pixel (of the image's own size) under these variants, or all."""
    size = look.picture.image.height, look.picture.image.width
    row, column = inside(pixel, size)
    found = []
    for name in names or tuple(VARIANTS):
        method = VARIANTS[name].method(look.settings)
        result = look.segment(method)
        scores = masks.scores_at(result.logits, result.owner, size, row, column)
        best = scores.topk(min(top, len(scores)))
        words = (result.vocabulary.names[int(i)] for i in best.indices)
        pairs = tuple((word, float(s)) for word, s in zip(words, best.values, strict=True))
        label, names = int(result.labels[row, column]), result.vocabulary.names
        typed, shown = float(scores.sum()), float(best.values.sum())
        others = max(typed - shown, 0.0) if len(pairs) < len(scores) else None
        rest = max(1 - typed, 0.0) if min(result.owner) < 0 else None
        found.append(Reason(method.title, pairs, names[label] if label >= 0 else "", others, rest))
    return tuple(found)
