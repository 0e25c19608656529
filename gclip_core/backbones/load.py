"""Loads a backbone by name, from a file, a folder or a download.

open_clip has the configurations and the addresses of published weights. No Python code in a weight
file runs, but TorchScript code in a TorchScript archive can (``weights.read_weights``). Every
number is checked.
"""

import os
import shutil
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import open_clip
import torch
from huggingface_hub import constants, get_session, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import RemoteEntryNotFoundError
from open_clip import pretrained
from open_clip.model import CLIP, convert_weights_to_lp

from gclip_core import assets
from gclip_core.backbones import builtin
from gclip_core.backbones.backbone import Backbone, damage
from gclip_core.backbones.registry import BACKBONES, BUILT_IN, BackboneEntry, Defect
from gclip_core.backbones.stem import Stem
from gclip_core.backbones.weights import StateDict, read_files
from gclip_core.errors import BackboneError, check_choice
from gclip_core.types import Module

Dtype = Literal["float32", "bfloat16", "auto"]

WEIGHTS_FOLDER = "GCLIP_WEIGHTS"
"""Environment variable that names a folder of local weights, for machines without a network."""

HUB_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
CONNECT_SECONDS = 10
SPARE_MB = 1_000
"""Disk space that a download leaves free."""
_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_tokenizer = lru_cache(open_clip.SimpleTokenizer)
"""Backbones share a tokenizer, because each takes 20 MB."""


def load_backbone(
    name: str = BUILT_IN,
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: Dtype = "float32",
) -> Backbone:
    """Loads a BACKBONES entry: from ``weights`` if given, else from disk or open_clip's download.

    ``weights`` is a file or a folder: for the built-in model, one that ``training`` wrote, with its
    own words and settings; for others, one with a file as ``on_disk`` names it. ``dtype="auto"`` is
    bfloat16 if the device supports it, but float32 for the built-in model. Raises BackboneError for
    an unknown name, device or dtype, without a network, and for a file that is damaged or of
    another architecture.
    """
    entry = BACKBONES[name]
    if entry.defect:
        healthy = load_backbone(entry.defect.healthy, weights, device, dtype)
        return load_damaged(name, entry.defect, healthy)
    check_choice("dtype", dtype, get_args(Dtype), BackboneError)
    place = _usable(device)
    given = Path(weights).expanduser() if weights else None
    config, state, known = (_published if entry.pretrained else _built_in)(entry, given)
    if known and dtype == "auto":
        dtype = "float32"  # bfloat16 saves 0.2 s a photo, but masks would differ by machine
    model = _build(config, state, entry.title, place, dtype)
    return Backbone(
        entry.name,
        entry.title,
        model,
        _tokenizer(context_length=model.context_length),
        mean=entry.mean,
        std=entry.std,
        short_side=entry.short_side,
        amf_blocks=entry.amf_blocks,
        cs_blocks=entry.cs_blocks,
        known=known,
    )


def _usable(device: str | torch.device) -> torch.device:
    try:
        place = torch.device(device)
        torch.empty(1, device=place).cpu()  # "meta" has no numbers
    except (RuntimeError, AssertionError, TypeError) as error:
        raise BackboneError(
            f"The device '{device}' cannot be used here: {str(error).splitlines()[0][:160]}. "
            'Take device="cpu".'
        ) from error
    return place


Source = tuple[Any, StateDict, builtin.KnownWords | None]
"""A model's configuration, weights and known words."""


def _published(entry: BackboneEntry, given: Path | None) -> Source:
    if given and given.is_dir():
        files = _in_folder(entry, given)[:1]
    else:
        files = [given] if given else on_disk(entry) or [fetch(entry)]
    if given and not files:
        raise BackboneError(
            f"The folder '{given.name}' has no weights of {entry.title}. Name a file, or call the "
            f"file in it {entry.name}.safetensors (.pt, .pth or .bin)."
        )
    return open_clip.get_model_config(entry.architecture), read_files(files), None


def _built_in(entry: BackboneEntry, given: Path | None) -> Source:
    folder = given if given and given.is_dir() else assets.path(BUILT_IN)
    builtin.check(folder)
    state = read_files([given] if given and given != folder else builtin.files(folder))
    config = builtin.settings(folder)
    state = builtin.unpack(state, config["text_cfg"]["vocab_size"], entry.title)
    return config, state, builtin.known_words(folder)


def load_damaged(name: str, defect: Defect, healthy: Backbone) -> Backbone:
    """The backbone of the entry ``name``, damaged on purpose, from the healthy backbone."""
    damaged = damage(healthy, defect.channel, defect.gain, defect.blocks)
    return replace(damaged, name=name, title=BACKBONES[name].title)


