"""Borrows a ZeroGPU for the trunk of one request."""

import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from numpy.typing import NDArray

from gclip_core.segmenter import Segmenter
from gclip_core.types import Encoded, Grid, Pass

logger = logging.getLogger(__name__)

WITHOUT_GPU: WeakSet[Encoded] = WeakSet()
"""Encodings computed on this machine because no GPU was lent."""

Floats = NDArray[np.float32]
Encoder = Callable[[Segmenter, Any], Encoded]


def encode_on_zero_gpu(seconds: int = 15) -> Encoder | None:
    """An encoder that borrows a ZeroGPU for the trunk, or None where there is none.

    Only arrays come back, no caches. When a visitor's quota is spent the trunk runs here.
    """
    try:
        import spaces  # noqa: PLC0415 - optional
    except ImportError:
        return None
    if not getattr(spaces.config.Config, "zero_gpu", False):
        return None

    @spaces.GPU(duration=seconds)
    def trunk_arrays(segmenter: Segmenter, image: Any) -> tuple[list[Floats | None], Grid]:
        segmenter.backbone.model.to("cuda")
        encoded = segmenter.encode(image)
        tensors = (*encoded.passes[0].inputs, encoded.passes[0].probabilities)
        return [x if x is None else x.float().cpu().numpy() for x in tensors], encoded.resized

    def encode(segmenter: Segmenter, image: Any) -> Encoded:
        if segmenter.window is not None:
            return segmenter.encode(image)
        try:
            arrays, resized = trunk_arrays(segmenter, image)
        except Exception:  # quota, a full queue, a failed GPU: none of them is the visitor's fault
            logger.exception("no GPU for this request; computing here")
            encoded = segmenter.encode(image)
            WITHOUT_GPU.add(encoded)
            return encoded
        backbone, size = segmenter.backbone, (image.height, image.width)
        *inputs, probabilities = (x if x is None else torch.from_numpy(x) for x in arrays)
        window = Pass(tuple(x.to(backbone.dtype) for x in inputs), ((0, 0),), probabilities)
        grid = resized[0] // backbone.patch, resized[1] // backbone.patch
        return Encoded((window,), grid, grid, size, resized, backbone.uid)

    return encode
