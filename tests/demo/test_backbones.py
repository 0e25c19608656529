"""Downloads of a backbone: progress, completion, and refusals."""

import time
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from tqdm import tqdm

from demo import backbones
from gclip_core import BackboneError


class Download:
    """A stand-in for the library's download: ten parts, until it is cancelled. ``go`` lets it
    fetch more than the first."""

    def __init__(self, error: Exception | None = None) -> None:
        self.parts, self.error, self.go, self.ended = 0, error, Event(), Event()

    def __call__(self, entry: Any, bar: type[tqdm]) -> None:
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


@pytest.fixture(autouse=True)
def _host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "HOST", backbones.Host())


def load(monkeypatch: pytest.MonkeyPatch, download: Download) -> None:
    monkeypatch.setattr(backbones, "load", SimpleNamespace(fetch=download))


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    download = Download()
    load(monkeypatch, download)
    sentences = backbones.fetch("openai-vit-b-16")
    assert "0 of 599 MB" in next(sentences)
    download.go.set()
    assert [*sentences][-1] == "OpenAI ViT-B/16 is ready."


def test_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A visitor who cancels leaves no download running, and nobody waits for its next part."""
    download = Download()
    load(monkeypatch, download)
    fetching = backbones.fetch("openai-vit-b-16")
    next(fetching)
    started = time.perf_counter()
    fetching.close()  # Gradio calls this on the loop that serves all visitors
    assert time.perf_counter() - started < 10
    download.go.set()
    assert download.ended.wait(30) and download.parts == 1


def test_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says why."""
    load(monkeypatch, Download(BackboneError("no network")))
    with pytest.raises(BackboneError, match="no network"):
        list(backbones.fetch("openai-vit-b-16"))
    backbones.HOST = backbones.Host(downloads=False)
    with pytest.raises(BackboneError, match="downloads are off"):
        list(backbones.fetch("openai-vit-b-16"))
