"""RF-CLIP: a pass through the tower without distracting patches, and a last block on its mean.

Some channels of CLIP are very large in a few patches, which distract the others. After every block,
these *sinks* are blurred with their neighbours. The last block takes its own input and the mean of
all blocks' outputs, each summed over similar patches, and averages them with the Key-Key attention
of all blocks. Only the Keys are stored, never a matrix of all pairs of tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import attention, blocks
from gclip_core.blocks import Heads
from gclip_core.encoder import Encoded
from gclip_core.last_block import LastBlock
from gclip_core.methods import Method, Paper, add
from gclip_core.relatives.shared import with_class_token
from gclip_core.types import Grid

SINK_CHANNELS: dict[str, tuple[int, ...]] = {
    "openai-vit-b-16": (4, 162, 189, 326, 429, 474, 633, 713),
    "openai-vit-l-14": (250, 261, 437, 650, 720, 779, 936, 1005),
}
"""Those that the authors found, by the backbone's name; in others, no patch is a sink."""
SINK_SHARE = 5.0
"""A patch is a sink if a sink channel has more than this multiple of an even share of its sum."""
BLUR = 0.4
"""The fraction of a sink that is replaced by the mean of its neighbourhood."""
SIMILAR = 0.4
"""Patches are summed over those with at least this cosine."""


@dataclass(frozen=True)
class RfClip(LastBlock):
    """RF-CLIP's last block, with the Key-Key attention of every block."""

    @property
    def rule(self) -> str:
        return "key · key of every block"

    def patches(self, encoded: Encoded) -> Tensor:
        last = encoded.backbone.blocks[-1]
        given = sink_free_pass(encoded)
        outputs = []
        for path in given.paths:
            # After the softmax over all tokens, the class token does not count, and rows sum to
            # less.
            values = F.pad(path.part("v")[..., 1:, :], (0, 0, 1, 0))
            mixed = torch.zeros_like(values, dtype=torch.float32)
            for k in (*given.keys, path.k):
                mixed += blocks.attend(k, k, values)
            mixed /= len(given.keys) + 1
            outputs.append(blocks.merge(last, mixed[..., 1:, :].to(values.dtype)))
        return ((outputs[0] + outputs[1]) / 2).unflatten(0, encoded.grid)

    def matrix(self, encoded: Encoded, head: int | None) -> Tensor:
        """The product of the last block's attention and the sums before it, averaged over both
        paths; the second starts from the mean of all blocks. Norms and projections are left out.
        """
        given = sink_free_pass(encoded)

        def key_key(k: Tensor) -> Tensor:
            heads = Heads(k, k).only(head)
            return attention.head_mean(heads.q, heads.k)[1:, 1:]

        shared = reduce(torch.add, (key_key(k) for k in given.keys))
        own = (key_key(path.k) for path in given.paths)
        matrices = (reduce(torch.add, own) / 2 + shared) / (len(given.keys) + 1)
        return with_class_token(matrices @ torch.cat([*_cosines(given.similar)]))


@dataclass(frozen=True, eq=False)
class SinkFreePass:
    """The inputs of the last block.

    ``keys`` (H, 1+N, d) are those of each block before the last. ``similar`` (N, D) float32 are
    unit vectors whose cosines are the weights of the sums. ``paths`` are the last block's queries,
    keys and values for its two inputs.
    """

    keys: tuple[Tensor, ...]
    similar: Tensor
    paths: tuple[Heads, Heads]


def sink_free_pass(encoded: Encoded) -> SinkFreePass:
    """Runs RF-CLIP's pass from the input of block 0; CS does not change that input."""
    x = encoded.inputs[0]
    grid, channels = encoded.grid, SINK_CHANNELS.get(encoded.backbone.name, ())
    *trunk, last = encoded.backbone.blocks
    keys = []
    total = torch.zeros_like(x, dtype=torch.float32)
    for block in trunk:
        heads = blocks.project(block, x)
        keys.append(heads.k.clone())  # a view would keep queries and values
        x = denoised(blocks.run(block, x, heads), grid, channels)
        total += x
    total += denoised(blocks.run(last, x, blocks.project(last, x)), grid, channels)
    mean = total / encoded.backbone.n_blocks
    similar = F.normalize(mean[1:], dim=-1)
    own, shared = (blocks.project(last, _summed(similar, u).to(x.dtype)) for u in (x.float(), mean))
    return SinkFreePass(tuple(keys), similar, (own, shared))


def denoised(x: Tensor, grid: Grid, channels: Sequence[int]) -> Tensor:
    """Tokens (1+N, D) with sinks blurred over their 3 × 3 neighbourhood.

    To find sinks, each patch is shifted so that its smallest channel is 0. The image is padded with
    zeros.
    """
    if not channels:
        return x
    patches = x[1:].float()
    shifted = patches - patches.amin(-1, keepdim=True)
    share = shifted[..., list(channels)].amax(-1) / shifted.sum(-1).clamp_min(1e-8)
    sinks = share > SINK_SHARE / x.shape[-1]
    fields = patches.T.unflatten(-1, grid)
    around = F.avg_pool2d(fields, 3, stride=1, padding=1).flatten(1).T
    blurred = patches.lerp(around, BLUR).where(sinks[..., None], patches)
    return torch.cat([x[:1], blurred.to(x.dtype)])


def _summed(similar: Tensor, u: Tensor) -> Tensor:
    """Tokens (1+N, D) with each patch replaced by the sum of similar ones times their cosine."""
    return torch.cat([u[:1], *(cosines @ u[1:] for cosines in _cosines(similar))])


def _cosines(similar: Tensor) -> Iterator[Tensor]:
    """Cosines of patches (N, D), set to 0 below SIMILAR; yields some rows (n, N) at a time."""
    for rows in similar.split(max(1, attention.ELEMENTS_AT_A_TIME // len(similar))):
        cosines = rows @ similar.T
        yield cosines.where(cosines >= SIMILAR, 0.0)


add(
    Method(
        "rfclip",
        "RF-CLIP",
        RfClip(),
        paper=Paper("Li et al.", 2026, "arXiv:2511.16170"),
        summary="Distracting patches are blurred after every block, if their channels are known "
        "(for OpenAI's ViT-B/16 and L/14); Key-Key attention of all blocks.",
    )
)
