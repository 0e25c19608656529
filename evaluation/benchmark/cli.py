"""The command line: ``python -m evaluation``, with ``table`` and ``field`` to show results."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

from evaluation.benchmark import comparison, report, runner, shares
from evaluation.benchmark.experiment import Experiment, digest
from evaluation.benchmark.rows import SWEEPS, Row, ablation_rows, method_rows, sweep_rows
from evaluation.benchmark.shares import Share
from evaluation.benchmark.tally import FILE as COUNTS_FILE
from evaluation.benchmark.tally import Tally, added
from evaluation.errors import EvaluationError
from evaluation.options import (
    add_backbone_options,
    add_gclip_options,
    add_set_options,
    opened_backbone,
    opened_set,
)
from evaluation.photo_set import NAME as PHOTOS
from evaluation.queries import parse_rule
from evaluation.samples import LabelledSet, Protocol
from gclip_core.backbone import Backbone
from gclip_core.errors import BackboneError, GclipError
from gclip_core.methods import METHODS, gclip
from gclip_core.numbering import block_choice
from gclip_core.refine import REFINEMENTS
from gclip_core.registry import BACKBONES
from gclip_core.segmenter import Segmenter
from gclip_core.types import Vocabulary
from gclip_core.vocabulary import TEMPLATES, unknown_phrases


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; an error is one sentence on stderr. Returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and given[0] == "table":
            return _table(given[1:])
        if given and given[0] == "field":
            return _field(given[1:])
        return _evaluate(_parser().parse_args(given))
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. Run the same command again to resume.", file=sys.stderr)
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
    failed = False
    with shares.of_this_process() as share:
        for name in names:
            parts = shares.gather(_evaluate_share(args, name, share))
            errors = [part for part in parts if isinstance(part, BackboneError)]
            if errors and len(names) == 1:
                raise errors[0]
            if errors:
                failed = True
                print(f"left out {name}: {errors[0]}", file=sys.stderr)
            elif parts:
                done.append(_add_up(args, parts))
    if len(done) > 1:
        print("\n" + comparison.paper(done))
    return 1 if failed else 0


def _evaluate_share(
    args: argparse.Namespace, name: str, share: Share
) -> tuple[Path, Tally] | BackboneError:
    """The folder of the whole result, and this process's share of it.

    An error of the backbone is returned: the other processes wait until this one gathers, too.
    """
    try:
        backbone = opened_backbone(args, name)
    except BackboneError as error:
        return error
    dataset = opened_set(args)
    protocol = _protocol(args, dataset)
    segmenter = _segmenter(args, backbone, protocol)
    rows = _rows(args, backbone.n_blocks)
    experiment = Experiment(segmenter, dataset, rows, _words(args), protocol.threshold, args.refine)
    index, count = share
    is_first = index == 0  # only the first process prints
    if is_first:
        _note_unknown_words(segmenter, dataset)
    result = f"{dataset.name}-{backbone.name}-{digest(experiment.as_json())}"
    whole = args.out or Path("results") / result
    own = whole / f"share-{index + 1}-of-{count}" if count > 1 else whole
    if args.fresh:
        (own / COUNTS_FILE).unlink(missing_ok=True)
    show_progress = is_first and not args.quiet
    return whole, runner.run(experiment, own, share, show_progress=show_progress)


def _add_up(args: argparse.Namespace, parts: list[tuple[Path, Tally]]) -> Tally:
    """Add the processes' counts, print and write the result."""
    folder, tally = parts[0]
    if len(parts) > 1:
        tally = added([part for _, part in parts])
        tally.save(folder)
    print(report.tables(tally))
    print(f"\nwritten: {report.write_json(tally, folder)}", file=sys.stderr)
    if not tally.complete:
        print("Some images are still missing from this result.", file=sys.stderr)
    return tally


def _note_unknown_words(segmenter: Segmenter, dataset: LabelledSet) -> None:
    """Print which phrases are not in this backbone's training words, if those are known."""
    phrases = Vocabulary(tuple(c.phrases for c in dataset.classes))
    unknown = unknown_phrases(segmenter.backbone, phrases)
    if not unknown:
        return
    shown = ", ".join(unknown[:8]) + (", …" if len(unknown) > 8 else "")
    print(
        f"note: {segmenter.backbone.title} was not trained on {len(unknown)} of the "
        f"{len(phrases.phrases)} words: {shown}.",
        file=sys.stderr,
    )


def _protocol(args: argparse.Namespace, dataset: LabelledSet) -> Protocol:
    """The data set's protocol with what the command line changes of it."""
    names = [field.name for field in fields(Protocol)]
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return replace(dataset.protocol, **given)


