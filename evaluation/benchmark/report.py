"""One result: its scores, as JSON and as tables of methods, ablation and sweep."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluation import metric, planting
from evaluation.benchmark.experiment import digest
from evaluation.benchmark.rows import PARTS
from evaluation.benchmark.tally import Tally
from evaluation.saving import write_atomically
from evaluation.tables import grid
from gclip_core.refine import find_refinement

FILE = "result.json"
BASE = "ClearCLIP"
"""The row that others are compared with."""


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
    return tuple(_line(tally, index) for index in range(len(tally.counts)))


def _line(tally: Tally, index: int) -> Line:
    """The scores of the row of that index."""
    row, scored = tally.settings["rows"][index], metric.scores(tally.counts[index])
    of_images = [float(tally.image_miou[image][index]) for image in sorted(tally.image_miou)]
    counted = [miou for miou in of_images if not math.isnan(miou)]
    return Line(
        label=row["label"],
        part=row["part"],
        miou=scored.miou,
        pixel_accuracy=scored.pixel_accuracy,
        image_miou=math.fsum(counted) / len(counted) if counted else math.nan,
        iou=tuple(scored.iou.tolist()),
    )


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


def _headline(tally: Tally) -> str:
    """Data set, backbone, images, words; then refinement and planted channels, if there are any."""
    settings, n = tally.settings, len(tally.image_miou)
    images = f"{n:,} images" if tally.complete else f"{n:,} of {settings['images']:,} images"
    if n and tally.seconds:
        images += f", {tally.seconds / n:.2f} s each"
    words = "all classes" if settings["words"] == "all" else f"words: {settings['words']}"
    parts = [settings["title"], settings["backbone_title"], images, words]
    refinement = find_refinement(settings["refine"])
    if refinement.coefficients is not None:
        parts.append(f"refined: {refinement.title}")
    parts += [planting.note(**plant) for plant in settings["planted"]]
    return " · ".join(parts)


def _compared(scored: Sequence[Line]) -> list[list[str]]:
    reference = next((line for line in scored if line.label == BASE), scored[0])
    head = ["", "mIoU", f"to {reference.label}", "pixel accuracy", "mIoU by image"]
    body = [
        [
            line.label,
            percent(line.miou),
            "" if line is reference else difference(line.miou, reference.miou),
            percent(line.pixel_accuracy),
            percent(line.image_miou),
        ]
        for line in scored
    ]
    return [head, *body]


def percent(value: float) -> str:
    """A fraction in percent with two decimals."""
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
