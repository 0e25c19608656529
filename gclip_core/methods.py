"""The METHODS table, with one entry per method."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gclip_core.amf import GLOBAL_THRESHOLD, N_FUSED, Fusion
from gclip_core.attention import ATTENTIONS
from gclip_core.cs import CHANNEL_THRESHOLD, Suppression
from gclip_core.errors import MethodError, check_choice
from gclip_core.numbering import BlocksOf12, indices
from gclip_core.relatives import calibration, proxy
from gclip_core.relatives.last_block_base import LastBlock
from gclip_core.relatives.rfclip import RfClip
from gclip_core.tables import Table
from gclip_core.types import Blocks


@dataclass(frozen=True)
class Method:
    """A method: how the last block is computed, what is fused, and whether CS changes other blocks.

    Raises MethodError for an unknown attention, a part of the wrong type, and parts that ``last``
    does not use.
    """

    name: str
    title: str
    attention: str = ""
    """A name in ``gclip_core.attention.ATTENTIONS``; empty if there is a ``last``."""
    residual: bool = False
    """Whether the last block's residual path is kept."""
    ffn: bool = False
    """Whether the last block's FFN is kept."""
    fusion: Fusion | None = None
    suppression: Suppression | None = None
    last: LastBlock | None = None
    """A last block with steps of its own, in place of attention, residual path, FFN and fusion."""
    summary: str = ""
    """One sentence for people."""
    authors: str = ""
    """Like ``year`` and ``paper``, empty if no paper proposes the method."""
    year: int | None = None
    paper: str = ""
    """An arXiv number or a conference."""

    def __post_init__(self) -> None:
        for part in ("residual", "ffn"):
            check_choice(part, getattr(self, part), (True, False))
        kinds = {"fusion": Fusion, "suppression": Suppression, "last": LastBlock}
        for part, kind in kinds.items():
            value = getattr(self, part)
            if value is not None and not isinstance(value, kind):
                raise MethodError(f"{part} must be a {kind.__name__} or None, not {value!r:.60}.")
        if self.last is None:
            ATTENTIONS[self.attention]  # raises for an unknown name
            return
        unused = ["attention", "residual", "ffn", "fusion"]
        unused += [] if self.last.uses_cs else ["suppression"]
        if parts := [part for part in unused if getattr(self, part)]:
            raise MethodError(
                f"The last block of {self.title}, {type(self.last).__name__}, does not use "
                f"{', '.join(parts)}. Leave these out."
            )

    @property
    def rule(self) -> str:
        """What its attention compares, in a few words for people."""
        rule = (self.last or ATTENTIONS[self.attention]).rule
        return f"{rule}, fused" if self.fusion else rule

    @property
    def citation(self) -> str:
        """Authors, year and paper in one line; empty if there is no paper."""
        return f"{self.authors} {self.year}, {self.paper}" if self.year else ""


