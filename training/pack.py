"""Writes learned weights as the files of a built-in model.

Matrices become 8-bit integers with one scale per row; everything else becomes float16. All other
weights, the settings and the table of nearest words are the built-in model's. In ``words.json``,
the words of all masks count as seen, so that they can be suggested, even those of photos that are
held out; those of one's own masks also count as taught, so that they are.
"""

import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from gclip_core import assets
from gclip_core.backbones import builtin
from gclip_core.backbones.registry import BUILT_IN

KEPT = (
    "model.json",
    "nearest.txt.gz",
    "dino-1.safetensors",
    "dino-2.safetensors",
    "model.safetensors",
    "text.safetensors",
)
"""Files of the built-in model that are copied."""


def packed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices as int8 with ``name.scale``, one per row; the rest as float16."""
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        value = value.detach().float().contiguous()
        if value.ndim < 2:
            out[name] = value.half()
            continue
        scale = (value.abs().amax(1) / 127).clamp_min(6e-8).half()
        out[name] = (value / scale.float()[:, None]).round().clamp(-127, 127).to(torch.int8)
        out[f"{name}.scale"] = scale
    return out


def write(
    out: Path, stem: Mapping[str, Tensor], seen: Collection[str], taught: Collection[str]
) -> None:
    """Writes the built-in model with other weights of its ``stem``, for ``seen`` words, some of
    which were ``taught`` with masks of one's own."""
    shipped = assets.path(BUILT_IN)
    out.mkdir(exist_ok=True)
    for name in KEPT:
        shutil.copyfile(shipped / name, out / name)
    save_file(load_file(shipped / "stem.safetensors") | packed(stem), out / "stem.safetensors")
    groups = json.loads((shipped / "words.json").read_text("utf-8"))
    every = sorted(groups["seen"] + groups["neighbours"])
    groups["seen"] = [group for group in every if group[0] in seen]
    groups["neighbours"] = [group for group in every if group[0] not in seen]
    groups["taught"] = [[word] for word in sorted(taught)]
    lines = (
        f' "{kind}": [\n' + ",\n".join(f"  {json.dumps(group)}" for group in of_kind) + "\n ]"
        for kind, of_kind in groups.items()
    )
    (out / "words.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    sums = "".join(f"{digest}  {name}\n" for name, digest in builtin.digests(out).items())
    (out / builtin.SUMS).write_text(sums, "utf-8")
