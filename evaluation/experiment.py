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
from gclip_core.types import Plant
from gclip_core.version import __version__


@dataclass(frozen=True)
class Experiment:
    """One evaluation: the set, the words, the backbone, the protocol and the rows.

    ``fingerprint`` is of the images' names, ``weights`` the backbone's digest. ``words`` is which
    classes are asked for on each image (:func:`evaluation.asking.asked`). ``background``
    is the class that takes pixels under ``threshold``. A ``window`` of 0 means one pass.
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
    templates: str
    logit_scale: float
    rows: tuple[Row, ...]
    version: str = __version__

    def as_json(self) -> dict[str, Any]:
        """As plain data; blocks counted from 1."""
        plain = dataclasses.asdict(self)
        plain["classes"] = [{"name": c.name, "phrases": list(c.phrases)} for c in self.classes]
        plain["planted"] = [
            {"channel": p.channel, "gain": p.gain, "blocks": list(block_numbers(p.blocks))}
            for p in self.planted
        ]
        plain["rows"] = [
            {"label": r.label, "part": r.part, "at": list(r.at), "method": method_json(r.method)}
            for r in self.rows
        ]
        return plain


def digest(plain: dict[str, Any]) -> str:
    """A short name for settings in plain data."""
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False)
    return blake2b(text.encode(), digest_size=6).hexdigest()


def describe(dataset: OpenSet) -> dict[str, Any]:
    """The fields of :class:`Experiment` that a data set decides."""
    return {
        "dataset": dataset.name,
        "title": dataset.title,
        "source": dataset.source,
        "images": len(dataset.samples),
        "fingerprint": dataset.fingerprint,
        "classes": dataset.classes,
        "background": dataset.background,
    }


def require_equal(wanted: dict[str, Any], found: dict[str, Any], where: str) -> None:
    """Refuse results of other settings, naming what differs.

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
