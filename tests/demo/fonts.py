"""Fonts of a machine: those that tests give it, whatever is installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from demo.drawing import lettering


@contextmanager
def machine_with(*fonts: Path) -> Iterator[None]:
    """A machine that has matplotlib's own fonts and these alone."""
    manager = font_manager.fontManager
    installed = list(manager.ttflist)
    own = matplotlib.get_data_path()
    manager.ttflist[:] = [entry for entry in installed if entry.fname.startswith(own)]
    for font in fonts:
        manager.addfont(font)
    _forget()
    yield
    manager.ttflist[:] = installed
    _forget()


def _forget() -> None:
    lettering.machine_faces.cache_clear()
    lettering.face_of.cache_clear()


def one_letter(path: Path, letter: str) -> Path:
    """A font with one letter, a triangle, written to ``path``."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((900, 0))
    pen.lineTo((450, 900))
    pen.closePath()
    glyphs = {".notdef": TTGlyphPen(None).glyph(), "letter": pen.glyph()}
    build = FontBuilder(1000, isTTF=True)
    build.setupGlyphOrder(list(glyphs))
    build.setupCharacterMap({ord(letter): "letter"})
    build.setupGlyf(glyphs)
    build.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    build.setupHorizontalHeader(ascent=900, descent=-100)
    build.setupNameTable({"familyName": "One Letter", "styleName": "Regular"})
    build.setupOS2()
    build.setupPost()
    build.save(path)
    return path
