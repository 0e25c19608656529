"""Commands load small copies of the built-in model once, and run in a folder of their own."""

from pathlib import Path

import pytest

from tests.models import small


@pytest.fixture(autouse=True)
def one_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("evaluation.options.load_backbone", small)
    monkeypatch.chdir(tmp_path)
