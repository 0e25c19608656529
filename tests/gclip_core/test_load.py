"""Where weights come from, and what is said when they do not come, are damaged, wrong or hostile.

A small server on this machine stands in for the hub, and a tiny model for the large ones.
"""

import http.server
import json
import os
import pickle
import shutil
import struct
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor

from gclip_core import (
    BACKBONES,
    METHODS,
    Backbone,
    BackboneError,
    Segmenter,
    load,
    load_backbone,
)
from gclip_core.assets import path as asset
from gclip_core.registry import BUILT_IN, BackboneEntry
from tests.models import picture, tiny_clip

ARCHITECTURE = "tiny-for-tests"
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"layers": 2, "width": 32, "head_width": 8, "patch_size": 8, "image_size": 32},
    "text_cfg": {
        "context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1,
    },
    "quick_gelu": True,
}  # fmt: skip


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
    """A backbone of the table, as small as can be."""
    tiny = BackboneEntry(
        "tiny", "Tiny", ARCHITECTURE, "nobody",
        parameters=1, download=3, licence="MIT", blocks=2, patch=8, short_side=32,
        mean=(0.1, 0.2, 0.3), files=("Tiny-original.pt",),
    )  # fmt: skip
    monkeypatch.setitem(BACKBONES, "tiny", tiny)
    monkeypatch.delenv(load.WEIGHTS_FOLDER, raising=False)
    return tiny


def half(model: CLIP) -> dict[str, Tensor]:
    return {key: value.half() for key, value in model.state_dict().items()}


