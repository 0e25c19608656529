"""The METHODS table, with one entry per method."""

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Literal

from gclip_core.attention import ATTENTIONS, Attention
from gclip_core.errors import MethodError
from gclip_core.numbering import indices
from gclip_core.tables import find, table
from gclip_core.types import Blocks, Calibration, Fusion, Method, Span, Suppression

CHOICES: dict[str, tuple[str, ...]] = {
    "heads": ("each", "mean"),
    "attention": ("qk", "own"),
    "target": ("mean", "median"),
    "outliers": ("lof", "som"),
    "isolated": ("kept", "zero"),
    "second_pass": ("same", "gate"),
}
"""The valid values of the settings of Fusion, Suppression and Calibration that are words."""


def gclip(
    amf: bool = True,
    cs: bool = True,
    amf_blocks: str | Iterable[int] = "auto",
    cs_blocks: str | Iterable[int] = "auto",
    n_fused: int = 2,
    heads: Literal["each", "mean"] = "each",
    cs_target: Literal["mean", "median"] = "mean",
    global_threshold: float = 5.0,
    channel_threshold: float = 2.0,
) -> Method:
    """GCLIP with AMF and CS on or off; with both off its result is exactly ClearCLIP's.

    ``amf_blocks`` and ``cs_blocks`` are ``"auto"`` (measured), ``"backbone"`` (the backbone's
    default) or 0-based integers. The other settings are those of :class:`Fusion` and
    :class:`Suppression`.

    Raises:
        MethodError: a setting outside its range.
    """
    _check_choice("heads", heads, CHOICES["heads"])
    _check_choice("cs_target", cs_target, CHOICES["target"])
    thresholds = {"global_threshold": global_threshold, "channel_threshold": channel_threshold}
    for what, number in {"n_fused": n_fused, **thresholds}.items():
        if not (isinstance(number, Real) and number >= 1):  # also refuses nan
            raise MethodError(f"{what} must be a number of at least 1, but {number!r} came.")
    (n_fused,) = indices("n_fused", [n_fused])
    fusion = Fusion(_blocks("amf_blocks", amf_blocks), n_fused, heads, float(global_threshold))
    suppression = Suppression(_blocks("cs_blocks", cs_blocks), cs_target, float(channel_threshold))
    on = [word for word, switch in (("AMF", amf), ("CS", cs)) if switch]
    return Method(
        name="gclip",
        title=f"GCLIP ({' + '.join(on)})" if on else "ClearCLIP (GCLIP, AMF and CS off)",
        attention="qq",
        residual=False,
        ffn=False,
        fusion=fusion if amf else None,
        suppression=suppression if cs else None,
        summary="Query-Query attention averaged with the first global-token blocks' attention; "
        "one abnormal FFN channel scaled to an ordinary norm.",
        authors="Wang, Yan, Kang",
        year=2025,
        paper="arXiv:2502.06818",
        shown=True,
    )


def _check_choice(what: str, choice: str, valid: Sequence[str]) -> None:
    if choice not in valid:
        raise MethodError(f"{what} must be one of {', '.join(valid)}, but {choice!r} came.")


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


