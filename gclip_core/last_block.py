"""From block inputs to dense features: each method computes its own version of the last block."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from gclip_core import amf, blocks
from gclip_core.amf import Fusion, WeightedMap
from gclip_core.attention import ATTENTIONS
from gclip_core.encoder import Encoded
from gclip_core.numbering import OFF, ChosenBlocks
from gclip_core.types import Module


class LastBlock(ABC):
    """How a method computes the last block: a frozen dataclass whose fields are its settings."""

    @property
    @abstractmethod
    def rule(self) -> str:
        """What its attention compares, in a few words for people."""

    @abstractmethod
    def patches(self, encoded: Encoded) -> Tensor:
        """Patch tokens before ``ln_post``, without the class token: (h, w, D) in the model's dtype,
        on the image's grid or one that is finer by a whole factor."""

    @abstractmethod
    def matrix(self, encoded: Encoded, head: int | None) -> Tensor:
        """The weight of token j in the output of token i, of one head or averaged: (1+N, 1+N)
        float32."""

    def fused(self, encoded: Encoded) -> ChosenBlocks:
        """The earlier blocks whose attention it uses, too."""
        return OFF


@dataclass(frozen=True)
class Attended(LastBlock):
    """One kind of attention, with the residual path and the FFN or without, and averaged with that
    of earlier blocks if there is a ``fusion``. Raises MethodError for an unknown attention.
    """

    attention: str
    """A name in ``gclip_core.attention.ATTENTIONS``."""
    residual: bool = False
    """Whether the residual path is kept."""
    ffn: bool = False
    """Whether the FFN is kept."""
    fusion: Fusion | None = None

    def __post_init__(self) -> None:
        ATTENTIONS[self.attention]  # raises for an unknown name

    @property
    def rule(self) -> str:
        rule = ATTENTIONS[self.attention].rule
        return f"{rule}, fused" if self.fusion else rule

    def fused(self, encoded: Encoded) -> ChosenBlocks:
        return self.fusion.chosen(encoded) if self.fusion else OFF

    def patches(self, encoded: Encoded) -> Tensor:
        last = encoded.backbone.blocks[-1]
        z = blocks.merge(last, amf.fused_product(self.maps(encoded), encoded.grid))
        if self.residual:
            z = encoded.inputs[-1] + z
        if self.ffn:
            z = z + blocks.ffn(last, z)
        return z[1:].unflatten(0, encoded.grid)

    def matrix(self, encoded: Encoded, head: int | None) -> Tensor:
        return amf.fused_matrix(self.maps(encoded), encoded.grid, head)

    def maps(self, encoded: Encoded) -> list[WeightedMap]:
        """The attention of the last block, then that of each fused block."""
        own, heads, fusion = ATTENTIONS[self.attention], encoded.last_heads, self.fusion
        if fusion is None:
            return [WeightedMap(1.0, own, heads)]
        fused = fusion.chosen(encoded).blocks
        weight, kind = fusion.weight(len(fused)), own if fusion.own_kind else ATTENTIONS["qk"]
        others = (WeightedMap(weight / len(fused), kind, encoded.heads(b)) for b in fused)
        return [WeightedMap(1 - weight, own, heads), *others]


def projected(visual: Module, patches: Tensor) -> Tensor:
    """Patch tokens (..., D) through ``ln_post`` and the projection: (..., E) float32,
    L2-normalised."""
    embeddings = visual.ln_post(patches) @ visual.proj
    return F.normalize(embeddings.float(), dim=-1)
