"""The machine: one request from picture to mask, every number of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from demo.look import Look
from demo.views.channels import alike, regions
from demo.widgets.held import largest
from gclip_core import masks
from gclip_core.types import Found, Segmentation

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Tile:
    """One block: attention ``received`` (N,), 1 = uniform, on the trunk that runs.

    ``tokens`` are its global tokens, ``score`` the largest of ``received``, ``agreement`` theirs
    with the class token (nan without one); ``ratio`` and ``after`` the largest channel's norm over
    the median before and after CS.
    """

    received: Floats
    tokens: Sequence[int]
    score: float
    agreement: float
    channel: int
    ratio: float
    after: float


@dataclass(frozen=True, eq=False)
class Machine:
    """One request from picture to mask; blocks are 0-based.

    ``heads`` are the last block's "q", "k", "v", each (N, D), heads side by side; ``local`` (N, N)
    its own matrix, ``fused`` the middle blocks' by number, ``used`` (N, N) what the method used:
    all head means, patch to patch. ``before``, ``after`` (D,) are the norms of block ``norms_of``;
    ``similar`` in-in, in-out and what the regions are; ``scores`` (C, N) on the patch grid,
    ``rest`` (N,) what they leave to hidden words, ``labels`` (H, W), ``shares`` of the picture per
    class and last of the rest. ``fits`` (2, N) are the best word and the next by ``cosines``
    (2, N), C for a hidden one. ``planted`` is channel, gain and blocks of a simulated fault;
    ``keeps`` what the method keeps of the last block.
    """

    model: str
    size: tuple[int, int]
    grid: tuple[int, int]
    tiles: Sequence[Tile]
    heads: Mapping[str, Floats]
    local: Floats
    fused: Mapping[int, Floats]
    used: Floats
    attention: str
    keeps: Sequence[str]
    amf: bool
    amf_reason: str
    cs: bool
    cs_reason: str
    suppressed: Sequence[int]
    planted: tuple[int, float, Sequence[int]] | None
    norms_of: int
    before: Floats
    after: Floats
    similar: tuple[float, float, str]
    names: Sequence[str]
    scores: Floats
    rest: Floats | None
    fits: NDArray[np.integer]
    cosines: Floats
    labels: NDArray[np.integer]
    shares: Sequence[float]
    score_threshold: float = 5.0
    norm_threshold: float = 2.0
    logit_scale: float = 40.0
    threshold: float = 0.0
    miou: float | None = None


def see(look: Look) -> Machine:
    """Everything on the way of the method that the switches name."""
    seg, method, settings = look.segmenter, look.chosen, look.settings
    trunk, result, mask = look.trunk(method), look.segment(method), look.mask(method)
    found, n = result.found, seg.backbone.n_blocks
    seen = seg.globality(trunk, look.settings.global_threshold, clean=False)
    received = seg.received(trunk, clean=False).numpy()
    tiles = [
        Tile(received[b], seen.tokens[b], seen.scores[b], seen.agreement[b],
             found.channels[b], found.ratios[b], _after(found, b))
        for b in range(n)
    ]  # fmt: skip
    plants = seg.backbone.planted
    image, block = look.picture.image, _block_in_view(look, found)
    scores = masks.scores(result.logits, result.owner, look.grid).flatten(1).numpy()
    fits, cosines = _fits(result, seg.logit_scale)
    return Machine(
        model=seg.backbone.title,
        size=(image.height, image.width),
        grid=look.grid,
        tiles=tiles,
        heads={part: seg.values(trunk, method, part).numpy() for part in ("q", "k", "v")},
        local=_patches(seg.last_attention(trunk, replace(method, fusion=None))),
        fused={b: _patches(seg.attention_map(trunk, b)) for b in found.amf_blocks},
        used=_patches(seg.last_attention(trunk, method)),
        attention=method.attention,
        keeps=[name for name, kept in (("residual path", method.residual), ("FFN", method.ffn))
               if kept],
        amf=method.fusion is not None,
        amf_reason=found.reason,
        cs=method.suppression is not None,
        cs_reason=found.cs_reason,
        suppressed=found.suppressed,
        planted=(plants[0].channel, plants[0].gain, plants[0].blocks) if plants else None,
        norms_of=block,
        before=found.norms_before[block].numpy(),
        after=found.norms_after[block].numpy(),
        similar=(*alike(look, method), regions(look)),
        names=mask.names,
        scores=scores,
        rest=np.maximum(1 - scores.sum(0), 0) if min(result.owner) < 0 else None,
        fits=fits,
        cosines=cosines,
        labels=mask.labels,
        shares=mask.shares,
        score_threshold=settings.global_threshold,
        norm_threshold=settings.channel_threshold,
        logit_scale=settings.logit_scale,
        threshold=settings.threshold,
        miou=mask.miou,
    )  # fmt: skip


def _after(found: Found, block: int) -> float:
    """The largest channel's norm after CS over the median."""
    median = float(found.norms_after[block].quantile(0.5))
    norm = float(found.norms_after[block][found.channels[block]])
    return norm / median if median else math.inf if norm else 1.0


def _block_in_view(look: Look, found: Found) -> int:
    """The block whose norms are shown: the chosen one, else the last that feeds the Values."""
    n = len(found.channels)
    chosen = look.settings.view_block
    return max(n - 2, 0) if chosen is None else min(chosen, n - 1)


def _fits(result: Segmentation, scale: float) -> tuple[NDArray[np.integer], Floats]:
    """The two classes that fit each patch best, and their cosines, (2, N) each."""
    logits, owner = result.logits.flatten(1).numpy(), np.array(result.owner)
    rows = np.full((len(set(result.owner)), logits.shape[1]), -np.inf, np.float32)
    np.maximum.at(rows, owner, logits)  # -1, the hidden words, is the last
    best = largest(rows.T, min(2, len(rows))).T
    return best, np.take_along_axis(rows, best, 0) / scale


def _patches(matrix: torch.Tensor) -> Floats:
    return matrix[1:, 1:].numpy()
