"""A convolutional stem that replaces the patch embedding of a vision transformer.

It is EfficientNet-Lite (Tan & Le 2019) with batch norms folded into convolutions. Its stride is 16:
that of stage six is 1 instead of 2, and later convolutions are dilated. Features of three stages
are mapped to one token per patch. The image classifier on the last stage helps to suggest words.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Kernel, stride and expansion of every stage. EfficientNet-Lite's sixth stage has a stride of 2.
_STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 1, 6), (3, 1, 6))
_DILATED_FROM = 5
_TAPPED = (2, 4, 6)


class Stem(nn.Module):
    """Pixels (B, 3, 16h, 16w) to tokens (B, width, h, w), in place of ``visual.conv1``.

    ``settings["channels"]`` and ``["repeats"]`` are the width and depth of each of seven stages,
    ``["first"]`` is the width before them, and ``["hidden"]`` that of the two-layer map to tokens.
    ``["pooled"]`` is the width of the features that the classifier averages over patches, and
    ``["classes"]`` the number of its classes.
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
        self.linear = nn.Linear(tapped, width)
        self.hidden = nn.Linear(tapped, settings["hidden"])
        self.out = nn.Linear(settings["hidden"], width, bias=False)
        self.head = nn.Linear(channels[-1], settings["pooled"])
        self.classes = nn.Linear(settings["pooled"], settings["classes"])

    @property
    def weight(self) -> Tensor:
        """The first convolution's weight, for its device and dtype."""
        return self.first[-1].weight

    def features(self, pixels: Tensor) -> Tensor:
        """Features of three stages, concatenated: (B, h, w, C)."""
        x = pixels.contiguous(memory_format=torch.channels_last)  # faster convolutions
        x = F.relu6(self.first(x), inplace=True)
        tapped = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _TAPPED:
                tapped.append(x)
        tapped[0] = F.avg_pool2d(tapped[0], 2)  # of stride 8
        return torch.cat(tapped, dim=1).permute(0, 2, 3, 1)

    def tokens(self, features: Tensor) -> Tensor:
        """Features (..., C) to tokens (..., width): a linear map plus a two-layer one."""
        return self.linear(features) + self.out(F.gelu(self.hidden(features)))

    def deep(self, features: Tensor) -> Tensor:
        """What the classifier averages over patches: (..., C) to (..., pooled)."""
        return F.relu6(self.head(features[..., -self.head.in_features :]))

    def classified(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens as of :meth:`forward`, and the probability of each class, (B, classes) float32."""
        features = self.features(pixels)
        logits = self.classes(self.deep(features).mean((1, 2)))
        return self.tokens(features).permute(0, 3, 1, 2), logits.float().softmax(-1)

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
    """A convolution with TensorFlow's "same" padding, with which the weights were trained.

    If the number of padding pixels is odd, there is one more below and on the right.
    """
    reach = kernel - 2 if stride == 2 else (kernel - 1) * dilation
    low, high = reach // 2, reach - reach // 2
    pad = nn.Identity() if low == high else nn.ZeroPad2d((low, high, low, high))
    padding = low if low == high else 0
    return nn.Sequential(pad, nn.Conv2d(before, after, kernel, stride, padding, dilation, groups))
