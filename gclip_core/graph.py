"""Which patches of an image belong together, as a graph, and values that are propagated on it.

The formulas are in METHOD.md's section on marks.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SHARPNESS = 20.0
"""Factor of the cosines in the exponent."""
REACH = 8.0
"""Standard deviation of the distance in patches."""
SHARE = 0.9
"""The share α that comes from neighbours."""


def edges(features: Tensor) -> Tensor:
    """The graph S (N, N) of patches with features (h, w, channels), float32."""
    patches = F.normalize(features.flatten(0, 1).float(), dim=-1)
    rows, columns = (torch.arange(n, device=features.device).float() for n in features.shape[:2])
    places = torch.cartesian_prod(rows, columns)
    distances = torch.cdist(places, places).square()
    weights = torch.exp(SHARPNESS * (patches @ patches.T - 1) - distances / (2 * REACH**2))
    weights.fill_diagonal_(0)
    return normalised(weights)


def normalised(weights: Tensor) -> Tensor:
    """Symmetric weights (N, N) divided by the roots of both patches' degrees; in place."""
    root = weights.sum(1).sqrt()
    root[root == 0] = 1
    return weights.div_(root).div_(root[:, None])


def propagated(graph: Tensor, values: Tensor, share: float = SHARE) -> Tensor:
    """What values y (N, n) become on a graph S (N, N): the solution of (I - α S) x = (1 - α) y."""
    system = graph.mul(-share)
    system.diagonal().add_(1)  # positive definite, because |S| <= 1
    return torch.cholesky_solve((1 - share) * values, torch.linalg.cholesky(system))
