"""Words as labels on pictures and figures: which font draws them, and what it draws of them.

DejaVu Sans ships with matplotlib. What it lacks, such as Chinese, is drawn in a font of the
machine, if one has all letters of the word.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from unicodedata import bidirectional, category

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.font_manager import FontEntry
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray

FAMILY = "DejaVu Sans"
FONT = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf"
MARK = "\u200e"
"""Unicode's left-to-right mark."""
LONGEST = 24
"""Maximum number of characters of a label."""
LETTERS = "LMN"
"""Unicode's categories of letters, marks on them, and numbers."""
NO_FONT = "{numbers}: no font of this machine draws {words}."


@dataclass(frozen=True)
class Face:
    """A font's family, its file, and the codes of its characters in rising order."""

    family: str
    path: str
    codes: NDArray[np.uint32] = field(compare=False, repr=False)

    def draws(self, text: str) -> NDArray[np.bool_]:
        """Which characters of a text it has."""
        return np.isin([ord(c) for c in text], self.codes)


def drawable(word: str, index: int) -> str:
    """A word as a label: what its font can draw of it, spaces joined, cut with "…".

    The class's number (from 1) where no font has all its letters.
    """
    label = _drawn(word)
    if not label:
        return f"#{index + 1}"
    return label if len(label) <= LONGEST else label[: LONGEST - 1].rstrip() + "…"


def left_to_right(word: str, after: str = "") -> str:
    """A text that begins on the left, also where its first word is written from the right."""
    if any(bidirectional(c) in ("R", "AL") for c in word):
        return f"{MARK}{word}{MARK}{after}"
    return word + after


def printable(text: str) -> str:
    """What DejaVu Sans can draw of a text, with its spaces joined."""
    return _by(_dejavu(), text)


def without_font(names: Iterable[str]) -> str:
    """Why labels are numbers; empty where none is."""
    lacking = [number for number, name in enumerate(names, 1) if not _drawn(name)]
    if not lacking:
        return ""
    numbers = ", ".join(f"#{number}" for number in lacking)
    return NO_FONT.format(numbers=numbers, words="these words" if lacking[1:] else "this word")


def families(names: Iterable[str]) -> list[str]:
    """The families of fonts that draw these words, DejaVu Sans first."""
    faces = map(face_of, names)
    return list(dict.fromkeys([FAMILY, *(face.family for face in faces if face)]))


@lru_cache(1024)
def face_of(text: str) -> Face | None:
    """The first font that has all letters of a text: DejaVu Sans, then those of the machine.

    A text without letters needs its signs.
    """
    letters = [c for c in text if category(c)[0] in LETTERS]
    needed = "".join(letters or [c for c in text if category(c)[0] not in "CZ"])
    if _dejavu().draws(needed).all():
        return _dejavu()
    return next((face for face in machine_faces() if face.draws(needed).all()), None)


def _drawn(word: str) -> str:
    """What a word's font can draw of it; empty without a font for it."""
    face = face_of(word)
    return _by(face, word) if face else ""


def _by(face: Face, text: str) -> str:
    spaced = " ".join(text.split())
    pairs = zip(spaced, face.draws(spaced), strict=True)
    drawn = "".join(c for c, has in pairs if has and category(c)[0] != "C")
    return " ".join(drawn.split())


@cache
def _dejavu() -> Face:
    return Face(FAMILY, FONT, _codes(FONT))


@cache
def machine_faces() -> list[Face]:
    """A font of each installed family, with what it has also in bold.

    Fonts of bitmaps, such as coloured emoji, have no outline; matplotlib's others are for formulas,
    and those of last resort draw frames.
    """
    families: dict[str, list[FontEntry]] = {}
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: entry.name):
        is_own = Path(entry.fname).is_relative_to(matplotlib.get_data_path())
        is_last = "lastresort" in entry.name.replace(" ", "").lower()
        if entry.style == "normal" and entry.name != FAMILY and not is_own and not is_last:
            families.setdefault(entry.name, []).append(entry)
    faces = []
    for family, entries in families.items():
        plain, bold = (
            min(entries, key=lambda entry: abs(_weight(entry) - wanted)).fname
            for wanted in (400, 700)
        )
        try:
            codes = np.intersect1d(_codes(plain), _codes(bold))
        except (OSError, RuntimeError):  # a broken file
            continue
        faces.append(Face(family, bold, codes))
    return faces


def _weight(entry: FontEntry) -> int:
    """A font's weight in numbers, 400 an ordinary one."""
    return font_manager.weight_dict.get(entry.weight, entry.weight)


def _codes(path: str) -> NDArray[np.uint32]:
    font = FT2Font(path)
    codes = sorted(font.get_charmap()) if font.scalable else []
    return np.array(codes, np.uint32)
