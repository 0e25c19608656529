"""Do global tokens and abnormal channels grow? Short runs on from the shipped weights.

    python -m training.phenomena --kind class-token --minutes 8 --folder runs/class-token

Neither AMF nor CS takes part in training: what they do to the outcome is measured, not learned.

- `class-token`: the patch losses are off, so that only the class token is asked for anything.
- `adam-outputs`: the FFNs' second layers by AdamW, three times its rate, without weight decay, in
  place of Muon, whose orthogonal updates let no channel grow beyond the others.

Prints, for the weights before and after: each block's global-token score, global tokens an image
and largest norm over the median, and mIoU of ClearCLIP, with AMF and with CS.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

import gclip_core as gclip
from evaluation.rows import Row
from gclip_core import assets
from training import export, measure
from training.train import FULL, Phase, Settings, train

KINDS: dict[str, dict[str, Any]] = {
    "class-token": {"patch_weight": 0.0},
    "adam-outputs": {"adam_outputs": True},
}


def look(weights: Path | None, count: int) -> str:
    """What these weights have of the phenomena, on held-out scenes, as Markdown."""
    segmenter = gclip.Segmenter(gclip.load_backbone("built-in", weights=weights))
    made = measure.unseen("held-out", count)
    chosen = (
        Row("ClearCLIP", gclip.METHODS["clearclip"]),
        Row("MaskCLIP", gclip.METHODS["maskclip"]),
        Row("AMF", gclip.gclip(amf=True, cs=False)),
        Row("CS", gclip.gclip(amf=False, cs=True)),
    )
    found = measure.segmentation(segmenter, made, chosen)
    blocks = measure.phenomena(segmenter, made)
    rows = [list(row.values()) for row in blocks]
    scores = ", ".join(f"{name} {values['exact']}" for name, values in found.items())
    return f"{measure.table(list(blocks[0]), rows)}\n\nmIoU: {scores}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Train on, for global tokens and channels.")
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = Settings(arguments.minutes, seed=7, decay_from=0.3, **KINDS[arguments.kind])
    phases = (Phase(1.0, (FULL,)),)
    start = assets.path("built-in")
    train(settings, arguments.folder, phases=phases, begin_from=start, validate_every=1e9)
    export.export([arguments.folder / "last.pt"], arguments.folder / "out")
    print(f"before\n\n{look(None, arguments.scenes)}")
    print(f"after {arguments.minutes:g} minutes of {arguments.kind}\n")
    print(look(arguments.folder / "out" / "model.safetensors", arguments.scenes))


if __name__ == "__main__":
    main()
