"""Commands in docs/EVALUATION.md are parsed; those that need no data run. Its tables are true."""

import json
import re
import shlex

from evaluation import __main__ as evaluation
from evaluation import figure, phenomena, suggested_words, tables
from evaluation.datasets import DATASETS
from gclip_core import assets
from tests import ROOT

TEXT = (ROOT / "docs" / "EVALUATION.md").read_text("utf-8")
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"```(?:bash)?\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]
MODULES = {
    "evaluation": evaluation,
    "evaluation.phenomena": phenomena,
    "evaluation.figure": figure,
    "evaluation.suggested_words": suggested_words,
}
# The same command on less: a small photo, two methods, one sentence around each word.
LESS = {
    evaluation: ["--n", "1", "--short-side", "48", "--templates", "plain", "--quiet"]
    + ["--methods", "clearclip", "gclip"],
    phenomena: ["--n", "1", "--short-side", "48"],
}


def test_commands() -> None:
    """Every command is parsed, and run if it needs no data of the reader's."""
    named = set()
    for program, *words in COMMANDS:
        words = [str(ROOT / word) if word.startswith("assets/") else word for word in words]
        if program == "torchrun":  # two processes have a test of their own
            module, given = evaluation, words[words.index("--") + 1 :]
        elif words[1].startswith("training"):
            continue
        else:
            module, given = MODULES[words[1]], words[2:]
        named.add(module)
        if given[0] in ("table", "field"):
            assert evaluation.main(given) == 0
        elif {"DIR", "COCO_VAL"} & set(given):
            module.parser().parse_args(given)
        else:
            assert module.main([*given, *LESS.get(module, [])]) == 0, given
    assert named == set(MODULES.values())


def test_field_table() -> None:
    """The field's table is what was measured."""
    measured = json.loads(assets.path("built-in", "measured.json").read_text("utf-8"))
    assert tables.field(measured) in TEXT


def test_ignored_ids() -> None:
    """The sets whose id 0 is ignored are those that the document names."""
    (sentence,) = re.findall(r"or in ([^.]*?) the id 0\.", TEXT)
    ignored = {name for name, d in DATASETS.items() if 0 in d.files[0].ids.ignored}
    assert set(re.findall(r"`([^`]+)`", sentence)) <= ignored


def test_protocols() -> None:
    """The table of protocols is that of the program."""
    rows = re.findall(r"^\| (`[^|]+) \| (\d+) \| (\d+) / (\d+) \| ([^|]+) \| (\S+) \|$", TEXT, re.M)
    assert len(rows) == 4
    for names, side, window, stride, background, threshold in rows:
        for name in re.findall(r"`([^`]+)`", names):
            protocol = DATASETS[name].protocol
            sizes = (protocol.short_side, protocol.window, protocol.stride)
            assert sizes == (int(side), int(window), int(stride))
            assert (DATASETS[name].background is None) == (background == "none")
            assert protocol.threshold == (0 if threshold == "none" else float(threshold))
