"""A CLIP with its norms and caches, and a copy that is damaged on purpose."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

import torch
from open_clip import SimpleTokenizer
from open_clip.model import CLIP
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

from gclip_core import cs
from gclip_core.backbones.builtin import KnownWords
from gclip_core.backbones.registry import Triple
from gclip_core.cache import BoundedCache
from gclip_core.errors import BackboneError, MethodError, check_between, check_count, check_index
from gclip_core.numbering import read_blocks
from gclip_core.types import Blocks, Module

MOST_EMBEDDINGS = 4096
"""Maximum number of text embeddings that a backbone keeps."""


@dataclass(frozen=True, eq=False)
class Backbone:
    """An open_clip CLIP with the properties that the methods need; the model is not copied.

    Raises BackboneError for a model that ``gclip_core.blocks`` cannot compute, another tokenizer
    and a number out of range, and MethodError for what is no choice of blocks.
    """

    name: str
    title: str
    model: Module
    tokenizer: SimpleTokenizer
    mean: Triple
    """``mean`` and ``std``, from 0 to 1, normalise pixels in [0, 1]."""
    std: Triple
    short_side: int
    """The length in pixels to which an image's shorter side is scaled."""
    amf_blocks: Blocks = "auto"
    cs_blocks: Blocks = "auto"
    known: KnownWords | None = None
    """None for a model with an open vocabulary."""
    text_cache: BoundedCache[Any] = field(
        init=False, repr=False, default_factory=lambda: BoundedCache(MOST_EMBEDDINGS)
    )
    """What ``gclip_core.words`` computes from the text tower; ``replace`` starts a new one."""

    def __post_init__(self) -> None:
        check_model(self.model, self.tokenizer)
        for name, low, triple in (("mean", 0, self.mean), ("std", 1e-6, self.std)):
            for number in triple:
                check_between(name, number, low, 1, BackboneError)
        check_count("short_side", self.short_side, BackboneError)
        for name in ("amf_blocks", "cs_blocks"):
            object.__setattr__(self, name, read_blocks(name, getattr(self, name)))

    @property
    def visual(self) -> Module:
        """The image tower."""
        return self.model.visual

    @property
    def blocks(self) -> Sequence[Module]:
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

    @cached_property
    def digest(self) -> str:
        """BLAKE2 digest of all weights; the same on every machine."""
        state = blake2b(digest_size=16)
        for key, value in sorted(self.model.state_dict().items()):
            state.update(f"{key}{tuple(value.shape)}{value.dtype}".encode())
            flat = value.detach().cpu().reshape(-1)  # PyTorch cannot view a scalar as bytes
            state.update(flat.view(torch.uint8).numpy().data)
        return state.hexdigest()

    @cached_property
    def norms(self) -> Tensor:
        """Norm of every output channel of every FFN: (L, D) float32."""
        return torch.stack([cs.weight_norms(b.mlp.c_proj.weight) for b in self.blocks]).cpu()

    @cached_property
    def ratios(self) -> tuple[float, ...]:
        """The largest norm over the median, for each block."""
        return cs.norm_ratios(self.norms)


def check_model(model: Module, tokenizer: object) -> None:
    """Raises BackboneError for a model that ``gclip_core.blocks`` cannot compute, and for another
    tokenizer."""
    visual: Module = getattr(model, "visual", None)
    is_clip = isinstance(model, CLIP) and type(visual) is VisionTransformer
    if not is_clip or not isinstance(tokenizer, SimpleTokenizer):
        misfits = ["it is not an open_clip CLIP with a VisionTransformer and a SimpleTokenizer"]
    else:
        pools = visual.attn_pool, visual.pool_type, visual.final_ln_after_pool
        tower, (height, width) = visual.transformer.resblocks, visual.conv1.kernel_size
        kinds = {*map(type, (*tower, *model.transformer.resblocks))}
        fits = {
            f"its image tower has {len(tower)} block": len(tower) > 1,
            "a block is not a plain ResidualAttentionBlock": kinds == {ResidualAttentionBlock},
            "its patches are not square": height == width,
            "its image tower pools in another way": pools == (None, "tok", False),
            "its image tower has no projection": isinstance(visual.proj, Tensor),
            "its text tower is not causal": model.attn_mask is not None,
            "its text tower pools in another way": model.text_pool_type == "argmax",
            "its text tower ends in no matrix": isinstance(model.text_projection, Tensor),
        }
        misfits = [misfit for misfit, is_fit in fits.items() if not is_fit]
    if misfits:
        raise BackboneError(
            f"This {type(model).__name__} cannot be used: {'; '.join(misfits)}. Its image tower "
            "must have at least two plain blocks and square patches, pool by its class token and "
            "project it; its text tower must be causal, pool at the end token and end in a matrix. "
            "Take one such as OpenAI's ViT-B/16."
        )


def damage(backbone: Backbone, channel: int, gain: float, blocks: Iterable[int]) -> Backbone:
    """A backbone with a simulated defect: ``W2[channel, :]`` times ``gain`` in 0-based ``blocks``.

    Its weights are changed, and its title says so. All other tensors are shared with the given
    backbone, which does not change. Raises MethodError for a channel or block that the tower does
    not have, for no block, and for ``|gain|`` over 10,000.
    """
    check_index("channel", channel, backbone.width)
    check_between("gain", gain, -1e4, 1e4)
    if not (chosen := {*blocks}):
        raise MethodError("At least one block is needed; choose one or more.")
    for block in chosen:
        check_index("block", block, backbone.n_blocks)
    model = backbone.model
    tensors = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    factors = torch.ones(backbone.width)
    factors[channel] = gain
    for block in chosen:
        W2 = backbone.blocks[block].mlp.c_proj.weight
        tensors[id(W2)] = nn.Parameter(cs.scale_rows(W2, factors), requires_grad=False)
    suffix = ", damaged on purpose"
    title = backbone.title.removesuffix(suffix) + suffix
    # deepcopy does not copy a tensor that has an entry in its memo, but uses the entry.
    return replace(backbone, model=deepcopy(model, tensors), title=title)
