"""Make what ships in `assets/built-in/`, in eight commands, one step each (training/README.md).

    python -m training features DATA WORK

Each goes on where it was interrupted; WORK keeps what steps leave for those after them.
"""

import argparse
from pathlib import Path

from training import attention, detector, features, first, localise, map, pack, text

STEPS = {
    "features": features.run,
    "detector": detector.label,
    "first": first.learn,
    "text": text.learn,
    "map": map.learn,
    "localise": localise.learn,
    "attention": attention.learn,
    "pack": pack.pack,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the built-in model, one step a command.")
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("data", type=Path, help="photos, their words, and vectors of words")
    parser.add_argument("work", type=Path, help="a folder for caches and what was learned")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    STEPS[arguments.step](arguments.data, arguments.work)