class Archived(torch.nn.Module):
    """Holds the tensors of a state dict under their own names, as OpenAI's archives do."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        for key, value in state.items():
            owner = self
            *path, name = key.split(".")
            for step in path:
                if not hasattr(owner, step):
                    owner.add_module(step, torch.nn.Module())
                owner = getattr(owner, step)
            owner.register_parameter(name, torch.nn.Parameter(value, requires_grad=False))
        for name, value in (("input_resolution", 32), ("context_length", 77), ("vocab_size", 9)):
            self.register_buffer(name, torch.tensor(value))

    def forward(self, x: Tensor) -> Tensor:
        return x


def write_safetensors(model: CLIP, path: Path) -> None:
    save_file(model.state_dict(), path)


def write_pt(model: CLIP, path: Path) -> None:
    torch.save(model.state_dict(), path)


def write_checkpoint(model: CLIP, path: Path) -> None:
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, path)


def write_old_pt(model: CLIP, path: Path) -> None:
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)


def write_archive(model: CLIP, path: Path) -> None:
    torch.jit.script(Archived(model.state_dict())).save(path)


WRITERS = {
    "a.safetensors": write_safetensors,
    "b.pt": write_pt,
    "c.bin": write_checkpoint,
    "d.pth": write_old_pt,
    "archive.pt": write_archive,
}


def assert_same(backbone: Backbone, model: CLIP) -> None:
    found = backbone.model.state_dict()
    for key, value in model.state_dict().items():
        assert torch.equal(found[key], value), key
    pixels = torch.randn(1, 3, 32, 32)
    tokens = backbone.tokenizer(["a cat"])
    with torch.no_grad():
        assert torch.allclose(backbone.model.encode_image(pixels), model.encode_image(pixels))
        assert torch.allclose(backbone.model.encode_text(tokens), model.encode_text(tokens))


class TestFiles:
    @pytest.mark.parametrize("name", WRITERS)
    def test_every_kind_of_file_gives_the_same_model(
        self, model: CLIP, tmp_path: Path, name: str
    ) -> None:
        WRITERS[name](model, tmp_path / name)
        backbone = load_backbone("tiny", weights=tmp_path / name)
        assert_same(backbone, model)
        assert (backbone.name, backbone.mean) == ("tiny", (0.1, 0.2, 0.3))
        assert not any(p.requires_grad for p in backbone.model.parameters())
        assert not backbone.model.training
        assert Segmenter(backbone).segment(
            picture(32, 40), "cat", METHODS["clip"]
        ).labels.shape == (32, 40)

    def test_half_precision_is_read_as_float32(self, model: CLIP, tmp_path: Path) -> None:
        save_file(half(model), tmp_path / "half.safetensors")
        backbone = load_backbone("tiny", weights=str(tmp_path / "half.safetensors"))
        assert {p.dtype for p in backbone.model.parameters()} == {torch.float32}
        low = load_backbone("tiny", weights=tmp_path / "half.safetensors", dtype="bfloat16")
        assert low.dtype == torch.bfloat16

    @pytest.mark.parametrize(
        "name", ["tiny.safetensors", "tiny.pt", "tiny.bin", "Tiny-original.pt"]
    )
    def test_a_folder_named_in_the_environment(
        self, model: CLIP, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writer = write_safetensors if name.endswith("safetensors") else write_pt
        writer(model, tmp_path / name)
        assert not load.on_disk(BACKBONES["tiny"])
        monkeypatch.setenv(load.WEIGHTS_FOLDER, str(tmp_path))
        assert load.on_disk(BACKBONES["tiny"])
        assert_same(load_backbone("tiny"), model)

    def test_the_built_in_takes_a_file_too(self, tmp_path: Path) -> None:
        from gclip_core import assets

        own: dict[str, Tensor] = {}
        for file in assets.path("built-in").glob("*.safetensors"):
            own |= load.read(file)
        save_file(own, tmp_path / "copy.safetensors")
        copied = load_backbone("built-in", weights=tmp_path / "copy.safetensors")
        assert copied.digest == load_backbone().digest


class TestAnotherArchitecture:
    def refused(self, path: Path) -> str:
        with pytest.raises(BackboneError) as refused:
            load_backbone("tiny", weights=path)
        message = str(refused.value)
        assert str(path.parent) not in message
        assert "Traceback" not in message
        return message

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"vision_cfg": {"width": 64}}, "size mismatch"),
            ({"vision_cfg": {"layers": 3}}, "Unexpected key"),
            ({"vision_cfg": {"image_size": 48}}, "positional_embedding"),
            ({"text_cfg": {"layers": 2}}, "Unexpected key"),
            ({"embed_dim": 8}, "size mismatch"),
        ],
    )
    def test_another_architecture(self, tmp_path: Path, change: dict[str, Any], said: str) -> None:
        other = {
            key: {**value, **change.get(key, {})} if isinstance(value, dict) else value
            for key, value in CONFIG.items()
        }
        other["embed_dim"] = change.get("embed_dim", 16)
        write_safetensors(CLIP(**other), tmp_path / "other.safetensors")
        message = self.refused(tmp_path / "other.safetensors")
        assert "not those of Tiny" in message
        assert said in message


class TestAuto:
    """``dtype="auto"`` does what the processor says it can, however busy it is."""

    @pytest.mark.parametrize(("has", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
    def test_the_processor_decides(
        self, model: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: bool,
        dtype: torch.dtype,
    ) -> None:  # fmt: skip
        write_safetensors(model, tmp_path / "w.safetensors")
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has})
        assert load_backbone("tiny", tmp_path / "w.safetensors", dtype="auto").dtype == dtype


# --- damaged, wrong and hostile files -------------------------------------------------------------


TINY = "tiny-of-the-hub"
FILE = "open_clip_model.safetensors"


def refused(load: Callable[[], Any], *says: str, folder: Path | None = None) -> str:
    """Assert that loading is refused in words without traces and folders, and return them."""
    with pytest.raises(BackboneError) as caught:
        load()
    message = str(caught.value)
    for words in says:
        assert words in message
    assert "Traceback" not in message
    assert "site-packages" not in message
    if folder is not None:
        assert str(folder) not in message
    return message


# ── files ──────────────────────────────────────────────────────────────────────────────────────


class _Code:
    """A pickle that makes the folder ``marker`` when it is loaded carelessly."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable, tuple]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".unknown"])
@pytest.mark.parametrize("form", ["torch", "legacy", "bare", "beside tensors"])
def test_a_pickle_with_code_in_it_does_not_run(form: str, suffix: str, tmp_path: Path) -> None:
    marker, file = tmp_path / "it-ran", tmp_path / f"weights{suffix}"
    if form == "bare":
        file.write_bytes(pickle.dumps(_Code(marker)))
    else:
        value = {"a": torch.ones(2), "b": _Code(marker)} if form[0] == "b" else _Code(marker)
        torch.save(value, file, _use_new_zipfile_serialization=form != "legacy")
    refused(lambda: load.read(file), "could not be read as weights", folder=tmp_path)
    assert not marker.exists()
    with file.open("rb") as stream:  # a careless loader would have run it
        pickle.load(stream) if form == "bare" else torch.load(stream, weights_only=False)
    assert marker.exists()


