"""ResCLIP's and ITACLIP's attention: the last block's, mixed with that of fixed middle blocks."""

from dataclasses import dataclass

from gclip_core.amf import Fusion
from gclip_core.encoder import Encoded
from gclip_core.last_block import Attended
from gclip_core.methods import Method, Paper, add
from gclip_core.numbering import ChosenBlocks
from gclip_core.relatives.shared import at_depth


@dataclass(frozen=True)
class Fixed(Fusion):
    """A fusion with fixed ``blocks_of_12``, which count from 0 and stand for a depth in any tower.

    Their mean attention has the weight ``share``.
    """

    blocks_of_12: tuple[int, ...]
    share: float
    own_kind: bool = False

    def chosen(self, encoded: Encoded) -> ChosenBlocks:
        blocks = at_depth(self.blocks_of_12, encoded.backbone.n_blocks)
        return ChosenBlocks(blocks, "fixed by the method")

    def weight(self, n: int) -> float:
        return self.share


add(
    Method(
        "itaclip",
        "ITACLIP (attention)",
        Attended("qq+kk", residual=True, fusion=Fixed((6, 7, 9), 0.5, own_kind=True)),
        paper=Paper("Aydın et al.", 2024, "arXiv:2411.12044"),
        summary="SCLIP's attention averaged with that of three middle blocks; FFN left out. "
        "Without its image augmentations and class definitions.",
    ),
    Method(
        "resclip",
        "ResCLIP (RCS)",
        Attended("kk+gaussian", fusion=Fixed((5, 6, 7, 8), 0.4)),
        paper=Paper("Yang et al.", 2025, "arXiv:2411.15851"),
        summary="NACLIP's attention mixed with the mean of the middle blocks'; without its "
        "semantic feedback.",
    ),
)
