"""ProxyCLIP's last block: the attention of every head comes from another network's features.

The network is DINO. Its patches may be smaller than the tower's, and the output is on its grid. The
functions are pure; matrices are float32.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import attention, blocks
from gclip_core.encoder import Encoded
from gclip_core.errors import check_between
from gclip_core.relatives.last_block_base import LastBlock
from gclip_core.types import Grid


@dataclass(frozen=True)
class Proxy(LastBlock):
    """ProxyCLIP's last block: the softmax of ``gamma (cos - beta mean)``.

    ``cos`` are the cosines of DINO's patches, and ``mean`` that of all pairs; only pairs of at
    least ``beta * mean`` count. Raises MethodError for a setting outside its range.
    """

    gamma: float
    beta: float

    def __post_init__(self) -> None:
        check_between("gamma", self.gamma, 1e-6, 1000)
        check_between("beta", self.beta, 0, 10)

    @property
    def rule(self) -> str:
        return "features of another network, DINO"

    def patches(self, encoded: Encoded) -> Tensor:
        heads = encoded.heads(encoded.backbone.n_blocks - 1, values=True)
        mixed = attend(self, encoded.dino, heads.part("v")[:, 1:], encoded.grid)
        z = blocks.merge(encoded.backbone.blocks[-1], mixed)
        return z.unflatten(0, encoded.dino.shape[:2])

    def matrix(self, encoded: Encoded, head: int | None) -> Tensor:
        return path_matrix(self, encoded.dino, encoded.grid)


SHIPPED = Proxy(gamma=20.0, beta=1.2)
"""Settings for block 9 of the DINOv2 ViT-S/14 of the built-in model: docs/METHOD.md. The paper's,
for the last block of DINO ViT-B/8, are gamma = 3 and beta = 1.2."""


def attend(settings: Proxy, features: Tensor, values: Tensor, grid: Grid) -> Tensor:
    """The attention times the Values: (H, h' w', d) in their dtype.

    ``features`` (h', w', channels) are DINO's, ``values`` (H, N, d) those of the patches of
    ``grid``, which are interpolated to DINO's grid.
    """
    own = tuple(features.shape[:2])
    fields = values.float()
    if own != grid:
        maps = fields.mT.unflatten(-1, grid)  # (H, d, h, w)
        fields = F.interpolate(maps, own, mode="bilinear").flatten(2).mT
    rows = [weights @ fields for weights in _rows(settings, features)]
    return torch.cat(rows, dim=1).to(values.dtype)


def path_matrix(settings: Proxy, features: Tensor, grid: Grid) -> Tensor:
    """The weight of patch j of ``grid`` in the output at patch i: (N, N).

    The output of a patch is the mean over the DINO patches in it.
    """
    own = tuple(features.shape[:2])
    weights = torch.cat([*_rows(settings, features)])
    if own == grid:
        return weights
    n = grid[0] * grid[1]
    eye = torch.eye(n, device=weights.device).unflatten(1, grid)
    weights = weights @ F.interpolate(eye[None], own, mode="bilinear")[0].flatten(1).T
    return F.adaptive_avg_pool2d(weights.T.unflatten(1, own), grid).flatten(1).T


def gate(similarity: Tensor, sharpness: float, least: Tensor, first: int = 0) -> Tensor:
    """Attention from similarities: the softmax over a row's entries of at least ``least``.

    ``similarity`` (rows, N) has the rows of patches from ``first`` on. The logits are ``sharpness
    * (similarity - least)``. A patch always attends to itself, with a logit of at least 0.
    """
    logits = sharpness * (similarity - least)
    # In a uniform image, all entries of a row may be too small, and its softmax would be nan.
    logits.diagonal(first).clamp_(min=0)
    return logits.masked_fill_(logits < 0, -torch.inf).softmax(-1)


def _rows(settings: Proxy, features: Tensor) -> Iterator[Tensor]:
    """Yields the attention some rows at a time, so that it is never stored as a whole."""
    patches = F.normalize(features.flatten(0, 1).float(), dim=-1)
    mean = patches.mean(0).square().sum()  # of all cosines
    n = max(1, attention.ELEMENTS_AT_A_TIME // len(patches))
    for first in range(0, len(patches), n):
        cosines = patches[first : first + n] @ patches.T
        yield gate(cosines, settings.gamma, settings.beta * mean, first)
