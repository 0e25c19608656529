"""The variants of one image that the page compares: a name, and how the settings make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from demo.settings import Settings
from gclip_core.methods import METHODS, find_method, gclip
from gclip_core.types import Method


@dataclass(frozen=True)
class Variant:
    """One way to segment; ``method`` makes it from the page's settings."""

    name: str
    title: str
    method: Callable[[Settings], Method]
    asked_for: bool = False


def chosen(settings: Settings) -> Method:
    """The method that the page's own switches name."""
    if settings.method != "gclip":
        return find_method(settings.method)
    return ablation(settings, settings.amf, settings.cs)


def ablation(settings: Settings, amf: bool, cs: bool) -> Method:
    """ClearCLIP under the page's settings with AMF and CS on or off, named as the page names it."""
    made = gclip(
        amf=amf,
        cs=cs,
        amf_blocks=settings.amf_blocks,
        cs_blocks=settings.cs_blocks,
        n_blocks=settings.n_blocks,
        heads=settings.heads,
        cs_target=settings.cs_target,
        global_threshold=settings.global_threshold,
        channel_threshold=settings.channel_threshold,
        cs_channels=settings.channels or None,
    )
    return replace(made, title=ablation_title(amf, cs))


def ablation_title(amf: bool, cs: bool) -> str:
    """ "ClearCLIP", "ClearCLIP + CS" …: the one with both is called GCLIP."""
    if amf and cs:
        return "GCLIP"
    return " + ".join(["ClearCLIP", *(["AMF"] if amf else []), *(["CS"] if cs else [])])


def _named(name: str) -> Callable[[Settings], Method]:
    return lambda _: find_method(name)


def _switched(amf: bool, cs: bool) -> Callable[[Settings], Method]:
    return lambda settings: ablation(settings, amf, cs)


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("clip", "CLIP", _named("clip")),
        Variant("clearclip", "ClearCLIP", _named("clearclip")),
        Variant("amf", ablation_title(True, False), _switched(True, False)),
        Variant("cs", ablation_title(False, True), _switched(False, True)),
        Variant("amf_cs", ablation_title(True, True), _switched(True, True)),
        Variant("sclip", "SCLIP", _named("sclip"), asked_for=True),
        Variant("naclip", "NACLIP", _named("naclip"), asked_for=True),
        Variant("maskclip", "MaskCLIP", _named("maskclip"), asked_for=True),
    )
}

METHOD_NAMES: tuple[str, ...] = tuple(METHODS)
