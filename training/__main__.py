"""One step of the recipe: `python -m training STEP DATA WORK`; README.md has them in order."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from training.data import check_sources

STEPS = ("features", "map", "attention", "pack")
LEARNING = ("map", "attention")
"""Steps that fit weights; they and `pack` can leave out photos, or have another seed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a step; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("data", type=Path, help="photos, masks, the first model: README.md")
    parser.add_argument("work", type=Path, help="a folder for features and what steps learn")
    parser.add_argument(
        "--without", choices=("choose", "report"), help="leave out a half of COCO's photos"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="fewer steps of a fit, to try something")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    options = {}
    if args.steps is not None:
        if args.step not in LEARNING or args.steps < 1:
            parser.error(f"--steps must be 1 or more, and only {' and '.join(LEARNING)} take it")
        options["steps"] = args.steps
    if args.step != "features":
        options |= {"without": args.without, "seed": args.seed}
    args.work.mkdir(parents=True, exist_ok=True)
    try:
        check_sources(args.data)
        importlib.import_module(f"training.{args.step}").run(args.data, args.work, **options)
    except FileNotFoundError as error:
        print(
            f"{error.filename} was expected, but is not there: see training/README.md for what "
            "DATA has, and which steps come before.",
            file=sys.stderr,
        )
        return 1
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
