"""Commands load small copies of the built-in model once, and run in a folder of their own."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from gclip_core import Backbone
from tests.models import loaded


@lru_cache
def small(*settings: Any) -> Backbone:
    """A backbone that sees photos at a short side of 160."""
    return replace(loaded(*settings), short_side=160)


@pytest.fixture(autouse=True)
def one_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("evaluation.options.load_backbone", small)
    monkeypatch.chdir(tmp_path)
