"""How a phrase is written: in English letters, in others, as a number or as an emoji."""

import unicodedata

from gclip_core.types import UnknownReason

_PARTS_OF_NAMES = (" face", " symbol", " sign", " emoji")


def reason_of(phrase: str) -> UnknownReason:
    """Why a model that learned English words for things does not know a phrase."""
    letters = [c for c in phrase if c.isalpha()]
    if letters:
        is_english = all(letter.isascii() for letter in letters)
        return UnknownReason.NEVER_MET if is_english else UnknownReason.OTHER_LANGUAGE
    if any(c.isnumeric() for c in phrase):
        return UnknownReason.NUMBER
    if any(unicodedata.category(c) == "So" for c in phrase):
        return UnknownReason.EMOJI
    return UnknownReason.SYMBOL


def emoji_name(phrase: str) -> str:
    """The name in Unicode of a phrase's first emoji, in lower case: "dog" for a dog's face, "house"
    for a house with a garden. Empty for a phrase without one."""
    for c in phrase:
        if unicodedata.category(c) == "So":
            name = unicodedata.name(c, "").lower().partition(" with ")[0]
            for part in _PARTS_OF_NAMES:
                name = name.removesuffix(part)
            return name
    return ""
