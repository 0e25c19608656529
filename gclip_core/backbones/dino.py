"""The first blocks of DINOv2 (Oquab et al. 2023): part of the stem."""

from functools import partial

import torch
import torch.nn.functional as F
from open_clip.transformer import LayerNormFp32, ResidualAttentionBlock
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.types import Grid


class TransformerTrunk(nn.Module):
    """Pixels (B, 3, height, width) to the patch tokens of a ViT's ``depth``-th block.

    The image is scaled to ``patch`` pixels per patch of the given grid (h, w). Positional
    embeddings are for ``grid`` × ``grid`` patches, and are resized as in DINOv2. There is no layer
    scale, because its factors are folded into the weights.
    """

    def __init__(self, width: int, heads: int, depth: int, patch: int, grid: int) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, patch, patch)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(width, grid, grid))
        norm = partial(LayerNormFp32, eps=1e-6)  # computes in float32, whatever the dtype
        self.blocks = nn.ModuleList(
            ResidualAttentionBlock(width, heads, norm_layer=norm) for _ in range(depth)
        )

    def embed(self, pixels: Tensor, grid: Grid) -> Tensor:
        """The first block's input (B, 1 + hw, width)."""
        size = tuple(length * self.patch.kernel_size[0] for length in grid)
        scaled = F.interpolate(pixels.float(), size, mode="bicubic", antialias=True)
        x = self.patch(scaled.to(pixels.dtype))
        places = self.positional_embedding.float()[None]
        # DINOv2 enlarges by (n + 0.1) / grid, which shifts the samples slightly.
        factors = [(length + 0.1) / places.shape[-1] for length in grid]
        places = F.interpolate(places, scale_factor=factors, mode="bicubic")
        x = (x + places.to(x.dtype)).flatten(2).transpose(1, 2)
        first = self.class_embedding.to(x.dtype).expand(len(x), 1, -1)
        return torch.cat([first, x], dim=1)

    def forward(self, pixels: Tensor, grid: Grid) -> Tensor:
        """The patch tokens (B, h, w, width)."""
        x = self.embed(pixels, grid)
        for block in self.blocks:
            x = blocks.run(block, x, blocks.project(block, x))
        return x[:, 1:].unflatten(1, grid)
