"""The command line: ``python -m evaluation``, its ``merge`` and its ``table``."""

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from evaluation import block_vote, class_lists, figures, report, runner, shares
from evaluation.asking import parse_rule
from evaluation.class_lists import ClassName
from evaluation.datasets import DATASETS, OpenSet
from evaluation.experiment import Experiment, digest
from evaluation.options import (
    add_backbone_options,
    add_finding_options,
    opened_backbone,
    opened_set,
)
from evaluation.rows import SWEEPS, MakeGclip, Row, ablation_rows, method_rows, sweep_rows
from evaluation.scene_set import FIRST_SEED, SCENES
from evaluation.shares import Share
from evaluation.tally import FILE as COUNTS_FILE
from evaluation.tally import Tally, merge
from gclip_core.backbone import Backbone
from gclip_core.errors import BackboneError, EvaluationError, GclipError
from gclip_core.methods import METHODS, gclip
from gclip_core.numbering import block_choice, listed
from gclip_core.registry import BACKBONES, BUILT_IN, backbone_name
from gclip_core.segmenter import Segmenter
from gclip_core.types import Vocabulary
from gclip_core.vocabulary import TEMPLATES, unknown_phrases

DEFAULT_METHODS = tuple(name for name, method in METHODS.items() if method.shown != "never")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; what went wrong is one sentence on stderr. Returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    commands: dict[str, Callable[[list[str]], int]] = {"merge": _merge, "table": _table}
    try:
        if given and given[0] in commands:
            return commands[given[0]](given[1:])
        return _evaluate(_parser().parse_args(given))
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on where this left off.", file=sys.stderr)
        return 130


# --- evaluating ------------------------------------------------------------------------------


def _evaluate(args: argparse.Namespace) -> int:
    parse_rule(_words(args))
    names = list(BACKBONES) if "all" in args.backbone else list(dict.fromkeys(args.backbone))
    if len(names) > 1 and args.weights:
        raise EvaluationError("--weights is one file, so it needs one --backbone; name just one.")
    if len(names) > 1 and args.out:
        raise EvaluationError("--out is one folder, so it needs one --backbone; leave it out.")
    done: list[Tally] = []
    failed: list[str] = []
    with shares.of_this_process() as share:
        if args.shard:
            share = shares.parse(args.shard)
        for name in names:
            parts = shares.gather(_try_backbone(args, name, share))
            errors = [part for part in parts if isinstance(part, BackboneError)]
            if errors and len(names) == 1:
                raise errors[0]
            if errors:
                failed.append(f"{name}: {errors[0]}")
                print(f"left out {failed[-1]}", file=sys.stderr)
            elif parts:
                done.append(_add_up(args, parts))
    if len(done) > 1:
        print("\n" + report.paper(done, args.base))
    return 1 if failed else 0


def _try_backbone(
    args: argparse.Namespace, name: str, share: Share
) -> tuple[Path, Tally] | BackboneError:
    """A share of one backbone's result, and the folder of the whole; or why there is none."""
    try:
        with opened_backbone(args, name) as backbone:
            return _evaluate_share(args, backbone, share)
    except BackboneError as error:
        return error


def _evaluate_share(
    args: argparse.Namespace, backbone: Backbone, share: Share
) -> tuple[Path, Tally]:
    dataset = _dataset(args)
    segmenter = _segmenter(args, backbone)
    entry, threshold = DATASETS.get(args.dataset), args.threshold
    if threshold is None:
        threshold = entry.threshold if entry else 0.0
    rows = _rows(args, segmenter, dataset)
    if args.base not in (report.BASE, *(row.label for row in rows)):
        labels = ", ".join(row.label for row in rows)
        raise EvaluationError(f"--base names no row: '{args.base}'. Choose one of: {labels}.")
    experiment = Experiment(segmenter, dataset, rows, _words(args), threshold)
    is_first = bool(args.shard) or share[0] == 0  # of several processes one speaks
    for note in (*backbone.notes, *_unknown_words(segmenter, dataset)) if is_first else ():
        print(f"note: {note}", file=sys.stderr)
    name = f"{dataset.name}-{backbone.name}-{digest(experiment.as_json())}"
    whole = own = args.out or Path("results") / name
    if args.shard or share[1] > 1:
        own = whole / f"share-{share[0] + 1}-of-{share[1]}"
    if args.fresh and (own / COUNTS_FILE).is_file():
        shutil.rmtree(own)
    shows = is_first and not args.quiet
    tally = runner.run(experiment, own, share, show_progress=shows)
    return own if args.shard else whole, tally


