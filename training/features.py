"""Step 1, `features`: what the frozen networks say about every patch of the photos, computed once.

Each photo becomes one or more square views of 12 × 12 patches (sources with few photos more), some
a larger one of 20 × 20, and four things together a mosaic, since things are small on everyday
photos. Stored per view of N patches, float16 where not said otherwise:

- features (N, 904): three stages of EfficientNet-Lite2 (48, 120 and 352 channels) and the output of
  block 9 of DINO's ViT-S/14 (384), which is what the shipped stem computes;
- affinity (N, N): cosines of the Queries and of the Keys of DINO's block 12, centred, their mean;
- saliency (N,): the output of the saliency network whose backbone DINO is, 0 to 1;
- colours (N, 4) uint8: mean red, green, blue, and the deviation of the brightness.

Scenes (photos of several things, most without labels) become large views only; of mosaics the
affinity is not stored. Views come by lot: any first part of them is a fair sample. A run that was
interrupted goes on; a second process may work `backwards`.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.teachers import MEAN, STD, Classifier, Dino
from training.words import Words

SIDE, PATCH = 192, 16
GRID = SIDE // PATCH
TOKENS = GRID * GRID
STAGES = (48, 120, 352)
FEATURES = sum(STAGES) + Dino.WIDTH
SIDES = {"single": SIDE, "large": 320, "scene": 320, "mosaic": SIDE}
"""The kinds of views and their sides in pixels."""
THINGS = ("mini-imagenet", "imagenette", "imagenet-sample", "caltech-101", "pacs-photo")
"""Sources whose photos are named after one thing."""
SCENES = ("rooms", "bsds500")
"""Sources whose photos are scenes of several things: one large view each."""
_VIEWS = {"flickr8k-1000": 3, "camvid": 2}
_MOST = {
    "mini-imagenet": 5000, "caltech-101": 3000, "scenes": 2600, "houses": 1800, "pacs-photo": 1500,
    "imagenette": 600, "grocery": 600, "clothing": 600,
}  # fmt: skip
"""How many views of a source are taken at most."""
_SINGLES, _MOSAICS, _LARGE = 20_000, 2000, 1000
_BATCH = 16

View = tuple[int, ...]
"""A photo's number and the view's; or, in a mosaic, four photos' numbers."""


@dataclass(frozen=True)
class Window:
    """Which square of a photo a view is: the photo is scaled to `size` (width, height), and the
    square of `side` pixels begins at `left`, `top`."""

    size: tuple[int, int]
    left: int
    top: int
    side: int

    def place(self) -> tuple[float, float, float, float]:
        """Top, left, bottom and right of the square as shares of the photo."""
        (width, height), end = self.size, (self.left + self.side, self.top + self.side)
        return self.top / height, self.left / width, end[1] / height, end[0] / width

    def cut(self, image: Image.Image) -> NDArray[np.uint8]:
        """The view's pixels (side, side, 3)."""
        scaled = image.resize(self.size, Image.Resampling.BICUBIC)
        right, bottom = self.left + self.side, self.top + self.side
        return np.asarray(scaled.crop((self.left, self.top, right, bottom)))


def window(size: tuple[int, int], side: int, rng: random.Random, zoom: float) -> Window:
    """A square anywhere in a photo of `size`, whose shorter side is `side` to `zoom` times that."""
    scale = side * rng.uniform(1, zoom) / min(size)
    width, height = (max(side, round(n * scale)) for n in size)
    return Window(
        (width, height), rng.randint(0, width - side), rng.randint(0, height - side), side
    )


def window_of(size: tuple[int, int], row: int, kind: str) -> Window:
    """The square of the photo that the view in this row of the cache is; for all but mosaics."""
    return window(size, SIDES[kind], random.Random(row), 1.2)


