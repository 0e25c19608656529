"""The variants of one image that the page compares: a name, and how the settings make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    """GCLIP under the page's settings with its two ideas on or off."""
    return gclip(
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


def _named(name: str) -> Callable[[Settings], Method]:
    return lambda _: find_method(name)


def _switched(amf: bool, cs: bool) -> Callable[[Settings], Method]:
    return lambda settings: ablation(settings, amf, cs)


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("clip", "CLIP", _named("clip")),
        Variant("clearclip", "ClearCLIP", _named("clearclip")),
        Variant("amf", "ClearCLIP + AMF", _switched(True, False)),
        Variant("cs", "ClearCLIP + CS", _switched(False, True)),
        Variant("amf_cs", "ClearCLIP + AMF + CS", _switched(True, True)),
        Variant("sclip", "SCLIP", _named("sclip"), asked_for=True),
        Variant("naclip", "NACLIP", _named("naclip"), asked_for=True),
        Variant("maskclip", "MaskCLIP", _named("maskclip"), asked_for=True),
    )
}

METHOD_NAMES: tuple[str, ...] = tuple(METHODS)
