"""Unpack the private archive behind the card's figures as DATA, to run its folds.

    python -m training.archive ARCHIVE DATA FIRST

`ARCHIVE` has photos with masks (`masks.json`, `masks.tar`), 100 COCO photos (`coco-val/`), and
photos without masks (`photos-0.tar`). They become folders of pairs, each with `words.txt`, and a
folder of photos. `FIRST` is the folder of the first model.
"""

import argparse
import json
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

from evaluation.class_lists import BACKGROUND
from training import data as folders
from training.words import Known

LEFT_OUT = frozenset({"clothing-ccp", "furniture"})
"""Sources that are left out: garments compete with the person who wears them, and only one piece of
furniture in a photo has a mask."""
COCO = "coco"
"""The folder of COCO's photos, in which all things and all stuff have masks."""
NOT_LEARNED = frozenset({"flower"})
"""Words that mean something else in COCO's masks: those of flowers include leaves and stems."""
CALLED = {"hair drier": "hair dryer"} | dict.fromkeys(
    ("wall brick", "wall stone", "wall tile", "wall wood"), "wall"
)
"""The model's words for words of masks that it does not know."""


def unpack(archive: Path, data: Path, first: Path) -> None:
    """Write the folders, and `data.json`."""
    known = Known(first)
    with tarfile.open(archive / "masks.tar") as masks:
        masks.extractall(data, filter="data")
    with tarfile.open(archive / "photos-0.tar") as photos:
        photos.extractall(data / "words", filter="data")
    sources = json.loads((archive / "masks.json").read_text("utf-8"))["sources"]
    for name, about in sources.items():
        words = _known(known, about["words"])
        words |= dict.fromkeys(map(str, about["none_of_these"]), BACKGROUND.name)
        lines = (f"{value}: {word}\n" for value, word in words.items())
        (data / name / "words.txt").write_text("".join(lines), "utf-8")
    for name in (COCO, "coco-val"):  # to learn from, and to measure with COCO's own words
        shutil.copytree(archive / "coco-val", data / name, dirs_exist_ok=True)
    index = json.loads((archive / "coco-val" / "index.json").read_text("utf-8"))
    learned = [entry | {"words": _known(known, entry["words"])} for entry in index]
    (data / COCO / "index.json").write_text(json.dumps(learned), "utf-8")
    learned_from = [str(data / name) for name in (COCO, *sources) if name not in LEFT_OUT]
    folders.run(data, learned_from, [str(data / "words")], str(first))


def _known(known: Known, words: dict[str, str]) -> dict[str, str]:
    """Those words of a mask's values that the model knows."""
    called = {value: CALLED.get(word, word) for value, word in words.items()}
    return {
        value: word
        for value, word in called.items()
        if word not in NOT_LEARNED and known.find([word])
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("archive", "data", "first"):
        parser.add_argument(name, type=Path)
    unpack(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
