"""Options that the commands share: the backbone, its threads, planted channels, the data set."""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from evaluation.datasets import OpenSet, find_dataset, open_dataset
from evaluation.photo_set import NAME as PHOTOS
from evaluation.photo_set import photo_folder, shipped_photos
from evaluation.shares import own_device
from gclip_core.backbone import Backbone, load_backbone, plant_channel
from gclip_core.errors import EvaluationError
from gclip_core.numbering import block_indices

SMALL_TOWER = 20_000_000
"""Parameters under which a backbone runs on one thread unless told otherwise."""


def add_backbone_options(parser: argparse._ActionsContainer) -> None:
    """The options of the backbone, except for its name: one command takes several names."""
    parser.add_argument("--weights", type=Path, help="weight file of the backbone")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "auto"])
    parser.add_argument("--threads", type=int, help="CPU threads (default: PyTorch's; built-in: 1)")
    parser.add_argument(
        "--plant", action="append", default=[], metavar="CHANNEL:GAIN:BLOCKS",
        help="simulate an abnormal channel, for example 7:100:7-11",
    )  # fmt: skip


def add_finding_options(parser: argparse._ActionsContainer) -> None:
    """What counts as a global token, and which blocks CS acts on."""
    parser.add_argument("--global-threshold", type=float, default=5.0)
    parser.add_argument(
        "--cs-blocks", default="backbone", metavar="BLOCKS",
        help="'backbone', 'auto' or numbers such as '7-11' (default: backbone)",
    )  # fmt: skip


@contextmanager
def opened_backbone(args: argparse.Namespace, name: str) -> Iterator[Backbone]:
    """The backbone as the command line describes it, and PyTorch on its threads meanwhile."""
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # read at the first product: results repeat
    backbone = load_backbone(name, args.weights, own_device(args.device), args.dtype)
    with threads(args.threads, backbone):
        yield planted(backbone, args.plant)


@contextmanager
def threads(wanted: int | None, backbone: Backbone) -> Iterator[None]:
    """Run PyTorch on ``wanted`` threads; by default on one for a small tower on the CPU.

    A tower of a few million parameters is no faster with several threads, and on a busy machine
    they wait for each other.
    """
    before = torch.get_num_threads()
    size = sum(parameter.numel() for parameter in backbone.model.parameters())
    is_small = backbone.device.type == "cpu" and size < SMALL_TOWER
    torch.set_num_threads(wanted or (1 if is_small else before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def planted(backbone: Backbone, plants: Sequence[str]) -> Backbone:
    """The backbone with simulated channels, each ``CHANNEL:GAIN:BLOCKS``; blocks count from 1."""
    for text in plants:
        channel, gain, where = (text.split(":") + ["", ""])[:3]
        try:
            plant = int(channel), float(gain), block_indices(where)
        except ValueError as error:
            raise EvaluationError(
                "A simulation such as 7:100:7-11 (channel, gain, blocks) was expected, but "
                f"'{text}' came."
            ) from error
        backbone = plant_channel(backbone, *plant)
    return backbone


def opened_set(args: argparse.Namespace) -> OpenSet:
    """The first ``--n`` images of ``--dataset``; its files are those under ``--root``.

    Without ``--root``, photos are those that ship.
    """
    if args.n is not None and args.n < 1:
        raise EvaluationError(f"At least one image was expected, but {args.n} came.")
    if args.dataset == PHOTOS:
        opened = photo_folder(args.root) if args.root else shipped_photos()
    else:
        entry = find_dataset(args.dataset)
        if args.root is None:
            raise EvaluationError(f"{entry.title} needs --root, the folder that holds its files.")
        opened = open_dataset(entry, args.root, args.split)
    return replace(opened, samples=opened.samples[: args.n])
