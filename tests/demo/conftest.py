"""The whole page in this process, as clients reach it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from demo import backbones, limits, main, photo, scene
from demo.server import make_app
from gclip_core.cache import BoundedCache
from tests import free_port
from tests.demo.visitor import Visitor
from tests.models import loaded, small


@pytest.fixture(autouse=True, scope="package")
def _small() -> Iterator[None]:
    """The built-in model encodes small photos by default."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbones, "load_backbone", small)
        patch.setattr(backbones, "_loaded", BoundedCache(limits.MAX_BACKBONES))
        yield


@pytest.fixture
def as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The built-in model at its own size."""
    monkeypatch.setattr(backbones, "load_backbone", loaded)
    monkeypatch.setattr(backbones, "_loaded", BoundedCache(limits.MAX_BACKBONES))
    for module in (photo, scene):
        monkeypatch.setattr(module, "CACHE", BoundedCache(100))


@pytest.fixture(scope="session")
def served() -> Iterator[Callable[..., str]]:
    """Serves the page in this process; returns its address."""
    apps, host = list[Any](), backbones.HOST

    def serve(login: tuple[str, str] | None = None, root_path: str = "") -> str:
        apps.append(make_app(login))
        options = {"server_port": free_port(), "prevent_thread_lock": True, "quiet": True}
        _, url, _ = apps[-1].launch(**main.LAUNCH, **options, root_path=root_path)
        return url.rstrip("/")

    backbones.HOST = main.make_host(main.parser().parse_args(["--no-downloads"]))
    yield serve
    for app in apps:
        app.get_blocks().close(verbose=False)
    backbones.HOST = host


@pytest.fixture(scope="session")
def url(served: Callable[..., str]) -> str:
    return served()


@pytest.fixture(scope="module")
def visitor(url: str) -> Visitor:
    return Visitor(url)


@pytest.fixture
def no_trace(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The page prints no traceback, and nothing that a visitor planted."""
    yield
    printed = "".join(capfd.readouterr())
    assert "Traceback" not in printed and "planted" not in printed
