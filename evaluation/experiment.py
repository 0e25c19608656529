"""Everything that decides the numbers, in one value: two runs that agree in it can be added."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from evaluation.datasets import OpenSet
from evaluation.rows import Row, method_json
from gclip_core.class_lists import ClassName
from gclip_core.errors import EvaluationError
from gclip_core.numbering import block_numbers
from gclip_core.segmenter import Segmenter
from gclip_core.types import Plant
from gclip_core.version import __version__


@dataclass(frozen=True)
class Experiment:
    """One evaluation: the set, the words, the backbone, the protocol and the rows.

    ``fingerprint`` is of the images' names, ``weights`` the backbone's digest. ``words`` is which
    classes are asked for on each image (:func:`evaluation.asking.asked`). ``background`` is the
    class that takes pixels under ``threshold``. A ``window`` of 0 means one pass.
    """

    dataset: str
    title: str
    source: str
    images: int
    fingerprint: str
    classes: tuple[ClassName, ...]
    words: str
    background: int | None
    threshold: float
    backbone: str
    backbone_title: str
    weights: str
    dtype: str
    planted: tuple[Plant, ...]
    short_side: int
    window: int
    stride: int
    templates: str | tuple[str, ...]
    logit_scale: float
    rows: tuple[Row, ...]
    version: str = __version__

    @classmethod
    def of(
        cls,
        segmenter: Segmenter,
        dataset: OpenSet,
        rows: tuple[Row, ...],
        words: str = "all",
        threshold: float = 0.0,
    ) -> Experiment:
        """What ``segmenter`` does with ``dataset``, one row after the other."""
        backbone = segmenter.backbone
        return cls(
            dataset=dataset.name,
            title=dataset.title,
            source=dataset.source,
            images=len(dataset.samples),
            fingerprint=dataset.fingerprint,
            classes=dataset.classes,
            words=words,
            background=dataset.background,
            threshold=threshold,
            backbone=backbone.name,
            backbone_title=backbone.title,
            weights=backbone.digest,
            dtype=str(backbone.dtype).removeprefix("torch."),
            planted=backbone.planted,
            short_side=segmenter.short_side or backbone.short_side,
            window=segmenter.window or 0,
            stride=segmenter.stride,
            templates=segmenter.templates,
            logit_scale=segmenter.logit_scale,
            rows=rows,
        )

    def as_json(self) -> dict[str, Any]:
        """As plain data; blocks counted from 1."""
        plain = dataclasses.asdict(self)
        for plant in plain["planted"]:
            plant["blocks"] = block_numbers(plant["blocks"])
        for row, made in zip(plain["rows"], self.rows, strict=True):
            row["method"] = method_json(made.method)
        return json.loads(json.dumps(plain))  # tuples become the lists that a file gives back


def digest(plain: dict[str, Any]) -> str:
    """A short name for an experiment in plain data."""
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    return blake2b(text.encode(), digest_size=6).hexdigest()


def require_equal(wanted: dict[str, Any], found: dict[str, Any], where: str) -> None:
    """Refuse results of another experiment, naming what differs.

    Raises:
        EvaluationError: any setting differs.
    """
    if wanted == found:
        return
    keys = sorted(k for k in {*wanted, *found} if wanted.get(k) != found.get(k))
    shown = "; ".join(f"{k}: {_short(wanted.get(k))} here, {_short(found.get(k))}" for k in keys)
    raise EvaluationError(f"The settings differ from those in {where}: {shown} there.")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
