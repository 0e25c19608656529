"""The benchmarks' protocol: an image in overlapping windows, whose features are averaged."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

import torch
from PIL import Image
from torch import Tensor

from gclip_core import encoder
from gclip_core.amf import Amf
from gclip_core.cs import Suppression
from gclip_core.encoder import Encoded
from gclip_core.last_block import Attended
from gclip_core.methods import Method
from gclip_core.segmenter import Segmenter
from gclip_core.types import Grid


@dataclass(frozen=True, eq=False)
class Windows:
    """An image with the encoding of each window and its (top, left), in patches."""

    pixels: Tensor
    """The normalised image, (3, height, width) float32."""
    corners: tuple[Grid, ...]
    encoded: tuple[Encoded, ...]
    _with_cs: dict[Suppression | None, list[Encoded]] = field(init=False, default_factory=dict)

    def features(self, method: Method) -> Tensor:
        """The mean of the windows' features, (rows, columns, E) float32, on the image's grid or a
        finer one.

        AMF fuses the blocks that it chooses for the whole image.
        """
        last, first = method.last, self.encoded[0]
        if isinstance(last, Attended) and isinstance(last.fusion, Amf):
            fusion = replace(last.fusion, blocks=last.fused(self._whole).blocks)
            method = replace(method, last=replace(last, fusion=fusion))
        if method.suppression not in self._with_cs:
            encoded = [method.encoding(window) for window in self.encoded]
            self._with_cs[method.suppression] = encoded
        maps = [method.features(one) for one in self._with_cs[method.suppression]]
        height, width, channels = maps[0].shape
        finer = height // first.grid[0]
        size = (finer * side // first.backbone.patch for side in self.pixels.shape[1:])
        total = torch.zeros(*size, channels)
        count = torch.zeros_like(total[..., :1])
        for (top, left), one in zip(self.corners, maps, strict=True):
            here = slice(finer * top, None), slice(finer * left, None)
            total[here][:height, :width] += one
            count[here][:height, :width] += 1
        return total / count

    @cached_property
    def _whole(self) -> Encoded:
        first, *others = self.encoded
        if not others:
            return first
        return encoder.encode(first.backbone, self.pixels, first.image_size)


def encode(segmenter: Segmenter, image: Image.Image, side: int, stride: int) -> Windows:
    """Encodes a checked image in windows of ``side`` pixels that start every ``stride`` pixels.

    Both are rounded to patches. With a ``side`` of 0, one window is the whole image.
    """
    patch, pixels, size = segmenter.backbone.patch, segmenter.pixels(image), image.size[::-1]
    grid = pixels.shape[1] // patch, pixels.shape[2] // patch
    (height, width), corners = places(grid, patch, side, stride)
    crops = (
        pixels[:, patch * top : patch * (top + height), patch * left : patch * (left + width)]
        for top, left in corners
    )
    encoded = tuple(encoder.encode(segmenter.backbone, crop, size) for crop in crops)
    return Windows(pixels, tuple(corners), encoded)


def places(grid: Grid, patch: int, side: int, stride: int) -> tuple[Grid, list[Grid]]:
    """The size of each window of an image of ``grid`` patches, and their corners; in patches.

    The last windows end at the image's edge, and a stride longer than the window is reduced to its
    length, so that there are no gaps.
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
