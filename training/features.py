"""Photos to cached features: what the frozen teachers say about every patch, computed once.

DATA holds `index.jsonl` and `photos/`. Each photo becomes one or more square views (sources with
few photos more), some a larger one, and four things together a mosaic, since things are small on
everyday photos. Per view: the stem's features, how alike its patches are (`Grouping`), how much
each patch speaks for the thing the photo is named after (the classifier's class activation), how
much of it people cover (`People`), and its mean colour and roughness. Resumable. Views come by lot:
any first part is a fair sample.
"""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.teachers import Classifier, Grouping, People
from training.words import Words

SIDE, PATCH = 192, 16
GRID = SIDE // PATCH
TOKENS = GRID * GRID
FEATURES = 48 + 120 + 352
SIDES = {"single": SIDE, "mosaic": SIDE, "large": 320}
"""The kinds of views and their sides in pixels."""
_VIEWS = {"flickr8k-1000": 3, "houses": 2, "idd-lite": 2, "camvid": 2}
_THINGS = ("mini-imagenet", "imagenette", "imagenet-sample", "caltech-101", "pacs-photo")
_MOSAICS, _LARGE = 2000, 1000
_BATCH = 16
_PARTS = ("features", "activation", "colours", "affinity", "people")

View = tuple[int, ...]
"""A photo's number and the view's; or, in a mosaic, four photos' numbers."""


