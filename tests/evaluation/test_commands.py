"""Commands in docs/EVALUATION.md are parsed; those that need no data run."""

import re
import shlex

import pytest

from evaluation import __main__ as evaluation
from tests import ROOT

TEXT = (ROOT / "docs" / "EVALUATION.md").read_text("utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
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
        given = words[words.index("evaluation") + 1 :]
        _, parser = evaluation.COMMANDS.get(given[0], (None, None))
        if "DIR" in given or given[0] == "presses":  # it has a test of its own
            (parser or evaluation.evaluation_parser)().parse_args(given[parser is not None :])
        else:
            less = {"table": [], "phenomena": LESS[:2]}.get(given[0], LESS)
            assert evaluation.main([*given, *less]) == 0


def test_presses(capsys: pytest.CaptureFixture[str]) -> None:
    """A press on what is wrong makes the words' mask better, and points at a thing."""
    assert evaluation.main(["presses", "--dataset", "photos", "--n", "1", "--presses", "1"]) == 0
    _, _, pointing, *words = capsys.readouterr().out.splitlines()
    assert pointing.startswith("| pointing | 1 |  | ")
    for row in words:
        before, after = (float(cell) for cell in row.strip("| ").split(" | ")[2:])
        assert 0 < before < after <= 100