METHODS: dict[str, Method] = table(  # in the order of their years
    Method(
        "clip", "CLIP", "qk", residual=True, ffn=True, shown=True,
        authors="Radford et al.", year=2021, paper="arXiv:2103.00020",
        summary="The tower as it is: patch tokens of the last block.",
    ),
    Method(
        "maskclip", "MaskCLIP", "identity", residual=False, ffn=False, shown=True,
        authors="Zhou, Loy, Dai", year=2022, paper="arXiv:2112.01071",
        summary="No attention in the last block: every patch keeps its own Value.",
    ),
    Method(
        "vv", "Value-Value", "vv", residual=False, ffn=False,
        authors="Li et al. (CLIP Surgery)", year=2023, paper="arXiv:2304.05653",
        summary="ClearCLIP's form with Value-Value attention: for comparison.",
    ),
    Method(
        "sclip", "SCLIP", "qq+kk", residual=True, ffn=True, shown=True,
        authors="Wang, Mei, Yuille", year=2024, paper="arXiv:2312.01597",
        summary="Query-Query plus Key-Key attention in the last block.",
    ),
    Method(
        "clearclip", "ClearCLIP", "qq", residual=False, ffn=False, shown=True,
        authors="Lan et al.", year=2024, paper="arXiv:2407.12442",
        summary="Query-Query attention; residual path and FFN left out.",
    ),
    Method(
        "kk", "Key-Key", "kk", residual=False, ffn=False,
        summary="ClearCLIP's form with Key-Key attention: for comparison.",
    ),
    Method(
        "itaclip", "ITACLIP (attention)", "qq+kk", residual=True, ffn=False,
        fusion=Fusion(Span((7, 8), (10, 10), of=12), weight=0.5, attention="own"),
        authors="Aydın et al.", year=2024, paper="arXiv:2411.12044",
        summary="SCLIP's attention averaged with the same of three middle blocks; FFN left out. "
        "Without its augmented copies and written definitions.",
    ),
    Method(
        "scclip", "SC-CLIP", "kk", residual=False, ffn=False,
        calibration=Calibration("lof", "kept", gate_thresholded=False, second_pass="same"),
        authors="Bai et al.", year=2024, paper="arXiv:2411.15869",
        summary="Outlier patches are replaced by their neighbours; patches alike in a middle block "
        "are averaged before and after the last block; middle blocks' tokens go through it, too.",
    ),
    Method(
        "naclip", "NACLIP", "kk+gaussian", residual=False, ffn=False, shown=True,
        authors="Hajimiri, Ben Ayed, Dolz", year=2025, paper="arXiv:2404.08181",
        summary="Key-Key attention with more weight on near patches.",
    ),
    Method(
        "resclip", "ResCLIP (RCS)", "kk+gaussian", residual=False, ffn=False, shown=True,
        fusion=Fusion(Span((6, 9), of=12), weight=0.4),
        authors="Yang et al.", year=2025, paper="arXiv:2411.15851",
        summary="NACLIP's attention mixed with the mean of the middle blocks' own; without the "
        "semantic feedback.",
    ),
    gclip(),
    Method(
        "sfp", "SFP", "qq+kk", residual=False, ffn=False,
        calibration=Calibration("som", "zero", gate_thresholded=True, second_pass="gate"),
        authors="Jin et al.", year=2025, paper="ICCV 2025",
        summary="As SC-CLIP, but outliers are the patches that the class token attends to most, "
        "and the last block also has Query-Query attention.",
    ),
    Method(
        "pearl", "PEARL (attention)", "aligned qk", residual=False, ffn=False,
        authors="Pei et al.", year=2026, paper="arXiv:2603.21528",
        summary="Query-Key attention after the Keys are rotated towards the Queries, with a little "
        "Key-Key; without its propagation over the picture.",
    ),
)  # fmt: skip


def find_method(name: str) -> Method:
    """The METHODS entry of that name. Raises MethodError, which lists the valid names."""
    return find(METHODS, name, "method", MethodError)


def checked(method: Method | None) -> Method:
    """The method, GCLIP for None. Raises MethodError for what :mod:`last_block` cannot compute."""
    if method is None:
        return METHODS["gclip"]
    if not isinstance(method, Method):
        raise MethodError(
            f'A method such as METHODS["clearclip"] or gclip(…) was expected, but {method!r} came.'
        )
    kind = find(ATTENTIONS, method.attention, "kind of attention", MethodError)
    plain = kind.pairs and kind == Attention(kind.pairs)
    for what, part in ("AMF blocks", method.fusion), ("CS blocks", method.suppression):
        if part and isinstance(part.blocks, str):
            _blocks(what, part.blocks)
    for part in filter(None, (method.fusion, method.suppression, method.calibration)):
        for name, value in vars(part).items():
            if name in CHOICES:
                _check_choice(name, value, CHOICES[name])
    if method.calibration and (method.residual or method.ffn or method.fusion or not plain):
        raise MethodError(
            "A calibration goes with plain attention such as 'kk', without fusion, residual path "
            f"and FFN, but {method.title} has {method.attention!r} or one of these. Leave them out."
        )
    return method
