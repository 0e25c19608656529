"""Where weights come from, and what is said when they do not come."""

import errno
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
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
from gclip_core.registry import BackboneEntry
from tests.models import picture

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

        own = assets.path("built-in", "model.safetensors")
        copy = tmp_path / "copy.safetensors"
        copy.write_bytes(own.read_bytes())
        assert load_backbone("built-in", weights=copy).digest == load_backbone().digest


class TestWhatCannotBeRead:
    def refused(self, path: Path) -> str:
        with pytest.raises(BackboneError) as refused:
            load_backbone("tiny", weights=path)
        message = str(refused.value)
        assert str(path.parent) not in message
        assert "Traceback" not in message
        return message

    def test_a_missing_file(self, tmp_path: Path) -> None:
        assert "nothing.pt" in self.refused(tmp_path / "nothing.pt")
        assert "there is none" in self.refused(tmp_path)

    @pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99])
    @pytest.mark.parametrize("name", WRITERS)
    def test_a_file_cut_short(self, model: CLIP, tmp_path: Path, name: str, share: float) -> None:
        path = tmp_path / name
        WRITERS[name](model, path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        assert "damaged" in self.refused(path)

    @pytest.mark.parametrize("name", ["text.pt", "text.safetensors", "text.bin"])
    def test_a_file_of_something_else(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\n" * 3)
        assert "could not be read as weights" in self.refused(tmp_path / name)

    def test_a_file_that_would_run_code_is_not_run(self, tmp_path: Path) -> None:
        torch.save(RunsCode(tmp_path / "ran"), tmp_path / "evil.pt")
        assert "Python objects" in self.refused(tmp_path / "evil.pt")
        assert not (tmp_path / "ran").exists()

    def test_a_zip_bomb(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bytes(10_000_000))
        assert "compressed" in self.refused(tmp_path / "bomb.pt")

    @pytest.mark.parametrize("content", [{}, [1], {"a": 1}, torch.zeros(2)])
    def test_a_file_without_a_models_tensors(self, tmp_path: Path, content: object) -> None:
        torch.save(content, tmp_path / "odd.pt")
        message = self.refused(tmp_path / "odd.pt")
        assert "state dict" in message or "Missing" in message

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

    def test_the_working_backbone_stays(self, model: CLIP, tmp_path: Path) -> None:
        write_pt(model, tmp_path / "good.pt")
        backbone = load_backbone("tiny", weights=tmp_path / "good.pt")
        (tmp_path / "bad.pt").write_bytes(b"bad")
        self.refused(tmp_path / "bad.pt")
        assert_same(backbone, model)


class RunsCode:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


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

    def test_a_pytorch_that_cannot_say_means_float32(
        self, model: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_safetensors(model, tmp_path / "w.safetensors")
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
        backbone = load_backbone("tiny", tmp_path / "w.safetensors", dtype="auto")
        assert backbone.dtype == torch.float32


class TestDownloading:
    @pytest.fixture
    def downloaded(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """open_clip's download replaced: each item is a file or an exception, in turn."""
        turns: list[Any] = []

        def download(*_: Any) -> str:
            turn = turns.pop(0)
            if isinstance(turn, Exception):
                raise turn
            return str(turn)

        monkeypatch.setattr("open_clip.pretrained.download_pretrained", download)
        reached = SimpleNamespace(head=lambda *_, **__: None)
        monkeypatch.setattr(load, "get_session", lambda: reached)
        return turns

    def test_a_download_is_loaded(self, model: CLIP, tmp_path: Path, downloaded: list[Any]) -> None:
        write_safetensors(model, tmp_path / "open_clip_model.safetensors")
        downloaded += [tmp_path / "open_clip_model.safetensors"]
        backbone = load_backbone("tiny")
        assert_same(backbone, model)
        assert backbone.notes == ()

    def test_a_damaged_download_is_fetched_again_and_it_is_said(
        self, model: CLIP, tmp_path: Path, downloaded: list[Any]
    ) -> None:
        damaged, good = tmp_path / "damaged.safetensors", tmp_path / "good.safetensors"
        damaged.write_bytes(b"half of it")
        write_safetensors(model, good)
        downloaded += [damaged, good]
        backbone = load_backbone("tiny")
        assert_same(backbone, model)
        assert "fetched again" in backbone.notes[0]
        assert not damaged.exists()

    def test_damaged_twice_is_given_up(self, tmp_path: Path, downloaded: list[Any]) -> None:
        files = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
        for file in files:
            file.write_bytes(b"half of it")
        downloaded += files
        with pytest.raises(BackboneError, match="damaged"):
            load_backbone("tiny")
        assert not downloaded

    def test_what_was_downloaded_before_is_taken_without_asking_the_network(
        self,
        model: CLIP,
        tmp_path: Path,
        downloaded: list[Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        write_safetensors(model, tmp_path / "kept.safetensors")
        monkeypatch.setattr(load, "cached_file", lambda _: tmp_path / "kept.safetensors")
        assert_same(load_backbone("tiny"), model)

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
            (OSError(errno.EACCES, "Permission denied"), "cannot be written"),
            (OSError(errno.EROFS, "Read-only file system"), "cannot be written"),
            (ConnectionError("refused"), "no connection"),
            (TimeoutError("timed out"), "no connection"),
            (RuntimeError("HTTP Error 404: Not Found"), "404"),
        ],
    )
    def test_what_went_wrong_and_what_to_do(
        self, error: Exception, said: str, downloaded: list[Any]
    ) -> None:
        downloaded += [error]
        with pytest.raises(BackboneError, match=said) as refused:
            load_backbone("tiny")
        message = str(refused.value)
        assert "Tiny" in message
        assert "tiny.safetensors" in message
        assert load.WEIGHTS_FOLDER in message


class NotFound(BaseHTTPRequestHandler):
    """A server that has nothing."""

    def do_HEAD(self) -> None:  # noqa: N802 - the library's name
        self.send_response(404)
        self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def empty_server() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), NotFound)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_server_that_has_nothing_and_then_no_network(
    empty_server: HTTPServer, tmp_path: Path
) -> None:
    """What a person is told, in a process of its own: the hub's address is read at its start."""
    code = (
        "import sys, gclip_core as gclip\n"
        "for _ in sys.stdin:\n"
        "    try:\n        gclip.load_backbone('openai-vit-b-16')\n"
        "    except gclip.BackboneError as error:\n        print(error, flush=True)\n"
    )
    endpoint = f"http://127.0.0.1:{empty_server.server_port}"
    asked = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
        env={"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "HOME": str(tmp_path), "PATH": ""},
    )  # fmt: skip
    with asked:
        asked.stdin.write("\n")
        asked.stdin.flush()
        assert "(404)" in asked.stdout.readline()
        empty_server.shutdown()
        empty_server.server_close()
        message, _ = asked.communicate("\n", timeout=120)
    assert asked.returncode == 0
    assert "no connection to the server" in message
    assert "OpenAI ViT-B/16 (about 599 MB)" in message
    assert "openai-vit-b-16.safetensors" in message
