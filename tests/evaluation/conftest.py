"""Commands read the built-in model once; one small experiment is run whole."""

import pytest

from evaluation.benchmark.tally import Tally
from tests.evaluation.runs import run_small
from tests.models import loaded


@pytest.fixture(autouse=True)
def one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.options.load_backbone", loaded)


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Tally:
    """The uninterrupted run that all others must equal."""
    return run_small(tmp_path_factory.mktemp("whole"))
