"""Step 7, `attention`: twelve blocks learn where to look, by distillation of DINO's affinities.

The target of a patch's attention is `softmax(10 a)` over the patches with a positive affinity `a`
(cosines of the Queries and Keys of DINO's block 12). What a patch's vector is without the blocks
(`Network.mapped`) is the target of the last block's Values; of the neighbourhood's mean of these
vectors, by the target, that of its output. The losses, with their weights below:

- middle: `KL(target, attention)`, the mean over blocks 5 to 11 (heads' mean, among patches);
- words: the squared error of what the attention averages of patches' vectors, as a part of what
  the target averages; an error of attention counts by what it changes;
- keys: `KL(target, attention)` of the last block's Key-Key attention;
- values: `1 - cos(Values, mapped)`, so that words stay where the map has them;
- filled: the same at patches that are hidden from the blocks, with the neighbourhood's mean;
- output: `1 - cos(output of a patch, neighbourhood's mean)`;
- class: `1 - cos(output of the class token, mean of all patches)`.

The map stays as it is. Every second step uses large views: the more patches a photo has, the harder
it is to tell which belong together. The last block's Queries are made white once and do not learn.
"""

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core.attention import weights
from training.features import Cache, read_cache, rows_as_float
from training.network import BLOCKS, HEADS, Network, low_precision, restored
from training.state import State, report, seed
from training.words import WIDTH

SHARPNESS = 10.0
TAUGHT = range(4, BLOCKS - 1)
"""Blocks whose attention is taught, from 0; the last one's Keys are, too."""
QUERY_GAIN = 2.4
"""How long the last block's Queries are made: the longer, the more local."""
_LEAST = 0.05  # a direction's variance counts as this share of the mean at least
_HIDDEN = 0.2  # of a batch's photos have patches hidden
_WEIGHTS = {
    "values": 30.0, "filled": 0.4, "output": 1.0, "class": 1.0,
    "middle": 0.6, "keys": 0.3, "words": 0.6,
}  # fmt: skip
_RATE, _RATE_BEGUN = 7e-4, 2e-4  # the second of what the map has taught: Queries, Keys, positions
_KINDS = ("single", "large", "single", "scene")  # of views, from step to step
_BEGUN = ("in_proj", "positional_")


def draw(cache: Cache, network: Network, size: int) -> tuple[Tensor, Tensor]:
    """Some views, or their mirror images: standardised features (B, N, C), affinities (B, N, N)."""
    rows = random.sample(range(len(cache.views)), min(size, len(cache.views)))
    inputs, affinity = (rows_as_float(of, rows) for of in (cache.features, cache.affinity))
    if random.random() < 0.5:
        count = inputs.shape[1]
        mirrored = torch.arange(count).unflatten(0, (-1, math.isqrt(count))).flip(1).flatten()
        inputs, affinity = inputs[:, mirrored], affinity[:, mirrored][..., mirrored]
    return network.standardised(inputs), affinity


def target(affinity: Tensor) -> Tensor:
    """Attention by affinities (B, N, N): rows add up to 1."""
    return (SHARPNESS * affinity).masked_fill(affinity < 0, -1e9).softmax(-1)


def divergence(attention: Tensor, wanted: Tensor) -> Tensor:
    """Kullback-Leibler divergence of attention (B, N, N) from the target, in nats."""
    return (torch.xlogy(wanted, wanted) - wanted * attention.clamp_min(1e-8).log()).sum(-1).mean()


def among_patches(queries: Tensor, keys: Tensor) -> Tensor:
    """Head mean of attention among patches, of heads (B, HEADS, 1 + N, d): (B, N, N)."""
    return weights(queries[..., 1:, :], keys[..., 1:, :]).mean(1)


def read(look: nn.Linear, x: Tensor) -> Tensor:
    """Attention by the Queries and Keys that a linear layer reads from a block's input
    (B, 1 + N, WIDTH): (B, N, N)."""
    stacked = look(F.layer_norm(x, x.shape[-1:])).unflatten(-1, (2, HEADS, -1))
    return among_patches(*stacked.permute(2, 0, 3, 1, 4))


