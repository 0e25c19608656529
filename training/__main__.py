"""Make what ships in `assets/built-in/`, in seven commands, one step each (training/README.md).

    python -m training features DATA WORK

Each goes on where it was interrupted; WORK keeps what steps leave for those after them.
"""

import argparse
from functools import partial
from pathlib import Path

from training import attention, features, map, pack, people, text

STEPS = {
    "features": features.run,
    "first": map.learn,
    "text": text.learn,
    "map": partial(map.learn, steps=700, anew=True),
    "people": people.learn,
    "attention": attention.teach,
    "pack": pack.pack,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the built-in model, one step a command.")
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("data", type=Path, help="photos, their words, and vectors of words")
    parser.add_argument("work", type=Path, help="a folder for caches and what was learned")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    STEPS[given.step](given.data, given.work)
