"""The recipe of the built-in model, step by step: README.md."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from evaluation.datasets import DATASETS
from training import attention, data, features, pack, patch_map

STEPS = {
    "features": features.run,
    "map": patch_map.run,
    "attention": attention.run,
    "pack": pack.run,
}
HELP = {
    "features": "compute the features of every photo with the frozen networks",
    "map": "learn the map from features to word vectors",
    "attention": "learn the attention of a new model",
    "pack": "write the learned weights as the files of a built-in model",
    "all": "run all steps that this data needs, in order",
}
LEARNING = ("map", "attention", "all")
"""Steps that fit weights."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a step; errors are printed to stderr. Returns the exit status."""
    args = _parser().parse_args(arguments)
    try:
        if args.step == "data":
            data.write(args.data, args.masks, args.photos, args.first, args.most)
            data.check(args.data)
            return 0
        torch.set_num_threads(args.threads)
        args.work.mkdir(parents=True, exist_ok=True)
        for step in _steps(args):
            print(f"{step}:", flush=True)
            STEPS[step](args.data, args.work, **_options(args, step))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _steps(args: argparse.Namespace) -> Sequence[str]:
    if args.step != "all":
        return (args.step,)
    return [step for step in STEPS if step != "attention" or data.read(args.data).is_new]


def _options(args: argparse.Namespace, step: str) -> dict[str, object]:
    if step == "features":
        return {}
    options = {"without": args.without, "seed": args.seed}
    return options | ({"steps": args.steps} if args.steps and step in LEARNING else {})


def positive(text: str) -> int:
    """A whole number from 1; for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, not {text!r:.40}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="The recipe of the built-in model, step by step (training/README.md). 'data' "
        "lists the photos and checks them, 'all' runs the other steps in order.",
    )
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    make = steps.add_parser("data", help="list the photos to learn from, and check them")
    make.add_argument("data", type=Path, help="folder to create")
    sets = ", ".join(DATASETS)
    make.add_argument(
        "--masks",
        nargs="+",
        required=True,
        metavar="[SET=]FOLDER",
        help=f"a folder of NAME.jpg, NAME.png and words.txt, or one of the data sets {sets}",
    )
    make.add_argument(
        "--photos", nargs="*", default=(), metavar="FOLDER", help="photos without masks"
    )
    make.add_argument("--first", metavar="FOLDER", help="train a new model from this first model")
    make.add_argument(
        "--most",
        type=positive,
        default=1000,
        help="maximum of photos per data set, chosen at random",
    )
    for name, text in HELP.items():
        step = steps.add_parser(name, help=text)
        step.add_argument("data", type=Path, help="the folder that 'data' created")
        step.add_argument("work", type=Path, help="folder for features and results")
        step.add_argument("--threads", type=positive, default=torch.get_num_threads())
        step.set_defaults(without=None, seed=0, steps=None)
        if name != "features":
            step.add_argument("--without", metavar="SPLIT", help="hold out the photos in SPLIT.txt")
            step.add_argument("--seed", type=int)
        if name in LEARNING:
            step.add_argument(
                "--steps", type=positive, help="steps of a fit; fewer for a quick try"
            )
    return parser


if __name__ == "__main__":
    sys.exit(main())
