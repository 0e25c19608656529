"""A CLIP that can be tapped: loaded by name, from a file, or wrapped as it is."""

from __future__ import annotations

import itertools
import json
import operator
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import open_clip
import torch
from open_clip.model import CLIP, convert_weights_to_lp
from open_clip.transformer import LayerNorm, LayerNormFp32, ResidualAttentionBlock
from torch import Tensor, nn

from gclip_core import assets, blocks, cs, weights
from gclip_core.cache import BoundedCache
from gclip_core.errors import BackboneError, MethodError
from gclip_core.registry import (
    BUILT_IN,
    OPENAI_MEAN,
    OPENAI_STD,
    BackboneEntry,
    Triple,
    find_backbone,
)
from gclip_core.text_tower import Openings
from gclip_core.types import Blocks, Plant

Dtype = Literal["float32", "bfloat16", "auto"]

TEXT_CACHE_PHRASES = 4096
OPENINGS_CACHE_SETS = 4

_uids = itertools.count()


@dataclass(frozen=True)
class KnownWords:
    """What a backbone was trained on: its words (lower case) and the tokens they are made of."""

    words: frozenset[str]
    tokens: frozenset[int]


@dataclass(frozen=True, eq=False)
class Backbone:
    """A checked CLIP with what the method needs to know about it.

    ``uid`` tells models apart in caches; a planted copy shares its model's. ``norms`` is (L, D)
    float32. ``known`` is None for a model whose vocabulary is open. ``notes`` says in words what
    was assumed or fell back while loading.
    """

    name: str
    title: str
    model: nn.Module
    tokenizer: Callable[[list[str]], Tensor]
    mean: Triple
    std: Triple
    short_side: int
    amf_blocks: Blocks = "auto"
    cs_blocks: Blocks = "auto"
    known: KnownWords | None = None
    planted: tuple[Plant, ...] = ()
    notes: tuple[str, ...] = ()
    uid: str = field(default_factory=lambda: str(next(_uids)))
    text_cache: BoundedCache[Tensor] = field(
        default_factory=lambda: BoundedCache(TEXT_CACHE_PHRASES), repr=False
    )
    openings_cache: BoundedCache[Openings] = field(
        default_factory=lambda: BoundedCache(OPENINGS_CACHE_SETS), repr=False
    )

    @property
    def blocks(self) -> nn.ModuleList:
        """The image tower's residual blocks."""
        return self.model.visual.transformer.resblocks

    @property
    def n_blocks(self) -> int:
        return len(self.blocks)

    @property
    def width(self) -> int:
        return self.model.visual.conv1.out_channels

    @property
    def embedding_width(self) -> int:
        """Dimensions that image and text embeddings share."""
        return self.model.visual.proj.shape[1]

    @property
    def n_heads(self) -> int:
        return self.blocks[0].attn.num_heads

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return self.model.visual.conv1.kernel_size[0]

    @property
    def device(self) -> torch.device:
        return self.model.visual.conv1.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.visual.conv1.weight.dtype

    @property
    def context_length(self) -> int:
        """Tokens the text tower takes, start and end token included."""
        return int(getattr(self.model, "context_length", 77))

    @cached_property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    @cached_property
    def digest(self) -> str:
        """BLAKE2 digest of all weights: the same weights give the same digest anywhere."""
        state = blake2b(digest_size=16)
        for key, value in sorted(self.model.state_dict().items()):
            state.update(f"{key}{tuple(value.shape)}{value.dtype}".encode())
            flat = value.detach().cpu().reshape(-1)  # a scalar has no bytes to view
            state.update(flat.view(torch.uint8).numpy().data)
        return state.hexdigest()

    @cached_property
    def norms(self) -> Tensor:
        """Norm of every output channel of every FFN, planting included: (L, D) float32."""
        return cs.planted_norms(self.clean_norms, self.planted)

    @cached_property
    def largest_channels(self) -> tuple[tuple[int, float], ...]:
        """Per block the channel with the largest norm, and that norm over the median."""
        return tuple(cs.largest_channel(row) for row in self.norms)

    @property
    def ratios(self) -> tuple[float, ...]:
        """The largest norm over the median, per block."""
        return tuple(ratio for _, ratio in self.largest_channels)

    @cached_property
    def entropy(self) -> Tensor:
        """Entropy of every block's norms, (L,) float32."""
        return cs.entropy(self.norms)

    @cached_property
    def clean_norms(self) -> Tensor:
        """The same without planting."""
        return torch.stack(
            [cs.weight_norms(block.mlp.c_proj.weight) for block in self.blocks]
        ).cpu()


