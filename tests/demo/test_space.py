"""ZeroGPU, with a stand-in for its package: what is lent, what comes back, and a spent quota."""

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from demo import backbones, main, space, views
from demo.scene import Photo, Scene
from demo.settings import Settings
from gclip_core import assets


class Spaces(types.ModuleType):
    """Counts what borrows the GPU, and may refuse."""

    def __init__(self) -> None:
        super().__init__("spaces")
        self.refuses, self.durations, self.returned = False, list[int](), list[Any]()
        self.config = types.SimpleNamespace(Config=types.SimpleNamespace(zero_gpu=True))

    def GPU(self, duration: int) -> Callable:  # noqa: N802 - the package's name
        def decorate(function: Callable) -> Callable:
            def borrow(*arguments: Any) -> Any:
                self.durations.append(duration)
                if self.refuses:
                    raise RuntimeError("quota exceeded")
                self.returned.append(function(*arguments))
                return self.returned[-1]

            return borrow

        return decorate


@pytest.fixture
def spaces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spaces]:
    package, host = Spaces(), backbones.HOST
    monkeypatch.setitem(sys.modules, "spaces", package)
    monkeypatch.setattr(nn.Module, "to", lambda self, place: self)
    backbones.set_host(backbones.Host(encode=space.encoder()))
    yield package
    backbones.set_host(host)


def scenes(size: int, **settings: Any) -> Scene:
    """A photo that is not in the cache, because no test has it at this size."""
    photo = Photo.of(str(assets.path("photos", "astronaut.jpg")))
    return Scene(photo, Settings(words="person, wall", short_side=size, **settings))


def test_lent(spaces: Spaces) -> None:
    """One pass borrows the GPU; arrays come back; words and masks are those of the CPU."""
    lent = scenes(208)
    labels, words = lent.mask().labels.numpy(), lent.suggested()
    (arrays,) = spaces.returned
    assert all(isinstance(x, np.ndarray | None) for x in arrays), "no tensors come back"
    scenes(208, amf=False).mask()
    assert spaces.durations == [space.SECONDS], "a switch borrows nothing"
    assert views.notes(lent) == []
    encoded = lent.segmenter.encode(lent.photo.picture)
    assert lent.segmenter.suggest(encoded) == words
    options = {"background": True, "background_weight": lent.settings.weight}
    plain = scenes(208, refine="none").mask().labels.numpy()
    alone = lent.segmenter.segment(encoded, lent.words, lent.method, **options).labels.numpy()
    assert np.array_equal(plain, alone) and labels.shape == alone.shape


def test_spent(spaces: Spaces) -> None:
    """When the quota is spent, the CPU computes, and the page says so."""
    spaces.refuses = True
    refused = scenes(224)
    assert refused.mask().labels.shape
    assert views.notes(refused) == ["No GPU was free for this photo: the CPU computed it."]


def test_own_gpu(spaces: Spaces, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lent GPU is not this machine's own."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    args = main.parser().parse_args([])
    assert main.make_host(args).device == "cpu"
    monkeypatch.setitem(sys.modules, "spaces", None)
    assert space.encoder() is None
    assert main.make_host(args).device == "cuda"