def crop(image: Image.Image, side: int, rng: random.Random, zoom: float) -> NDArray[np.uint8]:
    """A square of a photo whose shorter side is `side` to `zoom` times as long, anywhere in it."""
    scale = side * rng.uniform(1, zoom) / min(image.size)
    width, height = (max(side, round(n * scale)) for n in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = rng.randint(0, width - side), rng.randint(0, height - side)
    return np.asarray(image.crop((left, top, left + side, top + side)))


def colours(view: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mean red, green, blue and the deviation of the brightness of every patch: (N, 4)."""
    grid = len(view) // PATCH
    patches = view.reshape(grid, PATCH, grid, PATCH, 3).astype(np.float32)
    rough = patches.mean(-1).std((1, 3))[..., None]
    return np.concatenate([patches.mean((1, 3)), rough], -1).reshape(-1, 4).astype(np.uint8)


@dataclass(frozen=True)
class Cache:
    """Views and what is known of each: features (n, N, FEATURES) float16, activation (n, N)
    float16, colours (n, N, 4) uint8, affinity (n, N, N) float16, and how much of each patch people
    cover, (n, N) float16."""

    views: Sequence[View]
    features: NDArray[np.float16]
    activation: NDArray[np.float16]
    colours: NDArray[np.uint8]
    affinity: NDArray[np.float16]
    people: NDArray[np.float16]


def opened(folder: Path, kind: str) -> Cache:
    """Views of one kind, as far as they are made; what is not made of this kind is empty."""
    views = json.loads((folder / f"{kind}.json").read_text())
    done = int((folder / f"{kind}.done").read_text())
    files = [folder / f"{kind}-{part}.npy" for part in _PARTS]
    nothing = np.empty(0, np.float16)
    parts = [np.load(f, mmap_mode="r")[:done] if f.exists() else nothing for f in files]
    return Cache(views[:done], *parts)


def views_of(words: Words, kind: str) -> list[View]:
    """All views of a kind, by lot; every photo's first one comes before any second one."""
    if kind == "mosaic":
        rng = random.Random(11)
        pool = [n for n, photo in enumerate(words.photos) if photo["source"] in _THINGS]
        return [tuple(rng.choices(pool, k=4)) for _ in range(min(_MOSAICS, len(pool)))]
    found = [
        (number, view)
        for number, photo in enumerate(words.photos)
        for view in range(_VIEWS.get(photo["source"], 1))
        if words.label(photo).kind != "none"
    ]
    random.Random(7).shuffle(found)
    if kind == "single":
        return sorted(found, key=lambda view: view[1] > 0)
    fine = [view for view in found if min(words.photos[view[0]].get("size", [SIDE])) >= 128]
    return fine[:_LARGE]


def compute(data: Path, folder: Path, kind: str, words: Words, stem: Classifier) -> None:
    """All of one kind of views but activations, from where an earlier run left off."""
    views, tokens = views_of(words, kind), (SIDES[kind] // PATCH) ** 2
    (folder / f"{kind}.json").write_text(json.dumps(views))
    marker = folder / f"{kind}.done"
    done = int(marker.read_text()) if marker.exists() else 0
    found = _store(folder, kind, "features", (len(views), tokens, FEATURES))
    seen = _store(folder, kind, "colours", (len(views), tokens, 4), np.uint8)
    if kind != "mosaic":
        grouping = Grouping()
        alike = _store(folder, kind, "affinity", (len(views), tokens, tokens))
    if kind == "single":
        people, covered = People(), _store(folder, kind, "people", (len(views), tokens))
    for start in range(done, len(views), _BATCH):
        some = slice(start, min(start + _BATCH, len(views)))
        pictures = [
            _picture(data, v, words, start + i, SIDES[kind]) for i, v in enumerate(views[some])
        ]
        with torch.inference_mode():
            pixels = (_pixels(pictures) - 127) / 128
            found[some] = stem.stem.features(pixels).flatten(1, 2).half().numpy()
            if kind != "mosaic":
                side = SIDES[kind] // PATCH * 14
                smaller = [
                    np.asarray(Image.fromarray(p).resize((side, side), Image.Resampling.BICUBIC))
                    for p in pictures
                ]
                alike[some] = grouping(_pixels(smaller)).half().numpy()
        if kind == "single":
            pixels = torch.from_numpy(np.stack([people(picture) for picture in pictures]))
            covered[some] = F.avg_pool2d(pixels, PATCH).flatten(1).numpy()
        seen[some] = [colours(picture) for picture in pictures]
        marker.write_text(str(some.stop))


def activate(folder: Path, words: Words, stem: Classifier) -> None:
    """How much each patch speaks for the thing its photo is named after, 1 where most.

    By the classifier's own class where it has one of that name, else by a linear classifier of the
    labels that it lacks, learned here on what it averages over a photo's patches.
    """
    own = dict(zip(reversed(words.classes), stem.stem.classes.weight.flip(0), strict=True))
    rows = {**_learned_rows(opened(folder, "single"), words, stem), **own}
    for kind in ("single", "mosaic"):
        cache = opened(folder, kind)
        out = _store(folder, kind, "activation", cache.features.shape[:2])
        for number, view in enumerate(cache.views):
            for cell, photo in cells(view):
                if words.label(words.photos[photo]).kind == "thing":
                    found = stem.deep(cache.features[number, cell.numpy()])
                    found = found @ rows[words.photos[photo]["words"][0]]
                    found = (found / found.max().clamp_min(1e-3)).clamp(-1, 1)
                    out[number, cell.numpy()] = found.half().numpy()


def _learned_rows(cache: Cache, words: Words, stem: Classifier) -> dict[str, Tensor]:
    """Rows of a linear classifier (1280,) for the labels of things."""
    things = [
        (row, words.photos[photo]["words"][0])
        for row, (photo, _) in enumerate(cache.views)
        if words.label(words.photos[photo]).kind == "thing"
    ]
    labels = sorted({label for _, label in things})
    targets = torch.tensor([labels.index(label) for _, label in things])
    means = torch.stack([stem.deep(cache.features[row]).mean(0) for row, _ in things])
    spread = means.std(0) + 1e-3
    means = (means - means.mean(0)) / spread
    torch.manual_seed(0)
    layer = torch.nn.Linear(means.shape[1], len(labels))
    optimiser = torch.optim.AdamW(layer.parameters(), lr=3e-3, weight_decay=0.3)
    for _ in range(12):
        for rows in torch.randperm(len(targets)).split(256):
            loss = F.cross_entropy(layer(means[rows]), targets[rows], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] *= 0.8
    return dict(zip(labels, (layer.weight / spread).detach(), strict=True))


def cells(view: View) -> Iterable[tuple[Tensor, int]]:
    """The patches of each photo in a view, and its number."""
    patches = torch.arange(TOKENS).unflatten(0, (GRID, GRID))
    if len(view) == 2:
        return [(patches.flatten(), view[0])]
    quarters = (cell.flatten() for half in patches.chunk(2) for cell in half.chunk(2, dim=1))
    return zip(quarters, view, strict=True)


def _picture(data: Path, view: View, words: Words, seed: int, side: int) -> NDArray[np.uint8]:
    rng = random.Random(seed)

    def cut(photo: int, side: int, zoom: float) -> NDArray[np.uint8]:
        with Image.open(data / "photos" / words.photos[photo]["file"]) as image:
            return crop(image.convert("RGB"), side, rng, zoom)

    if len(view) == 2:
        return cut(view[0], side, 1.2)
    one, two, three, four = (cut(photo, side // 2, 1.25) for photo in view)
    return np.concatenate([np.concatenate([one, two], 1), np.concatenate([three, four], 1)])


def _pixels(pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


def _store(
    folder: Path, kind: str, part: str, shape: tuple[int, ...], dtype: type = np.float16
) -> np.memmap:
    path = folder / f"{kind}-{part}.npy"
    if path.exists():
        return np.load(path, mmap_mode="r+")
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def run(data: Path, work: Path) -> None:
    """Write all caches."""
    words, stem = Words(data), Classifier()
    for kind in SIDES:
        compute(data, work, kind, words, stem)
    activate(work, words, stem)
