"""``python -m tests.benchmarks``: one table of figures and goals, measured on this machine."""

import argparse
from collections.abc import Sequence

import torch

from tests.benchmarks import clock
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
    return 0


def line(row: Row) -> str:
    """A row as a line of the Markdown table."""
    met = "yes" if row.met else "**no**"
    cells = (row.what, row.against, row.ours, row.theirs, row.result, row.goal, met)
    return "| " + " | ".join(cells) + " |"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="one run of each")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each (3)")
    parser.add_argument(
        "--threads", type=int, default=1,
        help="1 (default) measures processor time, more measure wall-clock time",
    )  # fmt: skip
    parser.add_argument(
        "--backbone", default="openai-vit-b-16", choices=["openai-vit-b-16", "openai-vit-l-14"],
        help="the architecture, with seeded random weights",
    )  # fmt: skip
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), help="only these sections")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
