"""The image tower as an ONNX file."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gclip_core import GclipError, Segmenter
from gclip_core.backbones.backbone import Backbone
from gclip_core.export import export
from tests.models import loaded, picture, tiny_backbone


@pytest.mark.long
@pytest.mark.parametrize("load", [loaded, tiny_backbone])
def test_agreement(load: Callable[[], Backbone], tmp_path: Path) -> None:
    """ONNX Runtime computes what PyTorch does, at another grid than the model's own, too."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    backbone = load()
    encoded = Segmenter(backbone, short_side=96).encode(picture(96, 128))
    _, height, width = encoded.pixels.shape
    export(backbone, tmp_path / "tower.onnx", (height, width))
    tower = runtime.InferenceSession(tmp_path / "tower.onnx")
    inputs, *others = map(
        torch.from_numpy, tower.run(None, {"pixels": encoded.pixels[None].numpy()})
    )
    pairs = [(inputs, torch.stack(encoded.inputs))]
    if others:
        pairs += zip(others, (encoded.probabilities[None], encoded.stem_patches[None]), strict=True)
    for found, expected in pairs:
        assert (found - expected).norm() <= 2e-5 * expected.norm()


def test_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package and a size between patches are named."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(GclipError, match="pip install onnx"):
        export(tiny_backbone(), tmp_path / "tower.onnx", (64, 64))
    monkeypatch.setattr("gclip_core.export.optional", lambda *_: None)
    with pytest.raises(GclipError, match="100 pixels are not whole patches"):
        export(tiny_backbone(), tmp_path / "tower.onnx", (64, 100))
    assert not [*tmp_path.iterdir()]
