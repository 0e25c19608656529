"""The METHODS table, with one entry per method."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gclip_core import encoder
from gclip_core.amf import N_FUSED, Amf
from gclip_core.backbones.backbone import Backbone
from gclip_core.cs import CHANNEL_THRESHOLD, Suppression
from gclip_core.encoder import Encoded
from gclip_core.errors import MethodError, check_choice, check_index
from gclip_core.global_tokens import GLOBAL_THRESHOLD
from gclip_core.last_block import Attended, LastBlock, projected
from gclip_core.numbering import OFF, ChosenBlocks
from gclip_core.tables import Table
from gclip_core.types import Blocks


class Paper(NamedTuple):
    authors: str
    year: int
    place: str
    """An arXiv number or a conference."""


@dataclass(frozen=True)
class Method:
    """A method: how the last block is computed, and whether CS changes blocks before it.

    Raises MethodError if ``last`` is not a LastBlock, or cannot be hashed.
    """

    name: str
    title: str
    last: LastBlock
    suppression: Suppression | None = None
    summary: str = ""
    """One sentence for people."""
    paper: Paper | None = None
    """None if no paper proposes the method."""

    def __post_init__(self) -> None:
        if not isinstance(self.last, LastBlock):
            raise MethodError(f"last must be a LastBlock, not {self.last!r:.60}.")
        try:
            hash(self.last)
        except TypeError as error:
            raise MethodError(
                f"A LastBlock must be hashable, but {type(self.last).__name__} is not ({error}); "
                "use @dataclass(frozen=True), and tuples as settings."
            ) from error

    @property
    def rule(self) -> str:
        """What its attention compares, in a few words for people."""
        return self.last.rule

    @property
    def citation(self) -> str:
        """Authors, year and paper in one line; empty if there is no paper."""
        return "{} {}, {}".format(*self.paper) if self.paper else ""

    def suppressed(self, backbone: Backbone) -> ChosenBlocks:
        """The blocks that CS changes, and why."""
        if self.suppression is None:
            return OFF
        return self.suppression.chosen(backbone.ratios, backbone.cs_blocks)

    def encoding(self, encoded: Encoded) -> Encoded:
        """The encoding with the method's CS and no other; the given one if it is that.

        The functions below call this; pass its result to compute it only once. All raise
        MethodError for blocks that AMF or CS cannot use.
        """
        return encoder.suppress(encoded, self.suppressed(encoded.backbone).blocks)

    @torch.no_grad()
    def features(self, encoded: Encoded) -> Tensor:
        """Dense features of the image: (h, w, E) float32 on the CPU, L2-normalised.

        The formulas are in METHOD.md's table. The grid is the image's, or one that is finer by a
        whole factor.
        """
        patches = self.last.patches(self.encoding(encoded))
        return projected(encoded.backbone.visual, patches).cpu()

    @torch.no_grad()
    def matrix(self, encoded: Encoded, head: int | None = None) -> Tensor:
        """Entry (i, j): the weight of token j in the output of token i, (1+N, 1+N) float32 on the
        CPU.

        ``head`` selects one head instead of the mean over heads. Rows of an attention matrix sum to
        1 (or 2, for a sum of two softmaxes), those of other last blocks to other numbers.
        """
        if head is not None:
            check_index("head", head, encoded.backbone.n_heads)
        return self.last.matrix(self.encoding(encoded), head).cpu()


def gclip(
    amf: bool = True,
    cs: bool = True,
    *,
    amf_blocks: Blocks = "backbone",
    cs_blocks: Blocks = "backbone",
    n_fused: int = N_FUSED,
    global_threshold: float = GLOBAL_THRESHOLD,
    channel_threshold: float = CHANNEL_THRESHOLD,
) -> Method:
    """GCLIP with AMF and CS on or off; with both off, the result is exactly ClearCLIP's.

    ``amf_blocks`` and ``cs_blocks`` are ``"backbone"`` (the backbone's default), ``"auto"``
    (measured) or 0-based integers. The other settings are those of ``Amf`` and
    ``Suppression``. All are checked, but those of a part that is off change nothing, nor do the
    number and thresholds where blocks are given as integers. Raises MethodError for a setting
    outside its range.
    """
    check_choice("amf", amf, (True, False))
    check_choice("cs", cs, (True, False))
    fusion = Amf(amf_blocks, n_fused, global_threshold)
    suppression = Suppression(cs_blocks, channel_threshold)
    on = [word for word, switch in (("AMF", amf), ("CS", cs)) if switch]
    return Method(
        name="gclip",
        title=f"GCLIP ({' + '.join(on) or 'neither'})",
        last=Attended("qq", fusion=fusion if amf else None),
        suppression=suppression if cs else None,
        summary="Query-Query attention averaged with that of the first blocks with global tokens; "
        "one outlier FFN channel scaled to an ordinary norm.",
        paper=Paper("Wang, Yan, Kang", 2025, "arXiv:2502.06818"),
    )


GCLIP = gclip()
"""GCLIP with AMF and CS on and all settings at their defaults."""

ABLATION = {
    "neither": (False, False),
    "amf": (True, False),
    "cs": (False, True),
    "gclip": (True, True),
}
"""The four rows of GCLIP's ablation: AMF and CS on or off."""

METHODS: Table[Method] = Table(
    Method(
        "clip", "CLIP", Attended("qk", residual=True, ffn=True),
        paper=Paper("Radford et al.", 2021, "arXiv:2103.00020"),
        summary="The tower as it is: patch tokens of the last block.",
    ),
    Method(
        "maskclip", "MaskCLIP", Attended("identity"),
        paper=Paper("Zhou, Loy, Dai", 2022, "arXiv:2112.01071"),
        summary="No attention in the last block: every patch keeps its own Value.",
    ),
    Method(
        "vv", "Value-Value", Attended("vv"),
        paper=Paper("Li et al. (CLIP Surgery)", 2023, "arXiv:2304.05653"),
        summary="ClearCLIP's form with Value-Value attention: for comparison.",
    ),
    Method(
        "sclip", "SCLIP", Attended("qq+kk", residual=True, ffn=True),
        paper=Paper("Wang, Mei, Yuille", 2024, "arXiv:2312.01597"),
        summary="Query-Query plus Key-Key attention in the last block.",
    ),
    Method(
        "clearclip", "ClearCLIP", Attended("qq"),
        paper=Paper("Lan et al.", 2024, "arXiv:2407.12442"),
        summary="Query-Query attention; residual path and FFN left out.",
    ),
    Method(
        "naclip", "NACLIP", Attended("kk+gaussian"),
        paper=Paper("Hajimiri, Ben Ayed, Dolz", 2025, "arXiv:2404.08181"),
        summary="Key-Key attention with more weight on nearby patches.",
    ),
    GCLIP,
    Method(
        "kk", "Key-Key", Attended("kk"),
        summary="ClearCLIP's form with Key-Key attention: for comparison.",
    ),
    what="method", error=MethodError, hint=" `import gclip_core.relatives` adds more.",
)  # fmt: skip
"""In the order of their years; those that no paper proposes come last."""


def add(*methods: Method) -> None:
    """Adds methods to METHODS. Raises MethodError for a name that another method has."""
    for method in methods:
        METHODS.add(method)
    for method in sorted(METHODS.values(), key=lambda m: m.paper.year if m.paper else 9999):
        METHODS[method.name] = METHODS.pop(method.name)


def checked(method: Method) -> Method:
    """The method. Raises MethodError for anything else."""
    if not isinstance(method, Method):
        raise MethodError(
            f'{method!r} is not a method; take one such as METHODS["clearclip"] or gclip(…).'
        )
    return method