def load_backbone(
    name: str = BUILT_IN,
    weights: str | Path | None = None,  # noqa: F811 - the public name of the argument
    device: str | torch.device = "cpu",
    dtype: Dtype = "float32",
) -> Backbone:
    """Load a BACKBONES entry, from ``weights`` if given, else from disk or open_clip's download.

    ``dtype="auto"`` measures at load whether bfloat16 pays on this device, else float32; the
    built-in model stays float32.

    Raises:
        BackboneError: an unknown name, no network, a damaged file, another architecture.
    """
    entry = find_backbone(name)
    place = _check_placing(device, dtype)
    source = Path(weights).expanduser() if weights else None
    load = _load_built_in if name == BUILT_IN else _load_named
    return load(entry, source, *place)


def wrap_backbone(
    model: nn.Module,
    tokenizer: Callable[[list[str]], Tensor],
    name: str = "wrapped",
    mean: Triple | None = None,
    std: Triple | None = None,
    short_side: int | None = None,
) -> Backbone:
    """Wrap an existing open_clip CLIP, in its own dtype and on its own device; nothing is copied.

    Mean and std are the model's own (``visual.image_mean``) unless given; a model that carries
    none gets OpenAI's, and the backbone's ``notes`` say so.

    Raises:
        BackboneError: a tower that cannot be tapped, with the reason.
    """
    check_tower(model)
    visual, notes = model.visual, []
    own = _own_statistics(visual)
    if (mean is None or std is None) and own is None:
        notes.append(
            f"The model '{name}' carries no image mean and std: OpenAI CLIP's are assumed. "
            "Pass mean=… and std=… if it was trained with others."
        )
    default_mean, default_std = own or (OPENAI_MEAN, OPENAI_STD)
    native = int(visual.image_size[0])
    return Backbone(
        name=name,
        title=name,
        model=model,
        tokenizer=tokenizer,
        mean=tuple(mean or default_mean),
        std=tuple(std or default_std),
        short_side=short_side or (336 if native in (224, 336) else native),
        notes=tuple(notes),
    )


def plant_channel(backbone: Backbone, channel: int, gain: float, blocks: Iterable[int]) -> Backbone:
    """A simulation: the same backbone with one FFN output channel multiplied in some blocks.

    ``W2[channel, :]`` times ``gain`` in ``blocks`` (0-based). The given backbone and its weights
    stay untouched; both share one model.

    Raises:
        MethodError: a channel or block the tower does not have, or a gain that is no number.
    """
    try:
        channel = operator.index(channel)
        chosen = tuple(sorted({operator.index(block) for block in blocks}))
    except TypeError:
        raise MethodError(
            f"A channel and blocks are whole numbers from 0, but {channel!r} and {blocks!r} came."
        ) from None
    if not 0 <= channel < backbone.width:
        raise MethodError(
            f"Channels run from 0 to {backbone.width - 1}, but channel {channel} came."
        )
    if not chosen or chosen[0] < 0 or chosen[-1] >= backbone.n_blocks:
        raise MethodError(
            f"Blocks run from 0 to {backbone.n_blocks - 1} (at least one), but {chosen} came."
        )
    if not abs(gain) < 1e4:  # also refuses nan
        raise MethodError(f"The gain must be a number below 10,000, but {gain} came.")
    return replace(backbone, planted=(*backbone.planted, Plant(channel, float(gain), chosen)))


def check_tower(model: nn.Module) -> None:
    """Refuse a CLIP whose image tower our recomputation would get wrong.

    Raises:
        BackboneError: names the tower and the reason.
    """
    visual = getattr(model, "visual", None)
    name = type(visual).__name__
    for reason, holds in _refusals(visual):
        if holds():
            raise BackboneError(
                f"The image tower {name} cannot be used: {reason}. What works is open_clip's "
                "VisionTransformer with a class token and its pooling, as in OpenAI's ViT-B/16."
            )


