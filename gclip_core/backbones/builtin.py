"""The built-in model's files, in ``assets/built-in/`` or in a folder that ``training`` wrote.

``model.json`` is an open_clip configuration with the settings of the stem. ``words.json`` has the
words that the model knows and those of the stem's classes. ``nearest.txt.gz`` maps
WordNet's nouns to them; our list ``lists/nearest.txt`` maps other words and takes precedence.
Weights may be stored as integers with one scale per row, and in several files. The token embedding
has only the rows of trained tokens. ``SHA256SUMS`` has the digests of all these files, as
``sha256sum`` writes them.
"""

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from typing import Any

import torch

from gclip_core import lists
from gclip_core.backbones.weights import StateDict
from gclip_core.errors import BackboneError

SETTINGS = ("model.json", "words.json", "nearest.txt.gz")
SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class KnownWords:
    """The words that a backbone knows; ``words`` has all of them in lower case.

    ``seen`` are the words of its training photos, each with its synonyms; ``class_words`` are the
    words of each class of its stem. ``nearest`` reads ``wordnet``, a file of words and their nouns.
    ``taught`` are the words that ``training`` taught with masks, each as its group's first word.
    """

    words: frozenset[str]
    seen: tuple[tuple[str, ...], ...]
    class_words: tuple[tuple[str, ...], ...]
    wordnet: Path
    taught: frozenset[str] = frozenset()

    @cached_property
    def nearest(self) -> Mapping[str, str]:
        """Maps other English nouns to the nearest known word, or to "" if none is near."""
        try:
            text = gzip.decompress(self.wordnet.read_bytes()).decode()
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise BackboneError(f"{self.wordnet} is damaged: {error}. Copy it again.") from error
        nouns = dict(lists.entries(text))
        return {
            noun: word if word in self.words else ""
            for table in (nouns, lists.read("nearest"))
            for word, near in table.items()
            for noun in near
            if noun not in self.words
        }


def files(folder: Path) -> list[Path]:
    """The weight files of a folder. Raises BackboneError if it lacks weights, words or settings."""
    weights = sorted(folder.glob("*.safetensors"))
    if not weights or not all((folder / name).is_file() for name in SETTINGS):
        raise BackboneError(
            f"The folder '{folder.name}' lacks some of the files of a built-in model "
            f"({', '.join(SETTINGS)} and .safetensors files). Reinstall the package, or choose "
            "the folder `packed` that `python -m training` wrote."
        )
    return weights


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 digest of each of a folder's files, by name."""
    found = dict[str, str]()
    for path in sorted((*files(folder), *(folder / name for name in SETTINGS))):
        with path.open("rb") as file:
            found[path.name] = file_digest(file, "sha256").hexdigest()
    return found


def check(folder: Path) -> None:
    """Raises BackboneError if a file has not the digest that the folder's list, if any, names."""
    if not (folder / SUMS).is_file():
        return
    found = digests(folder)
    for line in (folder / SUMS).read_text("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        if found.get(name) != digest:
            raise BackboneError(
                f"'{name}' of the model in '{folder.name}' is damaged: its digest is not that in "
                f"{SUMS}. Reinstall the package, or pack your own model again; if you changed the "
                f"file yourself, delete {SUMS}."
            )


def settings(folder: Path) -> dict[str, Any]:
    """The settings of the model's towers."""
    content = json.loads((folder / "model.json").read_text("utf-8"))
    return {name: content[name] for name in ("embed_dim", "vision_cfg", "text_cfg", "stem")}


def known_words(folder: Path) -> KnownWords:
    """The words that the model knows."""
    groups = json.loads((folder / "words.json").read_text("utf-8"))
    # A word that it saw in no photo is read as the list says: a boy as a person.
    elsewhere = {noun for near in lists.read("nearest").values() for noun in near}
    unseen = groups.get("neighbours", ())
    groups["neighbours"] = [group for group in unseen if elsewhere.isdisjoint(group)]
    return KnownWords(
        frozenset(word.lower() for kind in groups.values() for group in kind for word in group),
        tuple(map(tuple, groups["seen"])),
        tuple(map(tuple, groups["classes"])),
        folder / "nearest.txt.gz",
        frozenset(group[0] for group in groups.get("taught", ())),
    )


def unpack(state: StateDict, vocabulary: int, title: str) -> StateDict:
    """The state dict of an open_clip CLIP whose text tower has ``vocabulary`` tokens.

    ``name.scale`` has the scale of each row of ``name``. ``token_rows`` (n, width) are the rows
    ``token_ids`` (n,) of ``token_embedding.weight``; the other rows are zero. Raises BackboneError
    for the state dict of another model.
    """
    full = dict(state)
    try:
        for key in [key for key in state if key.endswith(".scale")]:
            name, scale = key.removesuffix(".scale"), full.pop(key).float()
            rows = full[name].float()
            full[name] = rows * scale.reshape(-1, *[1] * (rows.ndim - 1))
        if "token_ids" in full:
            ids, rows = full.pop("token_ids"), full.pop("token_rows").float()
            table = torch.zeros(vocabulary, rows.shape[1])
            full["token_embedding.weight"] = table.index_copy_(0, ids.long(), rows)
    except (IndexError, KeyError, RuntimeError) as error:
        raise BackboneError(
            f"These weights are not those of {title}: rows of tokens or scales do not belong "
            "together. Choose the backbone that the file belongs to."
        ) from error
    return full
