"""A checked CLIP with its norms and caches: loaded by name, from a file, or wrapped."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import torch
from torch import Tensor, nn

from gclip_core import cs
from gclip_core.blocks import unusual
from gclip_core.cache import BoundedCache
from gclip_core.errors import BackboneError
from gclip_core.load import Dtype, load
from gclip_core.registry import BUILT_IN, OPENAI_MEAN, OPENAI_STD, Triple, find_backbone
from gclip_core.text_tower import Openings
from gclip_core.types import Blocks, KnownWords, Plant, Suppression

TEXT_BYTES = 16 * 2**20
"""Text embeddings that a backbone caches."""

_uids = itertools.count()


def _text_bytes(embedding: Tensor) -> int:
    return embedding.nbytes + 1024  # a phrase that fits the text tower is shorter


@dataclass(frozen=True, eq=False)
class Backbone:
    """A checked CLIP and the properties of it that the method needs.

    ``uid`` identifies the model in caches; a planted copy has the same. ``known`` is None for a
    model with an open vocabulary. ``notes`` are sentences on what was assumed while loading.
    ``text_cache`` has embeddings by templates and phrase, ``openings_cache`` the text tower's
    prefix caches by templates.
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
        default_factory=lambda: BoundedCache(TEXT_BYTES, _text_bytes), repr=False
    )
    openings_cache: BoundedCache[Openings] = field(
        default_factory=lambda: BoundedCache(4), repr=False
    )

    @property
    def visual(self) -> nn.Module:
        """The image tower."""
        return self.model.visual

    @property
    def blocks(self) -> nn.ModuleList:
        """The image tower's residual blocks."""
        return self.visual.transformer.resblocks

    @property
    def n_blocks(self) -> int:
        return len(self.blocks)

    @property
    def width(self) -> int:
        return self.visual.conv1.out_channels

    @property
    def n_heads(self) -> int:
        return self.blocks[0].attn.num_heads

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return self.visual.conv1.kernel_size[0]

    @property
    def device(self) -> torch.device:
        return self.visual.conv1.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.visual.conv1.weight.dtype

    @property
    def context_length(self) -> int:
        """Tokens that fit the text tower, start and end token included."""
        return int(getattr(self.model, "context_length", 77))

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
    def gains(self) -> Tensor:
        """The factor that planting gives every channel of every block: (L, D) float32."""
        return cs.planted_gains(self.planted, self.n_blocks, self.width)

    @cached_property
    def norms(self) -> Tensor:
        """Norm of every output channel of every FFN, planting included: (L, D) float32."""
        norms = torch.stack([cs.weight_norms(block.mlp.c_proj.weight) for block in self.blocks])
        return norms.cpu() * self.gains.abs()

    @cached_property
    def channels(self) -> tuple[int, ...]:
        """Per block the channel with the largest norm."""
        return tuple(self.norms.argmax(1).tolist())

    @cached_property
    def ratios(self) -> tuple[float, ...]:
        """The largest norm over the median, per block."""
        return cs.ratios(self.norms)

    def repair(self, settings: Suppression | None) -> cs.Repair:
        """What CS does to this backbone under ``settings``."""
        return cs.repair(settings, self.norms, self.ratios, self.cs_blocks)

    @cached_property
    def entropy(self) -> Tensor:
        """Entropy of every block's norms, (L,) float32."""
        return cs.entropy(self.norms)


def load_backbone(
    name: str = BUILT_IN,
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: Dtype = "float32",
) -> Backbone:
    """Loads a BACKBONES entry, from ``weights`` if given, else from disk or open_clip's download.

    ``dtype="auto"`` is bfloat16 where the processor computes in it, else float32; float32 for the
    built-in model.

    Raises:
        BackboneError: an unknown name, no network, a damaged file, another architecture.
    """
    entry = find_backbone(name)
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
    loaded = load(entry, Path(weights).expanduser() if weights else None, place, dtype)
    check_tower(loaded["model"])
    same = ("name", "title", "mean", "std", "short_side", "amf_blocks", "cs_blocks")
    return Backbone(**{name: getattr(entry, name) for name in same}, **loaded)


def wrap_backbone(
    model: nn.Module,
    tokenizer: Callable[[list[str]], Tensor],
    name: str = "wrapped",
    mean: Triple | None = None,
    std: Triple | None = None,
    short_side: int | None = None,
) -> Backbone:
    """Wraps an open_clip CLIP without copying it, in its own dtype and on its own device.

    The default of mean and std are the model's (``visual.image_mean``); a model without them gets
    OpenAI's, and a sentence in ``notes``.

    Raises:
        BackboneError: an image tower that cannot be recomputed, with the reason.
    """
    check_tower(model)
    visual, notes = model.visual, ()
    mean = mean or getattr(visual, "image_mean", None)
    std = std or getattr(visual, "image_std", None)
    if not (mean and std):
        notes = (
            f"The model '{name}' has no image mean and std: OpenAI CLIP's are assumed. "
            "Pass mean=… and std=… if it was trained with others.",
        )
    native = int(visual.image_size[0])
    side = short_side or (336 if native in (224, 336) else native)
    mean, std = tuple(mean or OPENAI_MEAN), tuple(std or OPENAI_STD)
    return Backbone(name, name, model, tokenizer, mean, std, side, notes=notes)


def plant_channel(backbone: Backbone, channel: int, gain: float, blocks: Iterable[int]) -> Backbone:
    """A simulated fault: the backbone with ``W2[channel, :]`` times ``gain`` in some blocks.

    ``blocks`` count from 0. The given backbone does not change; both share one model.

    Raises:
        MethodError: a channel or block the tower does not have, or a gain that is no number.
    """
    one = cs.plant(channel, gain, blocks, backbone.width, backbone.n_blocks)
    return replace(backbone, planted=(*backbone.planted, one))


def check_tower(model: nn.Module) -> None:
    """Refuses a CLIP whose image tower cannot be recomputed by :mod:`blocks`, with the reason."""
    visual = getattr(model, "visual", None)
    kernel = getattr(getattr(visual, "conv1", None), "kernel_size", ())
    reasons = {
        "there is none": visual is None,
        "it is a timm tower": type(visual).__name__ == "TimmModel",
        "it is no vision transformer": not hasattr(visual, "transformer"),
        "it has no class token": getattr(visual, "class_embedding", None) is None,
        "it pools by attention": getattr(visual, "attn_pool", None) is not None,
        "it pools by average, not by the class token": getattr(visual, "pool_type", "tok") != "tok",
        "its final norm comes after the pooling (final_ln_after_pool)": getattr(
            visual, "final_ln_after_pool", False
        ),
        "its patches are not square": len(set(kernel)) > 1,
        "it has no projection": getattr(visual, "proj", None) is None,
    }
    reason = next((reason for reason, applies in reasons.items() if applies), None)
    reason = reason or unusual(visual.transformer.resblocks)
    if reason:
        raise BackboneError(
            f"The image tower {type(visual).__name__} cannot be used: {reason}. Use open_clip's "
            "VisionTransformer with a class token and its pooling, as in OpenAI's ViT-B/16."
        )
