"""Step 8, `pack`: what a run learned becomes what ships in `assets/built-in/`; nothing is learned.

Matrices are stored as whole numbers of eight bits with a scale a row, everything else in float16;
the text tower's token table only for the tokens that training met. The stem's transformer is in two
files, since files of 10 MB and more are hard to host.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from training.features import SIDE
from training.network import BLOCKS, HEADS, restored
from training.teachers import PATCH, STEM, Classifier, Dino
from training.text import TEXT
from training.words import WIDTH, Words, groups

CONFIG: dict[str, Any] = {
    "embed_dim": WIDTH,
    "vision_cfg": {
        "image_size": SIDE,
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
    """Words with their other names, seen in photos or known by their neighbours alone; and the
    words of each class of the classifier."""
    seen = {n for photo in words.photos for n in words.label(photo).there}
    seen |= {n for name in words.classes for n in words.of_class(name)}
    kinds: dict[str, list[list[str]]] = {"seen": [], "neighbours": []}
    for number, group in enumerate(groups(words)):
        kinds["seen" if number in seen else "neighbours"].append(group)
    kinds = {kind: sorted(group) for kind, group in kinds.items()}
    return kinds | {"classes": [[words.all[n] for n in words.of_class(c)] for c in words.classes]}


def image_tower(state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The image tower's weights by file, from a run's network."""
    learned = restored(state).exported()
    convolutions = {f"visual.conv1.{k}": v for k, v in Classifier().state_dict().items()}
    convolutions |= {k: learned.pop(k) for k in [*learned] if k.startswith("visual.conv1.")}
    trunk = {f"visual.conv1.transformer.{k}": v for k, v in Dino().trunk.state_dict().items()}
    second = {
        name: value
        for name, value in trunk.items()
        if ".blocks." in name and int(name.split(".blocks.")[1].split(".")[0]) >= _SECOND_HALF
    }
    first = {name: value for name, value in trunk.items() if name not in second}
    return {"model": learned, "stem": convolutions, "dino-1": first, "dino-2": second}


def run(data: Path, work: Path, out: Path = Path("assets/built-in")) -> None:
    """Write the weights, model.json and words.json."""
    saved = torch.load(work / "attention.pt", weights_only=True)
    files = image_tower(saved["network"])
    files["model"]["logit_scale"] = saved["scale"].reshape(())
    text = torch.load(work / "text.pt", weights_only=True)
    tower = text["tower"]
    tower["token_rows"] = tower.pop("token_embedding.weight")
    out.mkdir(parents=True, exist_ok=True)
    for name, state in files.items():
        save_file(packed(state), out / f"{name}.safetensors")
    tokens = {"token_ids": text["ids"].to(torch.int32)}
    save_file({**packed(tower), **tokens}, out / "text.safetensors")
    (out / "model.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
    lines = (
        f' "{kind}": [\n' + ",\n".join(f"  {json.dumps(group)}" for group in of_kind) + "\n ]"
        for kind, of_kind in known(Words(data)).items()
    )
    (out / "words.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
