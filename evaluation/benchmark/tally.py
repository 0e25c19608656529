"""The pixel counts of a run: saved atomically, and added exactly."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.benchmark.experiment import require_equal
from evaluation.errors import EvaluationError
from evaluation.metric import Counts
from evaluation.saving import write_atomically

FILE = "counts.npz"


@dataclass(eq=False)
class Tally:
    """Counts of one run, or of a share of one.

    ``counts`` is (rows, C, C+1) int64. ``image_miou`` is each image's own mean IoU, (rows,)
    float64, by image number. ``seconds`` is computing time; ``environments`` are the versions and
    devices that computed it.
    """

    settings: dict[str, Any]
    counts: Counts
    image_miou: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    seconds: float = 0.0
    environments: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def empty(cls, settings: dict[str, Any]) -> "Tally":
        """A tally of no image; ``settings`` are plain data."""
        rows, n = len(settings["rows"]), len(settings["classes"])
        return cls(settings, np.zeros((rows, n, n + 1), np.int64))

    @property
    def complete(self) -> bool:
        """Whether every image of the set was counted."""
        return len(self.image_miou) == self.settings["images"]

    def add(self, image: int, counts: Counts, miou: NDArray[np.float64], seconds: float) -> None:
        """Count one image: (rows, C, C+1) pixels and (rows,) mean IoU."""
        assert image not in self.image_miou
        self.counts += counts
        self.image_miou[image] = miou
        self.seconds += seconds

    def save(self, folder: Path) -> None:
        """Write to ``folder``; a process killed meanwhile leaves the old file or the new one."""
        images = sorted(self.image_miou)
        miou = [self.image_miou[i] for i in images]
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            counts=self.counts,
            images=np.array(images, np.int64),
            image_miou=np.array(miou, np.float64).reshape(len(images), len(self.counts)),
            seconds=np.float64(self.seconds),
            settings=np.array(json.dumps(self.settings, ensure_ascii=False)),
            environments=np.array(json.dumps(self.environments)),
        )
        write_atomically(folder / FILE, buffer.getvalue())

    @classmethod
    def load(cls, folder: Path) -> "Tally":
        """Read what :meth:`save` wrote; an EvaluationError if it is missing or damaged."""
        path = folder / FILE
        if not path.is_file():
            raise EvaluationError(f"A result was expected at {path}, but there is none.")
        try:
            with np.load(path, allow_pickle=False) as file:
                images = file["images"].tolist()
                return cls(
                    settings=json.loads(str(file["settings"])),
                    counts=file["counts"],
                    image_miou=dict(zip(images, file["image_miou"], strict=True)),
                    seconds=float(file["seconds"]),
                    environments=json.loads(str(file["environments"])),
                )
        except Exception as error:  # zip, NumPy and JSON raise different errors for a damaged file
            raise EvaluationError(f"{path} is not a result, or is damaged: {error}") from error


def resume(folder: Path, settings: dict[str, Any]) -> Tally:
    """The tally in ``folder``, or an empty one; an EvaluationError if its settings differ."""
    if not (folder / FILE).is_file():
        return Tally.empty(settings)
    tally = Tally.load(folder)
    try:
        require_equal(settings, tally.settings, str(folder))
    except EvaluationError as error:
        raise EvaluationError(f"{error} Choose another --out, or --fresh to start over.") from None
    return tally


def added(parts: Sequence[Tally]) -> Tally:
    """The sum of the shares of one run: exactly the result of one run over all their images."""
    total = Tally.empty(parts[0].settings)
    for part in parts:
        require_equal(total.settings, part.settings, "another process")
        assert not total.image_miou.keys() & part.image_miou.keys()
        total.counts += part.counts
        total.image_miou |= part.image_miou
        total.seconds += part.seconds
        total.environments += [e for e in part.environments if e not in total.environments]
    return total