def on_disk(entry: BackboneEntry) -> list[Path]:
    """The entry's weight files on this machine: shipped, local or cached; [] if there are none.

    A local file is in the folder GCLIP_WEIGHTS and is named ``<name>.safetensors`` (``.pt``,
    ``.pth``, ``.bin``) or as its publisher names it. A cached file is an earlier download. Uses no
    network.
    """
    if not entry.pretrained:
        return builtin.files(assets.path(BUILT_IN))
    folder = os.environ.get(WEIGHTS_FOLDER, "")
    local = _in_folder(entry, Path(folder).expanduser()) if folder else []
    source = hub_source(entry)
    files = (try_to_load_from_cache(source, name) for name in HUB_FILES if source)
    cached = (Path(file) for file in files if isinstance(file, str))
    return [*local, *(path for path in cached if path.is_file())][:1]


def _in_folder(entry: BackboneEntry, folder: Path) -> list[Path]:
    names = [*(entry.name + suffix for suffix in _SUFFIXES), *entry.files]
    return [folder / name for name in names if (folder / name).is_file()]


def hub_source(entry: BackboneEntry) -> str:
    """The hub's repository of the entry's weights; empty if open_clip names none."""
    published = pretrained.get_pretrained_cfg(entry.architecture or "", entry.pretrained or "")
    return str(published.get("hf_hub", "")).rstrip("/")


def fetch(entry: BackboneEntry, bar: type[Any] | None = None) -> Path:
    """Downloads the weights of an entry into the hub's cache.

    ``bar`` replaces tqdm as the class of progress bars; an exception in it cancels the download.
    The hub's client renames a file once it is complete, so that no partial file is ever read.
    Raises BackboneError without a network or disk space, and for an exception in ``bar``.
    """
    source = hub_source(entry)
    try:
        cache = Path(constants.HF_HUB_CACHE)
        cache.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(cache).free // 10**6
        if free < entry.download + SPARE_MB:
            raise BackboneError(
                f"{entry.title} needs {entry.download} MB of disk and {SPARE_MB:,} MB to spare, "
                f"but {free:,} MB are free here. Make room, then fetch it again."
            )
        # Fails within seconds if there is no connection, while the hub client retries for a minute.
        get_session().head(constants.ENDPOINT, timeout=CONNECT_SECONDS)
        try:
            return Path(hf_hub_download(source, HUB_FILES[0], tqdm_class=bar))
        except RemoteEntryNotFoundError:
            return Path(hf_hub_download(source, HUB_FILES[1], tqdm_class=bar))
    except BackboneError:
        raise
    except Exception as error:  # the hub client raises a dozen kinds
        raise BackboneError(
            f"The weights of {entry.title} (about {entry.download} MB) could not be downloaded "
            f"({type(error).__name__}). Check the connection and the free space, or put the file "
            f"'{entry.name}.safetensors' into a folder and name that folder in the environment "
            f"variable {WEIGHTS_FOLDER}."
        ) from error


def _build(config: Any, state: StateDict, title: str, device: torch.device, dtype: Dtype) -> Module:
    """open_clip's CLIP of this configuration with these weights, in eval mode."""
    low = dtype == "bfloat16" or (dtype == "auto" and has_bfloat16(device))
    settings = {key: value for key, value in config.items() if key not in ("custom_text", "stem")}
    with torch.device("meta"):  # no random initialisation: the weights replace it
        model: Module = CLIP(**settings, cast_dtype=torch.bfloat16 if low else None)
        if "stem" in config:
            model.visual.conv1 = Stem(config["vision_cfg"]["width"], config["stem"])
        if low:
            convert_weights_to_lp(model, dtype=torch.bfloat16)
    # Tensors are converted one by one: a second state dict would double a large model's memory.
    wanted = {key: value.dtype for key, value in model.state_dict().items()}
    try:
        given = {
            key: value.to(wanted.get(key, value.dtype)).reshape(
                () if key == "logit_scale" else value.shape
            )
            for key, value in state.items()
        }
        model.load_state_dict(given, assign=True)
    except RuntimeError as error:  # its text has a line for each kind of mismatch
        misfits = "; ".join(line.strip()[:160] for line in str(error).splitlines()[1:4])
        raise BackboneError(
            f"These weights are not those of {title}: {misfits}. Choose the backbone that the file "
            "belongs to."
        ) from error
    if model.attn_mask is not None:  # not a weight, so no file contains it
        model.attn_mask = torch.full(model.attn_mask.shape, float("-inf")).triu_(1)
    return model.eval().requires_grad_(False).to(device)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes bfloat16 in hardware, in about half the time of float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = getattr(torch.cpu, "get_capabilities", dict)()  # in newer versions of PyTorch
    return device.type == "cpu" and (able.get("avx512_bf16", False) or able.get("amx_bf16", False))
