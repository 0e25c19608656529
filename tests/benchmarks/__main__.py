"""``python -m tests.benchmarks``: one table of figures and goals, measured on this machine."""

import argparse

import torch

from tests.benchmarks.rows import SECTIONS, Bench, Row, machine

HEAD = "| what | against | ours | theirs | result | goal | met |\n|---|---|---|---|---|---|---|"


def main() -> None:
    """Measure the chosen sections and print them as one Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=main.__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), help="only these sections")
    args = parser.parse_args()
    torch.set_num_threads(1)
    bench, rows = Bench(args.repeats), list[Row]()
    print(f"{machine()}\nMedians of {bench.repeats} runs in turns.\n\n{HEAD}", flush=True)
    for name in args.only or SECTIONS:
        section = SECTIONS[name](bench)
        print("\n".join(map(str, section)), flush=True)
        rows += section
    print("", *[f"- {row.what}: {row.note}." for row in rows if row.note], sep="\n")


if __name__ == "__main__":
    main()
