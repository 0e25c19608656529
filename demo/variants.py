"""The variants of one image that the page compares: a name, and how the settings make it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any

from demo import wording
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


def count(settings: Settings) -> int:
    """How many variants a request with these settings computes."""
    if settings.tab != "compare":
        return 1
    return sum(settings.extras or not one.asked_for for one in VARIANTS.values())


def chosen(settings: Settings) -> Method:
    """The method that the page's own switches name."""
    if settings.method != "gclip":
        return find_method(settings.method)
    return ablation(settings, settings.amf, settings.cs)


def ablation(settings: Settings, amf: bool, cs: bool) -> Method:
    """ClearCLIP under the page's settings with AMF and CS on or off, named as the page names it."""
    both = _both(*attrgetter(*OF_METHOD)(settings))
    return replace(
        both,
        title=ablation_title(amf, cs),
        summary=wording.ablation(amf, cs),
        fusion=both.fusion if amf else None,
        suppression=both.suppression if cs else None,
    )


OF_METHOD = (
    "amf_blocks", "cs_blocks", "n_blocks", "heads", "cs_target", "global_threshold",
    "channel_threshold", "channels",
)  # fmt: skip


@lru_cache(64)
def _both(*values: Any) -> Method:
    """GCLIP under the values of these settings."""
    *made, channels = values
    return gclip(**dict(zip(OF_METHOD, made, strict=False)), cs_channels=channels or None)


def ablation_title(amf: bool, cs: bool) -> str:
    """ "ClearCLIP", "ClearCLIP + CS" …: the one with both is called GCLIP."""
    if amf and cs:
        return "GCLIP"
    return " + ".join(["ClearCLIP", *(["AMF"] if amf else []), *(["CS"] if cs else [])])


def _variants() -> Iterator[Variant]:
    """Every method, in the order of the table; GCLIP with each of its switches on, then both."""
    own = gclip().name
    switched = (("amf", (True, False)), ("cs", (False, True)), ("amf_cs", (True, True)))
    for name, method in METHODS.items():
        if name != own:
            asked = not method.shown
            yield Variant(name, method.title, lambda _, name=name: find_method(name), asked)
            continue
        for key, on in switched:
            title, asked = ablation_title(*on), key != "amf_cs"
            yield Variant(key, title, lambda settings, on=on: ablation(settings, *on), asked)


VARIANTS: dict[str, Variant] = {variant.name: variant for variant in _variants()}
