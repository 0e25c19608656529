"""What the commands share: options of the backbone and of the data set, and how they end."""

import argparse
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation import EvaluationError
from evaluation.datasets import DATASETS, LabelledSet, open_dataset
from evaluation.photos import NAME as PHOTOS
from evaluation.photos import photo_folder, shipped_set
from gclip_core.backbone import Backbone, damage, load_backbone
from gclip_core.errors import GclipError
from gclip_core.numbering import block_indices
from gclip_core.registry import BACKBONES, BUILT_IN


def run(command: Callable[[Any], int | None], args: Any) -> int:
    """Runs a command; an error is one sentence on stderr. Returns the exit status."""
    try:
        return command(args) or 0
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def add_backbone_options(parser: Any, several: bool = False) -> None:
    """Adds ``--backbone``, of one name or ``several``, and its options to a parser or group."""
    names = ", ".join(BACKBONES)
    parser.add_argument(
        "--backbone",
        nargs="+" if several else None,
        default=[BUILT_IN] if several else BUILT_IN,
        choices=["all", *BACKBONES] if several else list(BACKBONES),
        metavar="NAME",
        help=f"one or several of: {names}; or all" if several else f"one of: {names}",
    )
    parser.add_argument("--weights", type=Path, help="weight file of the backbone")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, … (default: cpu)")
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=["float32", "bfloat16"],
        help="of the image tower (default: float32)",
    )
    parser.add_argument(
        "--damage",
        metavar="CHANNEL:GAIN:BLOCKS",
        help="simulate an abnormal channel, for example 7:100:7-11 (blocks count from 1)",
    )


def opened_backbone(args: argparse.Namespace, name: str) -> Backbone:
    """Loads a backbone by the command line's options.

    Under ``torchrun``, ``cuda`` is the GPU of this process's local rank.
    """
    # Results then repeat. MKL reads it at the first product.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    device, rank = args.device, os.environ.get("LOCAL_RANK")
    if device == "cuda" and rank:
        device = f"cuda:{rank}"
    backbone = load_backbone(name, args.weights, device, args.dtype)
    if not args.damage:
        return backbone
    defect = re.fullmatch(r"(\d+):([\d.]+):(.+)", args.damage)
    if not defect:
        raise EvaluationError(
            "A damaged channel such as 7:100:7-11 (channel, gain, blocks) was expected, but "
            f"'{args.damage}' came."
        )
    channel, gain, blocks = int(defect[1]), float(defect[2]), block_indices(defect[3])
    # Results of other weights have another name.
    return replace(damage(backbone, channel, gain, blocks), name=f"{name}-{args.damage}")


def add_set_options(parser: Any, **dataset: Any) -> None:
    """Adds ``--dataset`` and its options to a parser or group; ``dataset`` as in argparse."""
    parser.add_argument(
        "--dataset",
        choices=[PHOTOS, *DATASETS],
        help="a benchmark of the field, or photos with masks",
        **dataset,
    )
    parser.add_argument("--root", type=Path, help="folder of the data set (photos: your own)")
    parser.add_argument("--split", help="default: the set's validation split, or all photos")
    parser.add_argument("--n", type=int, help="first n images only")


def opened_set(args: argparse.Namespace) -> LabelledSet:
    """The first ``--n`` images of ``--dataset`` under ``--root``.

    Without ``--root``, ``photos`` are those that ship.
    """
    if args.n is not None and args.n < 1:
        raise EvaluationError(f"At least one image was expected, but {args.n} came.")
    if args.dataset == PHOTOS:
        opened = photo_folder(args.root, args.split) if args.root else shipped_set()
    else:
        entry = DATASETS[args.dataset]
        if args.root is None:
            raise EvaluationError(f"{entry.title} needs --root, the folder of its files.")
        opened = open_dataset(entry, args.root, args.split)
    return replace(opened, samples=opened.samples[: args.n])
