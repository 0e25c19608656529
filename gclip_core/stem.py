"""A convolutional stem in the place of a vision transformer's patch embedding.

EfficientNet-Lite (Tan & Le 2019) without its classifier, batch norms folded. It stays at stride 16:
the last stride is taken away and the convolutions after it are dilated instead. What three of its
stages say about a patch, from edges to things, becomes one token.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# What makes the family's first two stages and the rest: kernel, stride, expansion. The fifth stage
# number's stride of 2 is the one taken away.
_STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 1, 6), (3, 1, 6))
_DILATED_FROM = 5
_TAPPED = (2, 4, 6)


class Stem(nn.Module):
    """Pixels (B, 3, 16h, 16w) to tokens (B, width, h, w); stands in for ``visual.conv1``.

    ``channels`` and ``repeats`` say how wide and how deep each of the seven stages is; ``hidden``
    is the width of the two-layer map from stages to tokens, which a linear one runs beside.
    """

    kernel_size = (16, 16)  # what one token stands for, as a patch embedding would say it

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
        self.linear = nn.Linear(tapped, width)
        self.hidden = nn.Linear(tapped, settings["hidden"])
        self.out = nn.Linear(settings["hidden"], width, bias=False)

    @property
    def weight(self) -> Tensor:
        """The first convolution's: for its device and dtype, as one asks a patch embedding."""
        return self.first[-1].weight

    def features(self, pixels: Tensor) -> Tensor:
        """What the tapped stages say about every token: (B, h, w, channels of them together)."""
        x = pixels.contiguous(memory_format=torch.channels_last)  # as convolutions are quickest
        x = F.relu6(self.first(x), inplace=True)
        tapped = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _TAPPED:
                tapped.append(x)
        tapped[0] = F.avg_pool2d(tapped[0], 2)  # of stride 8
        return torch.cat(tapped, dim=1).permute(0, 2, 3, 1)

    def tokens(self, features: Tensor) -> Tensor:
        """Features (..., C) to tokens (..., width): a linear map and a two-layer one, added."""
        return self.linear(features) + self.out(F.gelu(self.hidden(features)))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.tokens(self.features(pixels)).permute(0, 3, 1, 2)


class InvertedResidual(nn.Module):
    """Expand, convolve each channel alone, project; added to what came if nothing changes shape."""

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
    """A convolution with the padding its weights were trained with.

    TensorFlow's "same": where a stride of 2 leaves an odd number over, it goes below and right.
    """
    reach = kernel - 2 if stride == 2 else (kernel - 1) * dilation
    low, high = reach // 2, reach - reach // 2
    pad = nn.Identity() if low == high else nn.ZeroPad2d((low, high, low, high))
    padding = low if low == high else 0
    return nn.Sequential(pad, nn.Conv2d(before, after, kernel, stride, padding, dilation, groups))
