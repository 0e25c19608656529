"""Reads the tensors of a weight file, and checks every number."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from gclip_core.errors import BackboneError

StateDict = dict[str, Tensor]
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")


def read_files(files: Iterable[Path]) -> StateDict:
    """The state dict of all files together: see ``read_weights``."""
    return {key: value for file in files for key, value in read_weights(file).items()}


def read_weights(path: Path) -> StateDict:
    """The state dict of a file; no Python code in the file runs.

    A file is read as tensors only (``weights_only=True``), unless it is a TorchScript archive, as
    OpenAI's ``.pt`` files are. PyTorch reads an archive without unpickling Python objects, but
    TorchScript code in it can run (``__setstate__``), so load one only from a source you trust.
    Raises BackboneError for a file that is missing or damaged, or has no state dict or numbers that
    are not finite.
    """
    if not path.is_file():
        raise BackboneError(f"There is no weight file '{path.name}'; check its name and folder.")
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        elif _is_torchscript(path):
            state = torch.jit.load(path, map_location="cpu").state_dict()
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each reader has its own exceptions for a damaged file
        raise BackboneError(
            f"'{path.name}' could not be read as weights ({type(error).__name__}). It is damaged, "
            "cut short, or contains more than tensors; delete it and download it again, or convert "
            "it to .safetensors."
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]  # a checkpoint of training
    if not isinstance(state, dict) or not state:
        raise BackboneError(
            f"'{path.name}' has no state dict, so it is not a weight file; choose another file."
        )
    tensors = {
        key.removeprefix("module."): value
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, Tensor) and key not in _NOT_WEIGHTS
    }
    for key, value in tensors.items():
        # If the sum is finite, all numbers are, and no tensor of booleans is needed.
        if not value.sum().isfinite() and not value.isfinite().all():
            raise BackboneError(
                f"'{key[:80]}' in '{path.name}' has numbers that are not finite; download the file "
                "again or choose another one."
            )
    return tensors


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())
