"""The machine's arrays as they travel.

Attention is averaged over squares of patches; what is *written* about a row (where a patch looks
most) is from the exact one.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from demo.drawing import render
from demo.tabs.machine.numbers import MachineContent
from demo.widgets.blobs import Levels, largest, packed_text

LOOKS = 3
"""Of the patches that a patch looks at, so many are named."""
Floats = NDArray[np.float32]


def packed(content: MachineContent, pooled: int, words: Sequence[int]) -> str:
    """The arrays of :func:`numbers.arrays`, packed.

    Attention is averaged over squares of ``pooled`` patches a side; scores are of ``words``.
    """
    exact, arrays = content.arrays, dict[str, ArrayLike | Levels]()
    arrays["received"] = Levels(exact["received"], content.settings.global_threshold)
    for name, array in exact.items():
        if name.startswith("head "):  # (N, D) averaged over squares of patches: (n, D)
            maps = np.asarray(array, np.float32).T.reshape(-1, *content.grid)
            rows = render.pool_keys(maps, pooled).reshape(len(maps), -1).T
            arrays[name] = Levels(_colours(rows), 1.0)
        elif name in ("local", "used") or name.startswith("block "):
            whole = render.pool_patches(array, content.grid, pooled)
            arrays[name] = Levels(whole, float(whole.max()))
    arrays["looks"], arrays["times"] = _looks_most(exact["used"])
    arrays["norms"] = exact["norms"].astype(np.float32)
    rest = [exact["rest"]] if "rest" in exact else []
    arrays["scores"] = Levels(np.stack([*exact["scores"][words], *rest]), 1.0, 255)
    arrays["fits"] = (exact["fits"] + 1) % (len(exact["scores"]) + 1)  # 0: a hidden word
    arrays["cosines"] = exact["cosines"].astype(np.float32)
    return packed_text(**arrays)


def _colours(rows: Floats) -> Floats:
    """(n, D) as (n, 3) in [0, 1]: its three principal components; the mean is grey."""
    centred = torch.from_numpy(rows - rows.mean(0)).double()
    # NumPy's has threads of its own that wait by spinning: on a busy machine half a second each.
    values, vectors = (part.numpy() for part in torch.linalg.eigh(centred @ centred.T))
    out = np.zeros((len(rows), 3), np.float32)
    for k in range(min(3, len(rows))):
        component = vectors[:, -1 - k] * math.sqrt(max(values[-1 - k], 0.0))
        if component[np.abs(component).argmax()] < 0:
            component = -component
        spread = max(float(np.percentile(np.abs(component), 96)), 1e-12)
        out[:, k] = 0.5 + 0.45 * np.clip(component / spread, -1, 1)
    return out


def _looks_most(used: Floats) -> tuple[Floats, Floats]:
    """Where each patch's row is largest, (LOOKS, N), and how many times uniform it is there."""
    rows = used / np.maximum(used.sum(1, keepdims=True), np.finfo(np.float32).tiny)
    best = largest(rows, min(LOOKS, len(rows)))
    return best.T, np.take_along_axis(rows, best, 1).T * len(rows)
