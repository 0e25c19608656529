"""The commands in training/README.md are parsed; the one that leaves a source out does so."""

import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path

from tests import ROOT
from training import __main__ as command
from training.sources import SOURCES

TEXT = (ROOT / "training" / "README.md").read_text("utf-8")


def test_every_step_is_a_command_of_the_recipe_in_order() -> None:
    lines = re.findall(r"^python -m training ([^#\n]*)", TEXT, re.MULTILINE)
    parsed = [command.parser().parse_args(shlex.split(line)) for line in lines]
    steps = [args.step for args in parsed if args.work == Path("WORK")]
    assert steps == list(command.STEPS)
    without = [args.step for args in parsed if args.work == Path("OTHER")]
    assert without == [step for step in command.STEPS if step != "detector"]


def test_the_example_of_a_source_that_is_left_out_changes_its_row_alone(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    copy = shutil.copy(ROOT / "training" / "sources.py", tmp_path / "training")
    (line,) = re.findall(r"^sed .*$", TEXT, re.MULTILINE)
    subprocess.run(shlex.split(line), cwd=tmp_path, check=True)
    changed = runpy.run_path(copy)["SOURCES"]
    assert changed.keys() == SOURCES.keys()
    assert [name for name, source in changed.items() if not source.used] == ["grocery"]
