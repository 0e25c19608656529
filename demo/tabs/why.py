"""Why here: the best words at one pixel under the methods that Compare shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from demo import variants, wording
from demo.engine import Engine
from demo.request import Question
from demo.widgets.values import Json
from gclip_core import masks, palette
from gclip_core.types import Grid

MOST_WORDS = 5
"""So many words are named."""


@dataclass(frozen=True, eq=False)
class Scores:
    """At a pixel under one method: scores per class, hidden ones left out, and its label."""

    title: str
    scores: Sequence[float]
    label: int
    has_hidden: bool


@dataclass(frozen=True, eq=False)
class WhyContent:
    """The scores of ``names`` at a pixel (row, column), which is in this patch (row, column).

    Scores are those of plain masks. ``refined`` is the pixel's word in the mask whose edges follow
    the photo; empty where it is that of the plain mask.
    """

    pixel: Grid
    patch: Grid
    names: Sequence[str]
    methods: Sequence[Scores]
    refined: str


def compute(engine: Engine, question: Question, pixel: tuple[int, int]) -> WhyContent:
    """The scores at a pixel under every variant that Compare shows; one outside moves inside."""
    size, scene = question.scene.picture.size, question.scene
    row, column = (min(at, side - 1) for at, side in zip(pixel, size, strict=True))
    methods = variants.methods(variants.names(question.settings.extras), question.switched)
    with engine.turn(scene):
        grid = engine.encoded(scene).grid
        results = [engine.segment(question, method).result for method in methods.values()]
        refined = _refined(engine, question, (row, column))
    scores = [
        Scores(
            result.method.title,
            masks.scores_at(result.logits, result.owner, size, row, column).tolist(),
            label=int(result.labels[row, column]),
            has_hidden=min(result.owner) < 0,
        )
        for result in results
    ]
    patch = row * grid[0] // size[0], column * grid[1] // size[1]
    return WhyContent((row, column), patch, question.words.classes.names, scores, refined)


def _refined(engine: Engine, question: Question, pixel: Grid) -> str:
    """The word of a pixel in the mask whose edges follow the photo; empty for the plain one's."""
    plain, refined = (
        int(segment(question, question.chosen).labels[pixel])
        for segment in (engine.segment, engine.refined)
    )
    return "" if refined == plain else (*question.words.classes.names, "background")[refined]


def view(content: WhyContent) -> Json:
    """The best words by method, with a sentence."""
    (row, column), patch, colours = content.pixel, content.patch, palette.of_names(content.names)
    return {
        "kind": "why",
        "title": f"Pixel in row {row + 1}, column {column + 1}",
        "pixel": [row, column],
        "variants": [
            {"title": method.title, "entries": _entries(method, content.names, colours)}
            for method in content.methods
        ],
        "note": wording.pixel_note(patch, content.refined),
    }


def _entries(method: Scores, names: Sequence[str], colours: Sequence[str]) -> list[Json]:
    """The best words at a pixel, then all other words and the background; scores add up to 1."""
    scores = method.scores
    best = sorted(range(len(scores)), key=lambda index: -scores[index])[:MOST_WORDS]
    entries = [
        {
            "name": names[index],
            "score": scores[index],
            "colour": colours[index],
            "label": index == method.label,
        }
        for index in best
    ]

    typed = sum(scores)
    others = []
    if len(best) < len(scores):
        others.append(("other words", typed - sum(scores[index] for index in best), False))
    if method.has_hidden:
        others.append(("background", 1 - typed, method.label < 0))
    entries += [
        {"name": name, "score": max(score, 0.0), "colour": None, "label": is_label}
        for name, score, is_label in others
    ]
    return entries
