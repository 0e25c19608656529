"""A result as JSON, and as the tables that papers print."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation import metric, published
from evaluation.errors import EvaluationError
from evaluation.experiment import digest
from evaluation.rows import PARTS
from evaluation.tally import Tally, write_atomically
from gclip_core.methods import METHODS
from gclip_core.numbering import named
from gclip_core.refine import find_refinement

FILE = "result.json"
BASE = "ClearCLIP"
"""The row that others are compared with."""
PUBLISHED = "published"
PUBLISHED_NOTE = (
    "published: on OpenAI's ViT-B/16, where this run's settings are those of the authors' code; "
    "with '?', theirs are not public. Sources: evaluation/published.toml"
)


@dataclass(frozen=True)
class Line:
    """The scores of one row: fractions in [0, 1], nan if no pixel decides them.

    ``image_miou`` is the mean over images of each image's own mean IoU.
    """

    label: str
    part: str
    miou: float
    pixel_accuracy: float
    image_miou: float
    iou: tuple[float, ...]


def lines(tally: Tally) -> tuple[Line, ...]:
    """The scores of every row."""
    scored = []
    for index, row in enumerate(tally.settings["rows"]):
        s = metric.scores(tally.counts[index])
        per_image = [float(tally.image_miou[i][index]) for i in sorted(tally.image_miou)]
        per_image = [value for value in per_image if not math.isnan(value)]
        mean = math.fsum(per_image) / len(per_image) if per_image else math.nan
        scored.append(
            Line(row["label"], row["part"], s.miou, s.pixel_accuracy, mean, tuple(s.iou.tolist()))
        )
    return tuple(scored)


def as_json(tally: Tally) -> dict[str, Any]:
    """The result as plain data: scores, settings, versions and devices."""
    names = [c["name"] for c in tally.settings["classes"]]
    rows = [
        {key: _json(value) for key, value in asdict(line).items()}
        | {"iou": dict(zip(names, map(_json, line.iou), strict=True))}
        for line in lines(tally)
    ]
    return {
        "dataset": tally.settings["title"],
        "backbone": tally.settings["backbone_title"],
        "images": len(tally.image_miou),
        "complete": tally.complete,
        "results": rows,
        "settings": tally.settings,
        "settings_digest": digest(tally.settings),
        "environments": tally.environments,
        "seconds": round(tally.seconds, 3),
    }


def field_table(measured: Mapping[str, Any]) -> str:
    """Markdown of ``python -m training.measure``'s scores: methods in the order of their years."""
    scores, own = measured["methods"], METHODS["gclip"]
    alone = [("AMF", "GCLIP, AMF alone", own.year), ("CS", "GCLIP, CS alone", own.year)]
    entries = [(name, method.title, method.year) for name, method in METHODS.items()]
    at = list(METHODS).index(own.name)
    rows = [
        f"| {title} | {year or '–'} | {scores[name]['there']} | {scores[name]['+10']} |"
        for name, title, year in (*entries[:at], *alone, *entries[at:])
        if name in scores
    ]
    head = ["| method | year | its words alone | with ten others |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def write_json(tally: Tally, folder: Path) -> Path:
    """Write :func:`as_json` into ``folder``."""
    text = json.dumps(as_json(tally), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / FILE, (text + "\n").encode())
    return folder / FILE


def tables(tally: Tally) -> str:
    """A run's tables as text: of its methods, its ablation and its sweep."""
    scored = lines(tally)
    parts = ([line for line in scored if line.part == part] for part in PARTS)
    texts = [grid(_compared(part)) for part in parts if part]
    return "\n\n".join([_headline(tally), *texts])


def paper(tallies: Sequence[Tally]) -> str:
    """Several results as a paper prints them: methods down, sets across, differences to ClearCLIP.

    Each backbone has a table of its own. A set's published figures are beside it, where a run can
    be compared with them. The last column is the mean over the sets.
    """
    if not tallies:
        raise EvaluationError("At least one result folder was expected, but none came.")
    sets = list(dict.fromkeys(t.settings["title"] for t in tallies))
    tables = []
    for backbone in dict.fromkeys(t.settings["backbone_title"] for t in tallies):
        mine = [t for t in tallies if t.settings["backbone_title"] == backbone]
        by_set = {t.settings["title"]: t for t in mine}
        if len(by_set) < len(mine):
            raise EvaluationError(
                f"One result for each data set was expected, but two of {backbone} on the same "
                "set came; leave one of them out."
            )
        tables.append(grid(_paper_cells(backbone, sets, by_set)))
    text = "\n\n".join(tables)
    notes = [] if all(t.complete for t in tallies) else ["Some of these results are incomplete."]
    if PUBLISHED in text:
        notes.append(PUBLISHED_NOTE)
    return "\n\n".join([text, *notes])


def _paper_cells(
    backbone: str, sets: Sequence[str], by_set: Mapping[str, Tally]
) -> list[list[str]]:
    """The cells of one backbone's table: the head, then a row for each method."""
    measured = {title: _by_label(tally) for title, tally in by_set.items()}
    labels = list(dict.fromkeys(label for scores in measured.values() for label in scores))
    values = {
        label: [measured.get(title, {}).get(label, math.nan) for title in sets] for label in labels
    }
    with_mean = len(sets) > 1
    cells = {
        label: _cells(row, None if label == BASE else values.get(BASE), with_mean)
        for label, row in values.items()
    }
    columns = [[backbone, *labels]]
    for index, title in enumerate(sets):
        columns.append([title, *(cells[label][index] for label in labels)])
        figures = _published(by_set[title]) if title in by_set else {}
        if figures:
            columns.append([PUBLISHED, *(figures.get(label, "") for label in labels)])
    if with_mean:
        columns.append(["mean", *(cells[label][-1] for label in labels)])
    return [list(row) for row in zip(*columns, strict=True)]


def _by_label(tally: Tally) -> dict[str, float]:
    return {line.label: line.miou for line in lines(tally) if line.part == "methods"}


def _published(tally: Tally) -> dict[str, str]:
    """The published figures that a result can be compared with, by its rows' labels."""
    rows = [row for row in tally.settings["rows"] if row["part"] == "methods"]
    figures = {row["label"]: published.comparable(tally.settings, row["method"]) for row in rows}
    return {label: figure for label, figure in figures.items() if figure}


def _cells(values: list[float], reference: list[float] | None, with_mean: bool) -> list[str]:
    def mean(numbers: list[float]) -> float:
        return float(np.mean(numbers))  # nan if a set is missing: means are over the same sets

    if with_mean:
        reference = None if reference is None else [*reference, mean(reference)]
        values = [*values, mean(values)]
    if reference is None:
        return [_percent(v) for v in values]
    return [
        f"{_percent(v)} ({difference(v, r)})" if not math.isnan(v - r) else _percent(v)
        for v, r in zip(values, reference, strict=True)
    ]


def _headline(tally: Tally) -> str:
    s = tally.settings
    n, total = len(tally.image_miou), s["images"]
    images = f"{n:,} images" if tally.complete else f"{n:,} of {total:,} images"
    rate = f", {tally.seconds / n:.2f} s each" if n and tally.seconds else ""
    words = "all classes" if s["words"] == "all" else f"words: {s['words']}"
    entry = find_refinement(s["refine"])
    refine = "" if entry.coefficients is None else f" · refined: {entry.title}"
    planted = "".join(f" · {simulation(**plant)}" for plant in s["planted"])
    return f"{s['title']} · {s['backbone_title']} · {images}{rate} · {words}{refine}{planted}"


def _compared(scored: list[Line]) -> list[list[str]]:
    reference = next((line for line in scored if line.label == BASE), scored[0])
    head = ["", "mIoU", f"to {reference.label}", "pixel accuracy", "mIoU by image"]
    body = [
        [
            line.label,
            _percent(line.miou),
            "" if line is reference else difference(line.miou, reference.miou),
            _percent(line.pixel_accuracy),
            _percent(line.image_miou),
        ]
        for line in scored
    ]
    return [head, *body]


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.2f}"


def difference(value: float, reference: float) -> str:
    """The difference of two fractions in percentage points, signed."""
    if math.isnan(value - reference):
        return "–"
    text = f"{100 * (value - reference):+.2f}".replace("-", "−")
    return "0.00" if text in ("+0.00", "−0.00") else text


def _json(value: Any) -> Any:
    """None for nan, which JSON does not have."""
    return None if isinstance(value, float) and math.isnan(value) else value


def simulation(channel: int, gain: float, blocks: Iterable[int]) -> str:
    """The note on a planted channel; blocks count from 1."""
    return f"simulation: channel {channel} × {gain:g} planted in {named(tuple(blocks))}"


def grid(cells: list[list[str]]) -> str:
    """A text table: the first column is aligned left, the others right."""
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]

    def line(row: list[str]) -> str:
        rest = (text.rjust(w) for text, w in zip(row[1:], widths[1:], strict=True))
        return "  ".join([row[0].ljust(widths[0]), *rest]).rstrip()

    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([line(cells[0]), rule, *(line(row) for row in cells[1:])])
