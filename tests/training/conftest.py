"""Data as the recipe reads them, made up: all words with vectors by lot, and a few photos."""

import json
from pathlib import Path

import numpy as np
import pytest

from gclip_core import word_lists
from training import boxes, localise
from training.words import Words, names


@pytest.fixture(scope="package")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All words that the tables name, with vectors by lot, and a few photos."""
    folder = tmp_path_factory.mktemp("data")
    table = names()
    words = {*table["captions"], *table["called"].values(), *table["synonyms"]}
    for key in ("anywhere", "people", "animals", "wide", "below", "seldom", "high", "low"):
        words.update(table[key])
    words.update(word_lists.read("worn"))
    words.update(boxes.WORDS, *localise.ALSO.values())
    for key in ("classes", "labels", "neighbours"):
        words.update(*table[key].values())
    for place in table["places"].values():
        words.update(place["there"], place["may be"])
    nouns = sorted({table["called"].get(w, w) for w in words} - set(table["stuff"]))
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((len(nouns), 512)).astype(np.float16)
    np.savez(folder / "clip-text.npz", words=np.array(nouns), embeddings=vectors)
    (folder / "imagenet-names.json").write_text(json.dumps([{"name": "golden retriever"}] * 1000))
    photos = [
        {"file": "0.jpg", "source": "mini-imagenet", "words": ["golden retriever"]},
        {"file": "1.jpg", "source": "houses", "words": ["kitchen"]},
        {"file": "2.jpg", "source": "flickr8k-1000", "captions": ["Two dogs run over a lawn ."]},
        {"file": "3.jpg", "source": "camvid", "words": ["sky", "sidewalk"]},
        {"file": "4.jpg", "source": "bsds500"},
        {"file": "5.jpg", "source": "flickr8k-1000", "captions": ["A man on a lawn ."]},
        {"file": "6.jpg", "source": "flickr8k-1000", "captions": ["A man with his dog ."]},
        {"file": "7.jpg", "source": "rooms", "words": ["dining room"]},
    ]
    for photo in photos:
        photo["size"] = [170, 150]
    (folder / "index.jsonl").write_text("".join(json.dumps(photo) + "\n" for photo in photos))
    return folder


@pytest.fixture(scope="package")
def words(data: Path) -> Words:
    return Words(data)
