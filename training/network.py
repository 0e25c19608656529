"""The network that is trained: features to tokens, twelve blocks, vectors in text space.

It computes what open_clip's ``CLIP`` with the stem computes, from features instead of pixels. At
the start, every block is nearly an identity and the last one's Values are the tokens, so that a
patch's vector depends on its own features alone. This map is learned first.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.backbones.backbone import Backbone
from training.fitting import low_precision

FEATURES = 48 + 120 + 352 + 384
"""Channels of three stages of EfficientNet-Lite2, and of DINO."""
HIDDEN, WIDTH, BLOCKS, HEADS, GRID = 640, 256, 12, 4, 12
"""The sizes of the first model, whose words have WIDTH directions."""
SMALL = 0.15
"""The initial norm of a row of an FFN's output weights. If it were 0, the few channels that learn
first would have norms several times as large as the others, which CS would treat as outliers."""
MAP = ("linear", "hidden", "out")
"""The layers of the map from features to tokens."""


class Network(nn.Module):
    """Features (B, h, w, FEATURES) to unit vectors of patches, and blocks one by one.

    ``mean`` and ``std`` (FEATURES,) standardise features; packing folds them into the map. A new
    network is frozen: each step unfreezes what it trains.
    """

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.linear = nn.Linear(FEATURES, WIDTH)
        self.hidden = nn.Linear(FEATURES, HIDDEN)
        self.out = nn.Linear(HIDDEN, WIDTH, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.positional_embedding = nn.Parameter(torch.zeros(1 + GRID * GRID, WIDTH))
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.blocks = nn.ModuleList(ResidualAttentionBlock(WIDTH, HEADS) for _ in range(BLOCKS))
        self.proj = nn.Parameter(_rotation())
        self.grid_size = (GRID, GRID)
        for block in self.blocks:
            nn.init.normal_(block.attn.in_proj_weight, std=WIDTH**-0.5)
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * WIDTH) ** -0.5)
            nn.init.zeros_(block.attn.out_proj.weight)
            nn.init.normal_(block.mlp.c_proj.weight, std=SMALL / block.mlp.c_proj.in_features**0.5)
            for layer in (block.attn.out_proj, block.mlp.c_proj):
                nn.init.zeros_(layer.bias)
        last = self.blocks[-1].attn
        last.in_proj_weight.data[2 * WIDTH :] = torch.eye(WIDTH)
        last.out_proj.weight.data = torch.eye(WIDTH)
        self.requires_grad_(False)

    def tokens(self, features: Tensor) -> Tensor:
        """The stem's tokens of features (..., FEATURES): (..., WIDTH) float32."""
        factor = 1 / self.std
        inputs = torch.addcmul(-self.mean * factor, features, factor)
        with low_precision():
            return (self.linear(inputs) + self.out(F.gelu(self.hidden(inputs)))).float()

    def block_input(self, tokens: Tensor) -> Tensor:
        """The first block's input (B, 1 + hw, WIDTH) of tokens (B, h, w, WIDTH)."""
        first = self.class_embedding.expand(len(tokens), 1, WIDTH)
        positions = blocks.positional_embedding(self, (tokens.shape[1], tokens.shape[2]))
        return self.ln_pre(torch.cat([first, tokens.flatten(1, 2)], 1) + positions)

    def vectors(self, values: Tensor) -> Tensor:
        """Unit vectors (B, T, WIDTH) from the last block's (mixed) Values (B, HEADS, T, d)."""
        merged = blocks.merge(self.blocks[-1], values)
        return F.normalize(self.ln_post(merged) @ self.proj, dim=-1)

    def map_vectors(self, features: Tensor) -> Tensor:
        """Patches' vectors without the blocks before the last one, and with the mean of all
        positions: (..., FEATURES) to (..., WIDTH)."""
        last, positions = self.blocks[-1], self.positional_embedding[1:].mean(0)
        values = last.ln_1(self.ln_pre(self.tokens(features) + positions))
        weight, bias = last.attn.in_proj_weight, last.attn.in_proj_bias
        values = F.linear(values, weight[2 * WIDTH :], bias[2 * WIDTH :])
        merged = F.linear(values, last.attn.out_proj.weight, last.attn.out_proj.bias)
        return F.normalize(self.ln_post(merged) @ self.proj, dim=-1)

    def exported(self) -> dict[str, Tensor]:
        """Weights under open_clip's names; the stem's maps include ``mean`` and ``std``."""
        state = {"visual.conv1.out.weight": self.out.weight}
        for name in ("linear", "hidden"):
            layer = getattr(self, name)
            weight = layer.weight / self.std
            state[f"visual.conv1.{name}.weight"] = weight
            state[f"visual.conv1.{name}.bias"] = layer.bias - weight @ self.mean
        for name, value in self.state_dict().items():
            if name.startswith(("blocks.", "ln_", "class_", "positional_", "proj")):
                state[f"visual.{name.replace('blocks.', 'transformer.resblocks.')}"] = value
        return state


def network_of(backbone: Backbone, mean: Tensor, std: Tensor) -> Network:
    """The network of a model, for features that are standardised by mean and std (FEATURES,)."""
    network, weights = Network(mean, std), backbone.visual.state_dict()
    for name, parameter in network.named_parameters():
        prefix = "conv1." if name.split(".")[0] in MAP else ""
        parameter.copy_(weights[prefix + name.replace("blocks.", "transformer.resblocks.")])
    for layer in (network.linear, network.hidden):
        layer.bias += layer.weight @ mean
        layer.weight *= std
    return network.eval()


def restored(file: Path) -> Network:
    """The network that a step saved, frozen. Raises ValueError if that step has not run."""
    if not file.is_file():
        raise ValueError(f"{file} is missing; run `{file.stem}` first.")
    state = torch.load(file)
    network = Network(state["mean"], state["std"])
    network.load_state_dict(state)
    return network.eval()


def _rotation() -> Tensor:
    """A random rotation (WIDTH, WIDTH) of a layer norm's output into text space.

    A layer norm removes the mean of its channels, the direction (1, …, 1). That becomes the first
    column of an orthogonal matrix and is moved to the end, so that the direction that no patch can
    have is the last principal direction of text space, in which words differ least.
    """
    start = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0))
    start[:, 0] = 1
    rotation = torch.linalg.qr(start).Q
    return torch.cat([rotation[:, 1:], rotation[:, :1]], dim=1)
