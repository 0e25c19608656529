"""A font that tests give to a machine."""

from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen


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
