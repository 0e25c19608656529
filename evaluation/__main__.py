"""``python -m evaluation``: mean IoU of methods on a labelled set, and COMMANDS beside it."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evaluation import benchmark, options, phenomena, presses, tables
from evaluation.benchmark import Experiment
from evaluation.photos import NAME as PHOTOS
from gclip_core.folder import write
from gclip_core.numbering import block_choice
from gclip_core.pixels.refine import REFINEMENTS
from gclip_core.relatives import METHODS
from gclip_core.segmenter import Segmenter
from gclip_core.words.text import TEMPLATES
from gclip_core.words.vocabulary import read_phrases


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status; an error is one sentence on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command, parser = COMMANDS.get(given[0] if given else "", (_evaluate, evaluation_parser))
    return options.run(command, parser().parse_args(given[parser is not evaluation_parser :]))


# --- an evaluation -------------------------------------------------------------------------------


def _evaluate(args: argparse.Namespace) -> None:
    """Runs an evaluation and prints its table.

    Under ``torchrun``, each of n processes counts every n-th image, and the first one prints.
    """
    experiment = _experiment(args)
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if rank == 0:
        _note_unknown_words(experiment)
    digest = benchmark.digest(experiment.settings())
    folder = args.out or Path("results") / f"{args.dataset}-{args.backbone}-{digest}"
    benchmark.run(experiment, folder, rank, world)
    if rank == 0:
        result, file = benchmark.read_result(folder), folder / "result.json"
        rows = tables.image_rows(result, [s.name for s in experiment.dataset.samples])
        files = {file.name: tables.result_json(result), "images.csv": tables.comma_separated(rows)}
        write(folder, {name: text.encode() for name, text in files.items()})
        print(tables.paper_table([result]))
        print(f"\nwritten: {file}", file=sys.stderr)


def _experiment(args: argparse.Namespace) -> Experiment:
    dataset = options.opened_set(args)
    methods = benchmark.chosen_methods(
        args.methods or ([] if args.ablate else METHODS),
        args.ablate,
        amf_blocks=block_choice(args.amf_blocks),
        cs_blocks=block_choice(args.cs_blocks),
    )
    backbone = options.opened_backbone(args)
    keys = ("short_side", "window", "stride", "threshold")
    given = {key: getattr(args, key) for key in keys if getattr(args, key) is not None}
    dataset = replace(dataset, protocol=replace(dataset.protocol, **given))
    segmenter = Segmenter(
        backbone, dataset.protocol.short_side, args.templates, logit_scale=args.logit_scale
    )
    words = args.words or ("present" if args.dataset == PHOTOS else "all")
    return Experiment(segmenter, dataset, methods, words, args.refine, tuple(args.add))


def _note_unknown_words(experiment: Experiment) -> None:
    """Prints the phrases that the backbone does not know, if its words are known."""
    backbone, dataset = experiment.segmenter.backbone, experiment.dataset
    vocabulary = dataset.vocabulary(range(len(dataset.classes)))
    unknown = [entry.phrase for entry in read_phrases(backbone, vocabulary.phrases)[1]]
    if unknown:
        shown = ", ".join(unknown[:8]) + (", …" if len(unknown) > 8 else "")
        print(
            f"note: {backbone.title} does not know {len(unknown)} of the "
            f"{len(vocabulary.phrases)} words: {shown}.",
            file=sys.stderr,
        )


def evaluation_parser() -> argparse.ArgumentParser:
    """The options of an evaluation."""
    command = argparse.ArgumentParser(
        prog="python -m evaluation",
        description="Mean IoU of training-free segmentation methods on the benchmarks of the "
        "field, or on the photos that ship. 'table' prints finished results side by side, "
        "'phenomena' global tokens and outlier channels, 'presses' what marks add; each has its "
        "own --help.",
        epilog="docs/EVALUATION.md shows where to get each data set, and the protocol.",
    )
    group = command.add_argument_group("what is evaluated")
    options.add_options(group, required=True)
    group.add_argument("--out", type=Path, help="result folder (default: results/…)")

    option = command.add_argument_group("rows of the table (blocks count from 1)").add_argument
    methods_help = f"any of: {', '.join(METHODS)}; default: all"
    option("--methods", nargs="+", metavar="NAME", help=methods_help)
    option("--ablate", action="store_true", help="ClearCLIP, AMF, CS, both")
    amf_help = (
        "'backbone': its default; 'auto': chosen for each image; or numbers such as '6 7' "
        "(default: backbone)"
    )
    option("--amf-blocks", default="backbone", metavar="BLOCKS", help=amf_help)
    cs_help = "'backbone', 'auto' or numbers such as '7-11' (default: backbone)"
    option("--cs-blocks", default="backbone", metavar="BLOCKS", help=cs_help)

    option = command.add_argument_group("protocol (default: the data set's)").add_argument
    option("--short-side", type=int, help="pixels")
    option("--window", type=int, help="pixels; 0 for one pass over the whole image")
    option("--stride", type=int, help="pixels")
    threshold_help = "probability below which a pixel is background (wrong, if the set has none)"
    option("--threshold", type=float, help=threshold_help)
    refine_help = "how edges follow the image (default: none, as in the papers)"
    option("--refine", default="none", choices=("none", *REFINEMENTS), help=refine_help)
    templates_help = "sentences around each word (default: imagenet80)"
    option("--templates", default="imagenet80", choices=list(TEMPLATES), help=templates_help)
    scale_help = "factor of the cosines (default: 40)"
    option("--logit-scale", type=float, default=40.0, help=scale_help)
    words_help = (
        "'all' classes, those 'present' in the image, or 'present+10' with ten others (default: "
        "all; photos: present)"
    )
    option("--words", metavar="RULE", help=words_help)
    return command


# --- finished results ----------------------------------------------------------------------------


def _compare(args: argparse.Namespace) -> None:
    results = [benchmark.read_result(folder) for folder in args.folders]
    if args.per_class:
        print("\n\n".join(tables.class_table(result, args.format) for result in results))
    else:
        print(tables.paper_table(results, args.format))


def table_parser() -> argparse.ArgumentParser:
    """The options of ``table``."""
    command = argparse.ArgumentParser(
        prog="python -m evaluation table",
        description="Print finished results as a paper does: methods down, data sets across.",
    )
    command.add_argument("folders", nargs="+", type=Path, help="result folders")
    command.add_argument("--format", default="text", choices=tables.FORMATS)
    class_help = "one table for each folder: the IoU of every class"
    command.add_argument("--per-class", action="store_true", help=class_help)
    return command


# --- phenomena and presses -----------------------------------------------------------------------


def _measure(args: argparse.Namespace) -> None:
    segmenter = Segmenter(options.opened_backbone(args))
    print(phenomena.summary(phenomena.measure(segmenter, options.opened_set(args).samples)))


def phenomena_parser() -> argparse.ArgumentParser:
    """The options of ``phenomena``."""
    command = argparse.ArgumentParser(
        prog="python -m evaluation phenomena",
        description="Global tokens and outlier channels of a backbone, block by block (blocks "
        "count from 1), measured on the images of a data set.",
    )
    options.add_options(command, default=PHOTOS)
    return command


def _press(args: argparse.Namespace) -> None:
    segmenter = Segmenter(options.opened_backbone(args))
    method = METHODS[args.method]
    found = presses.scores(
        segmenter, options.opened_set(args), args.presses, method=method, refine=args.refine
    )
    print(presses.table(found))


def presses_parser() -> argparse.ArgumentParser:
    """The options of ``presses``."""
    command = argparse.ArgumentParser(
        prog="python -m evaluation presses",
        description="Mean IoU after presses of a simulated person (gclip_core.marks): of things "
        "that are only pointed at, and of typed words that are corrected.",
    )
    options.add_options(command, required=True)
    command.add_argument("--method", default="gclip", choices=list(METHODS), metavar="NAME")
    command.add_argument("--refine", default="guided", choices=("none", *REFINEMENTS))
    command.add_argument("--presses", type=int, default=5, help="per photo (default: 5)")
    return command


COMMANDS = {
    "table": (_compare, table_parser),
    "phenomena": (_measure, phenomena_parser),
    "presses": (_press, presses_parser),
}
"""By its name, the first word after ``python -m evaluation``: a command and its parser."""

if __name__ == "__main__":
    sys.exit(main())
