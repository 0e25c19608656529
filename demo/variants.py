"""The variants of one image that the page compares: a name, and how the settings make it."""

from dataclasses import replace
from inspect import signature
from typing import Any

from demo.settings import FIELDS, Settings
from gclip_core.methods import METHODS, find_method, gclip
from gclip_core.types import Method

SWITCHED = {"amf": (True, False), "cs": (False, True), "gclip": (True, True)}
"""GCLIP with each of its switches, AMF and CS, on, then both."""
VARIANTS = tuple(one for name in METHODS for one in (SWITCHED if name == "gclip" else (name,)))
"""The name of every method, in the order of the table, with those of SWITCHED for GCLIP."""
OF_METHOD = tuple(name for name in signature(gclip).parameters if name in FIELDS)[2:]
"""Settings that are arguments of :func:`gclip_core.methods.gclip`, after its two switches."""


def shown(extras: bool) -> tuple[str, ...]:
    """Names of the variants that Compare shows; ``extras``: also those that one asks for."""
    usual = {"gclip", *(name for name, method in METHODS.items() if method.shown)}
    return tuple(name for name in VARIANTS if extras or name in usual)


def variant(settings: Settings, name: str) -> Method:
    """The method of a variant's name under the page's settings."""
    return ablation(settings, *SWITCHED[name]) if name in SWITCHED else find_method(name)


def chosen(settings: Settings) -> Method:
    """The method that the page's own switches name."""
    method = find_method(settings.method)
    return ablation(settings, settings.amf, settings.cs) if method.switchable else method


def ablation(settings: Settings, amf: bool, cs: bool) -> Method:
    """ClearCLIP under the page's settings with AMF and CS on or off, named as the page names it."""
    both = gclip(**arguments(settings))
    averaged = ", averaged with the attention of earlier blocks" * amf
    return replace(
        both,
        title="GCLIP" if amf and cs else "ClearCLIP" + " + AMF" * amf + " + CS" * cs,
        summary=f"Query-Query attention{averaged}{'; one abnormal FFN channel scaled down' * cs}.",
        fusion=both.fusion if amf else None,
        suppression=both.suppression if cs else None,
    )


def arguments(settings: Settings) -> dict[str, Any]:
    """The arguments of :func:`gclip_core.methods.gclip` besides its two switches."""
    named = {name: getattr(settings, name) for name in OF_METHOD}
    return {**named, "cs_channels": settings.channels or None}