def _add_up(args: argparse.Namespace, parts: list[tuple[Path, Tally]]) -> Tally:
    """The sum of what the processes counted, saved where they were more than one, and shown."""
    folder, tally = parts[0]
    if len(parts) > 1:
        tally = merge([(f"process {rank}", part) for rank, (_, part) in enumerate(parts)])
        tally.save(folder)
    _finish(tally, folder, args)
    return tally


def _dataset(args: argparse.Namespace) -> OpenSet:
    opened = opened_set(args)
    if args.classes:
        own = class_lists.read(args.classes)
        if len(own) != len(opened.classes):
            raise EvaluationError(
                f"{opened.title} has {len(opened.classes)} classes, but {args.classes} lists "
                f"{len(own)}; one line per class, in the set's order, was expected."
            )
        opened = replace(opened, classes=own)
    if args.names == "official":
        opened = replace(
            opened, classes=tuple(ClassName(c.name, (c.name,)) for c in opened.classes)
        )
    return opened


def _unknown_words(segmenter: Segmenter, dataset: OpenSet) -> list[str]:
    """A note on the phrases this backbone has never met, if it can tell."""
    phrases = Vocabulary(tuple(c.phrases for c in dataset.classes))
    unknown = unknown_phrases(segmenter.backbone, phrases)
    if not unknown:
        return []
    shown = ", ".join(unknown[:8]) + (", …" if len(unknown) > 8 else "")
    return [
        f"{segmenter.backbone.title} has never met {len(unknown)} of the "
        f"{len(phrases.phrases)} words: {shown}."
    ]


def _segmenter(args: argparse.Namespace, backbone: Backbone) -> Segmenter:
    entry = DATASETS.get(args.dataset)
    side = args.short_side or (entry.short_side if entry else backbone.short_side)
    window = args.window if args.window is not None else (entry.window if entry else 0)
    stride = args.stride or (entry.stride if entry else 112)
    return Segmenter(backbone, side, window or None, stride, args.templates, args.logit_scale)


def _rows(args: argparse.Namespace, segmenter: Segmenter, dataset: OpenSet) -> tuple[Row, ...]:
    depth = segmenter.backbone.n_blocks
    make = _make_gclip(args, segmenter, dataset)
    methods = args.methods or ([] if args.ablate or args.sweep else DEFAULT_METHODS)
    rows = method_rows(methods, make)
    if args.ablate:
        rows += ablation_rows(make)
    if args.sweep:
        rows += sweep_rows(args.sweep, make, depth, args.amf_n_blocks)
    return rows


def _make_gclip(args: argparse.Namespace, segmenter: Segmenter, dataset: OpenSet) -> MakeGclip:
    depth = segmenter.backbone.n_blocks
    amf_blocks = block_vote.parse(args.amf_blocks, depth)
    if isinstance(amf_blocks, int):
        voters = dataset.samples[:amf_blocks]
        amf_blocks, why = block_vote.decide(
            segmenter, voters, args.amf_n_blocks, args.global_threshold
        )
        print(f"AMF blocks for the whole set: {listed(amf_blocks)} ({why})", file=sys.stderr)
    return partial(
        gclip,
        amf_blocks=amf_blocks,
        cs_blocks=block_choice(args.cs_blocks, depth),
        n_blocks=args.amf_n_blocks,
        heads=args.amf_heads,
        cs_target=args.cs_target,
        global_threshold=args.global_threshold,
        channel_threshold=args.channel_threshold,
    )


def _words(args: argparse.Namespace) -> str:
    return args.words or ("present" if args.dataset == SCENES else "all")


def _finish(tally: Tally, folder: Path, args: argparse.Namespace) -> None:
    print(report.tables(tally, args.base))
    if args.per_class:
        print("\n" + report.classes(tally))
    written = [report.write_json(tally, folder)]
    if any(line.part == "sweep" for line in report.lines(tally)) or args.draw:
        written += figures.draw_result(tally, folder)
    print("\nwritten: " + ", ".join(map(str, written)), file=sys.stderr)
    if not tally.complete and not args.shard:
        print("some images are still missing from this result.", file=sys.stderr)


# --- merging and showing ---------------------------------------------------------------------


def _merge(given: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation merge",
        description="Add shares of one evaluation: exactly the result of one run over all of it.",
    )
    parser.add_argument("folders", nargs="+", type=Path, help="result folders of the shares")
    parser.add_argument("--out", type=Path, help="folder for the sum (default: beside the first)")
    _report_options(parser)
    args = parser.parse_args(given)
    tally = merge([(str(folder), Tally.load(folder)) for folder in args.folders])
    folder = args.out or args.folders[0].parent / "merged"
    tally.save(folder)
    args.shard = None
    _finish(tally, folder, args)
    return 0


