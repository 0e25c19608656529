"""Tables of results: of one run, of several as a paper prints them, and of methods by year.

``published.toml`` has published figures, their sources and the settings of the authors' public
code. A run is compared with a figure if its weights, words, images and sizes are those of the
publication; the class lists are this project's own.
"""

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation import EvaluationError, metric
from evaluation.benchmark import Result, method_settings
from gclip_core.methods import METHODS, gclip
from gclip_core.numbering import PAPERS_BLOCKS
from gclip_core.refine import REFINEMENTS

BASE = "ClearCLIP"
"""The row that others are compared with."""
PUBLISHED = tomllib.loads(Path(__file__).with_name("published.toml").read_text("utf-8"))
PUBLISHED_NOTE = (
    "published: on OpenAI's ViT-B/16, where this run's settings are those of the authors' code; "
    "with '?', theirs are not public. Sources: evaluation/published.toml"
)


def grid(cells: Sequence[Sequence[str]]) -> str:
    """A table for a terminal, head first: the first column is aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        aligned = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *aligned]).rstrip())
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([lines[0], rule, *lines[1:]])


def counted(n: int, noun: str) -> str:
    """A number with its noun: "1 image", "12 images"."""
    return f"1 {noun}" if n == 1 else f"{n:,} {noun}s"


def percent(value: float) -> str:
    """A fraction in percent with two decimals."""
    return "–" if math.isnan(value) else f"{100 * value:.2f}"


def difference(value: float, reference: float) -> str:
    """The difference of two fractions in percentage points, signed."""
    if math.isnan(value - reference):
        return "–"
    text = f"{100 * (value - reference):+.2f}".replace("-", "−")
    return "0.00" if text in ("+0.00", "−0.00") else text


# --- one run -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """The scores of one method: fractions in [0, 1], nan if no pixel decides them.

    ``image_miou`` is the mean over images of each image's own mean IoU.
    """

    method: str
    miou: float
    pixel_accuracy: float
    image_miou: float
    iou: tuple[float, ...]


def lines(result: Result) -> list[Line]:
    """The scores of every method."""
    scored = []
    for index, method in enumerate(result.settings["methods"]):
        scores, of_images = metric.scores(result.counts[index]), result.image_miou[:, index]
        known = of_images[~np.isnan(of_images)]
        mean = math.fsum(known) / len(known) if len(known) else math.nan
        iou = tuple(scores.iou.tolist())
        scored.append(Line(method["title"], scores.miou, scores.pixel_accuracy, mean, iou))
    return scored


def run_table(result: Result) -> str:
    """A run as text: what was evaluated, and a row for each method, compared with ClearCLIP."""
    settings, scored = result.settings, lines(result)
    words = "all classes" if settings["words"] == "all" else f"words: {settings['words']}"
    images = counted(len(result.image_miou), "image")
    parts = [settings["title"], settings["backbone_title"], images, words]
    if settings["refine"] != "none":
        parts.append(f"refined: {REFINEMENTS[settings['refine']].title}")
    reference = next((line.miou for line in scored if line.method == BASE), math.nan)
    cells = [["", "mIoU", f"to {BASE}", "pixel accuracy", "mIoU by image"]]
    for line in scored:
        to_reference = "" if line.method == BASE else difference(line.miou, reference)
        others = [percent(line.pixel_accuracy), percent(line.image_miou)]
        cells.append([line.method, percent(line.miou), to_reference, *others])
    if all(line.method == BASE for line in scored) or math.isnan(reference):
        cells = [[method, miou, *others] for method, miou, _, *others in cells]
    return " · ".join(parts) + "\n\n" + grid(cells)


def result_json(result: Result) -> str:
    """Scores and settings as JSON, with null for nan."""
    names = [c["name"] for c in result.settings["classes"]]
    rows = []
    for line in lines(result):
        row = asdict(line) | {"iou": dict(zip(names, map(_known, line.iou), strict=True))}
        rows.append({key: _known(value) for key, value in row.items()})
    plain = {"results": rows, "settings": result.settings}
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _known(value: Any) -> Any:
    """None for nan, which JSON does not have."""
    return None if isinstance(value, float) and math.isnan(value) else value


# --- several runs --------------------------------------------------------------------------------


def paper(results: Sequence[Result]) -> str:
    """Several results as a paper prints them: methods down, sets across, differences to ClearCLIP.

    Each backbone has a table of its own. A set's published figures are beside it, where a run can
    be compared with them. The last column is the mean over the sets.

    Raises:
        EvaluationError: no result, or two of one backbone on one set.
    """
    if not results:
        raise EvaluationError("At least one result folder was expected, but none came.")
    sets = list(dict.fromkeys(r.settings["title"] for r in results))
    tables = []
    for backbone in dict.fromkeys(r.settings["backbone_title"] for r in results):
        own = [r for r in results if r.settings["backbone_title"] == backbone]
        by_set = {r.settings["title"]: r for r in own}
        if len(by_set) < len(own):
            raise EvaluationError(
                f"One result for each data set was expected, but two of {backbone} on the same "
                "set came; leave one of them out."
            )
        tables.append(grid(_paper_cells(backbone, sets, by_set)))
    text = "\n\n".join(tables)
    notes = [] if all(r.complete for r in results) else ["Some of these results are incomplete."]
    if "published" in text:
        notes.append(PUBLISHED_NOTE)
    return "\n\n".join([text, *notes])


def _paper_cells(
    backbone: str, sets: Sequence[str], by_set: Mapping[str, Result]
) -> list[list[str]]:
    """The cells of one backbone's table: the head, then a row for each method."""
    miou: dict[str, dict[str, float]] = {}  # by column, then by method
    for title in sets:
        scored = lines(by_set[title]) if title in by_set else []
        miou[title] = {line.method: line.miou for line in scored}
    methods = list(dict.fromkeys(method for column in miou.values() for method in column))
    if len(sets) > 1:  # nan where a set is missing, so that means can be compared
        columns = list(miou.values())
        miou["mean"] = {
            method: float(np.mean([column.get(method, math.nan) for column in columns]))
            for method in methods
        }
    cells = [[backbone, *methods]]
    for title, column in miou.items():
        cells.append([title, *(_cell(column, method) for method in methods)])
        figures = published_figures(by_set[title].settings) if title in by_set else {}
        if figures:
            cells.append(["published", *(figures.get(method, "") for method in methods)])
    return [list(row) for row in zip(*cells, strict=True)]


