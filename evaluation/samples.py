"""A labelled set: images with true classes, whatever files they come from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.class_lists import ClassName
from gclip_core.types import Vocabulary


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its truth.

    ``load()`` reads a PIL RGB image and (H, W) int16 class indices, negative where ignored.
    """

    name: str
    load: Callable[[], tuple[Image.Image, NDArray[np.int16]]]


@dataclass(frozen=True)
class Protocol:
    """The sizes, in pixels, and the threshold that a set is usually evaluated with.

    A ``short_side`` of None is the backbone's own, a ``window`` of 0 one pass over the whole image.
    A pixel whose probability is below ``threshold`` becomes background.
    """

    short_side: int | None = None
    window: int = 0
    stride: int = 112
    threshold: float = 0.0


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Samples in order, their classes, which label files were read (``source``), and the protocol.

    ``background`` is the index of the class for pixels below the threshold, if there is one.
    """

    name: str
    title: str
    classes: tuple[ClassName, ...]
    samples: Sequence[Sample]
    background: int | None
    source: str
    protocol: Protocol = Protocol()

    @property
    def fingerprint(self) -> str:
        """A digest of the samples' names in order."""
        return blake2b("\n".join(s.name for s in self.samples).encode(), digest_size=8).hexdigest()

    def vocabulary(self, indices: Iterable[int]) -> Vocabulary:
        """The phrases of the classes with these indices, a class each."""
        return Vocabulary(tuple(self.classes[index].phrases for index in indices))
