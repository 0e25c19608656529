"""Make what ships in `assets/built-in/`, in eight commands, one step each (training/README.md).

    python -m training features DATA WORK

Each goes on where it was interrupted; WORK keeps what steps leave for those after them.
"""

import argparse
from pathlib import Path

from training import (
    attention,
    detector,
    features,
    first,
    localise,
    pack,
    self_training,
    text,
)

LEARNING = {
    "first": first.run,
    "text": text.run,
    "self_training": self_training.run,
    "localise": localise.run,
    "attention": attention.run,
}
STEPS = {"features": features.run, "detector": detector.run, **LEARNING, "pack": pack.run}


def parser() -> argparse.ArgumentParser:
    """The arguments of a step."""
    made = argparse.ArgumentParser(
        prog="python -m training", description="Make the built-in model, one step a command."
    )
    made.add_argument("step", choices=STEPS)
    made.add_argument("data", type=Path, help="photos, their words, and vectors of words")
    made.add_argument("work", type=Path, help="a folder for caches and what was learned")
    made.add_argument(
        "--steps", type=int, help=f"fewer, to try a change in a copy of work: {', '.join(LEARNING)}"
    )
    return made


def main(words: list[str] | None = None) -> None:
    """Run a step."""
    arguments = parser().parse_args(words)
    options = {} if arguments.steps is None else {"steps": arguments.steps}
    if options and arguments.step not in LEARNING:
        parser().error(f"--steps is for {', '.join(LEARNING)}; {arguments.step} has none.")
    arguments.work.mkdir(parents=True, exist_ok=True)
    STEPS[arguments.step](arguments.data, arguments.work, **options)


if __name__ == "__main__":
    main()
