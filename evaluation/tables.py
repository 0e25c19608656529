"""Results as JSON, and tables of one or several runs as in a paper.

``published.toml`` has published results, their sources and the settings of the authors' public
code. A run is compared with a published result if it has the same weights, words, images and sizes;
the class lists are this project's own.
"""

import csv
import io
import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from evaluation import EvaluationError, metric
from evaluation.benchmark import Result, method_settings
from gclip_core.methods import METHODS, gclip

BASE = METHODS["clearclip"].title
"""The row with which the others are compared."""
ALIKE = ("words", "refine", "templates", "dtype")
"""Settings that, like weights, code and methods, must be equal in runs whose mean is taken."""
PAPERS_BLOCKS = "backbone", (5, 6), (6, 7)
"""The paper's "blocks 6 and 7", 0-based: the backbone's, if it counts from 1, and from 0."""
PAPERS_GCLIP = [method_settings(gclip(amf_blocks=blocks)) for blocks in PAPERS_BLOCKS]
SETTINGS = ("split", "images", "short_side", "window", "stride", "threshold", "logit_scale", *ALIKE)
"""The settings that, with data set, weights and methods, determine a run's numbers."""
PUBLISHED = tomllib.loads(Path(__file__).with_name("published.toml").read_text("utf-8"))
PUBLISHED_NOTE = (
    "published: on OpenAI's ViT-B/16, where this run's settings are those of the authors' code; "
    "with '?', theirs are not public, or the method here differs from theirs. Sources: "
    "evaluation/published.toml"
)


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """A table for a terminal, header first; the first column is left-aligned, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        aligned = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *aligned]).rstrip())
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([lines[0], rule, *lines[1:]])


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The table in Markdown."""
    rule = ["---", *["--:"] * (len(rows[0]) - 1)]
    lines = [rows[0], rule, *filter(any, rows[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def comma_separated(rows: Sequence[Sequence[str]]) -> str:
    """The table as CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(filter(any, rows))
    return out.getvalue().rstrip()


def latex(rows: Sequence[Sequence[str]]) -> str:
    """The table as LaTeX's ``tabular``."""
    cells = ([re.sub(r"([&%_#])", r"\\\1", cell).replace("−", "$-$") for cell in r] for r in rows)
    head, *lines = (" & ".join(row) + r" \\" for row in cells if any(row))
    start = rf"\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}"
    return "\n".join([start, head, r"\hline", *lines, r"\end{tabular}"])


FORMATS = {
    "text": (text_table, ""),
    "md": (markdown, ""),
    "csv": (comma_separated, "# "),
    "latex": (latex, "% "),
}
"""By name, what formats a table, and what is before a note."""


def two_decimals(value: float) -> str:
    """A fraction in percent with two decimals."""
    return "–" if math.isnan(value) else f"{100 * value:.2f}"


# --- one run -------------------------------------------------------------------------------------


def method_scores(result: Result) -> list[dict[str, Any]]:
    """Each method's title, mean IoU, accuracies, and IoU by class: fractions in [0, 1].

    ``image_miou`` is the mean over images of each image's own mean IoU. A score is nan if no pixel
    counts.
    """
    names = [c["name"] for c in result.settings["classes"]]
    rows = []
    for index, method in enumerate(result.settings["methods"]):
        whole, by_image = metric.iou_scores(result.counts[index]), result.image_miou[:, index]
        known = by_image[~np.isnan(by_image)]
        rows.append(
            {
                "method": method["title"],
                "miou": whole.miou,
                "mean_accuracy": whole.mean_accuracy,
                "pixel_accuracy": whole.pixel_accuracy,
                "image_miou": math.fsum(known) / len(known) if len(known) else math.nan,
                "iou": dict(zip(names, whole.iou.tolist(), strict=True)),
            }
        )
    return rows


def result_json(result: Result) -> str:
    """Scores and settings as JSON, with null for nan."""
    text = json.dumps({"results": method_scores(result), "settings": result.settings})
    plain = json.loads(text, parse_constant=lambda _: None)  # nan, which JSON does not have
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def image_rows(result: Result, names: Sequence[str]) -> list[tuple[str, ...]]:
    """The mean IoU of every image, a row for each, under a header; empty if no pixel counts."""
    titles = [method["title"] for method in result.settings["methods"]]
    scores = (["" if np.isnan(v) else f"{v:.6f}" for v in row] for row in result.image_miou)
    return [("image", *titles), *((n, *row) for n, row in zip(names, scores, strict=True))]


def class_table(result: Result, form: str = "text") -> str:
    """The IoU of every class, in rows, with each method, in columns."""
    scores = method_scores(result)
    rows = [(name, *(two_decimals(s["iou"][name]) for s in scores)) for name in scores[0]["iou"]]
    head = f"{result.settings['backbone_title']}, {result.settings['title']}"
    return FORMATS[form][0]([(head, *(s["method"] for s in scores)), *rows])


# --- several runs --------------------------------------------------------------------------------


def paper_table(results: Sequence[Result], form: str = "text") -> str:
    """Several results as in a paper: methods in rows, sets in columns, differences to ClearCLIP.

    Each backbone has its own table, with the settings of every run below. A set's published results
    are beside it if a complete run can be compared with them. The last column, the mean over the
    sets, is left out if a run lacks images, or if ``ALIKE``, the weights, the code or a method's
    settings differ. ``form`` is a name in FORMATS.
    """
    formatted, comment = FORMATS[form]
    parts = []
    for backbone in dict.fromkeys(r.settings["backbone_title"] for r in results):
        own = [r for r in results if r.settings["backbone_title"] == backbone]
        if len({r.settings["title"] for r in own}) < len(own):
            raise EvaluationError(
                f"There are two results of {backbone} on the same data set; leave one of them out."
            )
        differing = _differing([r.settings for r in own])
        unfinished = [r.settings["title"] for r in own if not r.complete]
        has_mean = len(own) > 1 and not differing and not unfinished
        parts.append(formatted(_paper_rows(backbone, own, has_mean)))
        if differing:
            parts.append(
                f"{comment}No mean over these runs, because they differ in {', '.join(differing)}."
            )
        if unfinished:
            parts.append(
                f"{comment}Images of {', '.join(unfinished)} are not counted yet, so there is no "
                "mean, and no published figure beside these."
            )
    if any(r.complete and published_figures(r.settings) for r in results):
        parts.append(comment + PUBLISHED_NOTE)
    return "\n\n".join(parts)


def _differing(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings and methods in which the runs differ, so that a mean would mix them."""
    keys = (*ALIKE, "weights", "code")
    differing = [key for key in keys if any(run.get(key) != runs[0].get(key) for run in runs)]
    methods: dict[str, Any] = {}
    for method in (method for run in runs for method in run["methods"]):
        if methods.setdefault(method["title"], method) != method:
            differing.append(method["title"])
    return list(dict.fromkeys(differing))


def _paper_rows(backbone: str, results: Sequence[Result], has_mean: bool) -> list[tuple[str, ...]]:
    """The cells of one backbone's table: the header, one row per method, and the settings."""
    miou = [{row["method"]: row["miou"] for row in method_scores(result)} for result in results]
    methods = list(dict.fromkeys(method for by_method in miou for method in by_method))
    columns = [[backbone, *methods, "", *(key.replace("_", " ") for key in SETTINGS)]]
    for result, by_method in zip(results, miou, strict=True):
        cells = [_cell(by_method, method) for method in methods]
        settings = [_setting(result, key) for key in SETTINGS]
        columns.append([result.settings["title"], *cells, "", *settings])
        figures = published_figures(result.settings)
        if result.complete and figures:
            columns.append(["published", *(figures.get(method, "") for method in methods)])
    if has_mean:
        means = {
            method: float(np.mean([by_method.get(method, math.nan) for by_method in miou]))
            for method in methods  # nan where a run lacks it, so that means can be compared
        }
        columns.append(["mean", *(_cell(means, method) for method in methods)])
    return list(zip_longest(*columns, fillvalue=""))


def _cell(column: Mapping[str, float], method: str) -> str:
    """A mean IoU in percent, with its difference to ClearCLIP's on the same set."""
    value, reference = column.get(method, math.nan), column.get(BASE, math.nan)
    if method == BASE or math.isnan(value - reference):
        return two_decimals(value)
    difference = f"{100 * (value - reference):+.2f}".replace("-", "−")
    if difference in ("+0.00", "−0.00"):
        difference = "0.00"
    return f"{two_decimals(value)} ({difference})"


def _setting(result: Result, key: str) -> str:
    """A setting as text; for images, the number that was counted."""
    value, n_counted = result.settings.get(key, "–"), len(result.image_miou)
    if key == "images" and n_counted < value:
        return f"{n_counted} of {value}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def published_figures(settings: Mapping[str, Any]) -> dict[str, str]:
    """The published results with which a run can be compared, such as ``"33.7"``, by method.

    ``settings`` are an experiment's. ``"33.7?"`` is a result whose image sizes are not public, or
    of a method that differs from the one here.
    """
    dataset, figures = settings["dataset"], {}
    common = {"backbone": "openai-vit-b-16", "words": "all", "templates": "imagenet80"}
    for entry in PUBLISHED["results"]:
        if dataset not in entry["miou"] or settings["images"] not in PUBLISHED["images"][dataset]:
            continue
        # The settings of the authors' code; a table with a set's name is for that set only.
        code = PUBLISHED["settings"].get(entry.get("settings"), {})
        sizes = {key: value for key, value in code.items() if not isinstance(value, dict)}
        sizes |= code.get(dataset, {})
        wanted = common | sizes | {"refine": entry.get("refine", "none")}
        if settings["background"] is None:
            wanted["threshold"] = 0.0
        if any(settings.get(key) != value for key, value in wanted.items()):
            continue
        for method in settings["methods"]:
            is_papers = method["name"] != "gclip" or method in PAPERS_GCLIP
            if method["name"] == entry["method"] and is_papers:
                mark = "" if sizes and "differs" not in entry else "?"
                figures[method["title"]] = str(entry["miou"][dataset]) + mark
    return figures
