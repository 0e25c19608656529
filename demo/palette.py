"""The class colours of :mod:`gclip_core.palette`, under the name the page uses."""

from gclip_core.palette import (
    FIRST,
    INK,
    NO_CLASS,
    PAPER,
    colours,
    contrast,
    hex_colour,
    indexed,
    lookup,
    text_colour,
)

__all__ = [
    "FIRST",
    "INK",
    "NO_CLASS",
    "PAPER",
    "colours",
    "contrast",
    "hex_colour",
    "indexed",
    "lookup",
    "text_colour",
]
