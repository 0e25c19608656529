"""The photos to learn from: where they are, and which masks they have."""

import io
import json
import tarfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import Image

LEFT_OUT: frozenset[str] = frozenset({"clothing-ccp"})
"""Sources whose photos count for nothing: names of `masks.json` or `index.jsonl`. Garments compete
with "person", who wears them."""
UNLIKE: frozenset[str] = frozenset({"flower"})
"""Words of COCO's masks that mean something else: a mask of flowers has their leaves and stems."""
COCO = "coco"
"""The source of the photos in `coco-val`, of which every thing and all stuff has a mask."""
FIRST = "first-model"
"""The folder in DATA of the model that the recipe goes on from."""
MOST = 8
"""Photos of a source with the same label that count at most: the first ones. These make 3,378, of
many kinds."""


@dataclass(frozen=True)
class Photo:
    """A photo of `source`; those with a mask have `words`.

    `words` maps the mask's values to words. A pixel of a value in `none` is none of the source's
    words; other values are unknown. `path` is in `archive`, a tar, or if that is None, in DATA.
    """

    name: str
    source: str
    archive: str | None
    path: str
    words: Mapping[int, str] = field(default_factory=dict)
    none: frozenset[int] = frozenset()

    def image(self, data: Path) -> Image.Image:
        """The photo, RGB."""
        return self._open(data, f"{self.path}.jpg").convert("RGB")

    def mask(self, data: Path) -> Image.Image:
        """The mask, one value a pixel."""
        return self._open(data, f"{self.path}.png")

    def _open(self, data: Path, path: str) -> Image.Image:
        if self.archive is None:
            return Image.open(data / path)
        return Image.open(io.BytesIO(_archive(data / self.archive).extractfile(path).read()))


@cache
def _archive(path: Path) -> tarfile.TarFile:
    """An archive, opened once: finding its members takes a while."""
    return tarfile.open(path)


def with_masks(data: Path, left_out: frozenset[str] = LEFT_OUT) -> list[Photo]:
    """The photos with masks of some word; those of COCO come first."""
    photos = [
        Photo(
            f"{COCO}/{item['file']}",
            COCO,
            None,
            f"coco-val/{item['file']}",
            {int(value): word for value, word in item["words"].items() if word not in UNLIKE},
        )
        for item in json.loads((data / "coco-val" / "index.json").read_text("utf-8"))
    ]
    index = json.loads((data / "masks.json").read_text("utf-8"))
    for item in index["photos"]:
        about = index["sources"][item["source"]]
        words = {int(value): word for value, word in about["words"].items()}
        none = frozenset(about["none_of_these"])
        photos.append(Photo(item["file"], item["source"], "masks.tar", item["file"], words, none))
    return [photo for photo in photos if photo.words and photo.source not in left_out]


def without_masks(data: Path, left_out: frozenset[str] = LEFT_OUT) -> list[Photo]:
    """Photos without masks: at most `MOST` of a source with the same label. Photos with captions,
    which have no label, do not count."""
    photos, count = [], Counter[tuple[str, ...]]()
    for line in (data / "index.jsonl").read_text("utf-8").splitlines():
        item = json.loads(line)
        kind = (item["source"], *item.get("words", ()))
        count[kind] += 1
        if len(kind) > 1 and count[kind] <= MOST:
            path = item["file"].removesuffix(".jpg")
            photos.append(Photo(f"words/{path}", item["source"], f"photos-{item['tar']}.tar", path))
    return [photo for photo in photos if photo.source not in left_out]


def check_sources(data: Path, left_out: frozenset[str] = LEFT_OUT) -> None:
    """Raises ValueError if a source that is left out does not exist."""
    with_mask = json.loads((data / "masks.json").read_text("utf-8"))["sources"]
    lines = (data / "index.jsonl").read_text("utf-8").splitlines()
    sources = {COCO, *with_mask, *(json.loads(line)["source"] for line in lines)}
    if unknown := left_out - sources:
        raise ValueError(
            f"LEFT_OUT in training/data.py has {', '.join(sorted(unknown))}, but the sources of "
            f"{data} are {', '.join(sorted(sources))}. Correct the name, or take it out."
        )


def half(data: Path, name: str | None) -> set[str]:
    """The names of a half of COCO's photos, `choose` or `report`; none for None."""
    if name is None:
        return set()
    return {f"{COCO}/{key}" for key in (data / "coco-val" / f"{name}.txt").read_text().split()}


def folder_of(work: Path, without: str | None, seed: int) -> Path:
    """The folder of what a run learns, without a half of COCO's photos."""
    folder = work / f"without-{without or 'nothing'}-{seed}"
    folder.mkdir(exist_ok=True)
    return folder
