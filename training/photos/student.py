"""The network that learns: cached features to tokens, twelve blocks, words.

It computes what open_clip's `CLIP` with the stem computes, from features instead of pixels, and can
leave blocks out. At the start every block is an identity, and the last one's Values are the tokens:
what patches say is then a map of features alone, which is learned first.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from training.photos.features import FEATURES, GRID, TOKENS
from training.photos.words import WIDTH

BLOCKS, HEADS, HIDDEN = 12, 4, 640


class Student(nn.Module):
    """Features (B, TOKENS, FEATURES) to unit vectors of patches (B, TOKENS, WIDTH) and of the
    class token (B, WIDTH). `mean` and `spread` (FEATURES,) make features even; packing folds them.
    """

    def __init__(self, mean: Tensor, spread: Tensor, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.linear = nn.Linear(FEATURES, WIDTH)
        self.hidden = nn.Linear(FEATURES, hidden)
        self.out = nn.Linear(hidden, WIDTH, bias=False)
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

    def forward(self, even: Tensor, kept: frozenset[int] | None = None) -> tuple[Tensor, Tensor]:
        """`kept` names the blocks that run beside the last, made up for the others; None all."""
        tokens = self.tokens(even)
        first = self.class_embedding.to(tokens.dtype).expand(len(tokens), 1, WIDTH)
        x = self.ln_pre(torch.cat([first, tokens], 1) + self.positional_embedding)
        amount = 1.0 if not kept else (BLOCKS - 1) / len(kept)
        for number, block in enumerate(self.blocks[:-1]):
            if kept is None or number in kept:
                x = _run(block, x, amount)
        whole = self.ln_post(_run(self.blocks[-1], x)[:, 0]) @ self.proj
        return self._said(x[:, 1:]), F.normalize(whole.float(), dim=-1)

    def mapped(self, even: Tensor, patches: Tensor | None = None) -> Tensor:
        """What patches say when the blocks before the last are left out: (B, N, WIDTH).

        `patches` (B, N) names those that `even` (B, N, FEATURES) holds; None all, in order.
        """
        places = self.positional_embedding[1:]
        places = places if patches is None else places[patches]
        return self._said(self.ln_pre(self.tokens(even) + places))

    def _said(self, x: Tensor) -> Tensor:
        """What the last block's Values say of its inputs: unit vectors."""
        last = self.blocks[-1]
        weight, bias = last.attn.in_proj_weight, last.attn.in_proj_bias
        values = F.linear(last.ln_1(x), weight[2 * WIDTH :], bias[2 * WIDTH :])
        patches = self.ln_post(last.attn.out_proj(values)) @ self.proj
        return F.normalize(patches.float(), dim=-1)

    def exported(self) -> dict[str, Tensor]:
        """Weights under open_clip's names, features made even inside the stem's two maps."""
        state = {"visual.conv1.out.weight": self.out.weight}
        for name in ("linear", "hidden"):
            layer = getattr(self, name)
            weight = layer.weight / self.spread
            state[f"visual.conv1.{name}.weight"] = weight
            state[f"visual.conv1.{name}.bias"] = layer.bias - weight @ self.mean
        for name, value in self.state_dict().items():
            if name.startswith("blocks."):
                state[f"visual.transformer.res{name}"] = value
            elif name.startswith(("ln_", "class_", "positional_", "proj")):
                state[f"visual.{name}"] = value
        return state


def opened(state: Mapping[str, Tensor]) -> Student:
    """The student of a saved run, as wide as it was."""
    student = Student(state["mean"], state["spread"], len(state["hidden.weight"]))
    student.load_state_dict(state)
    return student.eval()


def joined(states: Sequence[Mapping[str, Tensor]], counts: Sequence[int]) -> dict[str, Tensor]:
    """The map that says the mean of what maps say: their hidden layers side by side.

    The maps must make features even alike; the rest is the first one's. `counts` says how much
    each one counts in the mean.
    """
    first, parts = states[0], [count / sum(counts) for count in counts]
    if not all(torch.equal(state["mean"], first["mean"]) for state in states):
        raise ValueError("Maps that learned from one cache were expected; these make features "
                         "even differently. Learn them anew from one cache.")  # fmt: skip
    said = {}
    for name in ("linear.weight", "linear.bias"):
        said[name] = sum(part * s[name] for part, s in zip(parts, states, strict=True))
    for name in ("hidden.weight", "hidden.bias"):
        said[name] = torch.cat([state[name] for state in states])
    outs = [part * s["out.weight"] for part, s in zip(parts, states, strict=True)]
    said["out.weight"] = torch.cat(outs, dim=1)
    return {**first, **said}


def _run(block: nn.Module, x: Tensor, amount: float = 1.0) -> Tensor:
    """A block; what it adds is taken `amount` times."""
    heads = F.linear(block.ln_1(x), block.attn.in_proj_weight, block.attn.in_proj_bias)
    q, k, v = heads.unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    x = x + amount * block.attn.out_proj(mixed)
    return x + amount * block.mlp(block.ln_2(x))


def _rotation() -> Tensor:
    """A projection whose least direction of text space is the one that layer norms take away."""
    start = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0))
    start[:, 0] = 1
    turned = torch.linalg.qr(start).Q
    return torch.cat([turned[:, 1:], turned[:, :1]], dim=1)


def near(deviation: float = 3.0) -> Tensor:
    """Minus half the squared distance of patches, in deviations: (TOKENS, TOKENS)."""
    index = torch.arange(TOKENS)
    place = torch.stack([index // GRID, index % GRID], 1).float()
    return -torch.cdist(place, place).square() / (2 * deviation**2)
