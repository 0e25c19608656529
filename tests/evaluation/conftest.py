"""Commands read the built-in model once."""

import pytest

from tests.models import loaded


@pytest.fixture(autouse=True)
def one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.options.load_backbone", loaded)
