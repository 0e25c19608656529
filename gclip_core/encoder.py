"""From pixels to block inputs. With CS, the tower runs again from the first changed block on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

import torch
from torch import Tensor

from gclip_core import amf, blocks, cs
from gclip_core.amf import Fusion, FusionReport
from gclip_core.backbones import dino
from gclip_core.backbones.backbone import Backbone
from gclip_core.backbones.stem import Stem
from gclip_core.blocks import Heads
from gclip_core.types import Grid, Size

TOKENS_PER_BATCH = 8192
"""Maximum number of tokens per batch; a batch has at least one window."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """An encoded image: the input of every block for W windows, usually one, the whole image."""

    backbone: Backbone = field(repr=False)
    pixels: Tensor = field(repr=False)
    """The normalised image at the encoded size, (3, height, width) float32."""
    image_size: Size
    """The image's own size."""
    window_grid: Grid
    """The size of each window in patches."""
    corners: tuple[Grid, ...]
    """The (top, left) of each window in patches."""
    inputs: tuple[Tensor, ...] = field(repr=False)
    """``inputs[l]`` is the input of block ``l``, (W, 1+N, D) in the model's dtype."""
    probabilities: Tensor | None = field(default=None, repr=False)
    """Those of the stem's classes, (W, classes) float32; None for a tower without a stem."""
    stem_dino: Tensor | None = field(default=None, repr=False)
    """The features of a stem's DINO, (W, h, w, channels); None for a tower without a stem."""
    suppressed: tuple[int, ...] = ()
    """The blocks that CS changed, ascending."""
    without_cs: "Encoded | None" = field(default=None, repr=False)
    """The encoding before CS; None if this one has no CS."""
    _received: dict[int, Tensor] = field(init=False, repr=False, default_factory=dict)

    @property
    def grid(self) -> Grid:
        """The size of the image in patches."""
        patch = self.backbone.patch
        return self.pixels.shape[1] // patch, self.pixels.shape[2] // patch

    @property
    def whole(self) -> "Encoded":
        """The encoding of the image as one window, with the same CS."""
        # A cache of itself would be a reference cycle, which keeps all tensors until it is found.
        return self if self.window_grid == self.grid else self._whole

    @cached_property
    def _whole(self) -> "Encoded":
        """The image encoded as one window; computed once."""
        if self.without_cs is None:
            return encode(self.backbone, self.pixels, self.image_size)
        return suppress(self.without_cs.whole, self.suppressed)

    def split(self) -> Iterator["Encoded"]:
        """Splits the windows into encodings, each small enough for one batch."""
        n = _windows_per_batch(self.window_grid)
        if len(self.corners) <= n:
            yield self
            return
        for first in range(0, len(self.corners), n):
            some = slice(first, first + n)
            probabilities, stem_dino = (
                None if x is None else x[some] for x in (self.probabilities, self.stem_dino)
            )
            yield replace(
                self,
                corners=self.corners[some],
                inputs=tuple(x[some] for x in self.inputs),
                probabilities=probabilities,
                stem_dino=stem_dino,
            )

    def average(self, maps: Tensor) -> Tensor:
        """The mean of the windows' maps (W, h', w', channels): (rows, columns, channels) float32.

        With one window, it is the map itself. If the maps are several times finer than
        ``window_grid``, the mean is as many times finer than ``grid``.
        """
        if len(maps) == 1:
            return maps[0]
        height, width = maps.shape[1:3]
        finer = height // self.window_grid[0]
        total = torch.zeros(self.grid[0] * finer, self.grid[1] * finer, maps.shape[3])
        count = torch.zeros_like(total[..., :1])
        for (row, column), part in zip(self.corners, maps, strict=True):
            top, left = row * finer, column * finer
            here = slice(top, top + height), slice(left, left + width)
            total[here] += part
            count[here] += 1
        return total / count

    @cached_property
    def dino(self) -> Tensor:
        """DINO's features, those of the stem or of the shipped DINO: (W, h', w', channels).

        Their grid is the window's, or finer by a whole factor.
        """
        if self.stem_dino is not None:
            return self.stem_dino
        patch, window = self.backbone.patch, self.window_grid
        parts = (_crops(self.pixels, patch, window, some.corners) for some in self.split())
        return torch.cat([dino.features(self.backbone, part, window) for part in parts])

    def fusion_report(self, fusion: Fusion | None) -> FusionReport:
        """The blocks whose attention is fused, and why; windows and CS do not change them."""
        clean = self.without_cs or self
        tower = self.backbone
        return amf.fusion_report(  # only "auto" needs the whole image
            fusion, tower.n_blocks, tower.amf_blocks, lambda block: clean.whole.received(block)
        )

    @torch.no_grad()
    def heads(self, block: int, values: bool = False) -> Heads:
        """Queries, keys and, on request, values of a block: each (W, H, 1+N, d)."""
        if block == self.backbone.n_blocks - 1 and len(self.corners) == 1:
            return self._last_heads
        return blocks.project(self.backbone.blocks[block], self.inputs[block], values)

    @cached_property
    def _last_heads(self) -> Heads:
        """The last block's heads; kept, because nearly every method uses them."""
        return blocks.project(self.backbone.blocks[-1], self.inputs[-1])

    @torch.no_grad()
    def received(self, block: int) -> Tensor:
        """``amf.received`` of a block in the first window, (N,) float32; computed once."""
        if block not in self._received:
            self._received[block] = amf.received(self.heads(block)[0]).cpu()
        return self._received[block]


