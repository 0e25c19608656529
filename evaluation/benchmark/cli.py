"""The options of ``python -m evaluation``, and ``table`` and ``field``, which print results."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.benchmark import comparison
from evaluation.benchmark.evaluate import evaluate
from evaluation.benchmark.rows import SWEEPS
from evaluation.benchmark.tally import Tally
from evaluation.errors import EvaluationError
from evaluation.options import add_backbone_options, add_gclip_options, add_set_options
from gclip_core.errors import GclipError
from gclip_core.methods import METHODS
from gclip_core.refine import REFINEMENTS
from gclip_core.vocabulary import TEMPLATES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; an error is one sentence on stderr. Returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and given[0] == "table":
            return _table(given[1:])
        if given and given[0] == "field":
            return _field(given[1:])
        return evaluate(parser().parse_args(given))
    except (GclipError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. Run the same command again to resume.", file=sys.stderr)
        return 130


def _table(given: Sequence[str]) -> int:
    command = argparse.ArgumentParser(
        prog="python -m evaluation table",
        description="Print finished results as a paper does: methods down, data sets across.",
    )
    command.add_argument("folders", nargs="+", type=Path, help="result folders")
    folders = command.parse_args(given).folders
    print(comparison.paper([Tally.load(folder) for folder in folders]))
    return 0


def _field(given: Sequence[str]) -> int:
    command = argparse.ArgumentParser(
        prog="python -m evaluation field",
        description="Print as Markdown what `python -m training.measure --out FILE` measured.",
    )
    command.add_argument("file", type=Path, help="its JSON file")
    file = command.parse_args(given).file
    try:
        print(comparison.field_table(json.loads(file.read_text("utf-8"))))
    except (ValueError, KeyError, TypeError) as error:
        raise EvaluationError(f"A file of training.measure was expected at {file}.") from error
    return 0


def parser() -> argparse.ArgumentParser:
    """The options of an evaluation."""
    command = argparse.ArgumentParser(
        prog="python -m evaluation",
        description="Mean IoU of training-free segmentation methods on the benchmarks of the "
        "field, or on the photos that ship. 'table' prints finished results side by side, 'field' "
        "what training.measure wrote; each has its own --help.",
        epilog="docs/EVALUATION.md shows where to get each data set, and the protocol.",
    )
    what = command.add_argument_group("what is evaluated")
    add_set_options(what)
    add_backbone_options(what, several=True)
    _add_row_options(command.add_argument_group("rows of the table"))
    _add_method_options(command.add_argument_group("GCLIP (blocks count from 1)"))
    _add_protocol_options(command.add_argument_group("protocol (default: the data set's)"))
    _add_running_options(command.add_argument_group("running"))
    return command


def _add_row_options(group: Any) -> None:
    group.add_argument(
        "--methods",
        nargs="+",
        choices=list(METHODS),
        metavar="NAME",
        help=f"any of: {', '.join(METHODS)}; default: all",
    )
    group.add_argument("--ablate", action="store_true", help="neither, AMF, CS, both")
    group.add_argument("--sweep", choices=list(SWEEPS), help="one setting over all its values")


def _add_method_options(group: Any) -> None:
    group.add_argument(
        "--amf-blocks",
        default="backbone",
        metavar="BLOCKS",
        help="'backbone': its default; 'auto': decided for every image; 'paper-from-1' or "
        "'paper-from-0': the paper's 6 and 7 in either counting; or numbers such as '6 7' "
        "(default: backbone)",
    )
    group.add_argument("--amf-n-fused", type=int, default=2, help="blocks auto fuses (default: 2)")
    group.add_argument(
        "--amf-heads",
        default="each",
        choices=["each", "mean"],
        help="head i with head i, or every head with the mean of heads (default: each)",
    )
    add_gclip_options(group)
    group.add_argument(
        "--cs-target",
        default="mean",
        choices=["mean", "median"],
        help="of the other channels' norms, what an abnormal channel is scaled to (default: mean)",
    )
    group.add_argument(
        "--channel-threshold",
        type=float,
        default=2.0,
        help="an abnormal channel has at least this multiple of the median norm (default: 2)",
    )


def _add_protocol_options(group: Any) -> None:
    group.add_argument("--short-side", type=int, help="pixels")
    group.add_argument("--window", type=int, help="pixels; 0 for one pass over the whole image")
    group.add_argument("--stride", type=int, help="pixels")
    group.add_argument(
        "--threshold", type=float, help="probability below which a pixel is background"
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


def _add_running_options(group: Any) -> None:
    group.add_argument("--out", type=Path, help="result folder (default: results/…)")
    group.add_argument("--fresh", action="store_true", help="start over instead of resuming")
    group.add_argument("--quiet", action="store_true", help="no progress")
