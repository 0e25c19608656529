"""Step ``features`` computes the features of every photo with the stem's frozen networks, once.

Nothing is learned here. Each photo gets a file, ``WORK/features/NAME.npz``. A photo is skipped if
it has one with its digest, so an interrupted run continues, and a corrected mask counts. For V
views of h × w patches, a file has

- digest: that of the photo, its mask, the words of its labels and the model;
- features (V, h, w, 904) float16: three stages of EfficientNet-Lite2 (48, 120 and 352 channels)
  and the output of block 9 of DINO's ViT-S/14 (384), as the stem of the model computes them;
- labels (V, 4h, 4w) int16 for photos with masks: 4 × 4 labels per patch.

The first view is the whole photo at the model's input size. Photos from sources with few photos
have five more views: random crops of the photo at the same size, three of them mirrored. For photos
without masks, one view is stored; small ones are enlarged less.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gclip_core.backbones.load import load_backbone
from gclip_core.backbones.registry import BACKBONES, BUILT_IN
from gclip_core.pixels import images
from training.data import TrainingPhoto, read

MODEL = BACKBONES[BUILT_IN]
"""The sizes and the normalisation with which the model sees a photo."""
PATCH, SHORT = MODEL.patch, MODEL.short_side
MEAN, STD = 255 * MODEL.mean[0], 255 * MODEL.std[0]
"""For pixels from 0 to 255; the same for each colour."""
SMALL, SHORT_OF_SMALL = 200, 192
"""A photo without a mask is small if its shorter side has fewer pixels than the first number; it is
then resized to the second one."""
FINE = 4
"""Labels along a patch: enough to tell which patches are at a border."""
FEW, VIEWS, LEAST_PART = 100, 6, 0.55
"""The most photos of a source whose photos get several views, the number of these, and the least
part of a photo's width and height that a view shows."""

Frozen = Callable[[Tensor], Tensor]
"""Normalised pixels (B, 3, 16h, 16w) to features (B, h, w, FEATURES)."""


@dataclass(frozen=True)
class Crop:
    """A crop of a photo: left, top, right and bottom in pixels, and whether it is mirrored."""

    box: tuple[float, float, float, float]
    mirrored: bool = False

    def cut(self, image: Image.Image, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
        """The view of a photo or a mask at ``size`` (height, width)."""
        pixels = np.array(image.resize(size[::-1], how, self.box))
        return pixels[:, ::-1] if self.mirrored else pixels


def crops(name: str, size: tuple[int, int], count: int) -> list[Crop]:
    """Views of the photo ``name`` of ``size`` (width, height); the first is the whole photo."""
    width, height = size
    drawn = [Crop((0.0, 0.0, float(width), float(height)))]
    rng = random.Random(name)
    for number in range(1, count):
        part = rng.uniform(LEAST_PART, 1)
        left, top = rng.uniform(0, (1 - part) * width), rng.uniform(0, (1 - part) * height)
        box = (left, top, left + part * width, top + part * height)
        drawn.append(Crop(box, number % 2 == 1))
    return drawn


def file_of(work: Path, photo: TrainingPhoto) -> Path:
    """The file of a photo's features."""
    return work / "features" / f"{photo.name}.npz"


def has_file(work: Path, photo: TrainingPhoto) -> bool:
    """Whether the file of a photo's features is of this photo, mask, words and model."""
    path = file_of(work, photo)
    if not path.exists():
        return False
    with np.load(path) as arrays:
        return "digest" in arrays and arrays["digest"] == photo.digest


def write(stem: Frozen, work: Path, photo: TrainingPhoto, count: int) -> None:
    """Computes ``count`` views of a photo, and writes its file."""
    image, labels = photo.load()
    is_small = photo.source is None and min(image.size) < SMALL
    short = SHORT_OF_SMALL if is_small else SHORT
    size = images.target_size((image.height, image.width), short, PATCH)
    cuts = crops(photo.name, image.size, count)
    pixels = np.stack([view.cut(image, size, Image.Resampling.BICUBIC) for view in cuts])
    features = stem((torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - MEAN) / STD)
    stored = {"digest": np.array(photo.digest), "features": features.half().numpy()}
    if photo.source is not None:
        mask, fine = Image.fromarray(labels), tuple(side // PATCH * FINE for side in size)
        parts = [view.cut(mask, fine, Image.Resampling.NEAREST) for view in cuts]
        stored["labels"] = np.stack(parts).astype(np.int16)
    path = file_of(work, photo)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".half.npz")
    np.savez(unfinished, **stored)
    unfinished.replace(path)


def compute(stem: Frozen, work: Path, photos: Sequence[TrainingPhoto]) -> None:
    """Writes the file of every photo that has none, or one with another digest."""
    size_of = Counter(photo.source for photo in photos)
    missing = [photo for photo in photos if not has_file(work, photo)]
    start = time.time()
    for done, photo in enumerate(missing, 1):
        few = photo.source is not None and size_of[photo.source] <= FEW
        write(stem, work, photo, VIEWS if few else 1)
        if done % 10 == 0 or done == len(missing):
            seconds = (time.time() - start) / done
            print(f"{done} of {len(missing)} photos, {seconds:.2f} s each", flush=True)


@torch.inference_mode()
def run(data: Path, work: Path) -> None:
    """Computes the features of all photos."""
    opened = read(data)
    compute(load_backbone().visual.conv1.features, work, [*opened.masks, *opened.others])