@torch.no_grad()
def encode(
    backbone: Backbone, pixels: Tensor, image_size: Size, side: int | None = None, stride: int = 1
) -> Encoded:
    """Encodes a normalised image, (3, height, width) float32, without CS.

    Windows have ``side`` pixels a side and start every ``stride`` pixels, both rounded to patches.
    Without ``side``, one window covers the image.
    """
    patch = backbone.patch
    grid = pixels.shape[1] // patch, pixels.shape[2] // patch
    window, corners = windows(grid, patch, side, stride)
    n = _windows_per_batch(window)
    parts = [
        _encode_windows(backbone, _crops(pixels, patch, window, corners[first : first + n]))
        for first in range(0, len(corners), n)
    ]
    inputs, probabilities, stem_dino = zip(*parts, strict=True)
    return Encoded(
        backbone=backbone,
        pixels=pixels,
        image_size=image_size,
        window_grid=window,
        corners=tuple(corners),
        inputs=_joined(inputs),
        probabilities=None if probabilities[0] is None else torch.cat(probabilities),
        stem_dino=None if stem_dino[0] is None else torch.cat(stem_dino),
    )


def _encode_windows(
    backbone: Backbone, pixels: Tensor
) -> tuple[list[Tensor], Tensor | None, Tensor | None]:
    """Block inputs, and the stem's probabilities and patches, for windows (W, 3, height, width)."""
    conv1, pixels = backbone.visual.conv1, pixels.to(backbone.device, backbone.dtype)
    if isinstance(conv1, Stem):
        patches, probabilities, stem_dino = conv1.classified(pixels)
    else:
        patches, probabilities, stem_dino = conv1(pixels), None, None
    x = blocks.embed_patches(backbone.visual, patches)
    return blocks.block_inputs(backbone.blocks, x), probabilities, stem_dino


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
    parts = [blocks.block_inputs(tower, x.inputs[start], start, weights) for x in clean.split()]
    inputs = (*clean.inputs[:start], *_joined(parts))
    return replace(clean, inputs=inputs, suppressed=suppressed, without_cs=clean)


def _joined(parts: Sequence[Sequence[Tensor]]) -> tuple[Tensor, ...]:
    """Joins the block inputs of parts, each with some of the windows."""
    return tuple(x[0] if len(x) == 1 else torch.cat(x) for x in zip(*parts, strict=True))


def _windows_per_batch(window: Grid) -> int:
    return max(1, TOKENS_PER_BATCH // (window[0] * window[1] + 1))


def _crops(pixels: Tensor, patch: int, window: Grid, corners: Sequence[Grid]) -> Tensor:
    """The windows of an image (3, height, width): (W, 3, height, width)."""
    height, width = window
    return torch.stack(
        [
            pixels[:, y * patch : (y + height) * patch, x * patch : (x + width) * patch]
            for y, x in corners
        ]
    )


def windows(grid: Grid, patch: int, side: int | None, stride: int) -> tuple[Grid, list[Grid]]:
    """The size of each window of an image of ``grid`` patches, and their corners; in patches.

    ``side`` and ``stride`` are in pixels, each rounded to whole patches. Without ``side``, one
    window covers the image. The last windows end at the image's edge, and a stride longer than the
    window is reduced to its length, so that there are no gaps.
    """

    def to_patches(pixels: int) -> int:
        return max(1, int(pixels / patch + 0.5))

    length = to_patches(side) if side else max(grid)
    window = min(length, grid[0]), min(length, grid[1])
    rows, columns = (
        [*range(0, whole - span, min(to_patches(stride), span)), whole - span]
        for whole, span in zip(grid, window, strict=True)
    )
    return window, list(product(rows, columns))