def hide(count: int, grid: int) -> Tensor:
    """Rectangles and single patches of each photo, up to about half of it: (count, grid²) bool."""
    hidden = torch.rand(count, grid, grid) < 0.1
    for photo in hidden:
        for _ in range(3):
            height, width = (random.randint(grid // 6, grid // 3) for _ in range(2))
            top, left = random.randint(0, grid - height), random.randint(0, grid - width)
            photo[top : top + height, left : left + width] = True
    return hidden.flatten(1)


@torch.no_grad()
def begin(network: Network, look: Mapping[str, Tensor], photos: Cache) -> None:
    """Give all blocks the Queries and Keys that learned to look with the map.

    Then make each direction of the last block's Queries of patches as long as every other, a head
    at a time, times a gain: no direction is like every patch, so a patch is like itself most.
    """
    for number, block in enumerate(network.blocks):
        rows = slice(WIDTH if number == BLOCKS - 1 else 0, 2 * WIDTH)
        noise = 0.004 * torch.randn_like(look["weight"])
        block.attn.in_proj_weight[rows] = (look["weight"] + noise)[rows]
        block.attn.in_proj_bias[rows] = look["bias"][rows]
    weight = network.blocks[-1].attn.in_proj_weight[:WIDTH]
    network.blocks[-1].attn.in_proj_bias[:WIDTH] = 0
    x = network.block_input(network.tokens(draw(photos, network, 64)[0]))
    queries = network.heads(BLOCKS - 1, x).q[:, :, 1:].transpose(0, 1).flatten(1, 2)
    values, vectors = torch.linalg.eigh(queries.mT @ queries / queries.shape[1])
    values = values.clamp_min(_LEAST * values.mean(1, keepdim=True))
    change = QUERY_GAIN * (vectors * values.rsqrt()[:, None]) @ vectors.mT
    weight.copy_((change @ weight.unflatten(0, (HEADS, -1))).flatten(0, 1))


def losses(
    network: Network, mapped: Network, inputs: Tensor, affinity: Tensor
) -> dict[str, Tensor]:
    """All losses of a step, of views' standardised features (B, N, C) and affinities (B, N, N).

    `mapped` is the network before this step. The first views of the batch have patches hidden.
    """
    count = int(_HIDDEN * len(inputs))
    with torch.no_grad():
        tokens, vectors, wanted = network.tokens(inputs), mapped.mapped(inputs), target(affinity)
        region = F.normalize(wanted @ vectors, dim=-1)
        hidden = torch.zeros(inputs.shape[:2], dtype=torch.bool)
        hidden[:count] = hide(count, math.isqrt(inputs.shape[1]))
        tokens = torch.where(hidden[..., None], tokens.mean((0, 1)), tokens)
    x, middle, words = network.block_input(tokens), [], []
    for number in range(BLOCKS):
        with low_precision():
            heads = network.heads(number, x)
        if number in TAUGHT:
            attention = among_patches(heads.q[count:], heads.k[count:])
            middle.append(divergence(attention, wanted[count:]))
            words.append(averaging_error(attention, wanted[count:], vectors[count:]))
        if number == BLOCKS - 1:
            keys = divergence(among_patches(heads.k[count:], heads.k[count:]), wanted[count:])
        with low_precision():
            x = network.run(number, x, heads).float()
    output = F.normalize(network.ln_post(x) @ network.proj, dim=-1)
    values = network.vectors(heads.v.float())[:, 1:]
    apart = 1 - (values * torch.where(hidden[..., None], region, vectors)).sum(-1)
    terms = {
        "values": apart[~hidden].mean(),
        "output": 1 - (output[:, 1:] * region).sum(-1).mean(),
        "class": 1 - (output[:, 0] * F.normalize(vectors.mean(1), dim=-1)).sum(-1).mean(),
        "middle": torch.stack(middle).mean(),
        "words": torch.stack(words).mean(),
        "keys": keys,
    }
    return {**terms, "filled": apart[hidden].mean()} if count else terms


def averaging_error(attention: Tensor, wanted: Tensor, vectors: Tensor) -> Tensor:
    """The squared error of attention times centred vectors (B, N, WIDTH), as a part of the target's
    square; attention and target (B, N, N)."""
    centred = vectors - vectors.mean(1, keepdim=True)
    error = ((attention - wanted) @ centred).square().sum((1, 2))
    return (error / (wanted @ centred).square().sum((1, 2))).mean()


def learn(_: Path, work: Path, steps: int = 600, size: int = 10) -> None:
    """Write `attention.pt` by `localise.pt`."""
    seed()
    saved = torch.load(work / "localise.pt", weights_only=True)
    network, mapped = (restored(saved["network"]) for _ in range(2))
    caches = {kind: read_cache(work, kind) for kind in ("single", "large", "scene")}
    learned = {
        name: parameter.requires_grad_()
        for name, parameter in network.named_parameters()
        if name.startswith(("blocks.", "class_", "positional_"))
    }
    groups: list[dict[str, Any]] = [{"params": [], "most": most} for most in (_RATE, _RATE_BEGUN)]
    for name, parameter in learned.items():
        groups[any(part in name for part in _BEGUN)]["params"].append(parameter)
    optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), weight_decay=0.01)
    state = State(work, "attention", network=network, optimiser=optimiser)
    if not state.path.exists():
        begin(network, saved["look"], caches["single"])
    last = network.blocks[-1].attn
    for step in state.steps(steps):
        rate = min(1, (step + 1) / 40) * (0.02 + 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in optimiser.param_groups:
            group["lr"] = group["most"] * rate
        kind = _KINDS[step % len(_KINDS)]
        views = size if kind == "single" else size * 2 // 5
        terms = losses(network, mapped, *draw(caches[kind], network, views))
        optimiser.zero_grad()
        sum(_WEIGHTS[name] * value for name, value in terms.items()).backward()
        for parameter in (last.in_proj_weight, last.in_proj_bias):
            parameter.grad[:WIDTH] = 0
        nn.utils.clip_grad_norm_(learned.values(), 1.0)
        optimiser.step()
        if step % 10 == 9:
            report(step, terms)
    torch.save({**saved, "network": network.state_dict()}, work / "attention.pt")
