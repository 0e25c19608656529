"""Step 6, `pack`: what a run learned becomes what ships in `assets/built-in/`; nothing is learned.

Matrices are stored as whole numbers of eight bits with a scale a row, everything else in float16;
the text tower's token table only for the tokens that training met. The stem's transformer is in two
files, since files of 10 MB and more are hard to host. `words.json` has the words, `nearest.txt.gz`
the nearest word that a photo or a mask has for nouns of WordNet (`nearest.py`).
"""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from training import frozen, nearest
from training.data import folder_of
from training.frozen import PATCH, STEM
from training.map import SCALE
from training.network import BLOCKS, GRID, HEADS, restored
from training.text import TEXT
from training.vocabulary import WIDTH, Words, groups

BUILT_IN = Path("assets/built-in")
CONFIG: dict[str, Any] = {
    "embed_dim": WIDTH,
    "vision_cfg": {
        "image_size": GRID * PATCH,
        "layers": BLOCKS,
        "width": WIDTH,
        "head_width": WIDTH // HEADS,
        "patch_size": PATCH,
    },
    "text_cfg": {**TEXT, "vocab_size": 49408},
    "stem": STEM,
}
"""open_clip's configuration, with the stem's."""
_SECOND_HALF = 5  # the stem's blocks from this one on are in the second file
_SMALL = 4096  # numbers; smaller tensors stay in float16


def packed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices as int8 and ``name.scale``, one a row; the rest as float16."""
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        value = value.detach().float().contiguous()
        if value.ndim < 2 or value.numel() <= _SMALL:
            out[name] = value.half()
            continue
        scale = (value.flatten(1).abs().amax(1) / 127).clamp_min(6e-8).half()
        rows = value / scale.float().reshape(-1, *[1] * (value.ndim - 1))
        out[name] = rows.round().clamp(-127, 127).to(torch.int8)
        out[f"{name}.scale"] = scale
    return out


def known(words: Words) -> dict[str, list[list[str]]]:
    """Words with their other names, which a photo or a mask has ("seen") or CLIP's table alone
    ("neighbours"); and the seen words of each class of the classifier."""
    seen = {*words.with_masks, *words.with_photos}
    kinds: dict[str, list[list[str]]] = {"seen": [], "neighbours": []}
    for number, group in enumerate(groups(words)):
        kinds["seen" if number in seen else "neighbours"].append(group)
    kinds = {kind: sorted(group) for kind, group in kinds.items()}
    of_classes = ([n for n in words.of_class(name) if n in seen] for name in words.classes)
    return kinds | {
        "classes": [[words.all[number] for number in of_class] for of_class in of_classes]
    }


def image_tower(
    state: Mapping[str, Tensor], stem_weights: Mapping[str, Tensor]
) -> dict[str, dict[str, Tensor]]:
    """The image tower's weights by file, from a run's network and the stem's frozen weights."""
    learned = restored(state).exported()
    stem = {f"visual.conv1.{name}": value for name, value in stem_weights.items()}
    stem |= {name: learned.pop(name) for name in [*learned] if name.startswith("visual.conv1.")}
    files: dict[str, dict[str, Tensor]] = {"model": learned, "stem": {}, "dino-1": {}, "dino-2": {}}
    for name, value in stem.items():
        _, is_dino, place = name.partition(".transformer.")
        block = int(place.split(".")[1]) if place.startswith("blocks.") else 0
        file = ("dino-2" if block >= _SECOND_HALF else "dino-1") if is_dino else "stem"
        files[file][name] = value
    return files


def run(data: Path, work: Path, without: str | None = None, seed: int = 0) -> None:
    """Write weights, model.json, words.json and nearest.txt.gz: those that ship by photos of both
    halves and seed 0, else into the run's own folder."""
    ships = without is None and seed == 0
    folder = folder_of(work, without, seed)
    out = BUILT_IN if ships else folder / "packed"
    out.mkdir(parents=True, exist_ok=True)
    files = image_tower(torch.load(folder / "attention.pt"), frozen.stem_weights())
    files["model"]["logit_scale"] = torch.tensor(SCALE).log()
    text = torch.load(work / "text.pt")
    text["tower"]["token_rows"] = text["tower"].pop("token_embedding.weight")
    for name, state in files.items():
        save_file(packed(state), out / f"{name}.safetensors")
    tokens = {"token_ids": text["ids"].to(torch.int32)}
    save_file({**packed(text["tower"]), **tokens}, out / "text.safetensors")
    (out / "model.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
    words = known(Words(data))
    lines = (
        f' "{kind}": [\n' + ",\n".join(f"  {json.dumps(group)}" for group in of_kind) + "\n ]"
        for kind, of_kind in words.items()
    )
    (out / "words.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    leading = nearest.table(words)
    lines = (f"{word}: {'; '.join(leading[word])}\n" for word in sorted(leading))
    (out / "nearest.txt.gz").write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
