"""Commands in docs/EVALUATION.md are parsed; those that need no data run. Its figures are true."""

import json
import re
import shlex

import pytest

from evaluation import __main__ as evaluation
from evaluation import figure, phenomena, suggested_words, tables
from gclip_core import assets
from tests import ROOT

TEXT = (ROOT / "docs" / "EVALUATION.md").read_text("utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```(?:bash)?\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if "training" not in line.split()[2]
]
MODULES = {
    "evaluation": evaluation,
    "evaluation.phenomena": phenomena,
    "evaluation.figure": figure,
    "evaluation.suggested_words": suggested_words,
}
# The same command on less: a small photo, two methods, one sentence around each word.
LESS = ["--n", "1", "--short-side", "48", "--templates", "plain", "--methods", "clearclip", "gclip"]


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str) -> None:
    """A command is parsed, and runs if it needs no data of the reader's."""
    words = [str(ROOT / w) if w.startswith("assets/") else w for w in shlex.split(command)]
    if words[0] == "torchrun":  # two processes have a test of their own
        words = [w for w in words[words.index("-m") - 1 :] if w != "--"]
    module, given = MODULES[words[2]], words[3:]
    if {"DIR", "COCO_VAL"} & set(given):
        module.parser().parse_args(given)
    elif "table" in given:
        assert evaluation.main(["--dataset", "photos", "--out", given[1], *LESS]) == 0
        assert evaluation.main(given) == 0
    elif module is evaluation and "field" not in given:
        assert evaluation.main([*given, *LESS]) == 0
    else:
        less = ["--n", "1"] if module in (phenomena, suggested_words) else []
        assert module.main([*given, *less]) == 0


def test_field_table() -> None:
    """The field's table is what was measured."""
    measured = json.loads(assets.path("built-in", "measured.json").read_text("utf-8"))
    assert tables.field(measured) in TEXT
