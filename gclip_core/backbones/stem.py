"""A stem that replaces a vision transformer's patch embedding with features of two networks.

The first network is EfficientNet-Lite (Tan & Le 2019) with batch norms folded into convolutions.
Its stride is 16, because stage six has a stride of 1 instead of 2, and later convolutions are
dilated. The second consists of the first blocks of a vision transformer (DINOv2, Oquab et al.
2023), on the same grid. Features of three stages and of the last of these blocks are mapped to one
token per patch. The image classifier on the last stage helps to suggest words.

timm has both networks, but keeps batch norms as separate layers (so that the convolutions take 1.1
times as long), and does not resize positional embeddings as DINOv2 does.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.transformer import LayerNormFp32, ResidualAttentionBlock
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.types import Grid

# Kernel, stride and expansion of each stage. EfficientNet-Lite's sixth stage has a stride of 2.
_STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 1, 6), (3, 1, 6))
_DILATED_FROM = 5
_TAPPED = (2, 4, 6)


class TransformerTrunk(nn.Module):
    """Pixels (B, 3, height, width) to the patch tokens of the ``depth``-th block of DINOv2.

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


class Stem(nn.Module):
    """Pixels (B, 3, 16h, 16w) to tokens (B, width, h, w), in place of ``visual.conv1``.

    ``settings["channels"]`` and ``["repeats"]`` are the width and depth of each of seven stages,
    ``["first"]`` is the width before them, and ``["hidden"]`` that of the two-layer map to tokens.
    ``["pooled"]`` is the width of the features that the classifier averages over patches, and
    ``["classes"]`` the number of classes. ``["transformer"]`` has the arguments of
    ``TransformerTrunk``.
    """

    kernel_size = (16, 16)  # side of a patch in pixels: ``Backbone.patch`` reads it

    def __init__(self, width: int, settings: Mapping[str, Any]) -> None:
        super().__init__()
        channels, repeats = settings["channels"], settings["repeats"]
        self.out_channels = width
        self.first = _convolution(3, settings["first"], 3, stride=2)
        self.stages = nn.ModuleList()
        before = settings["first"]
        for index, (kernel, stride, expansion) in enumerate(_STAGES):
            stage, after = nn.Sequential(), channels[index]
            for repeat in range(repeats[index]):
                step = 1 if repeat else stride
                dilation = 2 if index + (repeat > 0) > _DILATED_FROM else 1
                stage.append(InvertedResidual(before, after, kernel, step, expansion, dilation))
                before = after
            self.stages.append(stage)
        tapped = sum(channels[index] for index in _TAPPED)
        self.deepest = slice(tapped - channels[-1], tapped)
        self.transformer = TransformerTrunk(**settings["transformer"])
        total = tapped + settings["transformer"]["width"]
        self.linear = nn.Linear(total, width)
        self.hidden = nn.Linear(total, settings["hidden"])
        self.out = nn.Linear(settings["hidden"], width, bias=False)
        self.head = nn.Linear(channels[-1], settings["pooled"])
        self.classes = nn.Linear(settings["pooled"], settings["classes"])

    @property
    def weight(self) -> Tensor:
        """The first convolution's weight, which tells the stem's device and dtype."""
        return self.first.get_parameter("1.weight")

    def convolutions(self, pixels: Tensor) -> Tensor:
        """Features of three stages of EfficientNet-Lite, concatenated: (B, h, w, channels)."""
        x = pixels.contiguous(memory_format=torch.channels_last)  # faster convolutions
        x = F.relu6(self.first(x), inplace=True)
        tapped = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _TAPPED:
                tapped.append(x)
        tapped[0] = F.avg_pool2d(tapped[0], 2)  # of stride 8
        return torch.cat(tapped, dim=1).permute(0, 2, 3, 1)

    def features(self, pixels: Tensor) -> Tensor:
        """Features of both networks, concatenated: (B, h, w, channels)."""
        x = self.convolutions(pixels)
        return torch.cat([x, self.transformer(pixels, (x.shape[1], x.shape[2]))], dim=-1)

    def tokens(self, features: Tensor) -> Tensor:
        """Features (..., channels) to tokens (..., width): a linear map plus a two-layer one."""
        return self.linear(features) + self.out(F.gelu(self.hidden(features)))

    def deep(self, features: Tensor) -> Tensor:
        """What the classifier averages over patches: features (..., channels) to (..., pooled)."""
        return F.relu6(self.head(features[..., self.deepest]))

    def classified(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The tokens of ``forward``, the probability of each class, (B, classes) float32, and the
        transformer's patches (B, h, w, its width)."""
        features = self.features(pixels)
        logits = self.classes(self.deep(features).mean((1, 2)))
        patches = features[..., self.deepest.stop :].clone()  # a view would keep all features
        return self.tokens(features).permute(0, 3, 1, 2), logits.float().softmax(-1), patches

    def forward(self, pixels: Tensor) -> Tensor:
        return self.tokens(self.features(pixels)).permute(0, 3, 1, 2)


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection; with a residual if the shape stays the same."""

    def __init__(
        self, before: int, after: int, kernel: int, stride: int, expansion: int, dilation: int
    ) -> None:
        super().__init__()
        inner = before * expansion
        self.expand = _convolution(before, inner, 1) if expansion > 1 else None
        self.depthwise = _convolution(inner, inner, kernel, stride, dilation, groups=inner)
        self.project = _convolution(inner, after, 1)
        self.adds = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.adds else y


def _convolution(
    before: int, after: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    """A convolution with TensorFlow's "same" padding, as in the training of the weights.

    If the number of padding pixels is odd, the extra one is below and on the right.
    """
    reach = kernel - 2 if stride == 2 else (kernel - 1) * dilation
    low, high = reach // 2, reach - reach // 2
    pad = nn.Identity() if low == high else nn.ZeroPad2d((low, high, low, high))
    padding = low if low == high else 0
    return nn.Sequential(pad, nn.Conv2d(before, after, kernel, stride, padding, dilation, groups))