def _table(given: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation table",
        description="Print finished results as a paper does: methods down, data sets across.",
    )
    parser.add_argument("folders", nargs="+", type=Path, help="result folders")
    parser.add_argument("--base", default=report.BASE, help="row the others are compared with")
    args = parser.parse_args(given)
    print(report.paper([Tally.load(folder) for folder in args.folders], args.base))
    return 0


# --- options ---------------------------------------------------------------------------------


def _report_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--base", default=report.BASE, help=f"row the others are compared with ({report.BASE})"
    )
    parser.add_argument("--per-class", action="store_true", help="also print IoU by class")
    parser.add_argument("--draw", action="store_true", help="also draw the table as a figure")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation",
        description="Mean IoU of training-free segmentation methods on the benchmarks of the "
        "field, or on emoji scenes, which are always at hand. 'merge' adds shares, 'table' sets "
        "results side by side; each has its own --help.",
        epilog="docs/EVALUATION.md shows where to get each data set, and the protocol.",
    )
    what = parser.add_argument_group("what is evaluated")
    what.add_argument("--dataset", required=True, choices=[SCENES, *DATASETS])
    what.add_argument("--root", type=Path, help="folder that holds the data set")
    what.add_argument("--split", help="default: the set's validation split")
    what.add_argument("--n", type=int, help="first n images only (scenes: how many, 60)")
    what.add_argument(
        "--backbone", nargs="+", default=[BUILT_IN], choices=["all", *BACKBONES],
        type=backbone_name, metavar="NAME",
        help=f"one or several of: {', '.join(BACKBONES)}; or all",
    )  # fmt: skip
    add_backbone_options(what)

    rows = parser.add_argument_group("rows of the table")
    rows.add_argument(
        "--methods", nargs="+", choices=list(METHODS), metavar="NAME",
        help=f"any of: {', '.join(METHODS)}; default: {', '.join(DEFAULT_METHODS)}",
    )  # fmt: skip
    rows.add_argument("--ablate", action="store_true", help="the 2 × 2 of AMF and CS")
    rows.add_argument("--sweep", choices=list(SWEEPS), help="one setting over all its values")

    method = parser.add_argument_group("GCLIP (blocks are counted from 1)")
    method.add_argument(
        "--amf-blocks", default="backbone", metavar="BLOCKS",
        help="'backbone': its default; 'auto': decided for every image; 'first-100': decided once, "
        "by the first 100 images; or numbers such as '6 7' (default: backbone)",
    )  # fmt: skip
    method.add_argument("--amf-n-blocks", type=int, default=2, help="blocks auto fuses (2)")
    method.add_argument("--amf-heads", default="each", choices=["each", "mean"])
    add_finding_options(method)
    method.add_argument("--cs-target", default="mean", choices=["mean", "median"])
    method.add_argument("--channel-threshold", type=float, default=2.0)

    how = parser.add_argument_group("protocol (default: the data set's)")
    how.add_argument("--short-side", type=int, help="pixels")
    how.add_argument("--window", type=int, help="pixels; 0 for one pass over the whole image")
    how.add_argument("--stride", type=int, help="pixels")
    how.add_argument("--threshold", type=float, help="score under which a pixel is background")
    how.add_argument("--templates", default="imagenet80", choices=list(TEMPLATES))
    how.add_argument("--logit-scale", type=float, default=40.0)
    how.add_argument(
        "--words", metavar="RULE",
        help="'all' classes, those 'present' in the image, or 'present+10' with ten others "
        "(default: all; scenes: present)",
    )  # fmt: skip
    how.add_argument(
        "--names", default="words", choices=["words", "official"],
        help="our words and synonyms, or each class's official name alone",
    )  # fmt: skip
    how.add_argument("--classes", type=Path, help="a class list of your own")

    scenes = parser.add_argument_group("scenes")
    scenes.add_argument("--style", default="held-out", help="held-out, seen, or a style's name")
    scenes.add_argument("--size", default="192", help="pixels: 192 or HEIGHTxWIDTH")
    scenes.add_argument("--seed", type=int, default=FIRST_SEED, help="first seed")

    out = parser.add_argument_group("running")
    out.add_argument("--out", type=Path, help="result folder (default: results/…)")
    out.add_argument("--fresh", action="store_true", help="start over instead of going on")
    out.add_argument(
        "--shard", metavar="I/N",
        help="evaluate the I-th of N shares (under torchrun each process takes its own)",
    )  # fmt: skip
    out.add_argument("--quiet", action="store_true", help="no progress")
    _report_options(out)
    return parser
