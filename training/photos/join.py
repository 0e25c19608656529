"""Join maps into one that says the mean of what they say: RUN/map.pt from now on.

    python -m training.photos.join RUN map map-2

Maps that learned apart err apart. The first one learned the words' vectors; it is kept as first.pt.
"""

import argparse
from collections import Counter
from pathlib import Path

import torch

from training.photos.student import joined


def join(run: Path, names: list[str]) -> None:
    """Write `map.pt` from the named maps of a run; the vectors are the last one's.

    A map counts as often as it is named.
    """
    counts = Counter(names)
    held = [torch.load(run / f"{name}.pt", weights_only=True) for name in counts]
    if "map" in names:
        (run / "map.pt").replace(run / "first.pt")
    together = joined([one["averaged"] for one in held], list(counts.values()))
    torch.save({**held[-1], "averaged": together}, run / "map.pt")
    (run / "shares.npy").unlink(missing_ok=True)  # worked out by the map before


def main() -> None:
    parser = argparse.ArgumentParser(description="Join maps into one.")
    parser.add_argument("run", type=Path)
    parser.add_argument("names", nargs="+", metavar="MAP", help="map, map-2, …")
    given = parser.parse_args()
    join(given.run, given.names)


if __name__ == "__main__":
    main()
