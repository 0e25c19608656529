"""Tables of several results: methods down and data sets across, and methods by year."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.benchmark import published
from evaluation.benchmark.report import BASE, difference, lines, percent
from evaluation.benchmark.tally import Tally
from evaluation.errors import EvaluationError
from evaluation.tables import grid, markdown
from gclip_core.methods import METHODS

PUBLISHED = "published"
PUBLISHED_NOTE = (
    "published: on OpenAI's ViT-B/16, where this run's settings are those of the authors' code; "
    "with '?', theirs are not public. Sources: evaluation/benchmark/published.toml"
)


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
    columns = {title: _by_label(by_set[title]) if title in by_set else {} for title in sets}
    labels = list(dict.fromkeys(label for column in columns.values() for label in column))
    if len(sets) > 1:
        columns["mean"] = {label: _mean(label, list(columns.values())) for label in labels}
    cells = [[backbone, *labels]]
    for title, column in columns.items():
        cells.append([title, *(_cell(column, label) for label in labels)])
        figures = _published(by_set[title]) if title in by_set else {}
        if figures:
            cells.append([PUBLISHED, *(figures.get(label, "") for label in labels)])
    return [list(row) for row in zip(*cells, strict=True)]


def _mean(label: str, columns: Sequence[Mapping[str, float]]) -> float:
    """The mean of a row over all sets; nan if one is missing, so that means can be compared."""
    return float(np.mean([column.get(label, math.nan) for column in columns]))


def _cell(column: Mapping[str, float], label: str) -> str:
    """A mean IoU in percent, with its difference to ClearCLIP's on the same set."""
    value, reference = column.get(label, math.nan), column.get(BASE, math.nan)
    if label == BASE or math.isnan(value - reference):
        return percent(value)
    return f"{percent(value)} ({difference(value, reference)})"


def _by_label(tally: Tally) -> dict[str, float]:
    return {line.label: line.miou for line in lines(tally) if line.part == "methods"}


def _published(tally: Tally) -> dict[str, str]:
    """The published figures that a result can be compared with, by its rows' labels."""
    rows = [row for row in tally.settings["rows"] if row["part"] == "methods"]
    figures = {row["label"]: published.comparable(tally.settings, row["method"]) for row in rows}
    return {label: figure for label, figure in figures.items() if figure}


def field_table(measured: Mapping[str, Any]) -> str:
    """Markdown of ``python -m training.measure``'s scores: methods in the order of their years."""
    scores = measured["methods"]
    rows = [
        (title, str(year or "–"), str(scores[name]["there"]), str(scores[name]["+10"]))
        for name, title, year in _by_year()
        if name in scores
    ]
    return markdown(["method", "year", "its words alone", "with ten others"], rows)


def _by_year() -> Iterator[tuple[str, str, int | None]]:
    """Name, title and year of every method; before GCLIP its two parts, each alone."""
    for name, method in METHODS.items():
        if name == "gclip":
            yield "AMF", "GCLIP, AMF alone", method.year
            yield "CS", "GCLIP, CS alone", method.year
        yield name, method.title, method.year
