"""Published figures, and which of them a run can be compared with.

``published.toml`` has the figures, their sources and the settings of the authors' public code. A
run is comparable if its weights, words, images and sizes are those of the publication. The class
lists are this project's own.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.benchmark.rows import method_json
from gclip_core.methods import gclip
from gclip_core.numbering import PAPERS_BLOCKS

BACKBONE = "openai-vit-b-16"
_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


@dataclass(frozen=True)
class Result:
    """The published mean IoU of one method, in percent, by data set.

    ``settings`` are names and values of an :class:`~evaluation.benchmark.experiment.Experiment`'s
    JSON, by data set; they are empty where those of the paper are not public.
    """

    method: str
    source: str
    miou: Mapping[str, float]
    settings: Mapping[str, Mapping[str, float]]


def _settings(name: str | None, dataset: str) -> dict[str, float]:
    table = _TABLE["settings"].get(name, {})
    common = {key: value for key, value in table.items() if not isinstance(value, dict)}
    return common | table.get(dataset, {})


RESULTS: dict[tuple[str, str], Result] = {
    (entry["method"], entry.get("refine", "none")): Result(
        entry["method"],
        entry["source"],
        entry["miou"],
        {name: _settings(entry.get("settings"), name) for name in entry["miou"]},
    )
    for entry in _TABLE["results"]
}
"""The published results, by the names of the method and of the refinement."""


def comparable(settings: Mapping[str, Any], method: Mapping[str, Any]) -> str | None:
    """The published figure for one row of a run, such as ``"33.7"``, or None if none is comparable.

    ``settings`` is ``Experiment.as_json()``, ``method`` a row's method in it. ``"33.7?"`` is a
    figure whose image sizes are not public.
    """
    dataset = settings["dataset"]
    result = RESULTS.get((method["name"], settings["refine"]))
    if result is None or dataset not in result.miou or not _is_papers_gclip(method):
        return None
    if settings["images"] < _TABLE["images"][dataset]:
        return None
    wanted = result.settings[dataset]
    common = {"backbone": BACKBONE, "planted": [], "words": "all", "templates": "imagenet80"}
    given = {**settings, "background_words": len(settings["classes"][0]["phrases"])}
    if any(given.get(name) != value for name, value in (common | wanted).items()):
        return None
    return str(result.miou[dataset]) + ("" if wanted else "?")


def _is_papers_gclip(method: Mapping[str, Any]) -> bool:
    """Whether GCLIP has AMF, CS and the paper's blocks, in either counting; true for others."""
    if method["name"] != "gclip":
        return True
    choices = ("backbone", *PAPERS_BLOCKS.values())
    forms = [method_json(gclip(amf_blocks=blocks, cs_blocks="backbone")) for blocks in choices]
    return method in json.loads(json.dumps(forms))  # JSON has lists where Python has tuples