def gclip(
    amf: bool = True,
    cs: bool = True,
    *,
    amf_blocks: Literal["auto", "backbone"] | Iterable[int] = "backbone",
    cs_blocks: Literal["auto", "backbone"] | Iterable[int] = "backbone",
    n_fused: int = N_FUSED,
    global_threshold: float = GLOBAL_THRESHOLD,
    channel_threshold: float = CHANNEL_THRESHOLD,
) -> Method:
    """GCLIP with AMF and CS on or off; with both off, the result is exactly ClearCLIP's.

    ``amf_blocks`` and ``cs_blocks`` are ``"backbone"`` (the backbone's default), ``"auto"``
    (measured) or 0-based integers. The other settings are those of ``Fusion`` and
    ``Suppression``. All are checked, but those of a part that is off change nothing, nor do the
    number and thresholds where blocks are given as integers. Raises MethodError for a setting
    outside its range.
    """
    check_choice("amf", amf, (True, False))
    check_choice("cs", cs, (True, False))

    def read(what: str, blocks: Literal["auto", "backbone"] | Iterable[int]) -> Blocks:
        return blocks if isinstance(blocks, str) else indices(what, blocks)

    fusion = Fusion(read("AMF blocks", amf_blocks), n_fused, global_threshold)
    suppression = Suppression(read("CS blocks", cs_blocks), channel_threshold)
    on = [word for word, switch in (("AMF", amf), ("CS", cs)) if switch]
    return Method(
        name="gclip",
        title=f"GCLIP ({' + '.join(on) or 'neither'})",
        attention="qq",
        fusion=fusion if amf else None,
        suppression=suppression if cs else None,
        summary="Query-Query attention averaged with that of the first blocks with global tokens; "
        "one outlier FFN channel scaled to an ordinary norm.",
        authors="Wang, Yan, Kang",
        year=2025,
        paper="arXiv:2502.06818",
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

METHODS: Table[Method] = Table(  # in the order of their years
    Method(
        "clip", "CLIP", "qk", residual=True, ffn=True,
        authors="Radford et al.", year=2021, paper="arXiv:2103.00020",
        summary="The tower as it is: patch tokens of the last block.",
    ),
    Method(
        "maskclip", "MaskCLIP", "identity",
        authors="Zhou, Loy, Dai", year=2022, paper="arXiv:2112.01071",
        summary="No attention in the last block: every patch keeps its own Value.",
    ),
    Method(
        "vv", "Value-Value", "vv",
        authors="Li et al. (CLIP Surgery)", year=2023, paper="arXiv:2304.05653",
        summary="ClearCLIP's form with Value-Value attention: for comparison.",
    ),
    Method(
        "sclip", "SCLIP", "qq+kk", residual=True, ffn=True,
        authors="Wang, Mei, Yuille", year=2024, paper="arXiv:2312.01597",
        summary="Query-Query plus Key-Key attention in the last block.",
    ),
    Method(
        "clearclip", "ClearCLIP", "qq",
        authors="Lan et al.", year=2024, paper="arXiv:2407.12442",
        summary="Query-Query attention; residual path and FFN left out.",
    ),
    Method(
        "proxyclip", "ProxyCLIP", last=proxy.SHIPPED,
        authors="Lan et al.", year=2024, paper="arXiv:2408.04883",
        summary="Attention from another network, DINO: averages the Values of patches that look "
        "alike to it.",
    ),
    Method(
        "kk", "Key-Key", "kk",
        summary="ClearCLIP's form with Key-Key attention: for comparison.",
    ),
    Method(
        "itaclip", "ITACLIP (attention)", "qq+kk", residual=True,
        fusion=Fusion(BlocksOf12((6, 7, 9)), weight=0.5, attention="own"),
        authors="Aydın et al.", year=2024, paper="arXiv:2411.12044",
        summary="SCLIP's attention averaged with that of three middle blocks; FFN left out. "
        "Without its image augmentations and class definitions.",
    ),
    Method(
        "scclip", "SC-CLIP", last=calibration.SCCLIP,
        authors="Bai et al.", year=2024, paper="arXiv:2411.15869",
        summary="Outlier patches are replaced by their neighbours; patches alike in a middle block "
        "are averaged before and after the last block, which also gets middle blocks' tokens.",
    ),
    Method(
        "naclip", "NACLIP", "kk+gaussian",
        authors="Hajimiri, Ben Ayed, Dolz", year=2025, paper="arXiv:2404.08181",
        summary="Key-Key attention with more weight on nearby patches.",
    ),
    Method(
        "resclip", "ResCLIP (RCS)", "kk+gaussian",
        fusion=Fusion(BlocksOf12((5, 6, 7, 8)), weight=0.4),
        authors="Yang et al.", year=2025, paper="arXiv:2411.15851",
        summary="NACLIP's attention mixed with the mean of the middle blocks'; without its "
        "semantic feedback.",
    ),
    GCLIP,
    Method(
        "sfp", "SFP", last=calibration.SFP,
        authors="Jin et al.", year=2025, paper="ICCV 2025",
        summary="Like SC-CLIP, but outliers are the patches that the class token attends to most, "
        "and the last block also has Query-Query attention.",
    ),
    Method(
        "rfclip", "RF-CLIP", last=RfClip(),
        authors="Li et al.", year=2026, paper="arXiv:2511.16170",
        summary="Distracting patches are blurred after every block, if their channels are known "
        "(for OpenAI's ViT-B/16 and L/14); Key-Key attention of all blocks.",
    ),
    Method(
        "pearl", "PEARL (attention)", "aligned qk",
        authors="Pei et al.", year=2026, paper="arXiv:2603.21528",
        summary="Query-Key attention after the Keys are rotated towards the Queries, plus a little "
        "Key-Key; without its propagation over the image.",
    ),
    what="method", error=MethodError,
)  # fmt: skip


def checked(method: Method) -> Method:
    """The method. Raises MethodError for anything else."""
    if not isinstance(method, Method):
        raise MethodError(
            f'{method!r} is not a method; take one such as METHODS["clearclip"] or gclip(…).'
        )
    return method