def _cell(column: Mapping[str, float], method: str) -> str:
    """A mean IoU in percent, with its difference to ClearCLIP's on the same set."""
    value, reference = column.get(method, math.nan), column.get(BASE, math.nan)
    if method == BASE or math.isnan(value - reference):
        return percent(value)
    return f"{percent(value)} ({difference(value, reference)})"


def published_figures(settings: Mapping[str, Any]) -> dict[str, str]:
    """The published figures that a run can be compared with, such as ``"33.7"``, by method.

    ``settings`` are an experiment's. ``"33.7?"`` is a figure whose image sizes are not public.
    """
    dataset, figures = settings["dataset"], {}
    common = {"backbone": "openai-vit-b-16", "words": "all", "templates": "imagenet80"}
    given = {**settings, "background_words": len(settings["classes"][0]["phrases"])}
    for entry in PUBLISHED["results"]:
        if dataset not in entry["miou"] or settings["images"] not in PUBLISHED["images"][dataset]:
            continue
        # The settings of the authors' code; a table with a set's name is for that set alone.
        code = PUBLISHED["settings"].get(entry.get("settings"), {})
        sizes = {key: value for key, value in code.items() if not isinstance(value, dict)}
        sizes |= code.get(dataset, {})
        wanted = common | sizes | {"refine": entry.get("refine", "none")}
        if any(given.get(key) != value for key, value in wanted.items()):
            continue
        for method in settings["methods"]:
            if method["name"] == entry["method"] and _papers(method):
                figures[method["title"]] = str(entry["miou"][dataset]) + ("" if sizes else "?")
    return figures


def _papers(method: Mapping[str, Any]) -> bool:
    """Whether GCLIP has AMF, CS and the paper's blocks, in either counting; true for others."""
    choices = ("backbone", *PAPERS_BLOCKS.values())
    return method["name"] != "gclip" or method in [
        method_settings(gclip(amf_blocks=blocks, cs_blocks="backbone")) for blocks in choices
    ]


# --- the field -----------------------------------------------------------------------------------


def field(measured: Mapping[str, Any]) -> str:
    """Markdown of ``python -m training.measure``'s scores: methods in the order of their years.

    Before GCLIP are its two parts, each alone.
    """
    methods = []
    for name, method in METHODS.items():
        if name == "gclip":
            methods.append(("AMF", "GCLIP, AMF alone", method.year))
            methods.append(("CS", "GCLIP, CS alone", method.year))
        methods.append((name, method.title, method.year))
    text = ["| method | year | its words alone | with ten others |", "|---|---|---|---|"]
    for name, title, year in methods:
        if name in measured["methods"]:
            score = measured["methods"][name]
            text.append(f"| {title} | {year or '–'} | {score['there']} | {score['+10']} |")
    return "\n".join(text)
