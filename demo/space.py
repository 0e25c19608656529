"""ZeroGPU of a Hugging Face Space: a GPU is lent for the tower's pass over one photo."""

import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import torch
from PIL import Image

from gclip_core.encoder import Encoded
from gclip_core.segmenter import Segmenter

SECONDS = 15
"""A GPU is lent for at most so long."""
WITHOUT_GPU: WeakSet[Encoded] = WeakSet()
"""Encodings that the CPU computed because no GPU was lent."""

logger = logging.getLogger(__name__)


def encoder() -> Callable[[Segmenter, Image.Image], Encoded] | None:
    """What encodes a photo on a lent GPU; None where there is no ZeroGPU.

    A lent GPU belongs to a forked process: what that stores is lost. So only arrays come back, and
    last blocks run in this process. When a visitor's quota is spent, the CPU encodes.
    """
    try:
        import spaces  # noqa: PLC0415 - optional
    except ImportError:
        return None
    if not getattr(spaces.config.Config, "zero_gpu", False):
        return None

    @spaces.GPU(duration=SECONDS)
    def arrays(segmenter: Segmenter, image: Image.Image) -> list[Any]:
        segmenter.backbone.model.to("cuda")
        encoded = segmenter.encode(image)
        tensors = (*encoded.inputs, encoded.probabilities, encoded.pixels)
        return [x if x is None else x.float().cpu().numpy() for x in tensors]

    def encode(segmenter: Segmenter, image: Image.Image) -> Encoded:
        if segmenter.window is not None:  # many windows, more than a GPU is lent for
            return segmenter.encode(image)
        try:
            values = arrays(segmenter, image)
        except Exception as error:  # a spent quota, a full queue or a failed GPU
            logger.warning("no GPU was lent (%s); the CPU encodes", type(error).__name__)
            encoded = segmenter.encode(image)
            WITHOUT_GPU.add(encoded)
            return encoded
        backbone = segmenter.backbone
        *inputs, probabilities, pixels = (x if x is None else torch.from_numpy(x) for x in values)
        height, width = pixels.shape[1:]
        return Encoded(
            backbone=backbone,
            pixels=pixels,
            image_size=(image.height, image.width),
            window=(height // backbone.patch, width // backbone.patch),
            corners=((0, 0),),
            inputs=tuple(x.to(backbone.dtype) for x in inputs),
            probabilities=probabilities,
        )

    return encode
