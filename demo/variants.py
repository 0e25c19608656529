"""The variants of one image that the page compares: a name, and how the settings make it."""

from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from typing import Any

from demo.settings import Settings
from gclip_core.methods import METHODS, find_method, gclip
from gclip_core.types import Method

SWITCHED = {"amf": (True, False), "cs": (False, True), "gclip": (True, True)}
"""GCLIP with each of its switches, AMF and CS, on, then both."""
VARIANTS = tuple(one for name in METHODS for one in (SWITCHED if name == "gclip" else (name,)))
"""The name of every method, in the order of the table, with those of SWITCHED for GCLIP."""
OF_METHOD = (
    "amf_blocks", "cs_blocks", "n_blocks", "heads", "cs_target", "global_threshold",
    "channel_threshold", "channels",
)  # fmt: skip
"""Settings that are arguments of :func:`gclip_core.methods.gclip`."""


def shown(extras: bool) -> tuple[str, ...]:
    """Names of the variants that Compare shows; ``extras``: also those that one asks for."""
    usual = {"gclip", *(name for name, method in METHODS.items() if method.shown)}
    return tuple(name for name in VARIANTS if extras or name in usual)


def variant(settings: Settings, name: str) -> Method:
    """The method of a variant's name under the page's settings."""
    return ablation(settings, *SWITCHED[name]) if name in SWITCHED else find_method(name)


def chosen(settings: Settings) -> Method:
    """The method that the page's own switches name."""
    if settings.method != "gclip":
        return find_method(settings.method)
    return ablation(settings, settings.amf, settings.cs)


def ablation(settings: Settings, amf: bool, cs: bool) -> Method:
    """ClearCLIP under the page's settings with AMF and CS on or off, named as the page names it."""
    both = _both(*attrgetter(*OF_METHOD)(settings))
    averaged = ", averaged with the attention of the first blocks with global tokens" * amf
    return replace(
        both,
        title="GCLIP" if amf and cs else "ClearCLIP" + " + AMF" * amf + " + CS" * cs,
        summary=f"Query-Query attention{averaged}{'; one abnormal FFN channel scaled down' * cs}.",
        fusion=both.fusion if amf else None,
        suppression=both.suppression if cs else None,
    )


@lru_cache(64)
def _both(*values: Any) -> Method:
    """GCLIP under the values of these settings."""
    *made, channels = values
    return gclip(**dict(zip(OF_METHOD, made, strict=False)), cs_channels=channels or None)
