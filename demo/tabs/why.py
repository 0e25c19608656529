"""Why here: the best words at one pixel under every variant, beside the canvas pressed."""

from demo import variants
from demo.look import Look
from demo.widgets.values import Json
from gclip_core import masks, palette
from gclip_core.types import Method

BEST = 5
"""So many words are named."""


def value(look: Look, pixel: tuple[int, int]) -> Json:
    """The best words at a pixel (row, column) under every variant that Compare shows."""
    size = look.picture.size
    row, column = (min(at, side - 1) for at, side in zip(pixel, size, strict=True))
    patch = [at * n // side for at, n, side in zip((row, column), look.grid, size, strict=True)]
    methods = [
        variants.variant(look.settings, name) for name in variants.shown(look.settings.extras)
    ]
    return {
        "kind": "why",
        "title": f"Pixel in row {row + 1}, column {column + 1}",
        "pixel": [row, column],
        "variants": [
            {"title": one.title, "entries": entries(look, one, row, column)} for one in methods
        ],
        "note": f"It is in the patch in row {patch[0] + 1}, column {patch[1] + 1}. In bold its "
        "label, the best single word. “background” sums up all hidden words, so it can be larger.",
    }


def entries(look: Look, method: Method, row: int, column: int) -> list[Json]:
    """The best words at a pixel, and what is left to others and to the rest; scores add up to 1."""
    result = look.segment(method)
    names, label = result.vocabulary.names, int(result.labels[row, column])
    scores = masks.scores_at(result.logits, result.owner, look.picture.size, row, column)
    best, colours = scores.topk(min(BEST, len(scores))), palette.of_names(names)
    found = [
        {"name": names[i], "score": score, "colour": colours[i], "label": i == label}
        for score, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]

    def left(name: str, score: float, is_label: bool = False) -> Json:
        return {"name": name, "score": max(score, 0.0), "colour": None, "label": is_label}

    typed = float(scores.sum())
    if len(found) < len(scores):
        found.append(left("other words", typed - float(best.values.sum())))
    if min(result.owner) < 0:
        found.append(left("background", 1 - typed, label < 0))
    return found
