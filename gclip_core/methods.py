"""The METHODS table. Adding a method is one entry; nothing else asks for a method's name."""

import math
from collections.abc import Iterable
from typing import Literal

from gclip_core.errors import MethodError
from gclip_core.numbering import indices
from gclip_core.tables import find, table
from gclip_core.types import Blocks, Fusion, Method, Span, Suppression


def _blocks(what: str, given: str | Iterable[int]) -> Blocks:
    if isinstance(given, str):
        if given == "auto" or given == "backbone":
            return given
        raise MethodError(
            f"{what} must be auto, backbone or block indices counted from 0, but '{given}' came."
        )
    if blocks := indices(what, given):
        return blocks
    raise MethodError(f"{what} needs at least one block, counted from 0, but none came.")


def _one_of(what: str, given: str, valid: tuple[str, ...]) -> None:
    if given not in valid:
        raise MethodError(f"{what} must be one of {', '.join(valid)}, but {given!r} came.")


def _at_least_one(what: str, given: float) -> float:
    try:
        number = float(given + 0)  # text that looks like a number is refused too
    except TypeError:
        number = math.nan
    if not number >= 1:  # also refuses nan
        raise MethodError(f"{what} must be a number of at least 1, but {given!r} came.")
    return number


def gclip(
    amf: bool = True,
    cs: bool = True,
    amf_blocks: str | Iterable[int] = "auto",
    cs_blocks: str | Iterable[int] = "auto",
    n_blocks: int = 2,
    heads: Literal["each", "mean"] = "each",
    cs_target: Literal["mean", "median"] = "mean",
    global_threshold: float = 5.0,
    channel_threshold: float = 2.0,
    cs_channels: Iterable[int] | None = None,
) -> Method:
    """GCLIP with its two ideas on or off; with both off it is ClearCLIP, exactly.

    ``amf_blocks`` and ``cs_blocks`` are ``"auto"`` (measured), ``"backbone"`` (that backbone's
    default) or 0-based integers. ``n_blocks`` is how many blocks ``auto`` fuses, ``heads`` how.
    ``cs_channels``, if any, are suppressed instead of each block's largest.

    Raises:
        MethodError: a setting outside its range.
    """
    _one_of("heads", heads, ("each", "mean"))
    _one_of("cs_target", cs_target, ("mean", "median"))
    _at_least_one("n_blocks", n_blocks)
    fusion = Fusion(
        _blocks("amf_blocks", amf_blocks),
        indices("n_blocks", [n_blocks])[0],
        heads,
        _at_least_one("global_threshold", global_threshold),
    )
    channels = indices("cs_channels", () if cs_channels is None else cs_channels)
    suppression = Suppression(
        _blocks("cs_blocks", cs_blocks),
        cs_target,
        _at_least_one("channel_threshold", channel_threshold),
        tuple(sorted(channels)) or None,
    )
    on = [word for word, switch in (("AMF", amf), ("CS", cs)) if switch]
    return Method(
        name="gclip",
        title=f"GCLIP ({' + '.join(on)})" if on else "ClearCLIP (GCLIP, AMF and CS off)",
        attention="qq",
        residual=False,
        ffn=False,
        fusion=fusion if amf else None,
        suppression=suppression if cs else None,
        citation="Wang, Yan, Kang 2025, arXiv:2502.06818",
        summary="Query-Query attention averaged with the first global-token blocks' attention; "
        "one abnormal FFN channel brought back to an ordinary norm.",
        shown="at once",
    )


METHODS: dict[str, Method] = table(
    Method(
        "clip", "CLIP", "qk", residual=True, ffn=True, shown="at once",
        citation="Radford et al. 2021, arXiv:2103.00020",
        summary="The tower as it is: patch tokens of the last block.",
    ),
    Method(
        "maskclip", "MaskCLIP", "identity", residual=False, ffn=False,
        citation="Zhou, Loy, Dai 2022, arXiv:2112.01071",
        summary="No attention in the last block: every patch keeps its own Value.",
    ),
    Method(
        "sclip", "SCLIP", "qq+kk", residual=True, ffn=True,
        citation="Wang, Mei, Yuille 2024, arXiv:2312.01597",
        summary="Query-Query plus Key-Key attention in the last block.",
    ),
    Method(
        "naclip", "NACLIP", "kk+gaussian", residual=False, ffn=False,
        citation="Hajimiri, Ben Ayed, Dolz 2025, arXiv:2404.08181",
        summary="Key-Key attention drawn towards near patches.",
    ),
    Method(
        "clearclip", "ClearCLIP", "qq", residual=False, ffn=False, shown="at once",
        citation="Lan et al. 2024, arXiv:2407.12442",
        summary="Query-Query attention; residual path and FFN left out.",
    ),
    Method(
        "resclip", "ResCLIP (RCS)", "kk+gaussian", residual=False, ffn=False,
        fusion=Fusion(Span(6, 9, of=12), weight=0.4),
        citation="Yang et al. 2025, arXiv:2411.15851",
        summary="NACLIP's attention mixed with the mean of the middle blocks' own; without the "
        "semantic feedback.",
    ),
    gclip(),
    Method(
        "kk", "Key-Key", "kk", residual=False, ffn=False, shown="never",
        summary="ClearCLIP's form with Key-Key attention: for comparison.",
    ),
    Method(
        "vv", "Value-Value", "vv", residual=False, ffn=False, shown="never",
        citation="Li et al. 2023 (CLIP Surgery), arXiv:2304.05653",
        summary="ClearCLIP's form with Value-Value attention: for comparison.",
    ),
)  # fmt: skip


def find_method(name: str) -> Method:
    """The METHODS entry of that name; a MethodError lists the valid names."""
    return find(METHODS, name, "method", MethodError)
