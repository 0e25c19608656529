"""The table of nearest seen words is what WordNet's nouns give."""

from pathlib import Path

import pytest

from training.nearest import table

WORDNET = Path("/usr/share/wordnet")


@pytest.mark.skipif(not (WORDNET / "data.noun").is_file(), reason="needs Debian's wordnet-base")
def test_nouns_lead_to_the_first_seen_word_above_them() -> None:
    near = table(WORDNET, {"seen": [["dog", "dogs"], ["person"]], "more": [["poodle"]]})
    assert "golden retriever" in near["dog"]
    assert "teacher" in near["person"]
    assert "poodle" not in near["dog"], "a word that it knows needs none"
    assert "happiness" not in near["person"]
