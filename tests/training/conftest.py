"""Tiny synthetic photos, masks and words in the form that the recipe reads."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from gclip_core import assets
from training.archive import unpack
from training.data import Data, read
from training.features import PATCH, compute
from training.network import FEATURES
from training.pack import KEPT

SKY, DOG, WALL = 1, 2, 3
CHOOSE, REPORT = ("a", "b"), ("c", "d")


def picture(mask: np.ndarray) -> Image.Image:
    """A photo whose colours encode the mask's values."""
    colours = np.random.default_rng(0).integers(0, 255, (256, 3)).astype(np.uint8)
    return Image.fromarray(colours[mask])


def halves(left: int, right: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """A mask (H, W) with two values side by side."""
    mask = np.full(size, left, np.uint8)
    mask[:, size[1] // 2 :] = right
    return mask


def add(archive: tarfile.TarFile, name: str, image: Image.Image) -> None:
    """Add an image to a tar; JPEG's best quality preserves the colours."""
    file = io.BytesIO()
    image.save(file, "JPEG" if name.endswith("jpg") else "PNG", quality=95)
    entry = tarfile.TarInfo(name)
    entry.size = len(file.getvalue())
    file.seek(0)
    archive.addfile(entry, file)


@pytest.fixture(scope="package")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of four photos of COCO, three with masks from two sources and ten without,
    unpacked as DATA for a new model; the first model knows few words."""
    folder = tmp_path_factory.mktemp("archive")
    first = folder / "first-model"
    first.mkdir()
    for name in (*KEPT, "model.safetensors", "stem.safetensors"):
        (first / name).symlink_to(assets.path("built-in", name))
    seen = [["dog", "dogs"], ["fish"], ["ocean", "sea"], ["sky"], ["tree", "trees"], ["water"]]
    known = {"seen": seen, "neighbours": [["car"], ["wall", "walls"]], "classes": [["fish"], []]}
    (first / "words.json").write_text(json.dumps(known))

    coco = folder / "coco-val"
    coco.mkdir()
    index = []
    for file in (*CHOOSE, *REPORT):
        mask = halves(SKY, DOG if file in CHOOSE else WALL)
        picture(mask).save(coco / f"{file}.jpg", quality=95)
        Image.fromarray(mask).save(coco / f"{file}.png")
        words_of = {str(SKY): "sky"} | ({"2": "dog"} if file in CHOOSE else {"3": "wall brick"})
        index.append({"file": file, "words": words_of})
    (coco / "index.json").write_text(json.dumps(index))
    (coco / "choose.txt").write_text("\n".join(CHOOSE))
    (coco / "report.txt").write_text("\n".join(REPORT))

    sources = {
        "clothing-ccp": {"words": {"1": "tie"}, "none_of_these": [0], "ignore": [255]},
        "voc": {"words": {"2": "dog"}, "none_of_these": [0], "ignore": [255]},
        "facade": {"words": {"1": "sky", "3": "tree"}, "none_of_these": [], "ignore": [255]},
    }
    masks = {"voc/1": halves(0, DOG), "voc/2": halves(DOG, 255), "facade/1": halves(SKY, WALL)}
    masks["clothing-ccp/1"] = halves(0, 1)  # which is left out
    photos = [{"file": name, "source": name.split("/")[0], "size": [64, 48]} for name in masks]
    (folder / "masks.json").write_text(json.dumps({"sources": sources, "photos": photos}))
    with tarfile.open(folder / "masks.tar", "w") as archive:
        for name, mask in masks.items():
            add(archive, f"{name}.jpg", picture(mask))
            add(archive, f"{name}.png", Image.fromarray(mask))

    with tarfile.open(folder / "photos-0.tar", "w") as archive:
        for number in range(10):
            add(archive, f"{number:05}.jpg", picture(halves(7, 8)))
    unpack(folder, folder / "data", first)
    return folder / "data"


@pytest.fixture(scope="package")
def opened(data: Path) -> Data:
    """What `data` lists."""
    return read(data)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two photos with masks in a folder of one's own."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, mask in {"a": halves(0, DOG), "b": halves(SKY, 9)}.items():
        picture(mask).save(folder / f"{name}.jpg", quality=95)
        Image.fromarray(mask).save(folder / f"{name}.png")
    (folder / "words.txt").write_text("0: background\n1: sky\n2: raccoon  # of the zoo\n")
    return folder


def stem(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Made-up networks: features are a fixed random map of a patch's mean colour."""
    mix = torch.randn(3, FEATURES, generator=torch.Generator().manual_seed(0))
    means = F.avg_pool2d(pixels, PATCH).permute(0, 2, 3, 1) / 128 - 1
    features = means @ mix
    flat = F.normalize((features - features.mean((1, 2), keepdim=True)).flatten(1, 2), dim=-1)
    return features, flat @ flat.mT


@pytest.fixture(scope="package")
def work(opened: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the features of all photos."""
    folder = tmp_path_factory.mktemp("work")
    compute(stem, folder, [*opened.masks, *opened.others])
    return folder
