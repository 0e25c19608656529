"""The pixel counts of a run: saved atomically, and added exactly."""

import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from evaluation.experiment import require_equal
from evaluation.metric import Counts

FILE = "counts.npz"


@dataclass(eq=False)
class Tally:
    """Counts of one run, or of a share of one.

    ``counts`` is (rows, C, C+1) int64; ``image_miou`` holds, by image number, the mean IoU of that
    image alone, (rows,) float64; ``seconds`` is computing time; ``environments`` says where.
    """

    settings: dict[str, Any]
    counts: Counts
    image_miou: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    seconds: float = 0.0
    environments: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def empty(cls, settings: dict[str, Any]) -> "Tally":
        """Nothing counted yet under these settings (as plain data)."""
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
        """Write to ``folder``; a kill at any moment leaves the old file or the new one."""
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
        """Read what :meth:`save` wrote; an EvaluationError where there is none."""
        path = folder / FILE
        if not path.is_file():
            raise EvaluationError(f"A result was expected at {path}, but there is none.")
        try:
            with np.load(path, allow_pickle=False) as held:
                images = held["images"].tolist()
                return cls(
                    settings=json.loads(str(held["settings"])),
                    counts=held["counts"],
                    image_miou=dict(zip(images, held["image_miou"], strict=True)),
                    seconds=float(held["seconds"]),
                    environments=json.loads(str(held["environments"])),
                )
        except Exception as error:  # zip, numpy and JSON each have their own for a damaged file
            raise EvaluationError(f"{path} is no result or is damaged: {error}") from error


def resume(folder: Path, settings: dict[str, Any]) -> Tally:
    """What ``folder`` holds for these settings, or nothing; refused where it is for others."""
    if not (folder / FILE).is_file():
        return Tally.empty(settings)
    found = Tally.load(folder)
    try:
        require_equal(settings, found.settings, str(folder))
    except EvaluationError as error:
        raise EvaluationError(f"{error} Choose another --out, or --fresh to start over.") from None
    return found


def added(parts: Sequence[Tally]) -> Tally:
    """The sum of shares of one run: exactly the result of one run over all their images."""
    total = Tally.empty(parts[0].settings)
    for part in parts:
        require_equal(total.settings, part.settings, "another process")
        assert not total.image_miou.keys() & part.image_miou.keys()
        total.counts += part.counts
        total.image_miou |= part.image_miou
        total.seconds += part.seconds
        total.environments += [e for e in part.environments if e not in total.environments]
    return total


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a kill, never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.write_bytes(data)
    half.replace(path)