def _refusals(visual: Any) -> list[tuple[str, Callable[[], bool]]]:
    """Reasons to refuse a tower, in the order in which they can be asked."""

    def inside() -> Iterable[nn.Module]:
        return visual.transformer.resblocks

    return [
        ("there is none", lambda: visual is None),
        ("it is a timm tower", lambda: type(visual).__name__ == "TimmModel"),
        ("it is no vision transformer", lambda: not hasattr(visual, "transformer")),
        ("it has no class token", lambda: getattr(visual, "class_embedding", None) is None),
        ("it pools by attention", lambda: getattr(visual, "attn_pool", None) is not None),
        (
            "it pools by average, not by the class token",
            lambda: getattr(visual, "pool_type", "tok") != "tok",
        ),
        (
            "its final norm comes after the pooling (final_ln_after_pool)",
            lambda: bool(getattr(visual, "final_ln_after_pool", False)),
        ),
        ("its patches are not square", lambda: len(set(visual.conv1.kernel_size)) > 1),
        ("it has no projection", lambda: getattr(visual, "proj", None) is None),
        *blocks.unusual_parts(inside),
    ]


def _load_built_in(
    entry: BackboneEntry, path: Path | None, device: torch.device, dtype: Dtype
) -> Backbone:
    config = json.loads(assets.path(BUILT_IN, "model.json").read_text("utf-8"))
    words = json.loads(assets.path(BUILT_IN, "words.json").read_text("utf-8"))
    state = weights.read(path or assets.path(BUILT_IN, "model.safetensors"))
    _check_token_rows(state, config["text_cfg"]["vocab_size"], entry.title)
    known = KnownWords(
        frozenset(word.lower() for kind in words.values() for group in kind for word in group),
        frozenset(state.get("token_ids", torch.empty(0)).tolist()),
    )
    if dtype == "auto":
        dtype = "float32"  # what its card's figures are of; it takes milliseconds either way
    model = _build(config, fill_token_table(state, config), entry.title, device, dtype)
    tokenizer = open_clip.SimpleTokenizer(context_length=config["text_cfg"]["context_length"])
    return _backbone(entry, model, tokenizer, known=known)


def _check_token_rows(state: weights.StateDict, vocabulary: int, title: str) -> None:
    if "token_ids" not in state or "token_rows" not in state:
        return
    ids, rows = state["token_ids"], state["token_rows"]
    fits = (
        ids.ndim == 1 and rows.ndim == 2 and len(ids) == len(rows) and not ids.is_floating_point()
    )
    if not (fits and all(0 <= token < vocabulary for token in ids.tolist())):
        raise BackboneError(
            f"These weights are not those of {title}: token_ids {tuple(ids.shape)} do not name a "
            f"token below {vocabulary} for each of token_rows {tuple(rows.shape)}. "
            "Choose the backbone that the file belongs to."
        )


def fill_token_table(state: weights.StateDict, config: dict[str, Any]) -> weights.StateDict:
    """The built-in model's one extra step: scatter its stored token rows into the full table.

    ``token_ids`` (n,) and ``token_rows`` (n, width) become ``token_embedding.weight``
    (vocabulary, width), zero where training never saw the token.
    """
    if "token_ids" not in state or "token_rows" not in state:
        return state
    rest = {key: value for key, value in state.items() if not key.startswith("token_")}
    ids, rows = state["token_ids"].long(), state["token_rows"].float()
    table = torch.zeros(config["text_cfg"]["vocab_size"], rows.shape[1])
    table[ids] = rows
    return {**rest, "token_embedding.weight": table}


def _load_named(
    entry: BackboneEntry, path: Path | None, device: torch.device, dtype: Dtype
) -> Backbone:
    config = open_clip.get_model_config(entry.architecture)
    state, notes = _read_or_download(entry, path)
    model = _build(config, state, entry.title, device, dtype)
    return _backbone(entry, model, open_clip.get_tokenizer(entry.architecture), notes=notes)


def _read_or_download(
    entry: BackboneEntry, path: Path | None
) -> tuple[weights.StateDict, tuple[str, ...]]:
    local = path or weights.local_file(entry)
    if local is not None:
        return weights.read(local), ()
    found = weights.download(entry)
    try:
        return weights.read(found), ()
    except BackboneError:
        weights.forget_download(found)
        again = weights.read(weights.download(entry))
        return again, ("The weights kept on disk were damaged, so they were fetched again.",)


