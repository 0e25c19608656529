"""Commands in docs/EVALUATION.md are parsed; those that need no data run."""

import re
import shlex

import pytest

from evaluation import __main__ as evaluation
from evaluation import phenomena
from tests import ROOT

TEXT = (ROOT / "docs" / "EVALUATION.md").read_text("utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
MODULES = {
    "evaluation": evaluation,
    "evaluation.phenomena": phenomena,
}
# The same command with less work: a small photo, two methods, one sentence per word.
LESS = ["--n", "1", "--short-side", "48", "--templates", "plain", "--methods", "clearclip", "gclip"]


@pytest.mark.parametrize("block", BLOCKS)
def test_commands(block: str) -> None:
    """Commands are parsed, and run one after the other if they need no data of the reader's."""
    for command in block.splitlines():
        words = [
            str(ROOT / w) if w.startswith("assets/") else w
            for w in shlex.split(command, comments=True)
        ]
        if words[0] == "torchrun":  # two processes have a test of their own
            words = [w for w in words[words.index("-m") - 1 :] if w != "--"]
        module, given = MODULES[words[2]], words[3:]
        if given[:1] == ["presses"]:
            module.presses_parser().parse_args(given[1:])
        elif "DIR" in given:
            module.parser().parse_args(given)  # it has a test of its own
        elif module is evaluation and given[0] != "table":
            assert evaluation.main([*given, *LESS]) == 0
        else:
            assert module.main([*given, *(["--n", "1"] if module is phenomena else [])]) == 0
