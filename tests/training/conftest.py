"""Tiny synthetic photos, masks and words in the form that the recipe reads."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from training import features
from training.data import Data, read, write
from training.features import PATCH, compute
from training.network import FEATURES

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


def save(folder: Path, name: str, mask: np.ndarray) -> None:
    """A photo with its mask; JPEG's best quality preserves the colours."""
    folder.mkdir(parents=True, exist_ok=True)
    picture(mask).save(folder / f"{name}.jpg", quality=95)
    Image.fromarray(mask).save(folder / f"{name}.png")


@pytest.fixture(autouse=True, scope="package")
def _few_features() -> Iterator[None]:
    """Small photos and few views, so that features are computed and read in little time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "SHORT", 320)
        patch.setattr(features, "VIEWS", 2)
        yield


@pytest.fixture(scope="package")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DATA of four photos of COCO, three with masks from two sources, and three without."""
    folder = tmp_path_factory.mktemp("DATA")
    for kind, wall in (("coco", "wall"), ("coco-val", "wall brick")):
        index = []
        for name in (*CHOOSE, *REPORT):
            other, word = (DOG, "dog") if name in CHOOSE else (WALL, wall)
            save(folder / kind, name, halves(SKY, other))
            index.append({"file": name, "words": {SKY: "sky", other: word}})
        (folder / kind / "index.json").write_text(json.dumps(index))
        (folder / kind / "choose.txt").write_text("\n".join(CHOOSE))
        (folder / kind / "report.txt").write_text("\n".join(REPORT))

    save(folder / "voc", "1", halves(0, DOG))
    save(folder / "voc", "2", halves(DOG, 255))
    (folder / "voc" / "words.txt").write_text("0: background\n2: dog\n")
    save(folder / "facade", "1", halves(SKY, WALL))
    (folder / "facade" / "words.txt").write_text("1: sky\n3: tree\n")
    (folder / "words").mkdir()
    for number in range(3):
        picture(halves(7, 8)).save(folder / "words" / f"{number}.jpg", quality=95)
    masks = [str(folder / name) for name in ("coco", "voc", "facade")]
    write(folder, masks, [str(folder / "words")])
    return folder


@pytest.fixture(scope="package")
def opened(data: Path) -> Data:
    """What `data` lists."""
    return read(data)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two photos with masks in a folder of one's own."""
    folder = tmp_path / "mine"
    save(folder, "a", halves(0, DOG))
    save(folder, "b", halves(SKY, 9))
    (folder / "words.txt").write_text("0: background\n1: sky\n2: raccoon  # of the zoo\n")
    return folder


def stem(pixels: Tensor) -> Tensor:
    """Made-up features: a fixed random map of a patch's mean colour."""
    mix = torch.randn(3, FEATURES, generator=torch.Generator().manual_seed(0))
    return F.avg_pool2d(pixels, PATCH).permute(0, 2, 3, 1) @ mix


@pytest.fixture(scope="package")
def work(opened: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the features of all photos."""
    folder = tmp_path_factory.mktemp("work")
    compute(stem, folder, [*opened.masks, *opened.others])
    return folder
