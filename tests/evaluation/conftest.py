"""Commands load the built-in model once, and run in a folder of their own."""

from pathlib import Path

import pytest

from tests.models import loaded


@pytest.fixture(autouse=True)
def one_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("evaluation.options.load_backbone", loaded)
    monkeypatch.chdir(tmp_path)
