"""Where weights come from: a local file, a folder of them, or open_clip's own download.

Whatever goes wrong on the way becomes a :class:`BackboneError` that says what to do.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import zipfile
from pathlib import Path

import torch
from torch import Tensor

from gclip_core.errors import BackboneError
from gclip_core.registry import BackboneEntry

WEIGHTS_FOLDER = "GCLIP_WEIGHTS"
"""Environment variable that names a folder of local weights, for machines without a network."""

CONNECT_SECONDS = 10

UNPACKED_SLACK = 32 * 2**20
"""Bytes an archive may unpack to beyond its size: TorchScript compresses its code."""

_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")

_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
_DISCONNECTED = ("Connect", "Timeout", "Protocol", "resolve host", "Offline", "LocalEntry")

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
    """The entry's weights from an earlier download, else fetched with open_clip's own.

    Progress goes to stderr. What is on disk is taken without asking the network.

    Raises:
        BackboneError: no network, not found, disk full; says how to go on without a network.
    """
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg

    kept = cached_file(entry)
    if kept is not None:
        return kept
    try:
        _check_reachable()
        # open_clip goes on to another file name after any failure, which hides why it failed.
        _check_cache(entry.download * 10**6)
        return Path(download_pretrained(get_pretrained_cfg(entry.architecture, entry.tag)))
    except Exception as error:  # the hub client raises a dozen kinds; each becomes words here
        raise BackboneError(
            f"The weights of {entry.title} (about {entry.download} MB) could not be downloaded: "
            f"{_reason(error)}. Check the connection, or put the file '{entry.name}.safetensors' "
            f"into a folder and name that folder in the environment variable {WEIGHTS_FOLDER}."
        ) from error


def _check_reachable() -> None:
    """Ask once, because the hub client would try for most of a minute before giving up."""
    from huggingface_hub import constants, get_session

    get_session().head(constants.ENDPOINT, timeout=CONNECT_SECONDS)


def _check_cache(needed: int) -> None:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


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
            _refuse_bomb(path)
            state = torch.jit.load(path, map_location="cpu").state_dict()
        else:
            _refuse_bomb(path)
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
    odd = next((key for key, value in tensors.items() if not _is_ordinary(value)), None)
    if odd is not None:
        raise BackboneError(
            f"'{name}' holds '{odd[:80]}' as no ordinary tensor of real numbers (it is sparse, "
            "quantised, complex, without data, or not finite), so it cannot be used; download it "
            "again or choose another file."
        )
    return {key: value for key, value in tensors.items() if key not in _NOT_WEIGHTS}


def _is_ordinary(tensor: Tensor) -> bool:
    return (
        tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
        and not tensor.is_complex()
        and bool(torch.isfinite(tensor).all())
    )


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _refuse_bomb(path: Path) -> None:
    """An archive that unpacks to far more than its own size, by packing or by overlapping."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(item.file_size for item in archive.infolist())
    if unpacked > 1.1 * path.stat().st_size + UNPACKED_SLACK:
        raise BackboneError(
            f"'{path.name}' unpacks to {unpacked // 2**20:,} MB, far more than its own size, which "
            "no weight file does; download it again from its publisher."
        )


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
    if any(isinstance(link, OSError) and link.errno in _UNWRITABLE for link in chain):
        return "the cache folder cannot be written"
    if "UnpicklingError" in text or "Weights only" in text:
        return "it holds Python objects other than tensors, which are not loaded"
    missing = "the server does not have it (404), or broke off"
    if re.search(r"\b404\b", text):
        return missing
    # Before the next: the hub client names one of these LocalEntryNotFoundError.
    if any(word in text for word in _DISCONNECTED):
        return "no connection to the server"
    if "EntryNotFound" in text or "RepositoryNotFound" in text:
        return missing
    return type(chain[-1]).__name__ + " while reading"
