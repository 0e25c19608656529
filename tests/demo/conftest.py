"""The whole page in this process, as clients reach it; and small photos for all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import backbones, main, scene
from demo.gate import numbers
from gclip_core.cache import BoundedCache
from tests.demo.visitor import Visitor
from tests.models import loaded, small


@pytest.fixture(autouse=True, scope="package")
def _small() -> Iterator[None]:
    """The built-in model encodes small photos by default."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbones, "load_backbone", small)
        patch.setattr(backbones, "_loaded", BoundedCache(numbers.MAX_BACKBONES))
        yield


@pytest.fixture
def as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The built-in model at its own size."""
    monkeypatch.setattr(backbones, "load_backbone", loaded)
    monkeypatch.setattr(backbones, "_loaded", BoundedCache(numbers.MAX_BACKBONES))
    monkeypatch.setattr(scene, "CACHE", BoundedCache(100))


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    args = main.parser().parse_args(["--backbone", "built-in", "--no-downloads"])
    host = backbones.HOST
    backbones.HOST = main.make_host(args)
    blocks = main.build()
    uploads = Path(os.environ["GRADIO_TEMP_DIR"])
    _, address, _ = main.serve(blocks, args, uploads)
    yield address.rstrip("/")
    blocks.close(verbose=False)
    backbones.HOST = host


@pytest.fixture(scope="module")
def visitor(url: str) -> Visitor:
    return Visitor(url)
