"""Where weights come from: a local file, a folder of them, or open_clip's own download.

Whatever goes wrong on the way becomes a :class:`BackboneError` that says what to do.
"""

from __future__ import annotations

import errno
import os
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from gclip_core.errors import BackboneError
from gclip_core.registry import BackboneEntry

WEIGHTS_FOLDER = "GCLIP_WEIGHTS"
"""Environment variable that names a folder of local weights, for machines without a network."""

_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")

StateDict = dict[str, Tensor]


def local_file(entry: BackboneEntry, folder: Path | None = None) -> Path | None:
    """The entry's weights in ``folder`` (default: the one GCLIP_WEIGHTS names), or None.

    Looks for ``<name>.safetensors`` (``.pt``, ``.pth``, ``.bin``) and the publishers' own names.
    """
    if folder is None:
        named = os.environ.get(WEIGHTS_FOLDER, "")
        if not named:
            return None
        folder = Path(named).expanduser()
    names = [entry.name + suffix for suffix in _SUFFIXES] + list(entry.files)
    return next((folder / name for name in names if (folder / name).is_file()), None)


def cached_file(entry: BackboneEntry) -> Path | None:
    """The entry's weights where an earlier download left them, or None; asks no network."""
    from huggingface_hub import try_to_load_from_cache

    repository = _hub_repository(entry)
    for name in ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"):
        found = try_to_load_from_cache(repository, name) if repository else None
        if isinstance(found, str) and Path(found).is_file():
            return Path(found)
    return None


def on_disk(entry: BackboneEntry) -> bool:
    """Whether the backbone can be loaded without a download."""
    return not entry.tag or local_file(entry) is not None or cached_file(entry) is not None


def download(entry: BackboneEntry) -> Path:
    """Fetch the entry's weights with open_clip's own download (progress on stderr), cached.

    Raises:
        BackboneError: no network, not found, disk full; says how to go on without a network.
    """
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg

    try:
        return Path(download_pretrained(get_pretrained_cfg(entry.architecture, entry.tag)))
    except Exception as error:  # the hub client raises a dozen kinds; each becomes words here
        raise BackboneError(
            f"The weights of {entry.title} (about {entry.download} MB) could not be downloaded: "
            f"{_reason(error)}. Check the connection, or put the file '{entry.name}.safetensors' "
            f"into a folder and name that folder in the environment variable {WEIGHTS_FOLDER}."
        ) from error


def forget_download(path: Path) -> None:
    """Remove a damaged file from the download cache, so that the next download is a fresh one."""
    for file in {path, path.resolve()}:
        file.unlink(missing_ok=True)


def read(path: Path) -> StateDict:
    """Read a state dict without running code from the file.

    ``.safetensors`` and ``.pt`` hold tensors only (``weights_only=True``). A TorchScript archive,
    as OpenAI publishes, goes through PyTorch's own archive reader instead, which knows no pickle
    of arbitrary Python objects but does parse TorchScript code.

    Raises:
        BackboneError: not there, damaged, or holding something other than tensors.
    """
    if not path.is_file():
        raise BackboneError(f"A weight file was expected at '{path.name}', but there is none.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        elif _is_torchscript(path):
            state = torch.jit.load(path, map_location="cpu").state_dict()
        else:
            _refuse_compressed(path)
            state = torch.load(path, map_location="cpu", weights_only=True)
    except BackboneError:
        raise
    except Exception as error:  # every reader has its own exceptions for a damaged file
        raise BackboneError(
            f"'{path.name}' could not be read as weights: {_reason(error)}. It is damaged, cut "
            "short, or holds more than tensors; download it again or convert it to .safetensors."
        ) from error
    return _plain(state, path.name)


def _plain(state: object, name: str) -> StateDict:
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not state:
        raise BackboneError(f"'{name}' holds no state dict, so it is no weight file of a CLIP.")
    tensors = {
        key.removeprefix("module."): value
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, Tensor)
    }
    return {key: value for key, value in tensors.items() if key not in _NOT_WEIGHTS}


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _refuse_compressed(path: Path) -> None:
    """PyTorch never compresses its archives, so a compressed one is a zip bomb or no weights."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if any(item.file_size > item.compress_size + 64 for item in archive.infolist()):
            raise BackboneError(
                f"'{path.name}' is a compressed archive, which PyTorch's weight files never are; "
                "unpack it and name the file inside."
            )


def _hub_repository(entry: BackboneEntry) -> str:
    from open_clip.pretrained import get_pretrained_cfg

    return get_pretrained_cfg(entry.architecture, entry.tag).get("hf_hub", "").rstrip("/")


def _reason(error: BaseException) -> str:
    """What went wrong in a few words a person understands, without paths or traces."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    text = " ".join(f"{type(link).__name__} {link}" for link in chain)
    if any(isinstance(link, OSError) and link.errno == errno.ENOSPC for link in chain) or (
        "No space left" in text
    ):
        return "the disk is full"
    if "404" in text or "EntryNotFound" in text or "RepositoryNotFound" in text:
        return "the server says it does not exist (404)"
    if "PermissionError" in text or "Read-only file system" in text:
        return "the cache folder cannot be written"
    if "UnpicklingError" in text or "Weights only" in text:
        return "it holds Python objects other than tensors, which are not loaded"
    if any(word in text for word in ("Connect", "Timeout", "resolve", "Offline", "LocalEntry")):
        return "no connection to the server"
    return type(chain[-1]).__name__ + " while reading"
