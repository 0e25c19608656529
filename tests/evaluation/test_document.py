"""Commands in docs/EVALUATION.md are parsed; those that need no data run. Its tables are true."""

import json
import re
import shlex
from pathlib import Path

import pytest

from evaluation.benchmark import cli, comparison
from evaluation.datasets import DATASETS
from evaluation.figure import __main__ as figure
from evaluation.phenomena import __main__ as phenomena
from evaluation.phenomena.summary import PUBLISHED
from gclip_core import assets
from gclip_core.numbering import block_numbers
from tests import ROOT

TEXT = (ROOT / "docs" / "EVALUATION.md").read_text("utf-8")
LINES = [
    shlex.split(line)
    for block in re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]
COMMANDS = [line for line in LINES if line[0] == "python"]
NEEDS_DATA = "DIR"

# The same command on less: a small photo, two methods, one sentence around each word.
LESS = ["--n", "1", "--short-side", "48", "--templates", "plain", "--quiet"]
LESS += ["--methods", "clearclip", "gclip"]


def test_commands_that_need_data_are_parsed() -> None:
    parsers = {"evaluation": cli.parser(), "evaluation.phenomena": phenomena.parser()}
    needing = [command for command in COMMANDS if NEEDS_DATA in command]
    assert {command[2] for command in needing} == parsers.keys()
    for command in needing:
        parsers[command[2]].parse_args(command[3:])


def test_commands_without_data_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # test_phenomena.py draws this large figure, and looks at it.
    monkeypatch.setattr(phenomena.figures, "draw", lambda phenomena, folder: folder)
    for _, _, module, *words in (c for c in COMMANDS if NEEDS_DATA not in c):
        arguments = [str(ROOT / word) if word.startswith("assets/") else word for word in words]
        if module == "evaluation.phenomena":
            assert phenomena.main([*arguments, "--n", "1", "--short-side", "48"]) == 0, arguments
        elif module == "evaluation.figure":
            assert figure.main(arguments) == 0, arguments
        else:
            shown = arguments[0] == "table"
            assert cli.main(arguments if shown else [*arguments, *LESS]) == 0, arguments


def test_what_another_paper_reports_is_what_the_program_compares_with() -> None:
    paper = PUBLISHED["openai-vit-b-16"]
    for dimensions in (paper.dimensions, paper.channels):
        *first, last = map(str, dimensions)
        assert f"{', '.join(first)} and {last}" in TEXT
    blocks = block_numbers(paper.token_blocks)
    assert f"blocks {blocks[0]} to {blocks[-1]} have stripes" in " ".join(TEXT.split())


def test_the_field_s_table_is_what_was_measured() -> None:
    measured = json.loads(assets.path("built-in", "measured.json").read_text("utf-8"))
    assert comparison.field_table(measured) in TEXT


def test_every_data_set_is_in_both_tables() -> None:
    sections = TEXT.split("## The protocol")
    for name in (*DATASETS, "photos"):
        assert all(f"`{name}`" in section for section in sections), name


def test_the_sets_whose_id_0_is_ignored_are_named() -> None:
    (sentence,) = re.findall(r"or in ([^.]*?) the id 0\.", TEXT)
    without = [name for name, d in DATASETS.items() if 0 in d.files[0].ids.ignored]
    assert re.findall(r"`([^`]+)`", sentence) == without


def test_the_table_of_protocols_is_that_of_the_program() -> None:
    rows = re.findall(r"^\| (`[^|]+) \| (\d+) \| (\d+) / (\d+) \| ([^|]+) \| (\S+) \|$", TEXT, re.M)
    stated = {
        name: (int(side), int(window), int(stride), background == "none", threshold)
        for names, side, window, stride, background, threshold in rows
        for name in re.findall(r"`([^`]+)`", names)
    }
    assert stated == {
        d.name: (
            d.protocol.short_side,
            d.protocol.window,
            d.protocol.stride,
            d.background is None,
            f"{d.protocol.threshold:g}" if d.protocol.threshold else "none",
        )
        for d in DATASETS.values()
    }
