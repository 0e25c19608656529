"""Step 1, `features`: what the frozen networks compute of every patch of the photos, once.

Photos become square views of 12 × 12 or 20 × 20 patches. Stored per view of N patches, float16
where not said otherwise:

- features (N, 904): three stages of EfficientNet-Lite2 (48, 120 and 352 channels) and the output of
  block 9 of DINO's ViT-S/14 (384), which is what the shipped stem computes;
- affinity (N, N): cosines of the Queries and of the Keys of DINO's block 12, centred, their mean;
- saliency (N,): the output of the saliency network whose backbone DINO is, 0 to 1;
- colours (N, 4) uint8: mean red, green, blue, and the deviation of the brightness.

There are four kinds of views (`KINDS`): single photos, larger views of some of them, larger views
of scenes (the sources with `scene_views_only` in `sources.py`), and mosaics of four photos,
since things are small on everyday photos. Views come by lot: any first part of them is a fair
sample. A run that was interrupted goes on.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.sources import SOURCES, Source
from training.teachers import MEAN, PATCH, STD, Classifier, Dino
from training.words import Words

SIDE = 192
GRID = SIDE // PATCH
TOKENS = GRID * GRID
STAGES = (48, 120, 352)
FEATURES = sum(STAGES) + Dino.WIDTH
_SMALLEST = 128
"""Photos with a shorter side of fewer pixels get no large view."""
_BATCH = 16

View = tuple[int, ...]
"""A photo's number and the view's; or, in a mosaic, four photos' numbers."""


