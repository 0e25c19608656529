"""Turn a run into what ships in `assets/built-in/`.

Matrices are stored as whole numbers of eight bits with a scale a row, everything else in float16;
the text tower's token table only for the tokens that training met.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from training.features import PATCH, SIDE
from training.network import BLOCKS, HEADS, opened
from training.teachers import LITE2, Classifier
from training.text import TEXT
from training.words import WIDTH, Words, groups

LEAN = {"person": -0.5, "wall": -0.5, "dirt": -0.5, "water": -0.5}
"""How far all patches lean towards words, beside a length of 16: a cosine of -0.03 for -0.5. These
words are otherwise found where they are not."""
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
    "stem": LITE2,
}
"""open_clip's configuration, with the stem's."""
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
    found: dict[str, list[list[str]]] = {"seen": [], "neighbours": []}
    for number, group in enumerate(groups(words)):
        found["seen" if number in seen else "neighbours"].append(group)
    found = {kind: sorted(some) for kind, some in found.items()}
    return found | {"classes": [[words.all[n] for n in words.of_class(c)] for c in words.classes]}


def pack(data: Path, work: Path, out: Path = Path("assets/built-in")) -> None:
    """Write model, stem and text weights, model.json and words.json."""
    held = torch.load(work / "attention.pt", weights_only=True)
    student, words = opened(held["student"]), Words(data)
    vectors = torch.load(work / "map.pt", weights_only=True)["vectors"]
    leaning = sum(far * vectors[words.number(word)] for word, far in LEAN.items())
    student.ln_post.bias.data += student.proj.data @ leaning
    learned = student.exported()
    stem = {f"visual.conv1.{k}": v for k, v in Classifier().stem.state_dict().items()}
    stem.update((name, learned.pop(name)) for name in stem.keys() & learned.keys())
    learned["logit_scale"] = held["scale"].reshape(())
    said = torch.load(work / "text.pt", weights_only=True)
    tower = said["tower"]
    tower["token_rows"] = tower.pop("token_embedding.weight")
    out.mkdir(parents=True, exist_ok=True)
    save_file(packed(stem), out / "stem.safetensors")
    save_file(packed(learned), out / "model.safetensors")
    text = {**packed(tower), "token_ids": said["ids"].to(torch.int32)}
    save_file(text, out / "text.safetensors")
    (out / "model.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
    lines = (
        f' "{kind}": [\n' + ",\n".join(f"  {json.dumps(group)}" for group in some) + "\n ]"
        for kind, some in known(words).items()
    )
    (out / "words.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
