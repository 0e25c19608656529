"""ResCLIP's and ITACLIP's attention: the last block's, mixed with that of fixed middle blocks."""

from dataclasses import dataclass

from gclip_core.amf import WeightedMap
from gclip_core.attention import ATTENTIONS
from gclip_core.encoder import Encoded
from gclip_core.last_block import Attended
from gclip_core.methods import Method, Paper, add
from gclip_core.numbering import ChosenBlocks
from gclip_core.relatives.shared import at_depth


@dataclass(frozen=True, kw_only=True)
class Mixed(Attended):
    """The mean attention of ``blocks`` of 12, from 0, has this ``weight``, the last block's the
    rest."""

    blocks: tuple[int, ...]
    weight: float
    own: bool = False
    """Whether the blocks have the last block's kind of attention, or Query-Key."""

    @property
    def rule(self) -> str:
        return f"{super().rule}, fused"

    def fused(self, encoded: Encoded) -> ChosenBlocks:
        return ChosenBlocks(at_depth(self.blocks, encoded.backbone.n_blocks), "fixed by the method")

    def maps(self, encoded: Encoded) -> list[WeightedMap]:
        fused, last = self.fused(encoded).blocks, encoded.backbone.n_blocks - 1
        kind = self.attention if self.own else "qk"
        share = self.weight / len(fused)
        own = WeightedMap(
            1 - self.weight, ATTENTIONS[self.attention], encoded.heads(last, values=True)
        )
        return [own, *(WeightedMap(share, ATTENTIONS[kind], encoded.heads(b)) for b in fused)]


add(
    Method(
        "itaclip",
        "ITACLIP (attention)",
        Mixed("qq+kk", residual=True, blocks=(6, 7, 9), weight=0.5, own=True),
        paper=Paper("Aydın et al.", 2024, "arXiv:2411.12044"),
        summary="SCLIP's attention averaged with that of three middle blocks; FFN left out. "
        "Without its image augmentations and class definitions.",
    ),
    Method(
        "resclip",
        "ResCLIP (RCS)",
        Mixed("kk+gaussian", blocks=(5, 6, 7, 8), weight=0.4),
        paper=Paper("Yang et al.", 2025, "arXiv:2411.15851"),
        summary="NACLIP's attention mixed with the mean of the middle blocks'; without its "
        "semantic feedback.",
    ),
)
