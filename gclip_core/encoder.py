"""From pixels to block inputs. With CS, the tower runs again from the first changed block on."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from gclip_core import blocks, cs, global_tokens
from gclip_core.backbones.backbone import Backbone
from gclip_core.backbones.stem import Stem
from gclip_core.blocks import Heads
from gclip_core.cache import BoundedCache
from gclip_core.types import Grid, Size

Value = TypeVar("Value")

MOST_KEPT = 48
"""Values that an encoding keeps: the features of all methods, and one for each of 24 blocks."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """An encoded image: the input of every block."""

    backbone: Backbone = field(repr=False)
    pixels: Tensor = field(repr=False)
    """The normalised image at the encoded size, (3, height, width) float32."""
    image_size: Size
    """The image's own size."""
    inputs: tuple[Tensor, ...] = field(repr=False)
    """``inputs[l]`` is the input of block ``l``, (1+N, D) in the model's dtype."""
    probabilities: Tensor | None = field(default=None, repr=False)
    """Those of the stem's classes, (classes,) float32 on the CPU; None without a stem."""
    stem_patches: Tensor | None = field(default=None, repr=False)
    """Those of the stem's transformer, (h, w, channels); None without a stem."""
    suppressed: tuple[int, ...] = ()
    """The blocks that CS changed, ascending."""
    without_cs: "Encoded | None" = field(default=None, repr=False)
    """The encoding before CS; None if this one has no CS."""
    _kept: BoundedCache[Any] = field(
        init=False, repr=False, default_factory=lambda: BoundedCache(MOST_KEPT)
    )

    @property
    def grid(self) -> Grid:
        """The size of the image in patches."""
        patch = self.backbone.patch
        return self.pixels.shape[1] // patch, self.pixels.shape[2] // patch

    @torch.no_grad()
    def heads(self, block: int) -> Heads:
        """Queries and keys of a block, each (H, 1+N, d)."""
        if block == self.backbone.n_blocks - 1:
            return self.last_heads
        return blocks.project(self.backbone.blocks[block], self.inputs[block], values=False)

    @cached_property
    @torch.no_grad()
    def last_heads(self) -> Heads:
        """Queries, keys and values of the last block, which nearly every method uses."""
        return blocks.project(self.backbone.blocks[-1], self.inputs[-1])

    @torch.no_grad()
    def received(self, block: int) -> Tensor:
        """``global_tokens.received`` of a block, (N,) float32; computed once."""

        def make() -> Tensor:
            return global_tokens.received(self.heads(block)).cpu()

        return self.once(("received", block), make)

    def once(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """``make()``, which depends on this encoding alone; computed once and kept with it, up
        to MOST_KEPT values."""
        return self._kept.get_or_make(key, make)


@torch.no_grad()
def encode(backbone: Backbone, pixels: Tensor, image_size: Size) -> Encoded:
    """Encodes a normalised image, (3, height, width) float32, without CS."""
    conv1 = backbone.visual.conv1
    image = pixels.contiguous()[None].to(backbone.device, backbone.dtype)
    if isinstance(conv1, Stem):
        patches, probabilities, stem_patches = (x[0] for x in conv1.classified(image))
        probabilities = probabilities.cpu()
    else:
        patches, probabilities, stem_patches = conv1(image)[0], None, None
    x = blocks.embed_patches(backbone.visual, patches)
    inputs = tuple(blocks.block_inputs(backbone.blocks, x))
    return Encoded(backbone, pixels, image_size, inputs, probabilities, stem_patches)


@torch.no_grad()
def suppress(encoded: Encoded, suppressed: tuple[int, ...]) -> Encoded:
    """The encoding of the tower with CS in the ``suppressed`` blocks, which ascend.

    It shares the block inputs up to the first changed block with the encoding without CS.
    """
    if suppressed == encoded.suppressed:
        return encoded
    clean = encoded.without_cs or encoded
    if not suppressed:
        return clean
    tower, norms = encoded.backbone.blocks, encoded.backbone.norms
    start = suppressed[0]
    weights = {
        block: cs.scale_rows(tower[block].mlp.c_proj.weight, cs.channel_factors(norms[block]))
        for block in suppressed
    }
    changed = blocks.block_inputs(tower, clean.inputs[start], start, weights)
    inputs = (*clean.inputs[:start], *changed)
    return replace(clean, inputs=inputs, suppressed=suppressed, without_cs=clean)
