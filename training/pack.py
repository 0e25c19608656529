"""Step 4, `pack`: the weights that a run learned become the files of a built-in model.

Nothing is learned here. Matrices become whole numbers of eight bits with a scale a row; everything
else becomes float16. The stem's networks, the text tower and the table of nearest words are the
first model's. In `words.json`, words of masks count as seen: those of all masks, also in a fold.

The files of seed 0 with all photos replace those in `assets/built-in/`. Every other run has its own
in WORK.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.data import FIRST, folder_of
from training.map import SCALE
from training.network import restored
from training.vocabulary import Words

BUILT_IN = Path("assets/built-in")
KEPT = (
    "model.json",
    "nearest.txt.gz",
    "dino-1.safetensors",
    "dino-2.safetensors",
    "text.safetensors",
)
"""Files of the first model that stay as they are."""


def packed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices as int8 and ``name.scale``, one a row; the rest as float16."""
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        value = value.detach().float().contiguous()
        if value.ndim < 2:
            out[name] = value.half()
            continue
        scale = (value.flatten(1).abs().amax(1) / 127).clamp_min(6e-8).half()
        rows = value / scale.float().reshape(-1, *[1] * (value.ndim - 1))
        out[name] = rows.round().clamp(-127, 127).to(torch.int8)
        out[f"{name}.scale"] = scale
    return out


def known(groups: Mapping[str, list[list[str]]], words: Words) -> dict[str, list[list[str]]]:
    """`words.json`: the first model's, in which words that a mask has are "seen", too."""
    every = sorted(groups["seen"] + groups["neighbours"])
    return {
        "seen": [group for group in every if group[0] in words.all],
        "neighbours": [group for group in every if group[0] not in words.all],
        "classes": groups["classes"],
    }


def run(data: Path, work: Path, without: str | None = None, seed: int = 0) -> None:
    """Write the files of a run: of seed 0 with both halves into `assets/built-in/`, of others into
    the run's own folder."""
    folder, first = folder_of(work, without, seed), data / FIRST
    out = BUILT_IN if without is None and seed == 0 else folder / "packed"
    out.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copyfile(first / name, out / name)
    learned = restored(torch.load(folder / "attention.pt")).exported()
    in_stem = [name for name in learned if name.startswith("visual.conv1.")]
    stem = packed({name: learned.pop(name) for name in in_stem})
    save_file(load_file(first / "stem.safetensors") | stem, out / "stem.safetensors")
    learned["logit_scale"] = torch.tensor(SCALE).log()
    save_file(packed(learned), out / "model.safetensors")
    words = known(json.loads((first / "words.json").read_text("utf-8")), Words(data))
    lines = (
        f' "{kind}": [\n' + ",\n".join(f"  {json.dumps(group)}" for group in of_kind) + "\n ]"
        for kind, of_kind in words.items()
    )
    (out / "words.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
