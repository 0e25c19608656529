"""Step 7, `attention`: twelve blocks learn which patches belong together, by distillation.

Learned are the blocks, the class token and the positional embedding; the map stays. DINO's
affinities `a` are the teacher: `A = affinity_attention(a)` is the target of a patch's attention.
The map alone (`Network.map_vectors`) gives a patch's vector `v`; its neighbourhood is
`r = normalise(A v)`. The terms of the loss, each a mean over patches and views:

- middle: `KL(A, attention)` of blocks 5 to 11 (the heads' mean, among patches);
- averaging: `|(attention - A) v|² / |A v|²` of centred `v`, in the same blocks: an error of
  attention counts by what it changes;
- keys: `KL(A, Key-Key attention)` of the last block;
- values: `1 - cos(Values of the last block, v)`, so that words stay where the map has them;
- filled: `1 - cos(Values, r)` at patches that are hidden from the blocks, in place of values;
- output: `1 - cos(output of a patch, r)`;
- class: `1 - cos(output of the class token, mean v)`.

    loss = 30 values + 0.4 filled + output + class + 0.6 middle + 0.3 keys + 0.6 averaging

Every second step uses large views: the more patches a photo has, the harder it is to tell which
belong together. The last block's Queries are made white once and then learn nothing.
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
from training.affinity import affinity_attention
from training.features import Cache, read_cache, rows_as_float
from training.fitting import half_cosine, optimise, warm_up
from training.network import BLOCKS, HEADS, Network, low_precision, restored
from training.state import State, report, seed
from training.words import WIDTH

TAUGHT = range(4, BLOCKS - 1)
"""Blocks whose attention is taught, from 0; the last one's Keys are, too."""
QUERY_GAIN = 2.4
"""How long the last block's Queries are made: the longer, the more local is its attention."""
WEIGHTS = {
    "values": 30.0,
    "filled": 0.4,
    "output": 1.0,
    "class": 1.0,
    "middle": 0.6,
    "keys": 0.3,
    "averaging": 0.6,
}
"""Of the terms of the loss. Values have most, since masks are made of them."""
_NOISE = 0.004
"""Deviation of the numbers that are added to each block's weights: else all would begin alike."""
_LEAST_VARIANCE = 0.05
"""A direction's variance counts as this part of the mean at least: noise is not made long."""
_HIDDEN_VIEWS, _HIDDEN_PATCHES, _RECTANGLES = 0.2, 0.1, 3
"""This part of a batch's views have patches hidden: a tenth of them, and rectangles."""
_BETAS, _DECAY = (0.9, 0.95), 0.01
_RATE, _RATE_BEGUN, _RISING, _LEAST_RATE = 7e-4, 2e-4, 40, 0.02
"""Largest rates; the second is of what the probe has taught (Queries, Keys) and of positions."""
_BEGUN = ("in_proj", "positional_")
_KINDS = ("single", "large", "single", "scene")
"""Kinds of views, from step to step."""
_PER_LARGE = 2 / 5
"""Large views in a step for each single one: they have 2.8 times the patches."""


def draw(cache: Cache, network: Network, size: int) -> tuple[Tensor, Tensor]:
    """Some views, or their mirror images: standardised features (B, N, C), affinities (B, N, N)."""
    rows = random.sample(range(len(cache.views)), min(size, len(cache.views)))
    inputs, affinity = (rows_as_float(of, rows) for of in (cache.features, cache.affinity))
    if random.random() < 0.5:
        count = inputs.shape[1]
        mirrored = torch.arange(count).unflatten(0, (-1, math.isqrt(count))).flip(1).flatten()
        inputs, affinity = inputs[:, mirrored], affinity[:, mirrored][..., mirrored]
    return network.standardised(inputs), affinity


def divergence(attention: Tensor, target: Tensor) -> Tensor:
    """Kullback-Leibler divergence of attention (B, N, N) from the target, in nats."""
    return (torch.xlogy(target, target) - target * attention.clamp_min(1e-8).log()).sum(-1).mean()


def among_patches(queries: Tensor, keys: Tensor) -> Tensor:
    """Head mean of attention among patches, of heads (B, HEADS, 1 + N, d): (B, N, N)."""
    return weights(queries[..., 1:, :], keys[..., 1:, :]).mean(1)


