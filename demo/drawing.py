"""Values as the browser gets them: pictures, packed arrays, words, attention, norms."""

import gzip
import io
from base64 import b64encode
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageColor import getrgb
from torch import Tensor

from demo.patches import pooled
from demo.photo import Photo, kept
from demo.scene import Scene
from gclip_core.pixels import palette
from gclip_core.result import Segmentation

BLACK, WHITE = "#000000", "#ffffff"
RAMP = (0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)
HEAT = np.stack(
    [np.interp(np.linspace(0, 4, 256), range(5), channel) for channel in np.transpose(RAMP)], 1
).astype(np.uint8)
"""The colours (256, 3) of attention, from black through red to yellow, as in pixels.js."""
ATTENTION_LEVELS = 8
"""Brightness levels of what a patch attends to: more would hardly be visible and cost bytes."""
SHOWN_SIDE = 1280
"""Longest side of a mask in the browser, in pixels; a photo's is at most twice as long."""


def packed(numbers: NDArray[np.uint8]) -> dict[str, Any]:
    """An array with its shape, as gzip in a URL: browsers may add noise to pixels that scripts
    read."""
    data = gzip.compress(np.ascontiguousarray(numbers), 6, mtime=0)
    return {
        "shape": list(numbers.shape),
        "url": f"data:application/gzip;base64,{b64encode(data).decode()}",
    }


def image_bytes(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=80)
    return buffer.getvalue()


def url_of(image: Image.Image, kind: str = "png") -> str:
    """A picture as a URL that contains it."""
    return f"data:image/{kind};base64,{b64encode(image_bytes(image, kind)).decode()}"


def jpeg(photo: Photo, side: int) -> bytes:
    """The photo as it was segmented, as a JPEG whose longer side has at most ``side`` pixels."""

    def make() -> bytes:
        picture = photo.picture.copy()
        picture.thumbnail((side, side))
        return image_bytes(picture, "jpeg")

    return kept((photo, "jpeg", side), make)


def item(image: Image.Image, caption: str, alt: str, kind: str = "png") -> dict[str, Any]:
    """A picture of a strip; without a picture, a caption alone is a chip."""
    return {"url": url_of(image, kind), "alt": alt, "caption": caption}


def classes(scene: Scene) -> list[dict[str, Any]]:
    """The words with their colours, and the known word that stands for an unknown one."""
    return [
        {
            "name": name,
            "as": known if known != name else "",
            "colour": colour,
            "strength": palette.strength(colour),
            "ink": ink_on(colour),
            "isKnown": is_known,
        }
        for name, known, colour, is_known in zip(
            scene.names, scene.words.names, scene.colours, scene.is_known, strict=True
        )
    ]


def ink_on(colour: str) -> str:
    """Black or white: the one with more contrast to ``#rrggbb`` (at least 4.5:1)."""
    c = np.array(getrgb(colour)) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return BLACK if luminance > 0.179 else WHITE  # √(1.05 · 0.05) - 0.05


def small(picture: Image.Image, width: int = 320) -> Image.Image:
    """A picture at a width; less for tall ones, so that none needs much memory."""
    scale = min(width / picture.width, 4 * width / picture.height)
    return picture.resize([max(1, round(side * scale)) for side in picture.size])


def over(picture: Image.Image, values: np.ndarray) -> Image.Image:
    """A map of patches over the picture in grey, in the colours of HEAT from 0 to its maximum."""
    grey = small(picture.convert("L")).convert("RGB")
    scaled = 255 * np.clip(values / max(values.max(), 1e-9), 0, 1)
    heat = Image.fromarray(HEAT[scaled.astype(np.uint8)])
    heat = heat.resize(grey.size, Image.NEAREST if heat.width < grey.width else Image.BOX)
    return Image.blend(grey, heat, 0.72)


def painted(scene: Scene, mask: Segmentation, width: int = 320) -> Image.Image:
    """A mask over the photo, small."""
    picture = small(scene.photo.picture, width)
    return palette.painted(picture, mask.labels.numpy(), scene.colours)


def background_at(mask: Segmentation, grid: tuple[int, int]) -> dict[str, Any]:
    """The background's best word at each patch: all such words, and each patch's index."""
    if mask.background_map is None:
        return {"names": [], "best": None}
    best = F.interpolate(mask.background_map[None, None].float(), grid)[0, 0]
    return {
        "names": mask.background[:255],
        "best": packed(best.flatten().clamp(max=254).byte().numpy()),
    }


def attended(matrix: Tensor, scene: Scene, grid: tuple[int, int]) -> NDArray[np.uint8]:
    """Attention between all tokens as levels, (1 + N, n) uint8, for the n patches of ``grid``.

    The first row is what each patch receives, up to 5 × an equal share; row 1 + i is what patch i
    attends to, relative to its maximum. Square roots make small values visible.
    """
    by_patch = pooled(matrix[1:, 1:].T, scene.encoded.grid, scene.grid).T
    maps = pooled(by_patch, scene.encoded.grid, grid)
    received = (maps.mean(0, keepdim=True) / maps.mean() / 5).clamp(max=1)
    shares = maps / maps.amax(1, keepdim=True)
    return np.concatenate([levels(received.sqrt()), levels(shares.sqrt(), ATTENTION_LEVELS)])


def levels(values: Tensor, n: int = 256) -> NDArray[np.uint8]:
    """Values from 0 to 1 as n levels in 8 bits."""
    return ((n - 1) * values).round().mul(255 / (n - 1)).round().byte().numpy()


def norms_url(scene: Scene, size: tuple[float, float]) -> str:
    """The norms before and, if the method has CS, after it, as a picture."""
    from demo import plots  # noqa: PLC0415 - see plots.py

    report, threshold = scene.report, scene.settings.channel_threshold
    before = report.norms_before.numpy()
    after = report.norms_after.numpy() if scene.method.suppression else before
    plot = plots.image(plots.of_norms(before, after, scene.block, threshold, size))
    return url_of(plot.quantize(method=Image.Quantize.FASTOCTREE))  # a third of the bytes
