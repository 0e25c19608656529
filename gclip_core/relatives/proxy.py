"""ProxyCLIP's last block: the attention of every head comes from another network's features.

The network is DINO, or the user's. Its patches may be smaller than the tower's, and the output is
on its grid. The functions are pure; matrices are float32.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import assets, attention, blocks
from gclip_core.backbones import builtin
from gclip_core.backbones.registry import BACKBONES, BUILT_IN
from gclip_core.backbones.stem import TransformerTrunk
from gclip_core.backbones.weights import read_files
from gclip_core.encoder import Encoded
from gclip_core.errors import MethodError, check_between
from gclip_core.last_block import LastBlock
from gclip_core.methods import Method, Paper, add
from gclip_core.relatives.shared import gate, with_class_token
from gclip_core.types import Grid


@dataclass(frozen=True)
class Proxy(LastBlock):
    """ProxyCLIP's last block: the softmax of ``gamma (cos - beta mean)``.

    ``cos`` are the cosines of DINO's patches, and ``mean`` that of all pairs; only pairs of at
    least ``beta * mean`` count. Raises MethodError for a setting outside its range.

    ``network``, a function, replaces DINO: from pixels, (3, height, width) float32 from 0 to 1, it
    returns features (h', w', channels); h' and w' are those of the tower's grid times a whole
    number.
    """

    gamma: float
    beta: float
    network: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        check_between("gamma", self.gamma, 1e-6, 1000)
        check_between("beta", self.beta, 0, 10)

    @property
    def rule(self) -> str:
        return "features of another network" + ("" if self.network else ", DINO")

    def patches(self, encoded: Encoded) -> Tensor:
        features, values = self.other_features(encoded), encoded.last_heads.part("v")[:, 1:]
        mixed = averaged(self, features, values, encoded.grid)
        z = blocks.merge(encoded.backbone.blocks[-1], mixed)
        return z.unflatten(0, features.shape[:2])

    def matrix(self, encoded: Encoded, head: int | None) -> Tensor:
        """The output of a patch is the mean over the other network's patches in it."""
        features, grid = self.other_features(encoded), encoded.grid
        weights = torch.cat([*_rows(self, features)])
        if (own := features.shape[:2]) != grid:
            eye = torch.eye(grid[0] * grid[1], device=weights.device).unflatten(1, grid)
            weights = weights @ F.interpolate(eye[None], own, mode="bilinear")[0].flatten(1).T
            weights = F.adaptive_avg_pool2d(weights.T.unflatten(1, own), grid).flatten(1).T
        return with_class_token(weights)

    def other_features(self, encoded: Encoded) -> Tensor:
        """The other network's features of an image: (h', w', channels)."""
        if self.network is None:
            return dino(encoded)
        with torch.no_grad():
            features = self.network(_pixels(encoded)).to(encoded.backbone.device)
        finer = features.shape[0] // encoded.grid[0]
        if features.shape[:2] != tuple(finer * side for side in encoded.grid):
            raise MethodError(
                f"The network's features are {tuple(features.shape)}, but their height and width "
                f"must be a whole number times the tower's grid, {encoded.grid}; resize them."
            )
        return features


SHIPPED = Proxy(gamma=20.0, beta=1.2)
"""Settings for block 9 of the DINOv2 ViT-S/14 of the built-in model: docs/METHOD.md. The paper's,
for the last block of DINO ViT-B/8, are gamma = 3 and beta = 1.2."""


def averaged(settings: Proxy, features: Tensor, values: Tensor, grid: Grid) -> Tensor:
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


def _rows(settings: Proxy, features: Tensor) -> Iterator[Tensor]:
    """Yields the attention some rows at a time, so that it is never stored as a whole."""
    patches = F.normalize(features.flatten(0, 1).float(), dim=-1)
    mean = patches.mean(0).square().sum()  # of all cosines
    n = max(1, attention.ELEMENTS_AT_A_TIME // len(patches))
    for first in range(0, len(patches), n):
        cosines = patches[first : first + n] @ patches.T
        yield gate(cosines, settings.gamma, settings.beta * mean, first)


def dino(encoded: Encoded) -> Tensor:
    """DINO's features of an image: (h', w', channels), those of the built-in model's stem if any.

    Their grid is the tower's. If its patches are larger than DINO's, it is finer by a whole factor.
    """
    if encoded.stem_patches is not None:
        return encoded.stem_patches
    backbone, own = encoded.backbone, BACKBONES[BUILT_IN]

    @torch.no_grad()
    def run() -> Tensor:
        mean, std = torch.tensor((own.mean, own.std))[..., None, None]
        pixels = ((_pixels(encoded) - mean) / std).to(backbone.device)
        finer = max(1, round(backbone.patch / own.patch))
        rows, columns = encoded.grid
        return load_dino(backbone.device)(pixels[None], (rows * finer, columns * finer))[0]

    return encoded.once("dino", run)


def _pixels(encoded: Encoded) -> Tensor:
    """The image from 0 to 1: (3, height, width) float32."""
    mean, std = torch.tensor((encoded.backbone.mean, encoded.backbone.std))[..., None, None]
    return encoded.pixels * std + mean


@lru_cache(2)
def load_dino(device: torch.device) -> TransformerTrunk:
    """The nine blocks of DINO in the built-in model's stem, without the stem and in float32."""
    folder, inside = assets.path(BUILT_IN), "visual.conv1.transformer."
    builtin.check(folder)
    state = read_files(folder.glob("dino-*.safetensors"))
    state = {
        key.removeprefix(inside): value.float()
        for key, value in builtin.unpack(state, 0, "DINO").items()
        if key.startswith(inside)
    }
    config = builtin.settings(folder)
    with torch.device("meta"):
        dino = TransformerTrunk(**config["stem"]["transformer"])
    dino.load_state_dict(state, assign=True)
    return dino.eval().requires_grad_(False).to(device)


add(
    Method(
        "proxyclip",
        "ProxyCLIP",
        SHIPPED,
        paper=Paper("Lan et al.", 2024, "arXiv:2408.04883"),
        summary="Attention from another network, DINO: averages the Values of patches that look "
        "alike to it.",
    )
)
