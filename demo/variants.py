"""The methods that the page compares on one picture, by name, as the settings make them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from demo.settings import Settings
from gclip_core.methods import METHODS, gclip
from gclip_core.types import Method, Plant

Switches = tuple[bool, bool]
"""AMF and CS, each on or off."""
ABLATIONS: dict[str, Switches] = {"amf": (True, False), "cs": (False, True), "gclip": (True, True)}
"""GCLIP with each of its switches, AMF and CS, on, then both."""
VARIANTS = tuple(
    variant for name in METHODS for variant in (ABLATIONS if name == "gclip" else (name,))
)
"""The name of every method, in the order of the table, with those of ABLATIONS for GCLIP."""
ARGUMENTS = (
    "amf_blocks",
    "cs_blocks",
    "n_fused",
    "heads",
    "cs_target",
    "global_threshold",
    "channel_threshold",
)
"""Settings that are arguments of :func:`gclip_core.methods.gclip` under the same name."""


def names(extras: bool) -> tuple[str, ...]:
    """Names of the variants that Compare shows; ``extras``: also the others."""
    if extras:
        return VARIANTS
    usual = {"gclip", *(name for name, method in METHODS.items() if method.shown)}
    return tuple(name for name in VARIANTS if name in usual)


def arguments(settings: Settings) -> dict[str, Any]:
    """The arguments of :func:`gclip_core.methods.gclip` besides its two switches."""
    named = {name: getattr(settings, name) for name in ARGUMENTS}
    return {**named, "cs_channels": settings.channels or None}


def ablations(settings: Settings) -> dict[Switches, Method]:
    """ClearCLIP under the page's settings with AMF and CS off and on, named as the page does."""
    both = gclip(**arguments(settings))
    return {(amf, cs): _ablation(both, amf, cs) for amf in (False, True) for cs in (False, True)}


def _ablation(both: Method, amf: bool, cs: bool) -> Method:
    """GCLIP (``both``) with switches off; the name stays GCLIP's, as AMF and CS can be switched."""
    if not amf and not cs:
        return replace(METHODS["clearclip"], name=both.name)
    title, summary = "ClearCLIP", "Query-Query attention"
    if amf:
        title += " + AMF"
        summary += ", averaged with the attention of earlier blocks"
    if cs:
        title += " + CS"
        summary += "; one abnormal FFN channel scaled down"
    return replace(
        both,
        title="GCLIP" if amf and cs else title,
        summary=f"{summary}.",
        fusion=both.fusion if amf else None,
        suppression=both.suppression if cs else None,
    )


def chosen(settings: Settings, switched: Mapping[Switches, Method]) -> Method:
    """The method that the page's own switches name; ``switched`` are :func:`ablations`."""
    method = METHODS[settings.method]
    return switched[settings.amf, settings.cs] if method.switchable else method


@dataclass(frozen=True, eq=False)
class Compared:
    """The method of the mask before, and what the two sides are called.

    ``subject`` is what makes the difference; empty where nothing can differ.
    """

    before: Method
    titles: tuple[str, str]
    subject: str


def compared(
    method: Method,
    switched: Mapping[Switches, Method],
    suppressed: Collection[int],
    planted: Collection[Plant],
) -> Compared:
    """What *before* means in *Side by side* and in a figure, where ``method`` is chosen.

    It is what the switches change, or ClearCLIP beside a method without them. Where CS changes the
    blocks ``suppressed`` under a simulation, both sides differ by CS alone.
    """
    clearclip, fused = switched[False, False], method.fusion is not None
    if not method.switchable:
        return Compared(clearclip, (clearclip.title, method.title), method.title)
    if suppressed and (planted or not fused):
        return Compared(switched[fused, False], ("Without CS", "With CS"), "CS")
    if suppressed:
        return Compared(clearclip, (clearclip.title, method.title), method.title)
    if fused:
        return Compared(clearclip, ("Without AMF", "With AMF"), "AMF")
    return Compared(clearclip, (clearclip.title, clearclip.title), "")


def methods(names: Iterable[str], switched: Mapping[Switches, Method]) -> dict[str, Method]:
    """The methods of variants by their names; ``switched`` are :func:`ablations`.

    ClearCLIP is the ablation without AMF and CS, so that all tabs share its mask.
    """
    named = METHODS | {"clearclip": switched[False, False]}
    named |= {name: switched[switches] for name, switches in ABLATIONS.items()}
    return {name: named[name] for name in names}