def _archive(file: Path, name: str, size: int, method: int) -> None:
    with zipfile.ZipFile(file, "w", method) as archive, archive.open(name, "w") as entry:
        for _ in range(size // 2**20):
            entry.write(bytes(2**20))


@pytest.mark.parametrize("name", ["archive/data/0", "archive/code/bomb.py"])
def test_a_zip_bomb_is_refused_unread(name: str, tmp_path: Path) -> None:
    """As PyTorch's own archive and as TorchScript, which goes through another reader."""
    file = tmp_path / "weights.pt"
    _archive(file, name, 400 * 2**20, zipfile.ZIP_DEFLATED)
    assert file.stat().st_size < 2**20
    start = time.process_time()
    refused(lambda: load.read(file), "unpacks to 400 MB", folder=tmp_path)
    assert time.process_time() - start < 2


def test_an_archive_whose_entries_lie_upon_each_other_is_refused(tmp_path: Path) -> None:
    """Uncompressed, yet it unpacks to many times its size."""
    file = tmp_path / "weights.pt"
    _archive(file, "archive/data/0", 2**20, zipfile.ZIP_STORED)
    with zipfile.ZipFile(file, "a") as archive:
        entry = archive.infolist()[0]
        for number in range(1, 60):
            twin = zipfile.ZipInfo(f"archive/data/{number}")
            for name in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(twin, name, getattr(entry, name))
            archive.filelist.append(twin)
        archive._didModify = True
    refused(lambda: load.read(file), "unpacks to 60 MB")


@pytest.mark.parametrize("tenth", [0, 1, 5, 9])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_file_cut_at_any_tenth_is_refused(suffix: str, tenth: int, tmp_path: Path) -> None:
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    state = {"a": torch.arange(4000.0), "b": torch.ones(30, 30)}
    save_file(state, whole) if suffix == ".safetensors" else torch.save(state, whole)
    assert set(load.read(whole)) == {"a", "b"}
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * tenth // 10])
    refused(lambda: load.read(cut), "cut.", "download it again", folder=tmp_path)


@pytest.mark.parametrize("header", [2**63 - 1, 2**40, 10**8])
def test_a_safetensors_header_that_claims_far_too_much_is_refused(
    header: int, tmp_path: Path
) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(struct.pack("<Q", header) + b'{"a":{"dtype":"F32","shape":[9],')
    refused(lambda: load.read(file), "could not be read as weights")


def test_flipped_bits_are_refused_or_read_as_other_numbers(tmp_path: Path) -> None:
    whole, file = tmp_path / "whole.safetensors", tmp_path / "weights.safetensors"
    save_file({"a": torch.linspace(-1, 1, 50)}, whole)
    data = whole.read_bytes()
    for at in range(0, 8 * len(data), 5):
        damaged = bytearray(data)
        damaged[at // 8] ^= 1 << at % 8
        file.write_bytes(damaged)
        try:
            state = load.read(file)
        except BackboneError:
            continue
        assert all(torch.isfinite(value).all() for value in state.values())


@pytest.mark.parametrize(
    "odd",
    [
        torch.tensor([1.0, float("nan")]),
        torch.tensor([float("inf")]),
        torch.ones(3).to_sparse(),
        torch.ones(3, dtype=torch.complex64),
        torch.empty(3, device="meta"),
    ],
    ids=["nan", "inf", "sparse", "complex", "meta"],
)
def test_tensors_that_are_no_ordinary_numbers_are_refused(
    odd: torch.Tensor, tmp_path: Path
) -> None:
    file = tmp_path / "weights.pt"
    torch.save({"visual.proj": odd}, file)
    refused(lambda: load.read(file), "'visual.proj'")


@pytest.mark.parametrize("content", [[1, 2], {}, torch.ones(3), {"state_dict": {}}, "words", None])
def test_a_file_without_a_state_dict_is_refused(content: object, tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    torch.save(content, file)
    refused(lambda: load.read(file), "no state dict")


@pytest.mark.parametrize("content", [b"", b"<!doctype html>", bytes(5000), b"PK\x03\x04", b"\x80"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".bin"])
def test_a_file_that_is_something_else_is_refused(
    suffix: str, content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / f"weights{suffix}"
    file.write_bytes(content)
    refused(lambda: load.read(file), folder=tmp_path)
    refused(lambda: load.read(tmp_path), "there is none")
    refused(lambda: load.read(tmp_path / "away.pt"), "there is none", folder=tmp_path)


# ── the wrong model ────────────────────────────────────────────────────────────────────────────


def test_weights_of_another_model_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "weights.pt"
    torch.save({"visual.proj": torch.ones(3, 3)}, file)
    for name in ("openai-vit-b-32", BUILT_IN):
        title = BACKBONES[name].title
        refused(lambda name=name: load_backbone(name, weights=file), f"not those of {title}")


@pytest.mark.parametrize(
    ("ids", "rows"),
    [
        (torch.tensor([10**6]), torch.ones(1, 192)),
        (torch.tensor([-1]), torch.ones(1, 192)),
        (torch.tensor([1, 2]), torch.ones(3, 192)),
        (torch.tensor([[1]]), torch.ones(1, 192)),
        (torch.tensor(1), torch.ones(1)),
        (torch.tensor([0.5]), torch.ones(1, 192)),
    ],
)
def test_a_built_in_file_with_broken_words_is_refused(
    ids: torch.Tensor, rows: torch.Tensor, tmp_path: Path
) -> None:
    state: dict[str, Tensor] = {}
    for one in asset(BUILT_IN).glob("*.safetensors"):
        state |= load.read(one)
    state.pop("token_rows.scale", None)
    file = tmp_path / "weights.pt"
    torch.save({**state, "token_ids": ids, "token_rows": rows}, file)
    refused(lambda: load_backbone(BUILT_IN, weights=file), BACKBONES[BUILT_IN].title)


# ── the hub ────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Hub:
    """What the stand-in serves: the file's bytes, how it fails, and what it was asked for."""

    content: bytes
    fault: str = ""
    asked: list[str] = field(default_factory=list)
    downloads: int = 0

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_HEAD(self) -> None:  # noqa: N802 - the library's name
                self._answer(with_body=False)

            def do_GET(self) -> None:  # noqa: N802 - the library's name
                self._answer(with_body=True)

            def _answer(self, with_body: bool) -> None:
                hub.asked.append(f"{self.command} {self.path}")
                if hub.fault == "silent":
                    time.sleep(0.6)
                    return
                if hub.fault == "500":
                    self.send_error(500)
                    return
                if not self.path.endswith(FILE) or hub.fault == "404":
                    self.send_response(404)
                    self.send_header("X-Error-Code", "EntryNotFound")
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(hub.content)))
                self.send_header("ETag", '"of-the-stand-in"')
                self.send_header("X-Repo-Commit", "a" * 40)
                self.end_headers()
                if with_body:
                    self._send()

            def _send(self) -> None:
                hub.downloads += 1
                if hub.fault == "cut":
                    self.wfile.write(hub.content[: len(hub.content) // 2])
                    self.close_connection = True
                elif hub.fault == "damaged once" and hub.downloads == 1 or hub.fault == "damaged":
                    self.wfile.write(bytes(len(hub.content)))
                else:
                    for start in range(0, len(hub.content), 2**20):
                        self.wfile.write(hub.content[start : start + 2**20])
                        time.sleep(0.05 if hub.fault == "slow" else 0)

        return Handler


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("hub") / FILE
    save_file({k: v.contiguous() for k, v in tiny_clip(layers=2).state_dict().items()}, file)
    return file.read_bytes()


@pytest.fixture
def hub(tiny_file: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub on this machine that offers one tiny backbone; its cache is empty."""
    from huggingface_hub import constants

    served = Hub(tiny_file)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), served.handler())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT", "DEFAULT_REQUEST_TIMEOUT"):
        monkeypatch.setattr(constants, name, 0.3)
    monkeypatch.delenv(load.WEIGHTS_FOLDER, raising=False)
    # The client waits longer after each of its own retries; the waits are not what is tested.
    patient = SimpleNamespace(**{**vars(time), "sleep": lambda _: None})
    for module in ("utils._http", "file_download"):
        monkeypatch.setattr(f"huggingface_hub.{module}.time", patient)
    sizes = {"layers": 2, "width": 32, "head_width": 8, "patch_size": 8, "image_size": 32}
    words = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    config = {"embed_dim": 16, "vision_cfg": sizes, "text_cfg": words}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, TINY, config)
    source = {"seed": {"hf_hub": "somebody/tiny/"}}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, TINY, source)
    entry = BackboneEntry(TINY, "Tiny", TINY, "seed", 1.6, 6, "MIT", blocks=2, patch=8)
    monkeypatch.setitem(BACKBONES, TINY, entry)
    yield served
    server.shutdown()
    server.server_close()


def test_a_backbone_is_fetched_once_and_then_taken_from_disk(hub: Hub) -> None:
    entry = BACKBONES[TINY]
    assert not load.on_disk(entry)
    assert load_backbone(TINY).n_blocks == 2
    assert load.on_disk(entry)
    hub.fault = "500"
    assert load_backbone(TINY).notes == (), "the hub is down, and nobody need know"
    assert hub.downloads == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("404", "does not have it (404)"),
        ("cut", "broke off"),
        ("silent", "no connection to the server"),
        ("500", "no connection to the server"),
    ],
)
def test_a_hub_that_fails_is_said_to_with_a_way_on(hub: Hub, fault: str, reason: str) -> None:
    hub.fault = fault
    way_on = ("could not be downloaded", f"{TINY}.safetensors", load.WEIGHTS_FOLDER)
    refused(lambda: load_backbone(TINY), reason, "Tiny", "6 MB", *way_on)
    hub.fault = ""
    assert load_backbone(TINY).n_blocks == 2, "and the next attempt succeeds"


def test_a_damaged_download_is_found_said_and_fetched_again(hub: Hub) -> None:
    hub.fault = "damaged once"
    backbone = load_backbone(TINY)
    assert "damaged, so they were fetched again" in backbone.notes[0]
    assert hub.downloads == 2


def test_a_file_damaged_on_disk_is_found_said_and_fetched_again(hub: Hub) -> None:
    load_backbone(TINY)
    kept = load.cached_file(BACKBONES[TINY])
    kept.resolve().write_bytes(hub.content[:1000])
    assert "fetched again" in load_backbone(TINY).notes[0]
    assert load_backbone(TINY).notes == (), "from then on it is whole"
    assert hub.downloads == 2


def test_a_hub_whose_file_is_always_damaged_is_asked_twice_and_no_more(hub: Hub) -> None:
    hub.fault = "damaged"
    refused(lambda: load_backbone(TINY), "could not be read as weights")
    assert hub.downloads == 2


def test_a_disk_too_full_for_the_file_is_said_so_before_fetching(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 10**6))
    refused(lambda: load_backbone(TINY), "the disk is full", load.WEIGHTS_FOLDER)
    assert hub.downloads == 0


def test_a_cache_that_cannot_be_written_is_said_so(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    (tmp_path / "a-file").write_text("where the cache should be")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "a-file"))
    refused(lambda: load_backbone(TINY), "the cache folder cannot be written", folder=tmp_path)


def test_a_folder_of_local_weights_needs_no_hub(
    hub: Hub, tiny_file: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / f"{TINY}.safetensors").write_bytes(tiny_file)
    monkeypatch.setenv(load.WEIGHTS_FOLDER, str(tmp_path))
    hub.fault = "500"
    assert load_backbone(TINY).n_blocks == 2
    assert hub.asked == []


def test_a_damaged_local_file_is_named_and_left_where_it_is(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / f"{TINY}.safetensors"
    file.write_bytes(b"damaged")
    monkeypatch.setenv(load.WEIGHTS_FOLDER, str(tmp_path))
    refused(lambda: load_backbone(TINY), file.name, "download it again", folder=tmp_path)
    assert file.read_bytes() == b"damaged"
    assert hub.asked == []
