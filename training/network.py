"""The network that learns: cached features to tokens, twelve blocks, words.

It computes what open_clip's `CLIP` with the stem computes, from features instead of pixels. At the
start every block is an identity, and the last one's Values are the tokens: a patch's vector is then
a map of its features alone, which is learned first.
"""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.attention import Heads
from gclip_core.load import has_bfloat16
from training.features import FEATURES, TOKENS
from training.teachers import STEM
from training.words import WIDTH

BLOCKS, HEADS, HIDDEN = 12, 4, STEM["hidden"]
MAP = ("linear", "hidden", "out")
"""The layers of the map from features to tokens."""


def low_precision() -> torch.autocast:
    """Matrix products in bfloat16 where the processor has it: a third of the time."""
    return torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(torch.device("cpu")))


class Network(nn.Module):
    """Features (B, N, FEATURES) to unit vectors of patches (B, N, WIDTH), and blocks one by one.

    `mean` and `spread` (FEATURES,) standardise features; packing folds them into the map. Nothing
    of a new network learns: each step sets what it learns free.
    """

    def __init__(self, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.linear = nn.Linear(FEATURES, WIDTH)
        self.hidden = nn.Linear(FEATURES, HIDDEN)
        self.out = nn.Linear(HIDDEN, WIDTH, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.positional_embedding = nn.Parameter(torch.zeros(1 + TOKENS, WIDTH))
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.blocks = nn.ModuleList(ResidualAttentionBlock(WIDTH, HEADS) for _ in range(BLOCKS))
        self.proj = nn.Parameter(_rotation())
        for block in self.blocks:
            nn.init.normal_(block.attn.in_proj_weight, std=WIDTH**-0.5)
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * WIDTH) ** -0.5)
            for layer in (block.attn.out_proj, block.mlp.c_proj):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
        last = self.blocks[-1].attn
        last.in_proj_weight.data[2 * WIDTH :] = torch.eye(WIDTH)
        last.out_proj.weight.data = torch.eye(WIDTH)
        self.requires_grad_(False)

    def map_parameters(self) -> list[nn.Parameter]:
        """Set the parameters of the map free to learn, and return them."""
        return [
            parameter.requires_grad_()
            for name, parameter in self.named_parameters()
            if name.split(".")[0] in MAP
        ]

    def standardised(self, features: Tensor) -> Tensor:
        """`(features - mean) / spread`, of features (B, N, FEATURES), in one pass."""
        factor = 1 / self.spread
        return torch.addcmul(-self.mean * factor, features, factor)

    def tokens(self, inputs: Tensor) -> Tensor:
        """The stem's tokens of standardised features: (B, N, WIDTH) float32."""
        with low_precision():
            return (self.linear(inputs) + self.out(F.gelu(self.hidden(inputs)))).float()

    def block_input(self, tokens: Tensor) -> Tensor:
        """The first block's input (B, 1 + N, WIDTH); positions are those of a square of N."""
        first = self.class_embedding.expand(len(tokens), 1, WIDTH)
        return self.ln_pre(torch.cat([first, tokens], 1) + self._positions(tokens.shape[1]))

    def heads(self, block: int, x: Tensor) -> Heads:
        """Queries, Keys and Values of a block: (B, HEADS, 1 + N, d) each."""
        return blocks.project(self.blocks[block], x)

    def run(self, block: int, x: Tensor, heads: Heads) -> Tensor:
        """A block's output."""
        return blocks.run(self.blocks[block], x, heads)

    def vectors(self, values: Tensor) -> Tensor:
        """Unit vectors (B, T, WIDTH) of the last block's (mixed) Values (B, HEADS, T, d)."""
        merged = blocks.merge(self.blocks[-1], values)
        return F.normalize(self.ln_post(merged) @ self.proj, dim=-1)

    def map_vectors(self, inputs: Tensor, patches: Tensor | None = None) -> Tensor:
        """Patches' vectors if the blocks before the last are left out: (B, N, WIDTH).

        `patches` (B, N) are the places of `inputs` (B, N, FEATURES); None is all, in order.
        The positional embedding gets no gradient here: no step learns positions from words.
        """
        positions = self._positions(TOKENS if patches is not None else inputs.shape[1])[1:]
        positions = positions if patches is None else positions[patches]
        x = self.ln_pre(self.tokens(inputs) + positions.detach())
        last, values = self.blocks[-1], slice(2 * WIDTH, 3 * WIDTH)
        attn = last.attn
        v = F.linear(last.ln_1(x), attn.in_proj_weight[values], attn.in_proj_bias[values])
        return self.vectors(v.unflatten(-1, (HEADS, -1)).transpose(1, 2))

    def _positions(self, count: int) -> Tensor:
        """The positional embedding of a square of `count` patches: (1 + count, WIDTH)."""
        if count == TOKENS:
            return self.positional_embedding
        old, new = (math.isqrt(n) for n in (TOKENS, count))
        square = self.positional_embedding[1:].unflatten(0, (old, old)).permute(2, 0, 1)[None]
        moved = F.interpolate(square, (new, new), mode="bicubic", antialias=True)
        return torch.cat([self.positional_embedding[:1], moved[0].flatten(1).T])

    def exported(self) -> dict[str, Tensor]:
        """Weights under open_clip's names, standardising folded into the stem's two maps."""
        state = {"visual.conv1.out.weight": self.out.weight}
        for name in ("linear", "hidden"):
            layer = getattr(self, name)
            weight = layer.weight / self.spread
            state[f"visual.conv1.{name}.weight"] = weight
            state[f"visual.conv1.{name}.bias"] = layer.bias - weight @ self.mean
        for name, value in self.state_dict().items():
            if name.startswith(("blocks.", "ln_", "class_", "positional_", "proj")):
                state[f"visual.{name.replace('blocks.', 'transformer.resblocks.')}"] = value
        return state


def restored(state: Mapping[str, Tensor]) -> Network:
    """The network of a saved run; nothing of it learns."""
    network = Network(state["mean"], state["spread"])
    network.load_state_dict(state)
    return network.eval()


def _rotation() -> Tensor:
    """A random rotation (WIDTH, WIDTH) of a layer norm's output into text space.

    A layer norm takes away the mean of its channels, the direction (1, …, 1). That is made the
    first column of an orthogonal matrix, and moved to the end: so what no patch can have is the
    last principal direction of text space, in which words differ least.
    """
    start = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0))
    start[:, 0] = 1
    rotation = torch.linalg.qr(start).Q
    return torch.cat([rotation[:, 1:], rotation[:, :1]], dim=1)
