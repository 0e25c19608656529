"""The base class of last blocks with steps of their own.

It is in a file of its own, because ``methods`` and the last blocks import it.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from gclip_core.encoder import Encoded


class LastBlock(ABC):
    """A last block with steps of its own: a frozen dataclass whose fields are plain settings."""

    uses_cs: ClassVar[bool] = True
    """Whether CS in earlier blocks changes its result."""

    @property
    @abstractmethod
    def rule(self) -> str:
        """What its attention compares, in a few words for people."""

    @abstractmethod
    def patches(self, encoded: Encoded) -> Tensor:
        """Patch tokens after ``blocks.merge`` and before ``ln_post``, without the class token:
        (h, w, D) in the model's dtype, on the image's grid or a finer one."""

    @abstractmethod
    def matrix(self, encoded: Encoded, head: int | None) -> Tensor:
        """The weight of patch j in the output of patch i, for one head or averaged: (N, N)
        float32."""