@dataclass(frozen=True)
class Kind:
    """A kind of views: their side in pixels, at most how many there are, and what is stored."""

    side: int
    most: int | None
    parts: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """The number of patches of a view."""
        return (self.side // PATCH) ** 2


KINDS = {
    "single": Kind(SIDE, 20_000, ("features", "affinity", "saliency", "colours")),
    "large": Kind(320, 1000, ("features", "affinity")),
    "scene": Kind(320, None, ("features", "affinity")),
    "mosaic": Kind(SIDE, 2000, ("features",)),
}
"""The kinds of views: at most 20,000 single ones, and so on."""


@dataclass(frozen=True)
class Window:
    """Which square of a photo a view is: the photo is scaled to `size` (width, height), and the
    square of `side` pixels begins at `left`, `top`."""

    size: tuple[int, int]
    left: int
    top: int
    side: int

    def corners(self) -> tuple[float, float, float, float]:
        """Top, left, bottom and right of the square as shares of the photo."""
        width, height = self.size
        right, bottom = self.left + self.side, self.top + self.side
        return self.top / height, self.left / width, bottom / height, right / width

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
    return window(size, KINDS[kind].side, random.Random(row), 1.2)


def colours(view: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean red, green, blue and the deviation of the brightness of every patch: (N, 4)."""
    grid = len(view) // PATCH
    patches = view.reshape(grid, PATCH, grid, PATCH, 3).astype(np.float32)
    deviation = patches.mean(-1).std((1, 3))[..., None]
    return np.concatenate([patches.mean((1, 3)), deviation], -1).reshape(-1, 4).astype(np.uint8)


@dataclass(frozen=True)
class Cache:
    """The first n views of one kind, and what is stored of each (shapes above); None of what is not
    stored of this kind."""

    views: Sequence[View]
    features: NDArray[np.float16]
    affinity: NDArray[np.float16] | None = None
    saliency: NDArray[np.float16] | None = None
    colours: NDArray[np.uint8] | None = None


def read_cache(folder: Path, kind: str, count: int | None = None) -> Cache:
    """The first `count` views of a kind, or all. Raises ValueError if they are not computed yet."""
    stored = json.loads((folder / f"{kind}.json").read_text())
    views = [tuple(view) for view in stored["views"]][:count]
    missing = len(views) - int(np.load(folder / f"{kind}-made.npy")[: len(views)].sum())
    if missing:
        raise ValueError(f"{missing} of {len(views)} {kind} views are missing; run `features`.")
    parts = {
        part: np.load(folder / f"{kind}-{part}.npy", mmap_mode="r")[: len(views)]
        for part in KINDS[kind].parts
    }
    return Cache(views, **parts)


def rows_as_float(part: NDArray, rows: Sequence[int]) -> Tensor:
    """Rows of a cached array as float32."""
    return torch.from_numpy(np.stack([part[row] for row in rows])).float()


def views_of(words: Words, kind: str) -> list[View]:
    """All views of a kind, in an order by lot."""
    photos, most = words.photos, KINDS[kind].most
    sources = [SOURCES[photo["source"]] for photo in photos]
    if kind == "mosaic":
        rng = random.Random(11)
        pool = [number for number, source in enumerate(sources) if source.one_thing]
        return [tuple(rng.choices(pool, k=4)) for _ in range(min(most, len(pool)))]
    if kind == "scene":
        pool = [number for number, source in enumerate(sources) if source.scene_views_only]
        random.Random(9).shuffle(pool)
        return [(number, 0) for number in pool]
    views = [
        (number, view)
        for number, source in enumerate(sources)
        for view in range(source.views)
        if source.reads != "none" and not source.scene_views_only
    ]
    random.Random(7).shuffle(views)
    if kind == "large":
        return [view for view in views if min(photos[view[0]]["size"]) >= _SMALLEST][:most]
    return _within_limits(views, sources)[:most]


def _within_limits(views: Sequence[View], sources: Sequence[Source]) -> list[View]:
    """Single views by lot, of no source more than its row in `sources.py` allows."""
    count: Counter[str] = Counter()
    within = []
    for view in views:
        source = sources[view[0]]
        count[source.name] += 1
        if source.most is None or count[source.name] <= source.most:
            within.append(view)
    random.Random(8).shuffle(within)
    return within


def compute(data: Path, folder: Path, kind: str, words: Words) -> None:
    """All that is stored of one kind of views, where an earlier run has not computed it.

    Raises ValueError if an earlier run computed other views.
    """
    views = views_of(words, kind)
    _claim(folder, kind, views, words)
    made = _store(folder, kind, "made", (len(views),), np.uint8)
    stores = _stores(folder, kind, len(views))
    classifier, dino = Classifier(), Dino(torch.bfloat16)
    for start in range(0, len(views), _BATCH):
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


def _claim(folder: Path, kind: str, views: Sequence[View], words: Words) -> None:
    """Write which views of which files the cache is of; ValueError if it is of others."""
    files = "\n".join(words.photos[number]["file"] for number in _photos_of(views, kind))
    wanted = {"views": views, "files": hashlib.sha256(files.encode()).hexdigest()}
    path, text = folder / f"{kind}.json", json.dumps(wanted)
    stored = path.read_text() if path.exists() else ""
    if (folder / f"{kind}-made.npy").exists() and stored != text:
        raise ValueError(
            f"The {kind} views of index.jsonl and sources.py are not those of {path}: they have "
            f"changed. Delete {folder}/{kind}.json and {folder}/{kind}-*.npy to compute them anew."
        )
    path.write_text(text)


def _photos_of(views: Sequence[View], kind: str) -> list[int]:
    """The numbers of the photos in views."""
    return [n for view in views for n in (view if kind == "mosaic" else view[:1])]


@torch.inference_mode()
def describe(
    pictures: Sequence[NDArray[np.uint8]], classifier: Classifier, dino: Dino
) -> dict[str, NDArray]:
    """What can be stored of some views (B, side, side, 3) of one size, by its name."""
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
    stages = classifier.stem.convolutions((pixels - MEAN) / STD).flatten(1, 2)
    output = dino(pixels)
    return {
        "features": torch.cat([stages, output.tokens], -1).numpy(),
        "affinity": output.affinity.numpy(),
        "saliency": output.saliency.numpy(),
        "colours": np.stack([colours(picture) for picture in pictures]),
    }


def quarters() -> list[Tensor]:
    """The patches (TOKENS / 4,) of each photo in a mosaic: upper left, upper right, lower left,
    lower right."""
    patches = torch.arange(TOKENS).unflatten(0, (GRID, GRID))
    return [tile.flatten() for half in patches.chunk(2) for tile in half.chunk(2, dim=1)]


def _picture(data: Path, view: View, words: Words, row: int, kind: str) -> NDArray[np.uint8]:
    """The pixels of a view (side, side, 3)."""
    if kind != "mosaic":
        image = _photo(data, words.photos[view[0]])
        return window_of(image.size, row, kind).cut(image)
    rng, tiles = random.Random(row), []
    for number in view:
        image = _photo(data, words.photos[number])
        tiles.append(window(image.size, SIDE // 2, rng, 1.25).cut(image))
    upper, lower = (np.concatenate(tiles[n : n + 2], axis=1) for n in (0, 2))
    return np.concatenate([upper, lower])


def _photo(data: Path, photo: Mapping[str, Any]) -> Image.Image:
    """A photo, RGB. Raises ValueError if its size is not that of `index.jsonl`."""
    with Image.open(data / "photos" / photo["file"]) as image:
        if list(image.size) != photo["size"]:
            raise ValueError(
                f"{photo['file']} has {list(image.size)} pixels (width, height), but index.jsonl "
                f"says {photo['size']}; correct its line."
            )
        return image.convert("RGB")


def _stores(folder: Path, kind: str, count: int) -> dict[str, np.memmap]:
    """The arrays of what is stored of `count` views of a kind."""
    tokens = KINDS[kind].tokens
    shapes = {
        "features": ((tokens, FEATURES), np.float16),
        "affinity": ((tokens, tokens), np.float16),
        "saliency": ((tokens,), np.float16),
        "colours": ((tokens, 4), np.uint8),
    }
    return {
        part: _store(folder, kind, part, (count, *shapes[part][0]), shapes[part][1])
        for part in KINDS[kind].parts
    }


def _store(
    folder: Path, kind: str, part: str, shape: tuple[int, ...], dtype: type[np.generic]
) -> np.memmap:
    """An array on disk, as an earlier run left it or new."""
    path = folder / f"{kind}-{part}.npy"
    if path.exists():
        return np.load(path, mmap_mode="r+")
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def run(data: Path, work: Path) -> None:
    """Compute all kinds of views. Raises ValueError for a photo without its size."""
    words = Words(data)
    for photo in words.photos:
        if len(photo.get("size", ())) != 2:
            raise ValueError(
                f'"size": [width, height] was expected in the line of {photo["file"]} in '
                "index.jsonl, but there is none."
            )
    for kind in KINDS:
        compute(data, work, kind, words)
