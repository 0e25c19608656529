"""The map that is trained: a patch's features to a vector in the space of words.

It is the built-in model without attention. For the Values, the twelve blocks are close to the
identity, so a patch's vector depends almost on its own features alone.
"""

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core.backbones.backbone import Backbone
from gclip_core.backbones.load import has_bfloat16

FEATURES = 48 + 120 + 352 + 384
"""Channels of three stages of EfficientNet-Lite2, and of DINO."""


class PatchMap(nn.Module):
    """The stem's layers from features to tokens, for standardised features, and the model after it.

    ``mean`` and ``std`` (FEATURES,) standardise features. All weights are frozen.
    """

    def __init__(self, backbone: Backbone, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.visual, self.mean, self.std = backbone.visual, mean, std
        stem = copy.deepcopy(backbone.visual.conv1)
        self.linear, self.hidden, self.out = stem.linear, stem.hidden, stem.out
        for layer in (self.linear, self.hidden):
            layer.bias += layer.weight @ mean
            layer.weight *= std

    def learned(self) -> Iterator[nn.Parameter]:
        """The weights to train."""
        for layer in (self.linear, self.hidden, self.out):
            yield from layer.parameters()

    def tokens(self, features: Tensor) -> Tensor:
        """The stem's tokens of features (..., FEATURES): (..., D) float32.

        Matrix products are in bfloat16 where the processor supports it: in a third of the time.
        """
        factor = 1 / self.std
        inputs = torch.addcmul(-self.mean * factor, features, factor)
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(torch.device("cpu"))):
            return (self.linear(inputs) + self.out(F.gelu(self.hidden(inputs)))).float()

    def forward(self, features: Tensor) -> Tensor:
        """Unit vectors, without the blocks before the last one and with the mean of all positions:
        (..., FEATURES) to (..., D)."""
        visual, last = self.visual, self.visual.transformer.resblocks[-1]
        values = last.ln_1(
            visual.ln_pre(self.tokens(features) + visual.positional_embedding[1:].mean(0))
        )
        weight, bias = (
            part.chunk(3)[2] for part in (last.attn.in_proj_weight, last.attn.in_proj_bias)
        )
        merged = last.attn.out_proj(F.linear(values, weight, bias))
        return F.normalize(visual.ln_post(merged) @ visual.proj, dim=-1)

    def exported(self) -> dict[str, Tensor]:
        """The stem's layers for features as they are, under open_clip's names."""
        state = {"visual.conv1.out.weight": self.out.weight}
        for name, layer in (("linear", self.linear), ("hidden", self.hidden)):
            weight = layer.weight / self.std
            state[f"visual.conv1.{name}.weight"] = weight
            state[f"visual.conv1.{name}.bias"] = layer.bias - weight @ self.mean
        return state
