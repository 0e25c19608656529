"""Turn a run into what ships in `assets/built-in/`.

    python -m training.photos.pack DATA CACHE RUN [--out assets/built-in]

Matrices are stored as whole numbers of eight bits with a scale a row, everything else in float16;
the text tower's token table only for the tokens that training met. The last block's queries are
made white first, as for the scene model (`training.pack` says why): no output of CLIP changes.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from training.pack import change_queries, whitening
from training.photos.features import LITE2, PATCH, SIDE, Teacher
from training.photos.learn import Lessons
from training.photos.student import BLOCKS, HEADS, HIDDEN, Student, opened
from training.photos.text import TEXT
from training.photos.words import EMOJI, WIDTH, Words, groups

PART = 0.3  # of the tower in the mean
_SMALL = 4096  # numbers; smaller tensors stay in float16


def config(hidden: int = HIDDEN) -> dict[str, Any]:
    """open_clip's configuration, with the stem's."""
    vision = {
        "image_size": SIDE,
        "layers": BLOCKS,
        "width": WIDTH,
        "head_width": WIDTH // HEADS,
        "patch_size": PATCH,
    }
    return {
        "embed_dim": WIDTH,
        "vision_cfg": vision,
        "text_cfg": {**TEXT, "vocab_size": 49408},
        "stem": {**LITE2, "hidden": hidden},
    }


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


@torch.no_grad()
def make_queries_white(student: Student, lessons: Lessons, gain: float, views: int = 64) -> None:
    """The last block's, over the patches of some views; its keys undo it."""
    last, caught = student.blocks[-1], []
    hook = last.ln_1.register_forward_hook(lambda _, __, out: caught.append(out[:, 1:]))
    for _ in range(max(1, views // 16)):
        student(lessons.draw(student, 16).even)
    hook.remove()
    weight, bias = last.attn.in_proj_weight[:WIDTH], last.attn.in_proj_bias[:WIDTH]
    queries = F.linear(torch.cat(caught[::2]).flatten(0, 1), weight, bias)
    change_queries(last, whitening(queries.unflatten(1, (HEADS, -1)), gain))


def known(words: Words, run: Path) -> dict[str, list[list[str]]]:
    """Words with their other names: seen in photos, or known by their neighbours alone."""
    photos = (photo for photo in words.photos if photo["source"] != EMOJI)
    seen = {n for photo in photos for n in words.label(photo).there}
    seen |= {n for name in words.classes for n in words.of_class(name)}
    found: dict[str, list[list[str]]] = {"seen": [], "neighbours": []}
    for number, group in enumerate(groups(words)):
        found["seen" if number in seen else "neighbours"].append(group)
    return {kind: sorted(some) for kind, some in found.items()}


def mean(run: Path, part: float) -> Student:
    """The tower for its part, the map that it began from for the rest: the mean of their weights.

    The map's blocks do nothing, so they count for less in the mean than in the tower.
    """
    tower, start = (
        torch.load(run / f"{name}.pt", weights_only=True)["averaged"] for name in ("tower", "map")
    )
    return opened({name: start[name].lerp(tower[name], part) for name in tower})


def pack(
    words: Words, cache: Path, run: Path, out: Path, gain: float = 2.4, part: float = PART
) -> None:
    """Write model, stem and text weights, model.json and words.json."""
    held = torch.load(run / "tower.pt", weights_only=True)
    student = mean(run, part)
    if gain:
        make_queries_white(student, Lessons(words, cache), gain)
    learned = student.exported()
    hidden = student.hidden.out_features
    stem = {f"visual.conv1.{k}": v for k, v in Teacher(WIDTH, hidden).stem.state_dict().items()}
    stem.update((k, v) for k, v in learned.items() if k.startswith("visual.conv1."))
    tower = {k: v for k, v in learned.items() if not k.startswith("visual.conv1.")}
    tower["logit_scale"] = held["scale"].reshape(())
    said = torch.load(run / "text.pt", weights_only=True)
    text = packed(
        {("token_rows" if k.startswith("token_") else k): v for k, v in said["tower"].items()}
    )
    text["token_ids"] = said["ids"].to(torch.int32)
    out.mkdir(parents=True, exist_ok=True)
    save_file(packed(stem), out / "stem.safetensors")
    save_file(packed(tower), out / "model.safetensors")
    save_file(text, out / "text.safetensors")
    (out / "model.json").write_text(json.dumps(config(hidden), indent=1) + "\n")
    lines = (
        f' "{kind}": [\n' + ",\n".join(f"  {json.dumps(group)}" for group in some) + "\n ]"
        for kind, some in known(words, run).items()
    )
    (out / "words.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Export a run as the built-in photo model.")
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("assets/built-in"))
    parser.add_argument("--query-gain", type=float, default=2.4, help="0: as training left them")
    parser.add_argument("--part", type=float, default=PART, help="of the tower, the rest the map")
    given = parser.parse_args()
    pack(Words(given.data), given.cache, given.run, given.out, given.query_gain, given.part)


if __name__ == "__main__":
    main()