def colours(view: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean red, green, blue and the deviation of the brightness of every patch: (N, 4)."""
    grid = len(view) // PATCH
    patches = view.reshape(grid, PATCH, grid, PATCH, 3).astype(np.float32)
    deviation = patches.mean(-1).std((1, 3))[..., None]
    return np.concatenate([patches.mean((1, 3)), deviation], -1).reshape(-1, 4).astype(np.uint8)


@dataclass(frozen=True)
class Cache:
    """The first n views of one kind, and what is stored of each (shapes above)."""

    views: Sequence[View]
    features: NDArray[np.float16]
    colours: NDArray[np.uint8]
    saliency: NDArray[np.float16]
    affinity: NDArray[np.float16] | None
    """None of mosaics."""


def read_cache(folder: Path, kind: str, count: int | None = None) -> Cache:
    """The first `count` views of a kind, or all. Raises ValueError if they are not computed yet."""
    views = [tuple(view) for view in json.loads((folder / f"{kind}.json").read_text())][:count]
    missing = len(views) - int(np.load(folder / f"{kind}-made.npy")[: len(views)].sum())
    if missing:
        raise ValueError(f"{missing} of {len(views)} {kind} views are missing; run `features`.")

    def part(name: str) -> NDArray:
        return np.load(folder / f"{kind}-{name}.npy", mmap_mode="r")[: len(views)]

    affinity = None if kind == "mosaic" else part("affinity")
    return Cache(views, part("features"), part("colours"), part("saliency"), affinity)


def rows_as_float(part: NDArray, rows: Sequence[int]) -> Tensor:
    """Rows of a cached array as float32."""
    return torch.from_numpy(np.stack([part[row] for row in rows])).float()


def views_of(words: Words, kind: str) -> list[View]:
    """All views of a kind, by lot, at most `_MOST` of a source."""
    if kind == "mosaic":
        rng = random.Random(11)
        pool = [n for n, photo in enumerate(words.photos) if photo["source"] in THINGS]
        return [tuple(rng.choices(pool, k=4)) for _ in range(min(_MOSAICS, len(pool)))]
    if kind == "scene":
        scenes = [n for n, photo in enumerate(words.photos) if photo["source"] in SCENES]
        random.Random(9).shuffle(scenes)
        return [(number, 0) for number in scenes]
    views = [
        (number, view)
        for number, photo in enumerate(words.photos)
        for view in range(_VIEWS.get(photo["source"], 1))
        if words.label(photo).kind != "none" and photo["source"] not in SCENES
    ]
    random.Random(7).shuffle(views)
    if kind == "large":
        fine = [view for view in views if min(words.photos[view[0]].get("size", [SIDE])) >= 128]
        return fine[:_LARGE]
    count: Counter[str] = Counter()
    kept = []
    for view in views:
        source = words.photos[view[0]]["source"]
        count[source] += 1
        if count[source] <= _MOST.get(source, len(views)):
            kept.append(view)
    random.Random(8).shuffle(kept)
    return kept[:_SINGLES]


def compute(data: Path, folder: Path, kind: str, words: Words, backwards: bool = False) -> None:
    """All that is stored of one kind of views, where an earlier run has not computed it."""
    views = views_of(words, kind)
    (folder / f"{kind}.json").write_text(json.dumps(views))
    stores, made = _stores(folder, kind, len(views)), _store(folder, kind, "made", (len(views),))
    classifier, dino = Classifier(), Dino(torch.bfloat16)
    starts = range(0, len(views), _BATCH)
    for start in reversed(starts) if backwards else starts:
        batch = slice(start, min(start + _BATCH, len(views)))
        if made[batch].all():
            continue
        pictures = [
            _picture(data, view, words, start + n, kind) for n, view in enumerate(views[batch])
        ]
        computed = describe(pictures, classifier, dino)
        for name, store in stores.items():
            store[batch] = computed[name]
        made[batch] = 1


@torch.inference_mode()
def describe(
    pictures: Sequence[NDArray[np.uint8]], classifier: Classifier, dino: Dino
) -> dict[str, NDArray]:
    """What is stored of some views (B, side, side, 3) of one size."""
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
    stages = classifier.stem.convolutions((pixels - MEAN) / STD).flatten(1, 2)
    seen = dino(pixels)
    return {
        "features": torch.cat([stages, seen.tokens], -1).numpy(),
        "affinity": seen.affinity.numpy(),
        "saliency": seen.saliency.numpy(),
        "colours": np.stack([colours(picture) for picture in pictures]),
    }


def cells(view: View) -> Iterable[tuple[Tensor, int]]:
    """The patches of each photo in a view, and its number."""
    patches = torch.arange(TOKENS).unflatten(0, (GRID, GRID))
    if len(view) == 2:
        return [(patches.flatten(), view[0])]
    quarters = (cell.flatten() for half in patches.chunk(2) for cell in half.chunk(2, dim=1))
    return zip(quarters, view, strict=True)


def _picture(data: Path, view: View, words: Words, row: int, kind: str) -> NDArray[np.uint8]:
    def photo(number: int) -> Image.Image:
        with Image.open(data / "photos" / words.photos[number]["file"]) as image:
            return image.convert("RGB")

    if kind != "mosaic":
        image = photo(view[0])
        return window_of(image.size, row, kind).cut(image)
    rng, quarters = random.Random(row), []
    for number in view:
        image = photo(number)
        quarters.append(window(image.size, SIDE // 2, rng, 1.25).cut(image))
    rows = (np.concatenate(quarters[n : n + 2], axis=1) for n in (0, 2))
    return np.concatenate([*rows])


def _stores(folder: Path, kind: str, count: int) -> dict[str, np.memmap]:
    tokens = (SIDES[kind] // PATCH) ** 2
    stores = {
        "features": _store(folder, kind, "features", (count, tokens, FEATURES), np.float16),
        "saliency": _store(folder, kind, "saliency", (count, tokens), np.float16),
        "colours": _store(folder, kind, "colours", (count, tokens, 4)),
    }
    if kind != "mosaic":
        stores["affinity"] = _store(folder, kind, "affinity", (count, tokens, tokens), np.float16)
    return stores


def _store(
    folder: Path, kind: str, part: str, shape: tuple[int, ...], dtype: type = np.uint8
) -> np.memmap:
    path = folder / f"{kind}-{part}.npy"
    if path.exists():
        return np.load(path, mmap_mode="r+")
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def run(data: Path, work: Path, backwards: bool = False) -> None:
    """Compute all kinds of views."""
    words = Words(data)
    for kind in SIDES:
        compute(data, work, kind, words, backwards)
