"""Loads a backbone's model, from a file, a folder, or a download by open_clip.

open_clip has the configurations, the addresses of published weights, and the download. Here no
code of a file runs, no archive unpacks to far more than its size, every tensor is checked, and
every failure is a :class:`BackboneError` with what to do next.
"""

import errno
import json
import os
import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Literal

import open_clip
import torch
from huggingface_hub import constants, get_session, try_to_load_from_cache
from open_clip import pretrained
from open_clip.model import CLIP, convert_weights_to_lp
from safetensors.torch import load_file
from torch import Tensor, nn

from gclip_core import assets, shipped
from gclip_core.errors import BackboneError
from gclip_core.registry import BackboneEntry
from gclip_core.shipped import StateDict
from gclip_core.stem import Stem

Dtype = Literal["float32", "bfloat16", "auto"]

WEIGHTS_FOLDER = "GCLIP_WEIGHTS"
"""Environment variable that names a folder of local weights, for machines without a network."""

CONNECT_SECONDS = 10
UNPACKED_SLACK = 32 * 2**20
"""Bytes beyond an archive's own size: TorchScript compresses its code."""
_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")
_MISSING = "the server does not have it (404), or broke off"
_REASONS = {
    r"\[Errno 28\]|No space left": "the disk is full",
    r"\[Errno (1|13|17|20|30)\]": "the cache folder cannot be written",
    r"UnpicklingError|Weights only": "it contains Python objects other than tensors",
    r"\b404\b": _MISSING,
    # Before EntryNotFound: the hub client raises LocalEntryNotFoundError without a connection.
    "Connect|Timeout|Protocol|resolve host|Offline|LocalEntry": "no connection to the server",
    "EntryNotFound|RepositoryNotFound": _MISSING,
}
"""What went wrong, by a pattern in the names and texts of the errors; the first match counts."""


def load(
    entry: BackboneEntry, path: Path | None, device: torch.device, dtype: Dtype
) -> dict[str, Any]:
    """The fields of a ``Backbone`` that come from files: ``model`` (in eval mode), ``tokenizer``,
    ``known`` and ``notes``; with the weights in ``path``, else from disk or a download."""
    known, notes = None, ()
    if entry.tag:
        config = open_clip.get_model_config(entry.architecture)
        tokenizer = open_clip.get_tokenizer(entry.architecture)
        state, notes = _read_or_download(entry, path)
    else:
        folder, state = assets.path(entry.name), {}
        config = json.loads((folder / "model.json").read_text("utf-8"))
        tokenizer = open_clip.SimpleTokenizer(context_length=config["text_cfg"]["context_length"])
        for file in [path] if path else folder.glob("*.safetensors"):
            state |= read(file)
        known = shipped.known_words(folder, state)
        state = shipped.unpack(state, config["text_cfg"]["vocab_size"], entry.title)
        if dtype == "auto":
            dtype = "float32"  # as in its card's figures; bfloat16 saves only milliseconds
    model = _build(config, state, entry.title, device, dtype)
    return {"model": model, "tokenizer": tokenizer, "known": known, "notes": notes}


# --- where weights are -----------------------------------------------------------------------


def local_file(entry: BackboneEntry) -> Path | None:
    """The entry's weights in the folder that GCLIP_WEIGHTS names, or None.

    Looks for ``<name>.safetensors`` (``.pt``, ``.pth``, ``.bin``) and the publishers' own names.
    """
    folder = os.environ.get(WEIGHTS_FOLDER, "")
    names = [*(entry.name + suffix for suffix in _SUFFIXES), *entry.files] if folder else []
    paths = (Path(folder).expanduser() / name for name in names)
    return next((path for path in paths if path.is_file()), None)


def cached_file(entry: BackboneEntry) -> Path | None:
    """The entry's weights in the cache of earlier downloads, or None; uses no network."""
    source = pretrained.get_pretrained_cfg(entry.architecture, entry.tag).get("hf_hub", "")
    names = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin") if source else ()
    found = (try_to_load_from_cache(source.rstrip("/"), name) for name in names)
    paths = (Path(file) for file in found if isinstance(file, str))
    return next((path for path in paths if path.is_file()), None)


def on_disk(entry: BackboneEntry) -> bool:
    """Whether the backbone can be loaded without a download."""
    return not entry.tag or local_file(entry) is not None or cached_file(entry) is not None


def _read_or_download(entry: BackboneEntry, path: Path | None) -> tuple[StateDict, tuple[str, ...]]:
    local = path or local_file(entry)
    if local is not None:
        return read(local), ()
    found = cached_file(entry) or _download(entry)
    try:
        return read(found), ()
    except BackboneError:
        for file in {found, found.resolve()}:  # the cache's link and what it points to
            file.unlink(missing_ok=True)
        again = read(_download(entry))
        return again, ("The weights kept on disk were damaged, so they were fetched again.",)


def _download(entry: BackboneEntry) -> Path:
    """Fetches with open_clip's download; its progress goes to stderr."""
    published = pretrained.get_pretrained_cfg(entry.architecture, entry.tag)
    try:
        # One quick request first: the hub client retries for most of a minute before it fails.
        get_session().head(constants.ENDPOINT, timeout=CONNECT_SECONDS)
        # open_clip tries another file name after any failure, which hides the reason.
        cache = Path(constants.HF_HUB_CACHE)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            pass
        if shutil.disk_usage(cache).free < entry.download * 10**6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return Path(pretrained.download_pretrained(published))
    except Exception as error:  # the hub client raises a dozen kinds; each becomes words here
        raise BackboneError(
            f"The weights of {entry.title} (about {entry.download} MB) could not be downloaded: "
            f"{_reason(error)}. Check the connection, or put the file '{entry.name}.safetensors' "
            f"into a folder and name that folder in the environment variable {WEIGHTS_FOLDER}."
        ) from error


