"""Downloads of a backbone: progress, completion, cancellation, and failure."""

import time
from threading import Event
from types import SimpleNamespace

import pytest
from tqdm import tqdm

from demo import backbones
from gclip_core import BackboneError


class Download:
    """A stand-in for the library's download: ten parts, until it is cancelled. ``go`` lets it
    fetch more than the first."""

    def __init__(self) -> None:
        self.parts, self.go, self.ended = 0, Event(), Event()
        self.error: Exception | None = None

    def __call__(self, entry: object, bar: type[tqdm]) -> None:
        try:
            if self.error:
                raise self.error
            shown = bar(total=10)
            for part in range(10):
                shown.update(part)
                self.parts += 1
                assert self.go.wait(30)
        finally:
            self.ended.set()


@pytest.fixture
def download(monkeypatch: pytest.MonkeyPatch) -> Download:
    download = Download()
    monkeypatch.setattr(backbones, "HOST", backbones.Host())
    monkeypatch.setattr(backbones, "load", SimpleNamespace(fetch=download))
    return download


def test_progress(download: Download) -> None:
    sentences = backbones.fetch("openai-vit-b-16")
    assert "0 of 599 MB" in next(sentences)
    download.go.set()
    assert all("of 599 MB" in sentence for sentence in sentences)
    assert download.parts == 10


def test_cancel(download: Download) -> None:
    """A visitor who cancels leaves no download running, and nobody waits for its next part."""
    fetching = backbones.fetch("openai-vit-b-16")
    next(fetching)
    started = time.perf_counter()
    fetching.close()  # Gradio calls this on the loop that serves all visitors
    assert time.perf_counter() - started < 10
    download.go.set()
    assert download.ended.wait(30) and download.parts == 1


def test_failure(download: Download) -> None:
    """The message says why."""
    download.error = BackboneError("no network")
    with pytest.raises(BackboneError, match="no network"):
        list(backbones.fetch("openai-vit-b-16"))
