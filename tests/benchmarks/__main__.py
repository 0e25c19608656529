"""``python -m tests.benchmarks``: one table of ratios, on this machine, with its goals."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from tests.benchmarks import clock, growth
from tests.benchmarks.rows import SECTIONS, Bench, Row

HEAD = "| what | against | ours | theirs | result | goal | met |\n|---|---|---|---|---|---|---|"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the chosen sections and print them as one Markdown table."""
    args = _parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    bench = Bench(1 if args.quick else args.repeats, args.backbone)
    print(clock.machine(), flush=True)
    print(f"Medians of {bench.repeats} runs in turns.\n\n{HEAD}", flush=True)
    rows: list[Row] = []
    for name in args.only or SECTIONS:
        rows += (found := SECTIONS[name](bench))
        print("\n".join(map(line, found)), flush=True)
    notes = "\n".join(f"- {row.what}: {row.note}." for row in rows if row.note)
    print(f"\n{notes}")
    if args.out:
        growth.draw(growth.measure(bench), args.out)
    return 0


def line(row: Row) -> str:
    """A row as a line of the Markdown table."""
    met = {True: "yes", False: "**no**", None: "not run"}[row.met]
    cells = (row.what, row.against, row.ours, row.theirs, row.result, row.goal, met)
    return "| " + " | ".join(cells) + " |"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="one run of each instead of five")
    parser.add_argument("--repeats", type=int, default=5, help="runs a median is taken of")
    parser.add_argument(
        "--threads", type=int, default=1,
        help="1 (default) measures processor time, more than one wall-clock time",
    )  # fmt: skip
    parser.add_argument(
        "--backbone", default="openai-vit-b-16", choices=["openai-vit-b-16", "openai-vit-l-14"],
        help="whose architecture gets the seeded random weights",
    )  # fmt: skip
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), help="these sections alone")
    parser.add_argument("--out", type=Path, help="also draw how cost grows into this PNG")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
