"""SECURITY’s promise: under attack, no answer is lost or differs, in less than 4 GB."""

import pytest

from tests.load.__main__ import main


@pytest.mark.long
def test_attacks_beside_visitors() -> None:
    assert main([]) == 0


@pytest.mark.long
def test_soak() -> None:
    """Memory stops growing after a few hundred new photos."""
    assert main(["--soak", "400"]) == 0