def _segmenter(args: argparse.Namespace, backbone: Backbone, protocol: Protocol) -> Segmenter:
    return Segmenter(
        backbone,
        short_side=protocol.short_side or backbone.short_side,
        window=protocol.window or None,
        stride=protocol.stride,
        templates=args.templates,
        logit_scale=args.logit_scale,
    )


def _rows(args: argparse.Namespace, n_blocks: int) -> tuple[Row, ...]:
    make = partial(
        gclip,
        amf_blocks=block_choice(args.amf_blocks, n_blocks),
        cs_blocks=block_choice(args.cs_blocks, n_blocks),
        n_fused=args.amf_n_fused,
        heads=args.amf_heads,
        cs_target=args.cs_target,
        global_threshold=args.global_threshold,
        channel_threshold=args.channel_threshold,
    )
    rows = method_rows(args.methods or ([] if args.ablate or args.sweep else METHODS), make)
    if args.ablate:
        rows += ablation_rows(make)
    if args.sweep:
        rows += sweep_rows(args.sweep, make, n_blocks, args.amf_n_fused)
    return rows


def _words(args: argparse.Namespace) -> str:
    return args.words or ("present" if args.dataset == PHOTOS else "all")


# --- showing results -------------------------------------------------------------------------


def _table(given: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation table",
        description="Print finished results as a paper does: methods down, data sets across.",
    )
    parser.add_argument("folders", nargs="+", type=Path, help="result folders")
    args = parser.parse_args(given)
    print(comparison.paper([Tally.load(folder) for folder in args.folders]))
    return 0


def _field(given: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation field",
        description="Print as Markdown what `python -m training.measure --out FILE` measured.",
    )
    parser.add_argument("file", type=Path, help="its JSON file")
    file = parser.parse_args(given).file
    try:
        print(comparison.field_table(json.loads(file.read_text("utf-8"))))
    except (ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"A file of training.measure was expected at {file}.") from error
    return 0


# --- options ---------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation",
        description="Mean IoU of training-free segmentation methods on the benchmarks of the "
        "field, or on the photos that ship. 'table' prints finished results side by side and has "
        "its own --help.",
        epilog="docs/EVALUATION.md shows where to get each data set, and the protocol.",
    )
    what = parser.add_argument_group("what is evaluated")
    add_set_options(what)
    add_backbone_options(what, several=True)
    _add_row_options(parser)
    _add_method_options(parser)
    _add_protocol_options(parser)
    out = parser.add_argument_group("running")
    out.add_argument("--out", type=Path, help="result folder (default: results/…)")
    out.add_argument("--fresh", action="store_true", help="start over instead of resuming")
    out.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _add_row_options(parser: argparse.ArgumentParser) -> None:
    rows = parser.add_argument_group("rows of the table")
    rows.add_argument(
        "--methods",
        nargs="+",
        choices=list(METHODS),
        metavar="NAME",
        help=f"any of: {', '.join(METHODS)}; default: all",
    )
    rows.add_argument("--ablate", action="store_true", help="neither, AMF, CS, both")
    rows.add_argument("--sweep", choices=list(SWEEPS), help="one setting over all its values")


def _add_method_options(parser: argparse.ArgumentParser) -> None:
    method = parser.add_argument_group("GCLIP (blocks count from 1)")
    method.add_argument(
        "--amf-blocks",
        default="backbone",
        metavar="BLOCKS",
        help="'backbone': its default; 'auto': decided for every image; 'paper-from-1' or "
        "'paper-from-0': the paper's 6 and 7 in either counting; or numbers such as '6 7' "
        "(default: backbone)",
    )
    method.add_argument("--amf-n-fused", type=int, default=2, help="blocks auto fuses (2)")
    method.add_argument("--amf-heads", default="each", choices=["each", "mean"])
    add_gclip_options(method)
    method.add_argument("--cs-target", default="mean", choices=["mean", "median"])
    method.add_argument("--channel-threshold", type=float, default=2.0)


def _add_protocol_options(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("protocol (default: the data set's)")
    how.add_argument("--short-side", type=int, help="pixels")
    how.add_argument("--window", type=int, help="pixels; 0 for one pass over the whole image")
    how.add_argument("--stride", type=int, help="pixels")
    how.add_argument(
        "--threshold", type=float, help="probability below which a pixel is background"
    )
    how.add_argument(
        "--refine",
        default="none",
        choices=list(REFINEMENTS),
        help="how edges follow the image (default: none, as in the papers)",
    )
    how.add_argument("--templates", default="imagenet80", choices=list(TEMPLATES))
    how.add_argument("--logit-scale", type=float, default=40.0)
    how.add_argument(
        "--words",
        metavar="RULE",
        help="'all' classes, those 'present' in the image, or 'present+10' with ten others "
        "(default: all; photos: present)",
    )
