"""LPOSS, after any method's features: they are propagated on a graph of DINO's patches.

The edge of patches i and j is ``s_ij + s_ji``, where ``s_ij = max(cos, 0)^3 exp(-0.01 d)`` at a
distance of d pixels if j is one of the 400 patches with the largest cosine to i, else 0. The
authors propagate each word's cosines. These are linear in the features, so propagating the features
once gives every word's. The result is normalised, which changes no patch's best word.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gclip_core import graph
from gclip_core.encoder import Encoded
from gclip_core.methods import METHODS, Method, Paper, add
from gclip_core.relatives.proxy import dino

SHARE = 0.95
"""α: the share of a patch's features that comes from its neighbours."""
POWER = 3
"""Of the cosines."""
NEAR = 0.01
"""The fall of an edge with every pixel of distance."""
NEIGHBOURS = 400


@dataclass(frozen=True)
class Lposs(Method):
    """A method whose features are propagated, on DINO's grid; it keeps its matrix."""

    @torch.no_grad()
    def features(self, encoded: Encoded) -> Tensor:
        patches = dino(encoded).cpu()
        maps = super().features(encoded).permute(2, 0, 1)
        if maps.shape[1:] != patches.shape[:2]:
            maps = F.interpolate(maps[None], patches.shape[:2], mode="bilinear")[0]
        S = edges(patches, encoded.pixels.shape[1] / patches.shape[0])
        features = graph.propagated(S, maps.flatten(1).T, SHARE)
        return F.normalize(features, dim=-1).unflatten(0, patches.shape[:2])


def edges(features: Tensor, side: float) -> Tensor:
    """The graph (N, N) float32 of patches with features (h, w, channels), ``side`` pixels wide."""
    patches = F.normalize(features.flatten(0, 1).float(), dim=-1)
    rows, columns = (side * torch.arange(n).float() for n in features.shape[:2])
    places = torch.cartesian_prod(rows, columns)
    cosines = patches @ patches.T
    nearest = cosines.topk(min(NEIGHBOURS, len(cosines))).indices
    weights = cosines.clamp_min(0) ** POWER * torch.exp(-NEAR * torch.cdist(places, places))
    kept = torch.zeros_like(weights).scatter_(1, nearest, weights.gather(1, nearest))
    return graph.normalised((kept + kept.T).fill_diagonal_(0))


add(
    Lposs(
        "lposs",
        "LPOSS",
        METHODS["maskclip"].last,
        paper=Paper("Stojnić et al.", 2025, "arXiv:2503.19777"),
        summary="MaskCLIP's features, propagated on a graph of patches that look alike to another "
        "network, DINO; without its steps on pixels.",
    )
)
