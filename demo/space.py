"""ZeroGPU of a Hugging Face Space: a GPU is lent for the tower's pass over one photo.

A lent GPU belongs to a forked process: arguments and results are pickled, and what it stores is
lost. So the backbone is passed by name, the encoding is returned as bytes, because pickled tensors
would share the process's memory, and last blocks run here.
"""

import io
import logging
from collections.abc import Callable
from dataclasses import fields
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from demo import backbones
from gclip_core.encoder import Encoded
from gclip_core.segmenter import Segmenter

SECONDS = 15
"""The longest time for which a GPU is lent, for one photo."""
DEVICE = "cuda"
"""The device of the process that has the GPU."""
REASONS = {
    "quota": "The GPU quota is used up, so the CPU computed this photo.",
    "queue": "No GPU was free, so the CPU computed this photo.",
    "error": "The GPU failed, so the CPU computed this photo.",
}
NOT_LENT: WeakKeyDictionary[Encoded, str] = WeakKeyDictionary()
"""Why the CPU computed an encoding: a key of REASONS."""

logger = logging.getLogger(__name__)


def encoder() -> Callable[[Segmenter, Image.Image], Encoded] | None:
    """Returns the function that encodes a photo on a lent GPU; None where there is no ZeroGPU."""
    try:
        import spaces  # noqa: PLC0415 - optional
    except ImportError:
        return None
    if not spaces.config.Config.zero_gpu:
        return None
    borrow = spaces.GPU(duration=SECONDS)(encode_there)

    def encode(segmenter: Segmenter, photo: Image.Image) -> Encoded:
        backbone = segmenter.backbone
        settings = backbone.name, segmenter.short_side, segmenter.max_patches
        try:
            data = borrow(np.asarray(photo), *settings)
        except Exception as error:  # whatever the scheduler or the GPU's process raises
            encoded = segmenter.encode(photo)
            NOT_LENT[encoded] = reason(error)
            logger.warning("no GPU (%s): the CPU encodes", NOT_LENT[encoded])
            return encoded
        # Only tensors and tuples are read, so an encoding has no other fields.
        values = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        return Encoded(backbone, **values)

    return encode


def encode_there(
    photo: NDArray[np.uint8], name: str, short_side: int | None, max_patches: int
) -> bytes:
    """Runs in the GPU's process: encodes a photo, (H, W, 3), with the backbone of that name.

    Returns the fields of the encoding except the backbone, as ``torch.save`` writes them. If the
    backbone was loaded after that process was forked, it is loaded there once more.
    """
    torch.set_num_threads(1)  # threads of OpenMP do not survive a fork: waiting for them hangs
    backbone = backbones.get(name)
    backbone.model.to(DEVICE)
    encoded = Segmenter(backbone, short_side, max_patches=max_patches).encode(photo)
    names = [field.name for field in fields(encoded) if field.init and field.name != "backbone"]
    data = io.BytesIO()
    torch.save({name: getattr(encoded, name) for name in names}, data)
    return data.getvalue()


def reason(error: Exception) -> str:
    """Why no GPU was lent, a key of REASONS, from the title and the message of the package."""
    text = f"{getattr(error, 'title', '')} {getattr(error, 'message', '')}"
    if "No GPU was available" in text:
        return "queue"
    return "quota" if "quota" in text or "credits" in text else "error"
