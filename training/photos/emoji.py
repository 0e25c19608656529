"""Emoji scenes as one more source of photos, with the words of whole scenes.

    python -m training.photos.emoji DATA

Adds scenes in the styles that the scene model was trained on to DATA, from seeds that nothing else
uses. Their masks stay where they are; scenes with a word that has no vector are left out.
"""

import argparse
import json
from pathlib import Path

from gclip_core import scenes
from training.photos.features import SIDE
from training.photos.words import EMOJI, Words, names

_FIRST_SEED = 10_000_000


def add(data: Path, count: int) -> None:
    """Write `count` scenes to `photos/` and their lines to `index.jsonl`, whole or not at all."""
    words, lines, seed = Words(data), [], _FIRST_SEED
    known = set(words.all)
    if any(photo["source"] == EMOJI for photo in words.photos):
        return
    while len(lines) < count:
        scene, file = scenes.compose(seed, (SIDE, SIDE), "seen"), f"{EMOJI}-{seed}.png"
        seed += 1
        called = [names()["drawn"].get(word, word) for word in scene.words]
        if len(set(called)) == len(called) and set(called) <= known:
            scene.image.save(data / "photos" / file)
            lines.append(json.dumps({"file": file, "source": EMOJI, "words": called}))
    index = data / "index.jsonl"
    index.write_text(index.read_text("utf-8").rstrip("\n") + "\n" + "\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Add emoji scenes to the photos.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    given = parser.parse_args()
    add(given.data, given.count)


if __name__ == "__main__":
    main()
