"""Teach the twelve blocks where to look, from a vision transformer's affinities of patches.

README.md says what learns from what ("Where to look").
"""

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclip_core.attention import weights
from training.features import Cache
from training.features import opened as cached
from training.network import BLOCKS, HEADS, Student, opened
from training.state import State, report
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
_RATE, _RATE_BEGUN = 7e-4, 2e-4  # the second of what the map has taught: Queries, Keys, places
_BEGUN = ("in_proj", "positional_")


def draw(cache: Cache, student: Student, size: int) -> tuple[Tensor, Tensor]:
    """Some views: features made even (B, N, F) and affinities (B, N, N)."""
    rows = sorted(random.sample(range(len(cache.views)), min(size, len(cache.views))))
    even, alike = (
        torch.from_numpy(of[rows].astype(np.float32)) for of in (cache.features, cache.affinity)
    )
    if random.random() < 0.5:
        count = even.shape[1]
        mirrored = torch.arange(count).unflatten(0, (-1, math.isqrt(count))).flip(1).flatten()
        even, alike = even[:, mirrored], alike[:, mirrored][..., mirrored]
    return student.even(even), alike


def target(alike: Tensor) -> Tensor:
    """Which patches a patch shall attend to, from cosines (B, N, N): rows add up to 1."""
    return (SHARPNESS * alike).masked_fill(alike < 0, -1e9).softmax(-1)


def divergence(attention: Tensor, wanted: Tensor) -> Tensor:
    """Kullback-Leibler divergence of attention (B, N, N) from what is wanted, in nats."""
    return (torch.xlogy(wanted, wanted) - wanted * attention.clamp_min(1e-8).log()).sum(-1).mean()


def among_patches(queries: Tensor, keys: Tensor) -> Tensor:
    """Head mean of attention among patches, of heads (B, HEADS, 1 + N, d): (B, N, N)."""
    return weights(queries[..., 1:, :], keys[..., 1:, :]).mean(1)


def read(look: nn.Linear, x: Tensor) -> Tensor:
    """Attention by the Queries and Keys that a linear layer reads from what a block reads
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
def begin(student: Student, look: Mapping[str, Tensor], photos: Cache) -> None:
    """Give all blocks the Queries and Keys that learned to look with the map.

    Then make each direction of the last block's Queries of patches as long as every other, a head
    at a time, times a gain: no direction is like every patch, so a patch is like itself most.
    """
    for number, block in enumerate(student.blocks):
        rows = slice(WIDTH if number == BLOCKS - 1 else 0, 2 * WIDTH)
        noise = 0.004 * torch.randn_like(look["weight"])
        block.attn.in_proj_weight[rows] = (look["weight"] + noise)[rows]
        block.attn.in_proj_bias[rows] = look["bias"][rows]
    weight = student.blocks[-1].attn.in_proj_weight[:WIDTH]
    student.blocks[-1].attn.in_proj_bias[:WIDTH] = 0
    x = student.inputs(student.tokens(draw(photos, student, 64)[0]))
    queries = student.heads(BLOCKS - 1, x).q[:, :, 1:].transpose(0, 1).flatten(1, 2)
    values, vectors = torch.linalg.eigh(queries.mT @ queries / queries.shape[1])
    values = values.clamp_min(_LEAST * values.mean(1, keepdim=True))
    change = QUERY_GAIN * (vectors * values.rsqrt()[:, None]) @ vectors.mT
    weight.copy_((change @ weight.unflatten(0, (HEADS, -1))).flatten(0, 1))


def losses(student: Student, mapped: Student, even: Tensor, alike: Tensor) -> dict[str, Tensor]:
    """All losses of a step; what patches say without the blocks is what their Values shall say."""
    count = int(_HIDDEN * len(even))
    with torch.no_grad():
        tokens, said = student.tokens(even), mapped.mapped(even)
        wanted = target(alike)
        region = F.normalize(wanted @ said, dim=-1)
        contrast = (said - said.mean(1, keepdim=True))[count:]
        grouped = (wanted[count:] @ contrast).square().sum((1, 2))
        hidden = torch.zeros(even.shape[:2], dtype=torch.bool)
        hidden[:count] = hide(count, math.isqrt(even.shape[1]))
        tokens = torch.where(hidden[..., None], tokens.mean((0, 1)), tokens)
    x, middle, words = student.inputs(tokens), [], []
    for number in range(BLOCKS):
        heads = student.heads(number, x)
        if number in TAUGHT:
            attention = among_patches(heads.q[count:], heads.k[count:])
            middle.append(divergence(attention, wanted[count:]))
            wrong = ((attention - wanted[count:]) @ contrast).square().sum((1, 2))
            words.append((wrong / grouped).mean())
        if number == BLOCKS - 1:
            keys = divergence(among_patches(heads.k[count:], heads.k[count:]), wanted[count:])
        x = student.run(number, x, heads)
    output = F.normalize(student.ln_post(x) @ student.proj, dim=-1)
    values = student.said(heads.v)[:, 1:]
    apart = 1 - (values * torch.where(hidden[..., None], region, said)).sum(-1)
    found = {
        "values": apart[~hidden].mean(),
        "output": 1 - (output[:, 1:] * region).sum(-1).mean(),
        "class": 1 - (output[:, 0] * F.normalize(said.mean(1), dim=-1)).sum(-1).mean(),
        "middle": torch.stack(middle).mean(),
        "words": torch.stack(words).mean(),
        "keys": keys,
    }
    return {**found, "filled": apart[hidden].mean()} if count else found


def teach(_: Path, work: Path, steps: int = 500, size: int = 10) -> None:
    """Write `attention.pt` by `people.pt`."""
    torch.manual_seed(0)
    random.seed(0)
    held = torch.load(work / "people.pt", weights_only=True)
    student, mapped = (opened(held["student"]).requires_grad_(False) for _ in range(2))
    singles, large = cached(work, "single"), cached(work, "large")
    learned = {
        name: parameter.requires_grad_()
        for name, parameter in student.named_parameters()
        if name.startswith(("blocks.", "class_", "positional_"))
    }
    groups: list[dict[str, Any]] = [{"params": [], "most": most} for most in (_RATE, _RATE_BEGUN)]
    for name, parameter in learned.items():
        groups[any(part in name for part in _BEGUN)]["params"].append(parameter)
    optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.95), weight_decay=0.01)
    state = State(work, "attention", student=student, optimiser=optimiser)
    if not state.path.exists():
        begin(student, held["look"], singles)
    last = student.blocks[-1].attn
    for step in state.steps(steps):
        rate = min(1, (step + 1) / 40) * (0.02 + 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in optimiser.param_groups:
            group["lr"] = group["most"] * rate
        drawn = draw(large, student, size * 2 // 5) if step % 2 else draw(singles, student, size)
        found = losses(student, mapped, *drawn)
        optimiser.zero_grad()
        sum(_WEIGHTS[name] * value for name, value in found.items()).backward()
        for kept in (last.in_proj_weight, last.in_proj_bias):
            kept.grad[:WIDTH] = 0
        nn.utils.clip_grad_norm_(learned.values(), 1.0)
        optimiser.step()
        if step % 10 == 9:
            report(step, found)
    torch.save({"student": student.state_dict(), "scale": held["scale"]}, work / "attention.pt")
