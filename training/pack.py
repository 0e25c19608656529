"""Step ``pack`` writes the weights that a run learned as the files of a built-in model.

Matrices become 8-bit integers with one scale per row; everything else becomes float16. The networks
of the stem, the text tower, the settings and the table of nearest words are the teacher's. In
``words.json``, the words of all masks count as seen, so that they can be suggested, even those of
photos that are held out.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from gclip_core.backbones.registry import BUILT_IN
from training.data import folder_of, read
from training.network import restored
from training.patch_map import SCALE

KEPT = (
    "model.json",
    "nearest.txt.gz",
    "dino-1.safetensors",
    "dino-2.safetensors",
    "text.safetensors",
)
"""Files of the teacher that are copied."""


def packed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices as int8 with ``name.scale``, one per row; the rest as float16."""
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


def run(data: Path, work: Path, without: str | None = None, seed: int = 0) -> None:
    """Writes the files of a run into its folder ``packed``."""
    opened, folder = read(data), folder_of(work, without, seed)
    teacher, out = opened.teacher, folder / "packed"
    state = restored(folder / ("attention.pt" if opened.is_new else "map.pt")).exported()
    out.mkdir(exist_ok=True)
    for name in KEPT:
        shutil.copyfile(teacher / name, out / name)
    in_stem = [name for name in state if name.startswith("visual.conv1.")]
    stem = packed({name: state.pop(name) for name in in_stem})
    save_file(load_file(teacher / "stem.safetensors") | stem, out / "stem.safetensors")
    state["logit_scale"] = torch.tensor(SCALE).log()
    save_file(packed(state), out / "model.safetensors")
    groups = json.loads((teacher / "words.json").read_text("utf-8"))
    seen, every = opened.words().all, sorted(groups["seen"] + groups["neighbours"])
    groups["seen"] = [group for group in every if group[0] in seen]
    groups["neighbours"] = [group for group in every if group[0] not in seen]
    lines = (
        f' "{kind}": [\n' + ",\n".join(f"  {json.dumps(group)}" for group in of_kind) + "\n ]"
        for kind, of_kind in groups.items()
    )
    (out / "words.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{out} has the model: python app.py --backbone {BUILT_IN} --weights {out}")
