"""Command-line options of several commands: backbone, threads, planted channels, data set."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from evaluation.datasets import OpenSet, find_dataset, open_dataset
from evaluation.errors import EvaluationError
from evaluation.photo_set import NAME as PHOTOS
from evaluation.photo_set import photo_folder, shipped_photos
from evaluation.shares import own_device
from gclip_core.backbone import Backbone, load_backbone, plant_channel
from gclip_core.numbering import block_indices
from gclip_core.registry import BACKBONES, BUILT_IN


def add_backbone_options(parser: Any, several: bool = False) -> None:
    """Add ``--backbone``, of one name or ``several``, and its options to a parser or group."""
    names = ", ".join(BACKBONES)
    shared: dict[str, Any] = {"metavar": "NAME"}
    if several:
        shared |= {"nargs": "+", "default": [BUILT_IN], "choices": ["all", *BACKBONES]}
        parser.add_argument("--backbone", help=f"one or several of: {names}; or all", **shared)
    else:
        shared |= {"default": BUILT_IN, "choices": list(BACKBONES)}
        parser.add_argument("--backbone", help=f"one of: {names}", **shared)
    parser.add_argument("--weights", type=Path, help="weight file of the backbone")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "auto"])
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's)")
    parser.add_argument(
        "--plant",
        action="append",
        default=[],
        metavar="CHANNEL:GAIN:BLOCKS",
        help="simulate an abnormal channel, for example 7:100:7-11",
    )


def add_finding_options(parser: argparse.ArgumentParser) -> None:
    """Add the threshold for global tokens and the blocks of CS."""
    parser.add_argument("--global-threshold", type=float, default=5.0)
    parser.add_argument(
        "--cs-blocks",
        default="backbone",
        metavar="BLOCKS",
        help="'backbone', 'auto' or numbers such as '7-11' (default: backbone)",
    )


def opened_backbone(args: argparse.Namespace, name: str) -> Backbone:
    """Load the backbone of the command line; sets the number of PyTorch's threads."""
    # Results then repeat. MKL reads it at the first product.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    if args.threads:
        torch.set_num_threads(args.threads)
    backbone = load_backbone(name, args.weights, own_device(args.device), args.dtype)
    return planted(backbone, args.plant)


def planted(backbone: Backbone, plants: Sequence[str]) -> Backbone:
    """The backbone with planted channels, each ``CHANNEL:GAIN:BLOCKS``; blocks count from 1."""
    for text in plants:
        channel, gain, where = (text.split(":") + ["", ""])[:3]
        try:
            plant = int(channel), float(gain), block_indices(where)
        except ValueError as error:
            raise EvaluationError(
                "A planted channel such as 7:100:7-11 (channel, gain, blocks) was expected, but "
                f"'{text}' came."
            ) from error
        backbone = plant_channel(backbone, *plant)
    return backbone


def opened_set(args: argparse.Namespace) -> OpenSet:
    """The first ``--n`` images of ``--dataset`` under ``--root``.

    Without ``--root``, ``photos`` are those that ship.
    """
    if args.n is not None and args.n < 1:
        raise EvaluationError(f"At least one image was expected, but {args.n} came.")
    if args.dataset == PHOTOS:
        opened = photo_folder(args.root) if args.root else shipped_photos()
    else:
        entry = find_dataset(args.dataset)
        if args.root is None:
            raise EvaluationError(f"{entry.title} needs --root, the folder of its files.")
        opened = open_dataset(entry, args.root, args.split)
    return replace(opened, samples=opened.samples[: args.n])
