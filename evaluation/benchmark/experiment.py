"""All settings that decide the numbers: results with the same settings can be added."""

import json
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

from evaluation.benchmark.rows import Row, method_json
from evaluation.errors import EvaluationError
from evaluation.samples import LabelledSet
from gclip_core.numbering import block_numbers
from gclip_core.segmenter import Segmenter
from gclip_core.version import __version__


@dataclass(frozen=True)
class Experiment:
    """One evaluation: a segmenter, a data set and the rows of the table.

    ``words`` is the rule for the classes of each image
    (:func:`evaluation.queries.queried_classes`). Pixels whose probability is below ``threshold``
    become the data set's background class. ``refine`` is a name of
    :data:`gclip_core.refine.REFINEMENTS`.
    """

    segmenter: Segmenter
    dataset: LabelledSet
    rows: tuple[Row, ...]
    words: str = "all"
    threshold: float = 0.0
    refine: str = "none"

    def as_json(self) -> dict[str, Any]:
        """The settings as plain data; blocks count from 1.

        ``fingerprint`` is a digest of the images' names, ``weights`` the backbone's digest; a
        ``window`` of 0 means one pass.
        """
        segmenter, dataset, backbone = self.segmenter, self.dataset, self.segmenter.backbone
        plain = {
            "dataset": dataset.name,
            "title": dataset.title,
            "source": dataset.source,
            "images": len(dataset.samples),
            "fingerprint": dataset.fingerprint,
            "classes": [asdict(name) for name in dataset.classes],
            "words": self.words,
            "background": dataset.background,
            "threshold": self.threshold,
            "refine": self.refine,
            "backbone": backbone.name,
            "backbone_title": backbone.title,
            "weights": backbone.digest,
            "dtype": str(backbone.dtype).removeprefix("torch."),
            "planted": [asdict(p) | {"blocks": block_numbers(p.blocks)} for p in backbone.planted],
            "short_side": segmenter.short_side or backbone.short_side,
            "window": segmenter.window or 0,
            "stride": segmenter.stride,
            "templates": segmenter.templates,
            "logit_scale": segmenter.logit_scale,
            "rows": [asdict(row) | {"method": method_json(row.method)} for row in self.rows],
            "version": __version__,
        }
        return json.loads(json.dumps(plain))  # JSON has lists where Python has tuples


def digest(settings: dict[str, Any]) -> str:
    """A digest of 12 hexadecimal digits of an experiment's settings."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return blake2b(text.encode(), digest_size=6).hexdigest()


def require_equal(wanted: dict[str, Any], saved: dict[str, Any], where: str) -> None:
    """Raise an EvaluationError that names the settings that differ."""
    if wanted == saved:
        return
    keys = sorted(k for k in {*wanted, *saved} if wanted.get(k) != saved.get(k))
    shown = "; ".join(f"{k}: {_short(wanted.get(k))} here, {_short(saved.get(k))}" for k in keys)
    raise EvaluationError(f"The settings differ from those in {where}: {shown} there.")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