def read(probe: nn.Linear, x: Tensor) -> Tensor:
    """Attention by the Queries and Keys that a linear layer reads from a block's input
    (B, 1 + N, WIDTH): (B, N, N)."""
    stacked = probe(F.layer_norm(x, x.shape[-1:])).unflatten(-1, (2, HEADS, -1))
    return among_patches(*stacked.permute(2, 0, 3, 1, 4))


def hide(count: int, grid: int) -> Tensor:
    """Rectangles and single patches of each photo, up to about half of it: (count, grid²) bool."""
    hidden = torch.rand(count, grid, grid) < _HIDDEN_PATCHES
    for photo in hidden:
        for _ in range(_RECTANGLES):
            height, width = (random.randint(grid // 6, grid // 3) for _ in range(2))
            top, left = random.randint(0, grid - height), random.randint(0, grid - width)
            photo[top : top + height, left : left + width] = True
    return hidden.flatten(1)


@torch.no_grad()
def begin(network: Network, probe: Mapping[str, Tensor], photos: Cache) -> None:
    """Give all blocks the Queries and Keys of the probe; make the last block's Queries white."""
    for number, block in enumerate(network.blocks):
        rows = slice(WIDTH if number == BLOCKS - 1 else 0, 2 * WIDTH)
        noise = _NOISE * torch.randn_like(probe["weight"])
        block.attn.in_proj_weight[rows] = (probe["weight"] + noise)[rows]
        block.attn.in_proj_bias[rows] = probe["bias"][rows]
    _whiten_queries(network, photos)


def _whiten_queries(network: Network, photos: Cache) -> None:
    """Make each direction of the last block's Queries of patches as long as every other, a head at
    a time, times a gain: no direction is like every patch, so a patch is like itself most.

        W <- gain C^(-1/2) W,   C = mean q qᵀ over the patches of 64 views
    """
    attn = network.blocks[-1].attn
    attn.in_proj_bias[:WIDTH] = 0
    x = network.block_input(network.tokens(draw(photos, network, 64)[0]))
    queries = network.heads(BLOCKS - 1, x).q[:, :, 1:]  # (64, HEADS, N, d)
    queries = queries.transpose(0, 1).flatten(1, 2)  # (HEADS, 64 N, d)
    variances, directions = torch.linalg.eigh(queries.mT @ queries / queries.shape[1])
    variances = variances.clamp_min(_LEAST_VARIANCE * variances.mean(1, keepdim=True))
    change = QUERY_GAIN * (directions * variances.rsqrt()[:, None]) @ directions.mT
    weight = attn.in_proj_weight[:WIDTH].unflatten(0, (HEADS, -1))  # (HEADS, d, WIDTH)
    attn.in_proj_weight[:WIDTH] = (change @ weight).flatten(0, 1)


def losses(
    network: Network, before: Network, inputs: Tensor, affinity: Tensor
) -> dict[str, Tensor]:
    """All terms of a step, of views' standardised features (B, N, C) and affinities (B, N, N).

    `before` is the network before this step. The first views of the batch have patches hidden.
    """
    count = int(_HIDDEN_VIEWS * len(inputs))
    with torch.no_grad():
        tokens, vectors = network.tokens(inputs), before.map_vectors(inputs)
        target = affinity_attention(affinity)
        region = F.normalize(target @ vectors, dim=-1)  # (B, N, WIDTH)
        hidden = torch.zeros(inputs.shape[:2], dtype=torch.bool)
        hidden[:count] = hide(count, math.isqrt(inputs.shape[1]))
        tokens = torch.where(hidden[..., None], tokens.mean((0, 1)), tokens)
    x, middle, averaging = network.block_input(tokens), [], []
    for number in range(BLOCKS):
        with low_precision():
            heads = network.heads(number, x)
        if number in TAUGHT:
            attention = among_patches(heads.q[count:], heads.k[count:])
            middle.append(divergence(attention, target[count:]))
            averaging.append(averaging_error(attention, target[count:], vectors[count:]))
        if number == BLOCKS - 1:
            keys = divergence(among_patches(heads.k[count:], heads.k[count:]), target[count:])
        with low_precision():
            x = network.run(number, x, heads).float()
    return {
        **value_losses(network.vectors(heads.v.float())[:, 1:], vectors, region, hidden),
        **output_losses(network, x, vectors, region),
        "middle": torch.stack(middle).mean(),
        "averaging": torch.stack(averaging).mean(),
        "keys": keys,
    }


def value_losses(
    values: Tensor, vectors: Tensor, region: Tensor, hidden: Tensor
) -> dict[str, Tensor]:
    """`1 - cos` of the last block's Values with the map's vectors, and at patches that are hidden
    (B, N) with their neighbourhood's; all else (B, N, WIDTH), unit vectors."""
    apart = 1 - (values * torch.where(hidden[..., None], region, vectors)).sum(-1)  # (B, N)
    terms = {"values": apart[~hidden].mean()}
    return {**terms, "filled": apart[hidden].mean()} if hidden.any() else terms


def output_losses(
    network: Network, x: Tensor, vectors: Tensor, region: Tensor
) -> dict[str, Tensor]:
    """`1 - cos` of the last block's output (B, 1 + N, WIDTH) at patches with their neighbourhood's
    vectors, and at the class token with the mean of the map's vectors; both (B, N, WIDTH)."""
    output = F.normalize(network.ln_post(x) @ network.proj, dim=-1)
    return {
        "output": 1 - (output[:, 1:] * region).sum(-1).mean(),
        "class": 1 - (output[:, 0] * F.normalize(vectors.mean(1), dim=-1)).sum(-1).mean(),
    }


def averaging_error(attention: Tensor, target: Tensor, vectors: Tensor) -> Tensor:
    """The squared error of attention times centred vectors (B, N, WIDTH), as a part of the target's
    square; attention and target (B, N, N)."""
    centred = vectors - vectors.mean(1, keepdim=True)
    error = ((attention - target) @ centred).square().sum((1, 2))
    return (error / (target @ centred).square().sum((1, 2))).mean()


def _without_queries(gradient: Tensor) -> Tensor:
    """A gradient of joined Queries, Keys and Values (3 WIDTH, …), zero for the Queries."""
    gradient = gradient.clone()
    gradient[:WIDTH] = 0
    return gradient


def run(_: Path, work: Path, steps: int = 600, size: int = 10) -> None:
    """Write `attention.pt` by `localise.pt`."""
    seed()
    saved = torch.load(work / "localise.pt", weights_only=True)
    network, before = (restored(saved["network"]) for _ in range(2))
    caches = {kind: read_cache(work, kind) for kind in ("single", "large", "scene")}
    learned = {
        name: parameter.requires_grad_()
        for name, parameter in network.named_parameters()
        if name.startswith(("blocks.", "class_", "positional_"))
    }
    groups: list[dict[str, Any]] = [{"params": [], "most": most} for most in (_RATE, _RATE_BEGUN)]
    for name, parameter in learned.items():
        groups[any(part in name for part in _BEGUN)]["params"].append(parameter)
    optimiser = torch.optim.AdamW(groups, lr=0.0, betas=_BETAS, weight_decay=_DECAY)
    inputs = ("localise.pt", *(f"{kind}.json" for kind in caches))
    state = State(work, "attention", steps, inputs, network=network, optimiser=optimiser)
    if not state.begun:
        begin(network, saved["probe"], caches["single"])
    for parameter in (network.blocks[-1].attn.in_proj_weight, network.blocks[-1].attn.in_proj_bias):
        parameter.register_hook(_without_queries)
    for step in state.steps():
        kind = _KINDS[step % len(_KINDS)]
        views = size if kind == "single" else int(size * _PER_LARGE)
        terms = losses(network, before, *draw(caches[kind], network, views))
        loss = sum(WEIGHTS[name] * term for name, term in terms.items())
        # The least rate is added to the cosine here, where `schedule` takes the larger of both.
        rate = warm_up(step, _RISING) * (_LEAST_RATE + half_cosine(step / steps))
        optimise(optimiser, loss, rate, [*learned.values()])
        report(step, steps, terms)
    torch.save({**saved, "network": network.state_dict()}, work / "attention.pt")