def _backbone(
    entry: BackboneEntry,
    model: nn.Module,
    tokenizer: Callable[[list[str]], Tensor],
    known: KnownWords | None = None,
    notes: tuple[str, ...] = (),
) -> Backbone:
    check_tower(model)
    return Backbone(
        name=entry.name,
        title=entry.title,
        model=model,
        tokenizer=tokenizer,
        mean=entry.mean,
        std=entry.std,
        short_side=entry.short_side,
        amf_blocks=entry.amf_blocks,
        cs_blocks=entry.cs_blocks,
        known=known,
        notes=notes,
    )


def _build(
    config: dict[str, Any],
    state: weights.StateDict,
    title: str,
    device: torch.device,
    dtype: Dtype,
) -> nn.Module:
    """open_clip's CLIP of this configuration holding these weights, in eval mode."""
    low = dtype == "bfloat16" or (dtype == "auto" and bfloat16_pays(device, config["vision_cfg"]))
    settings = {key: value for key, value in config.items() if key != "custom_text"}
    with torch.device("meta"):  # random numbers that the weights replace would cost seconds
        model = CLIP(**settings, cast_dtype=torch.bfloat16 if low else None)
    model = model.to_empty(device="cpu")
    if model.attn_mask is not None:  # no weight, so no file holds it
        model.attn_mask.copy_(torch.full(model.attn_mask.shape, float("-inf")).triu_(1))
    _check_fits(model, state, title)
    model.load_state_dict(
        {k: state[k].float().reshape(v.shape) for k, v in model.state_dict().items()}, assign=True
    )
    if low:
        convert_weights_to_lp(model, dtype=torch.bfloat16)
    return model.eval().requires_grad_(False).to(device)


def _check_fits(model: nn.Module, state: weights.StateDict, title: str) -> None:
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    missing = [key for key in expected if key not in state]
    wrong = [
        f"{key} is {tuple(state[key].shape)}, not {shape}"
        for key, shape in expected.items()
        if key in state and key != "logit_scale" and tuple(state[key].shape) != shape
    ]
    extra = [key for key in state if key not in expected]
    if missing or wrong or extra:
        first = (wrong or [f"{key} is missing" for key in missing] or [f"{extra[0]} is extra"])[0]
        raise BackboneError(
            f"These weights are not those of {title}: {len(missing)} tensors are missing, "
            f"{len(wrong)} have another shape, {len(extra)} are not expected (first: {first}). "
            "Choose the backbone that the file belongs to."
        )


def _own_statistics(visual: nn.Module) -> tuple[Triple, Triple] | None:
    if getattr(visual, "image_mean", None) and getattr(visual, "image_std", None):
        return tuple(visual.image_mean), tuple(visual.image_std)
    settings = getattr(visual, "preprocess_cfg", None) or {}
    if settings.get("mean") and settings.get("std"):
        return tuple(settings["mean"]), tuple(settings["std"])
    return None


def _check_placing(device: str | torch.device, dtype: str) -> tuple[torch.device, Dtype]:
    if dtype not in ("float32", "bfloat16", "auto"):
        raise BackboneError(f"dtype must be float32, bfloat16 or auto, but '{dtype}' came.")
    try:
        place = torch.device(device)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as error:
        raise BackboneError(
            f"The device '{device}' cannot be used here: {str(error).splitlines()[0][:160]}. "
            'Take device="cpu".'
        ) from error
    return place, dtype


def bfloat16_pays(device: torch.device, vision: Mapping[str, Any]) -> bool:
    """Whether a block of such a tower runs at least 1.3 times as fast in bfloat16, by measurement.

    A whole block, since a narrow tower spends its time between the matrix products.
    """
    width = vision["width"]
    heads = width // vision.get("head_width", 64)
    seconds = []
    with torch.no_grad():
        for dtype, norm in ((torch.float32, LayerNorm), (torch.bfloat16, LayerNormFp32)):
            block = ResidualAttentionBlock(width, heads, norm_layer=norm).to(device)
            if dtype == torch.bfloat16:
                convert_weights_to_lp(block, dtype)
            x = torch.randn(1, 400, width, device=device, dtype=dtype)
            times = []
            for _ in range(4):  # the first warms up
                start = time.perf_counter()
                blocks.run_block(block, x).sum().item()
                times.append(time.perf_counter() - start)
            seconds.append(min(times[1:]))
    return seconds[0] > 1.3 * seconds[1]
