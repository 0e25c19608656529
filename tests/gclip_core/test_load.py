"""Where weights come from, and the refusal of damaged, wrong or hostile files.

A tiny model replaces the large ones, and a few functions replace the hub.
"""

import json
import os
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import open_clip
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from gclip_core import BACKBONES, METHODS, Backbone, BackboneError, Segmenter, assets, load_backbone
from gclip_core.backbones import builtin, load
from gclip_core.backbones.registry import BUILT_IN, BackboneEntry
from gclip_core.backbones.weights import read_weights
from tests import refusal
from tests.models import loaded, picture

ARCHITECTURE = "tiny-for-tests"
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"layers": 2, "width": 32, "head_width": 8, "patch_size": 8, "image_size": 32},
    "text_cfg": {"width": 16, "heads": 2, "layers": 1},
    "quick_gelu": True,
}


@pytest.fixture(scope="module", autouse=True)
def architecture(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("architectures")
    (folder / f"{ARCHITECTURE}.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder)


@pytest.fixture(scope="module")
def model() -> CLIP:
    torch.manual_seed(0)
    return CLIP(**CONFIG).eval()


@pytest.fixture(autouse=True)
def entry(monkeypatch: pytest.MonkeyPatch) -> BackboneEntry:
    """An entry of the registry, as small as possible."""
    sizes = {"download": 3, "n_blocks": 2, "patch": 8, "short_side": 32}
    files, mean = ("Tiny-original.pt",), (0.1, 0.2, 0.3)
    names = "tiny", "Tiny", ARCHITECTURE, "nobody"
    tiny = BackboneEntry(*names, licence="MIT", files=files, mean=mean, **sizes)
    monkeypatch.setitem(BACKBONES, "tiny", tiny)
    monkeypatch.delenv(load.WEIGHTS_FOLDER, raising=False)
    return tiny


def save_archive(state: dict[str, Tensor], path: Path) -> None:
    """As TorchScript, with three numbers beside the weights, as OpenAI's files are."""
    model = CLIP(**CONFIG)
    model.load_state_dict(state)
    for name, value in (("input_resolution", 32), ("context_length", 77), ("vocab_size", 9)):
        vars(model).pop(name, None)
        model.register_buffer(name, torch.tensor(value))
    example = torch.zeros(1, 3, 32, 32), torch.ones(1, 77, dtype=torch.long)
    torch.jit.trace(model.eval(), example, check_trace=False).save(path)


SAVE: dict[str, Callable[[dict[str, Tensor], Path], object]] = {
    "safetensors": save_file,
    "pt": torch.save,
    "bin": lambda state, path: torch.save(  # as trainers write it
        {"epoch": 3, "state_dict": {f"module.{key}": state[key] for key in state}}, path
    ),
    "pth": partial(torch.save, _use_new_zipfile_serialization=False),
    "archive.pt": save_archive,
}


def assert_same(backbone: Backbone, model: CLIP) -> None:
    state = backbone.model.state_dict()
    for key, value in model.state_dict().items():
        assert torch.equal(state[key], value), key
    pixels = torch.randn(1, 3, 32, 32)
    tokens = backbone.tokenizer(["a cat"])
    with torch.no_grad():
        assert torch.allclose(backbone.model.encode_image(pixels), model.encode_image(pixels))
        assert torch.allclose(backbone.model.encode_text(tokens), model.encode_text(tokens))


@pytest.mark.parametrize("kind", SAVE)
def test_kinds(model: CLIP, tmp_path: Path, kind: str) -> None:
    """All kinds of files give a model."""
    file = tmp_path / f"tiny.{kind}"
    SAVE[kind](model.state_dict(), file)
    backbone = load_backbone("tiny", weights=file)
    assert_same(backbone, model)
    assert (backbone.name, backbone.mean) == ("tiny", (0.1, 0.2, 0.3))
    assert not any(p.requires_grad for p in backbone.model.parameters())
    assert not backbone.model.training
    result = Segmenter(backbone).segment(picture(32, 40), "cat", METHODS["clip"])
    assert result.labels.shape == (32, 40)


def test_folder(tmp_path: Path) -> None:
    """A folder with the built-in's files has its own words; one that lacks a file is refused, as is
    one with a file that has another digest."""
    refused(lambda: load_backbone(weights=tmp_path), "lacks some of the files", "words.json")
    for file in assets.path("built-in").iterdir():
        (tmp_path / file.name).symlink_to(file)
    zeros = bytearray((tmp_path / "text.safetensors").read_bytes())
    zeros[-1000:] = bytes(1000)
    (tmp_path / "text.safetensors").unlink()
    (tmp_path / "text.safetensors").write_bytes(zeros)
    refused(lambda: load_backbone(weights=tmp_path), "'text.safetensors'", "is damaged: its digest")
    (tmp_path / "text.safetensors").unlink()
    (tmp_path / "text.safetensors").symlink_to(assets.path("built-in", "text.safetensors"))
    (tmp_path / "SHA256SUMS").unlink()
    words = json.loads((tmp_path / "words.json").read_text())
    words["seen"].append(["flux capacitor"])
    (tmp_path / "words.json").unlink()
    (tmp_path / "words.json").write_text(json.dumps(words))
    taught = load_backbone("built-in", weights=str(tmp_path))
    assert ("flux capacitor",) in taught.known.seen
    assert taught.digest == loaded().digest
    refused(
        lambda: load_backbone("openai-vit-b-32", weights=tmp_path),
        "has no weights of OpenAI ViT-B/32",
        "openai-vit-b-32.safetensors",
    )
    refused(lambda: load_backbone(weights=tmp_path / "away"), "no weight file 'away'")


def test_dtype(model: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half precision is read as float32; the processor decides what auto means."""
    file = tmp_path / "half.safetensors"
    save_file({key: value.half() for key, value in model.state_dict().items()}, file)
    types = {p.dtype for p in load_backbone("tiny", weights=str(file)).model.parameters()}
    assert types == {torch.float32}
    assert load_backbone("tiny", file, dtype="bfloat16").dtype == torch.bfloat16
    for has, dtype in ((False, torch.float32), (True, torch.bfloat16)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"avx512_bf16": has})
        assert load_backbone("tiny", file, dtype="auto").dtype == dtype
    assert load_backbone(dtype="auto").dtype == torch.float32, "masks do not differ by machine"


def refused(load: Callable[[], Any], *words: str, folder: Path | None = None) -> None:
    """Assert that loading is refused with these words, which do not name a folder."""
    message = refusal(BackboneError, load, *words)
    assert folder is None or str(folder) not in message


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "weights.pt"


class _Code:
    """A pickle that creates the folder ``marker`` if it is loaded carelessly."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable, tuple]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("form", ["legacy", "bare", "beside tensors"])
def test_pickle_code(form: str, suffix: str, tmp_path: Path) -> None:
    """A pickle with code in it does not run."""
    marker, file = tmp_path / "it-ran", tmp_path / f"weights{suffix}"
    if form == "bare":
        file.write_bytes(pickle.dumps(_Code(marker)))
    else:
        value = {"a": torch.ones(2), "b": _Code(marker)} if form[0] == "b" else _Code(marker)
        torch.save(value, file, _use_new_zipfile_serialization=form != "legacy")
    refused(lambda: read_weights(file), "could not be read as weights", folder=tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_odd_numbers(number: str, file: Path) -> None:
    """Numbers that are not finite are refused."""
    torch.save({"visual.proj": torch.tensor([1.0, float(number)])}, file)
    refused(lambda: read_weights(file), "'visual.proj'")


def test_no_state_dict(tmp_path: Path) -> None:
    """A file without a state dict, of another kind, or cut short is refused."""
    file = tmp_path / "weights.pt"
    for content in ([1, 2], {}, torch.ones(3), {"state_dict": {}}, "words", None):
        torch.save(content, file)
        refused(lambda: read_weights(file), "no state dict")
    for name in (file, tmp_path / "weights.safetensors"):
        for data in (b"", b"<!doctype html>", b"PK\x03\x04", b"\x80"):
            name.write_bytes(data)
            refused(lambda n=name: read_weights(n), "download it again", folder=tmp_path)
    for name in (tmp_path, tmp_path / "away.pt"):
        refused(lambda name=name: read_weights(name), "no weight file")


def test_other_model(file: Path) -> None:
    """Weights of another model are refused by name."""
    torch.save({"visual.proj": torch.ones(3, 3)}, file)
    for name, title in (("tiny", "Tiny"), (BUILT_IN, "Built-in")):
        refused(lambda name=name: load_backbone(name, weights=file), f"not those of {title}")
    for ids in ([10**6], [-1], [1, 2]):  # for tokens that do not exist, or for one row
        state = {"token_ids": torch.tensor(ids), "token_rows": torch.ones(1, 192)}
        refused(lambda s=state: builtin.unpack(s, 49408, "Built-in"), "not those of Built-in")


class Hub:
    """A replacement for the hub and its cache: what it sends, how it fails, how often it sent."""

    error: Exception | None = None
    downloads = 0

    def __init__(self, file: Path, state: dict[str, Tensor]) -> None:
        self.file, self.state = file, state

    def cached(self, _source: str, name: str) -> str | None:
        return str(self.file) if name == self.file.name and self.file.is_file() else None

    def download(self, source: str, name: str, tqdm_class: Any = None) -> str:
        assert source == "some/tiny"
        if name != self.file.name:
            raise RemoteEntryNotFoundError(name, response=Mock())
        self.downloads += 1
        part = self.file.with_name(f"{name}.incomplete")
        part.write_bytes(b"a part")
        if tqdm_class:
            with tqdm_class(total=30, unit="B") as bar:
                for _ in range(3):
                    bar.update(10)
        if self.error is not None:
            raise self.error
        SAVE[self.file.suffix[1:]](self.state, part)
        part.rename(self.file)
        return str(self.file)


@pytest.fixture
def hub(model: CLIP, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    cache = tmp_path / "cache"
    cache.mkdir()
    hub = Hub(cache / "open_clip_model.safetensors", model.state_dict())
    monkeypatch.setattr(load.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(load, "get_session", lambda: SimpleNamespace(head=lambda *_, **__: None))
    monkeypatch.setattr(load, "try_to_load_from_cache", hub.cached)
    monkeypatch.setattr(load.pretrained, "get_pretrained_cfg", lambda *_: {"hf_hub": "some/tiny/"})
    monkeypatch.setattr(load, "hf_hub_download", hub.download)
    return hub


def test_download(hub: Hub) -> None:
    """A failed download is explained, and a backbone is fetched once."""
    hub.error = LocalEntryNotFoundError("offline")
    reason = ("could not be downloaded", "LocalEntryNotFoundError", "Tiny", "3 MB")
    refused(lambda: load_backbone("tiny"), *reason, "tiny.safetensors", load.WEIGHTS_FOLDER)
    assert not load.on_disk(BACKBONES["tiny"])
    hub.error = None
    assert load_backbone("tiny").digest == load_backbone("tiny").digest
    assert load.on_disk(BACKBONES["tiny"])
    assert hub.downloads == 2, "one failed, the next is enough"


def test_full_disk(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded to a disk that would become full."""
    usage = SimpleNamespace(free=load.SPARE_MB * 10**6)
    monkeypatch.setattr(load.shutil, "disk_usage", lambda _: usage)
    refused(lambda: load_backbone("tiny"), "needs 3 MB", "1,000 MB are free")
    assert hub.downloads == 0


def test_older_download(hub: Hub, model: CLIP) -> None:
    """A repository without a .safetensors file has a .bin file."""
    hub.file = hub.file.with_name("open_clip_pytorch_model.bin")
    assert_same(load_backbone("tiny"), model)
    assert load.on_disk(BACKBONES["tiny"]) == [hub.file]


def test_cancelled_download(hub: Hub) -> None:
    """An exception in the progress bar cancels: the part that is on disk is not read."""

    class Bar(tqdm):
        def update(self, n: float | None = 1) -> None:
            raise BackboneError(f"cancelled at {n}")

    with pytest.raises(BackboneError, match="cancelled at 10"):
        load.fetch(BACKBONES["tiny"], Bar)
    assert not load.on_disk(BACKBONES["tiny"])


@pytest.mark.parametrize("name", ["tiny.safetensors", "Tiny-original.pt"])
def test_weights_folder(
    hub: Hub, model: CLIP, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file in the folder of weights replaces the download, as does one in a given folder; a
    damaged one is named and kept."""
    file = tmp_path / name
    SAVE[name.split(".")[1]](model.state_dict(), file)
    assert_same(load_backbone("tiny", weights=tmp_path), model)
    monkeypatch.setenv(load.WEIGHTS_FOLDER, str(tmp_path))
    assert load.on_disk(BACKBONES["tiny"])
    assert_same(load_backbone("tiny"), model)
    file.write_bytes(b"damaged")
    refused(lambda: load_backbone("tiny"), file.name, "download it again", folder=tmp_path)
    assert file.read_bytes() == b"damaged"
    assert hub.downloads == 0
