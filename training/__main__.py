"""One step of the recipe: `python -m training STEP DATA WORK`; README.md has them in order."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

STEPS = ("features", "map", "attention", "pack")
PER_RUN = ("map", "attention", "pack")
"""Steps that can leave out photos, or begin with other random numbers."""


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
    parser.add_argument("--steps", type=int, help="fewer steps, to try something")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    options = {"steps": args.steps} if args.steps else {}
    if args.step in PER_RUN:
        options |= {"without": args.without, "seed": args.seed}
    args.work.mkdir(parents=True, exist_ok=True)
    try:
        importlib.import_module(f"training.{args.step}").run(args.data, args.work, **options)
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
