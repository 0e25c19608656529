"""Shared by all tests: the ``--long`` flag, and two workers unless single files are named."""

import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

# As in app.py, before anything imports torch: MKL's results are reproducible, and threads that spin
# would slow down a busy machine.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# Small towers are slower on several threads, and a worker has one core; long tests may use all.
if "--long" not in sys.argv:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

BROWSER = "tests/browser/"


@pytest.fixture(autouse=True, scope="session")
def _files_of_this_worker() -> Iterator[None]:
    """Pages of two workers share no folder: the first to end would empty it."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv("GRADIO_TEMP_DIR", folder)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests marked long")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two workers for a whole run, one per core; files named by hand, and tests that may use the
    whole machine, run in this process."""
    return 0 if config.getoption("--long") or all(".py" in name for name in config.args) else 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker runs all tests of the browser: server, page and Chromium start once."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return BROWSER if nodeid.startswith(BROWSER) else super()._split_scope(nodeid)

    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # the longest, so that both workers end together
    first = (BROWSER, "tests/demo/", "tests/training/", "tests/evaluation/")
    items.sort(key=lambda item: [not item.nodeid.startswith(name) for name in first])
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="long: run with --long")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)
