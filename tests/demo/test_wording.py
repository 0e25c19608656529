"""Sentences that are always the same: each that the page names is there, and each is used."""

import re
import tomllib
from pathlib import Path

import pytest

from demo import wording

DEMO = Path(wording.__file__).parent


def test_every_sentence_that_is_named_is_there_and_no_other() -> None:
    code = "\n".join(path.read_text("utf-8") for path in DEMO.rglob("*.py"))
    named = set(re.findall(r"\bwording\.([A-Z][A-Z_]+)|_FIXED\[['\"](\w+)['\"]\]", code))
    there = tomllib.loads((DEMO / "sentences.toml").read_text("utf-8"))
    assert {one or other for one, other in named} == set(there)


def test_a_sentence_that_is_not_there_is_an_error() -> None:
    with pytest.raises(AttributeError, match="sentences.toml has no 'NOT_THERE'"):
        _ = wording.NOT_THERE
