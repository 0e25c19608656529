"""``python -m evaluation``: mean IoU of methods on a labelled set; ``table`` and ``field``."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from evaluation import EvaluationError, benchmark, options, tables
from evaluation.benchmark import Experiment
from evaluation.datasets import Protocol
from evaluation.photos import NAME as PHOTOS
from gclip_core.methods import METHODS
from gclip_core.numbering import block_choice
from gclip_core.refine import REFINEMENTS
from gclip_core.segmenter import Segmenter
from gclip_core.text import TEMPLATES
from gclip_core.vocabulary import unknown_phrases


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; an error is one sentence on stderr. Returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["table"]:
            return options.run(_table, given[1:])
        if given[:1] == ["field"]:
            return options.run(_field, given[1:])
        return options.run(_evaluate, parser().parse_args(given))
    except KeyboardInterrupt:
        print("Stopped. Run the same command again to resume.", file=sys.stderr)
        return 130


# --- an evaluation -------------------------------------------------------------------------------


def _evaluate(args: argparse.Namespace) -> None:
    """Runs an evaluation and prints its table.

    Under ``torchrun`` each of n processes counts every n-th image, and the process that counts the
    last one prints.
    """
    experiment = _experiment(args)
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if rank == 0:
        _note_unknown_words(experiment)
    digest = benchmark.digest(experiment.settings())
    folder = args.out or Path("results") / f"{args.dataset}-{args.backbone}-{digest}"
    benchmark.run(experiment, folder, rank, world)
    result = benchmark.read_result(folder)
    if result.complete:
        file = folder / "result.json"
        benchmark.write_whole(file, tables.result_json(result).encode())
        print(tables.run_table(result))
        print(f"\nwritten: {file}", file=sys.stderr)


def _experiment(args: argparse.Namespace) -> Experiment:
    backbone = options.opened_backbone(args)
    dataset = options.opened_set(args)
    names = [field.name for field in fields(Protocol)]
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    protocol = replace(dataset.protocol, **given)
    segmenter = Segmenter(
        backbone,
        short_side=protocol.short_side,
        window=protocol.window or None,
        stride=protocol.stride,
        templates=args.templates,
        logit_scale=args.logit_scale,
    )
    methods = benchmark.chosen_methods(
        args.methods or ([] if args.ablate else METHODS),
        args.ablate,
        amf_blocks=block_choice(args.amf_blocks),
        cs_blocks=block_choice(args.cs_blocks, papers=False),
        heads=args.amf_heads,
    )
    words = args.words or ("present" if args.dataset == PHOTOS else "all")
    return Experiment(segmenter, dataset, methods, words, protocol.threshold, args.refine)


def _note_unknown_words(experiment: Experiment) -> None:
    """Prints which phrases are not in the backbone's training words, if those are known."""
    backbone, dataset = experiment.segmenter.backbone, experiment.dataset
    vocabulary = dataset.vocabulary(range(len(dataset.classes)))
    unknown = [entry.phrase for entry in unknown_phrases(backbone, vocabulary)]
    if unknown:
        shown = ", ".join(unknown[:8]) + (", …" if len(unknown) > 8 else "")
        print(
            f"note: {backbone.title} was not trained on {len(unknown)} of the "
            f"{len(vocabulary.phrases)} words: {shown}.",
            file=sys.stderr,
        )


def parser() -> argparse.ArgumentParser:
    """The options of an evaluation."""
    command = argparse.ArgumentParser(
        prog="python -m evaluation",
        description="Mean IoU of training-free segmentation methods on the benchmarks of the "
        "field, or on the photos that ship. 'table' prints finished results side by side, 'field' "
        "what training.measure wrote; each has its own --help.",
        epilog="docs/EVALUATION.md shows where to get each data set, and the protocol.",
    )
    group: Any = command.add_argument_group("what is evaluated")
    options.add_set_options(group, required=True)
    options.add_backbone_options(group)
    group.add_argument("--out", type=Path, help="result folder (default: results/…)")

    group = command.add_argument_group("rows of the table (blocks count from 1)")
    group.add_argument(
        "--methods",
        nargs="+",
        choices=list(METHODS),
        metavar="NAME",
        help=f"any of: {', '.join(METHODS)}; default: all",
    )
    group.add_argument("--ablate", action="store_true", help="ClearCLIP, AMF, CS, both")
    group.add_argument(
        "--amf-blocks",
        default="backbone",
        metavar="BLOCKS",
        help="'backbone': its default; 'auto': decided for every image; 'paper-from-1' or "
        "'paper-from-0': the paper's 6 and 7 in either counting; or numbers such as '6 7' "
        "(default: backbone)",
    )
    group.add_argument(
        "--amf-heads",
        default="each",
        choices=["each", "mean"],
        help="head i with head i, or every head with the mean of heads (default: each)",
    )
    group.add_argument(
        "--cs-blocks",
        default="backbone",
        metavar="BLOCKS",
        help="'backbone', 'auto' or numbers such as '7-11' (default: backbone)",
    )

    group = command.add_argument_group("protocol (default: the data set's)")
    group.add_argument("--short-side", type=int, help="pixels")
    group.add_argument("--window", type=int, help="pixels; 0 for one pass over the whole image")
    group.add_argument("--stride", type=int, help="pixels")
    group.add_argument(
        "--threshold",
        type=float,
        help="probability below which a pixel is background (wrong, if the set has none)",
    )
    group.add_argument(
        "--refine",
        default="none",
        choices=list(REFINEMENTS),
        help="how edges follow the image (default: none, as in the papers)",
    )
    group.add_argument(
        "--templates",
        default="imagenet80",
        choices=list(TEMPLATES),
        help="sentences around each word (default: imagenet80)",
    )
    group.add_argument(
        "--logit-scale", type=float, default=40.0, help="cosines are multiplied by it (default: 40)"
    )
    group.add_argument(
        "--words",
        metavar="RULE",
        help="'all' classes, those 'present' in the image, or 'present+10' with ten others "
        "(default: all; photos: present)",
    )
    return command


# --- finished results ----------------------------------------------------------------------------


def _table(arguments: Sequence[str]) -> None:
    command = argparse.ArgumentParser(
        prog="python -m evaluation table",
        description="Print finished results as a paper does: methods down, data sets across.",
    )
    command.add_argument("folders", nargs="+", type=Path, help="result folders")
    folders = command.parse_args(arguments).folders
    print(tables.paper([benchmark.read_result(folder) for folder in folders]))


def _field(arguments: Sequence[str]) -> None:
    command = argparse.ArgumentParser(
        prog="python -m evaluation field",
        description="Print as Markdown what `python -m training.measure --out FILE` measured.",
    )
    command.add_argument("file", type=Path, help="its JSON file")
    file = command.parse_args(arguments).file
    try:
        print(tables.field(json.loads(file.read_text("utf-8"))))
    except (ValueError, KeyError, TypeError) as error:
        raise EvaluationError(
            f"A file of training.measure was expected at {file}, but {error!r} came."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
