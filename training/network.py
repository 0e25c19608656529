"""The network that learns: cached features to tokens, twelve blocks, words.

It computes what open_clip's `CLIP` with the stem computes, from features instead of pixels. At the
start every block is an identity, and the last one's Values are the tokens: what patches say is then
a map of features alone, which is learned first.
"""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from gclip_core import blocks
from gclip_core.attention import Heads
from training.features import FEATURES, TOKENS
from training.teachers import LITE2
from training.words import WIDTH

BLOCKS, HEADS, HIDDEN = 12, 4, LITE2["hidden"]


class Student(nn.Module):
    """Features (B, N, FEATURES) to unit vectors of patches (B, N, WIDTH), and blocks one by one.

    `mean` and `spread` (FEATURES,) make features even; packing folds them.
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

    def even(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.spread

    def tokens(self, even: Tensor) -> Tensor:
        """What the stem would say of features made even: (B, TOKENS, WIDTH)."""
        return self.linear(even) + self.out(F.gelu(self.hidden(even)))

    def inputs(self, tokens: Tensor) -> Tensor:
        """What the first block reads: (B, 1 + N, WIDTH), places moved to a square of N patches."""
        first = self.class_embedding.expand(len(tokens), 1, WIDTH)
        return self.ln_pre(torch.cat([first, tokens], 1) + self._places(tokens.shape[1]))

    def heads(self, block: int, x: Tensor) -> Heads:
        """Queries, Keys and Values of a block: (B, HEADS, 1 + N, d) each."""
        return blocks.project(self.blocks[block], x)

    def run(self, block: int, x: Tensor, heads: Heads) -> Tensor:
        """A block's output."""
        mixed = F.scaled_dot_product_attention(heads.q, heads.k, heads.v)
        return blocks.finish(self.blocks[block], x, mixed)

    def said(self, mixed: Tensor) -> Tensor:
        """What the last block's (mixed) Values (B, HEADS, T, d) say: unit vectors (B, T, WIDTH)."""
        merged = blocks.merge(self.blocks[-1], mixed)
        return F.normalize(self.ln_post(merged) @ self.proj, dim=-1)

    def mapped(self, even: Tensor, patches: Tensor | None = None) -> Tensor:
        """What patches say when the blocks before the last are left out: (B, N, WIDTH). Words
        teach nothing of places.

        `patches` (B, N) names those that `even` (B, N, FEATURES) holds; None all, in order.
        """
        places = self._places(TOKENS if patches is not None else even.shape[1])[1:]
        places = places if patches is None else places[patches]
        x = self.ln_pre(self.tokens(even) + places.detach())
        return self.said(self.heads(BLOCKS - 1, x).v)

    def _places(self, count: int) -> Tensor:
        if count == TOKENS:
            return self.positional_embedding
        old, new = (math.isqrt(n) for n in (TOKENS, count))
        square = self.positional_embedding[1:].unflatten(0, (old, old)).permute(2, 0, 1)[None]
        moved = F.interpolate(square, (new, new), mode="bicubic", antialias=True)
        return torch.cat([self.positional_embedding[:1], moved[0].flatten(1).T])

    def exported(self) -> dict[str, Tensor]:
        """Weights under open_clip's names, features made even inside the stem's two maps."""
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


def opened(state: Mapping[str, Tensor]) -> Student:
    """The student of a saved run."""
    student = Student(state["mean"], state["spread"])
    student.load_state_dict(state)
    return student.eval()


def _rotation() -> Tensor:
    """A projection whose least direction of text space is the one that layer norms take away."""
    start = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0))
    start[:, 0] = 1
    turned = torch.linalg.qr(start).Q
    return torch.cat([turned[:, 1:], turned[:, :1]], dim=1)
