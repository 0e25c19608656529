"""How a phrase is written says why a model of English words does not know it."""

import pytest

from gclip_core.types import UnknownReason
from gclip_core.writing import emoji_name, reason_of


@pytest.mark.parametrize(
    ("reason", "phrases"),
    [
        (UnknownReason.NEVER_MET, ["tram", "Hund", "3 trams", "R2-D2"]),
        (UnknownReason.OTHER_LANGUAGE, ["犬", "собака", "Löwe", "كلب", "犬 dog"]),
        (UnknownReason.NUMBER, ["42", "3.5", "½", "１２"]),
        (UnknownReason.EMOJI, ["🐶", "❤️", "👩‍🚒", "☕☕"]),
        (UnknownReason.SYMBOL, ["!!!", "$", "–"]),
    ],
)
def test_letters_digits_emoji_and_symbols_are_told_apart(
    reason: UnknownReason, phrases: list[str]
) -> None:
    assert {reason_of(phrase) for phrase in phrases} == {reason}


@pytest.mark.parametrize(
    ("phrase", "name"),
    [("🐶", "dog"), ("🏡", "house"), ("🍕🍕", "slice of pizza"), ("dog", ""), ("42", "")],
)
def test_an_emoji_has_a_name(phrase: str, name: str) -> None:
    assert emoji_name(phrase) == name
