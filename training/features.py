"""Step 1, `features`: what the frozen networks compute of every photo is computed once and stored.

Nothing is learned here. Each photo gets a file, `WORK/features/NAME.npz`. Photos that have one are
skipped, so a run goes on where it stopped. A file has, for V views of h × w patches:

- features (V, h, w, 904) float16: three stages of EfficientNet-Lite2 (48, 120 and 352 channels)
  and the output of block 9 of DINO's ViT-S/14 (384). The stem that ships computes the same;
- mask (V, 4h, 4w) uint8: the mask's values, 4 × 4 a patch;
- affinity (hw, hw) float16: which patches of the first view belong together (`dino.affinity`).

The first view is the whole photo, as the model sees it: the shorter side has 320 pixels. Photos of
COCO have five more views: parts of the photo by lot at the same size, of which three are mirrored.
Photos without masks have one view and features only; their shorter side has 192 pixels.
"""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gclip_core.pixels import images
from training.data import COCO, Photo, with_masks, without_masks
from training.dino import Dino
from training.first import first_model

PATCH = 16
"""Pixels along a patch."""
MEAN, STD = 127.0, 128.0
"""What turns pixels from 0 to 255 into what the stem reads."""
SHORT, SHORT_WITHOUT = 320, 192
"""Pixels of the shorter side of photos with masks, as the model sees them, and of those without,
which are stored small."""
FINE = 4
"""Values of a mask along a patch: enough to see which patches are at a border."""
VIEWS_OF_COCO, SMALLEST = 6, 0.55
"""Views of a photo of COCO, and the least part of its sides that a view shows. No other photos have
masks of rooms, and these are few."""
BATCH = 4
"""Photos of one size that are computed together; those of COCO have six views each."""

Frozen = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Pixels (B, 3, 16h, 16w) from 0 to 255 to features (B, h, w, FEATURES) and affinities."""


@dataclass(frozen=True)
class View:
    """A part of a photo: left, top, right and bottom in pixels, and whether it is mirrored."""

    box: tuple[float, float, float, float]
    mirrored: bool = False

    def cut(self, image: Image.Image, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
        """The view of a photo or a mask at `size` (height, width)."""
        pixels = np.array(image.resize(size[::-1], how, self.box))
        return pixels[:, ::-1] if self.mirrored else pixels


def views(photo: Photo, size: tuple[int, int]) -> list[View]:
    """The views of a photo of `size` (width, height); the first is the whole photo."""
    width, height = size
    drawn = [View((0.0, 0.0, float(width), float(height)))]
    rng = random.Random(photo.name)
    for number in range(1, VIEWS_OF_COCO if photo.source == COCO else 1):
        part = rng.uniform(SMALLEST, 1)
        left, top = rng.uniform(0, (1 - part) * width), rng.uniform(0, (1 - part) * height)
        box = (left, top, left + part * width, top + part * height)
        drawn.append(View(box, number % 2 == 1))
    return drawn


class Stem:
    """Both frozen networks: pixels (B, 3, 16h, 16w) from 0 to 255 to features (B, h, w, 904), and
    affinities (B, hw, hw) of patches.

    DINO's blocks compute in bfloat16: a third of the time, at a cosine of 0.9999 with float32.
    """

    def __init__(self, data: Path) -> None:
        self.stem = first_model(data).visual.conv1
        self.dino = Dino(self.stem.transformer, torch.bfloat16)

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        pixels = (pixels - MEAN) / STD
        stages = self.stem.convolutions(pixels)
        tokens, affinity = self.dino(pixels)
        return torch.cat([stages, tokens.unflatten(1, stages.shape[1:3])], -1), affinity


def file_of(work: Path, photo: Photo) -> Path:
    """The file of what is stored of a photo."""
    return work / "features" / f"{photo.name}.npz"


def write(
    stem: Frozen, data: Path, work: Path, photos: Sequence[Photo], size: tuple[int, int]
) -> None:
    """Compute photos that are seen at one `size` (height, width), and write their files."""
    images_of = [photo.image(data) for photo in photos]
    views_of = [views(*pair) for pair in zip(photos, (i.size for i in images_of), strict=True)]
    pixels = [
        view.cut(image, size, Image.Resampling.BICUBIC)
        for image, cuts in zip(images_of, views_of, strict=True)
        for view in cuts
    ]
    features, affinity = stem(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float())
    first = 0
    for photo, cuts in zip(photos, views_of, strict=True):
        stored = {"features": features[first : first + len(cuts)].half().numpy()}
        if photo.words:
            mask, fine = photo.mask(data), tuple(side // PATCH * FINE for side in size)
            parts = [view.cut(mask, fine, Image.Resampling.NEAREST) for view in cuts]
            stored["mask"] = np.stack(parts)
            stored["affinity"] = affinity[first].half().numpy()
        first += len(cuts)
        path = file_of(work, photo)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".half.npz")
        np.savez(unfinished, **stored)
        unfinished.replace(path)


def compute(stem: Frozen, data: Path, work: Path, photos: Iterable[Photo]) -> None:
    """Write the file of every photo that has none, photos of one size together."""
    by_size = defaultdict[tuple[int, int], list[Photo]](list)
    for photo in photos:
        if not file_of(work, photo).exists():
            width, height = photo.image(data).size
            short = SHORT if photo.words else SHORT_WITHOUT
            by_size[images.target_size((height, width), short, PATCH)].append(photo)
    start, done = time.time(), 0
    count = sum(map(len, by_size.values()))
    for size, alike in by_size.items():
        for first in range(0, len(alike), BATCH):
            write(stem, data, work, alike[first : first + BATCH], size)
            done += len(alike[first : first + BATCH])
            if done % 100 < BATCH:
                seconds = (time.time() - start) / done
                print(f"{done} of {count} photos, {seconds:.2f} s each", flush=True)


def run(data: Path, work: Path) -> None:
    """Compute the features of all photos."""
    compute(Stem(data), data, work, [*with_masks(data), *without_masks(data)])
