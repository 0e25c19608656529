"""Shared by the commands: the backbone, options of the data set, and error handling."""

import argparse
import os
import runpy
from collections.abc import Callable
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path
from typing import Any

from open_clip.pretrained import get_pretrained_cfg

from evaluation import EvaluationError
from evaluation.datasets import DATASETS, LabelledSet, open_dataset
from evaluation.photos import NAME as PHOTOS
from evaluation.photos import photo_folder, shipped_set
from gclip_core.backbones.backbone import Backbone
from gclip_core.backbones.load import WEIGHTS_FOLDER, load_backbone, on_disk
from gclip_core.backbones.registry import BACKBONES, BackboneEntry
from gclip_core.command import add_backbone_options, exit_status
from gclip_core.errors import check_count


def run(command: Callable[[Any], None], args: Any) -> int:
    """Runs a command and returns the exit status; an error is one sentence on stderr."""
    return exit_status(command, args, "The same command resumes.")


def opened_backbone(args: argparse.Namespace) -> Backbone:
    """Loads the command line's backbone.

    The name of a local file or folder is added to the backbone's name and title, unless it has the
    published digest. Under ``torchrun``, ``cuda`` is the GPU with this process's local rank.
    """
    # This makes results reproducible. MKL reads it at the first product.
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    device, rank = args.device, os.environ.get("LOCAL_RANK")
    if device == "cuda" and rank:
        device = f"cuda:{rank}"
    backbone = load_backbone(args.backbone, args.weights, device, args.dtype)
    path = args.weights or _local_file(BACKBONES[args.backbone])
    if path is None or _is_published(path, BACKBONES[args.backbone]):
        return backbone
    path = path.resolve()
    # Each run of training packs into a folder "packed".
    file = "/".join(path.parts[-2:]) if path.is_dir() else path.name
    return replace(backbone, name=f"{backbone.name}, {file}", title=f"{backbone.title}, {file}")


def _local_file(entry: BackboneEntry) -> Path | None:
    """The file in GCLIP_WEIGHTS that is read in place of the download."""
    folder = os.environ.get(WEIGHTS_FOLDER)
    files = on_disk(entry) if folder and entry.pretrained else []
    return next((file for file in files if Path(folder).expanduser() in file.parents), None)


def _is_published(path: Path, entry: BackboneEntry) -> bool:
    """Whether a file is the one that open_clip names, whose address has the file's digest."""
    address = get_pretrained_cfg(entry.architecture or "", entry.pretrained or "").get("url", "")
    if not path.is_file() or not address:
        return False
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest() in address.split("/")


def add_options(parser: Any, **dataset: Any) -> None:
    """Adds those of the backbone and of the data set to a parser or group; ``dataset`` are
    argparse's settings of ``--dataset``."""
    add_backbone_options(parser)
    option, names = parser.add_argument, ", ".join([PHOTOS, *DATASETS])
    set_help = f"a benchmark of the field, or photos with masks: {names}"
    option("--dataset", metavar="NAME", help=set_help, **dataset)
    add_help = "Python file that adds methods or data sets of your own (CONTRIBUTING.md)"
    option("--add", type=Path, action="append", default=[], metavar="FILE", help=add_help)
    option("--root", type=Path, help="folder of the data set (photos: your own)")
    option("--split", help="default: the set's validation split, or all photos")
    option("--n", type=int, help="first n images only")


def opened_set(args: argparse.Namespace) -> LabelledSet:
    """The first ``--n`` images of ``--dataset`` under ``--root``.

    Without ``--root``, ``photos`` are those that ship. First runs the ``--add`` files.
    """
    for file in args.add:
        runpy.run_path(str(file.resolve()))
    if args.n is not None:
        check_count("--n", args.n)
    if args.dataset == PHOTOS:
        if args.split and args.root is None:
            raise EvaluationError("--split needs --root, the folder of your photos.")
        opened = photo_folder(args.root, args.split) if args.root else shipped_set()
    else:
        entry = DATASETS[args.dataset]
        if args.root is None:
            raise EvaluationError(f"{entry.title} needs --root, the folder of its files.")
        opened = open_dataset(entry, args.root, args.split)
    return replace(opened, samples=opened.samples[: args.n])