# --- what is in a file -----------------------------------------------------------------------


def read(path: Path) -> StateDict:
    """The state dict of a file, read without running code from it.

    ``.safetensors`` and ``.pt`` are read as tensors only (``weights_only=True``). A TorchScript
    archive, as OpenAI publishes, goes through PyTorch's archive reader, which parses TorchScript
    code and unpickles no Python objects.

    Raises:
        BackboneError: no such file, damaged, no state dict, or tensors that are no real numbers.
    """
    if not path.is_file():
        raise BackboneError(f"A weight file was expected at '{path.name}', but there is none.")
    try:
        if _is_torchscript(path):
            state = torch.jit.load(path, map_location="cpu").state_dict()
        elif path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except BackboneError:
        raise
    except Exception as error:  # each reader has its own exceptions for a damaged file
        raise BackboneError(
            f"'{path.name}' could not be read as weights: {_reason(error)}. It is damaged, cut "
            "short, or contains more than tensors; download it again or convert it to .safetensors."
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]  # a checkpoint of training
    if not isinstance(state, dict) or not state:
        raise BackboneError(
            f"A weight file of a CLIP was expected, but '{path.name}' has no state dict; choose "
            "another file."
        )
    tensors = {
        key.removeprefix("module."): value
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, Tensor) and key not in _NOT_WEIGHTS
    }
    odd = next((key for key, value in tensors.items() if not _is_ordinary(value)), None)
    if odd is not None:
        raise BackboneError(
            f"'{odd[:80]}' in '{path.name}' is no ordinary tensor of finite real numbers (it is "
            "sparse, quantised, complex, without data, or not finite); download the file again or "
            "choose another one."
        )
    return tensors


def _is_torchscript(path: Path) -> bool:
    if path.suffix == ".safetensors" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        items = archive.infolist()
    unpacked = sum(item.file_size for item in items)
    if unpacked > 1.1 * path.stat().st_size + UNPACKED_SLACK:
        raise BackboneError(
            f"'{path.name}' is an archive that unpacks to {unpacked // 2**20:,} MB, which no "
            "weight file is; unpack it and name the file inside, or download it again."
        )
    return any("/code/" in item.filename for item in items)


def _is_ordinary(tensor: Tensor) -> bool:
    return (
        tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
        and not tensor.is_complex()
        # If the sum is finite, all numbers are; it takes a twentieth of the time.
        and (bool(tensor.sum().isfinite()) or bool(torch.isfinite(tensor).all()))
    )


def _reason(error: BaseException) -> str:
    """The cause of an error in a few words, without paths or traces."""
    chain = [error]
    while (link := chain[-1].__cause__ or chain[-1].__context__) and link not in chain:
        chain.append(link)
    text = " ".join(f"{type(link).__name__} {link}" for link in chain)
    found = (reason for pattern, reason in _REASONS.items() if re.search(pattern, text))
    return next(found, type(chain[-1]).__name__ + " while reading")


# --- the model -------------------------------------------------------------------------------


def _build(
    config: dict[str, Any], state: StateDict, title: str, device: torch.device, dtype: Dtype
) -> nn.Module:
    """open_clip's CLIP of this configuration with these weights, in eval mode."""
    low = dtype == "bfloat16" or (dtype == "auto" and has_bfloat16(device))
    settings = {key: value for key, value in config.items() if key not in ("custom_text", "stem")}
    with torch.device("meta"):  # makes no random numbers, which the weights would replace
        model = CLIP(**settings, cast_dtype=torch.bfloat16 if low else None)
        if "stem" in config:
            model.visual.conv1 = Stem(config["vision_cfg"]["width"], config["stem"])
        if low:
            convert_weights_to_lp(model, dtype=torch.bfloat16)
    # One tensor at a time: all of them in float32 would double a large model's memory.
    wanted = {key: value.dtype for key, value in model.state_dict().items()}
    try:
        given = {
            key: value.to(wanted.get(key, value.dtype)).reshape(
                () if key == "logit_scale" else value.shape
            )
            for key, value in state.items()
        }
        model.load_state_dict(given, assign=True)
    except RuntimeError as error:  # one line for each kind of tensor that does not fit
        found = "; ".join(line.strip()[:160] for line in str(error).splitlines()[1:4])
        raise BackboneError(
            f"These weights are not those of {title}: {found}. Choose the backbone that the file "
            "belongs to."
        ) from error
    if model.attn_mask is not None:  # is in no file, since it is no weight
        model.attn_mask = torch.full(model.attn_mask.shape, float("-inf")).triu_(1)
    return model.eval().requires_grad_(False).to(device)


def has_bfloat16(device: torch.device) -> bool:
    """Whether this processor multiplies in bfloat16, which then takes half the time."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = getattr(torch.cpu, "get_capabilities", dict)()  # in newer versions of PyTorch
    return device.type == "cpu" and (able.get("avx512_bf16", False) or able.get("amx_bf16", False))
