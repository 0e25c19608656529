"""The command as people type it: scenes, a set on disk, shares, merging, and what goes wrong."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation import cli, options
from evaluation.cli import main
from evaluation.experiment import Experiment
from evaluation.tally import Tally
from gclip_core.errors import BackboneError
from gclip_core.numbering import block_numbers
from tests.evaluation.sets import CASES

# What keeps a test short: small scenes, one sentence around each word.
SMALL = ["--size", "48", "--short-side", "48", "--templates", "plain", "--quiet"]
SCENES = ["--dataset", "scenes", *SMALL]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def result(folder: str) -> dict:
    return json.loads((Path(folder) / "result.json").read_text("utf-8"))


def test_scenes_need_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SCENES, "--n", "3", "--methods", "clearclip", "gclip", "--ablate"]) == 0
    out = capsys.readouterr().out
    assert "Scenes (held-out) · Built-in" in out
    assert "AMF on" in out
    (folder,) = Path("results").iterdir()
    found = result(str(folder))
    assert found["complete"]
    assert [r["label"] for r in found["results"]] == [
        "ClearCLIP", "GCLIP", "neither", "AMF", "CS", "AMF + CS",
    ]  # fmt: skip
    assert 0 < found["results"][0]["miou"] < 1
    assert found["settings_digest"] in folder.name
    assert found["settings"]["weights"]
    assert found["environments"][0]["torch"] == torch.__version__


def test_default_rows_are_the_papers_methods() -> None:
    assert main([*SCENES, "--n", "1", "--out", "papers"]) == 0
    assert [r["label"] for r in result("papers")["results"]] == [
        "CLIP", "MaskCLIP", "SCLIP", "NACLIP", "ClearCLIP", "ResCLIP", "GCLIP",
    ]  # fmt: skip


def test_shares_merge_into_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    command = [*SCENES, "--n", "4", "--methods", "clearclip"]
    for share in ("1/3", "2/3", "3/3"):
        assert main([*command, "--shard", share, "--out", "shares"]) == 0
    assert main([*command, "--out", "whole"]) == 0
    assert main(["merge", *map(str, sorted(Path("shares").iterdir())), "--out", "sum"]) == 0
    assert "4 images" in capsys.readouterr().out
    assert np.array_equal(Tally.load(Path("sum")).counts, Tally.load(Path("whole")).counts)
    assert result("sum")["results"] == result("whole")["results"]


def test_a_sweep_is_drawn() -> None:
    assert main([*SCENES, "--n", "1", "--sweep", "amf_blocks", "--out", "sweep"]) == 0
    assert Path("sweep/sweep.png").stat().st_size > 10_000
    assert len(result("sweep")["results"]) == 1 + 10  # off, and ten pairs of twelve blocks


def test_blocks_are_counted_from_1(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = ["--amf-blocks", "6 7", "--cs-blocks", "7-11"]
    assert main([*SCENES, "--n", "1", "--methods", "gclip", *blocks, "--out", "out"]) == 0
    method = result("out")["settings"]["rows"][0]["method"]
    assert method["fusion"]["blocks"] == [6, 7]
    assert method["suppression"]["blocks"] == [7, 8, 9, 10, 11]
    assert main([*SCENES, "--n", "1", "--amf-blocks", "13", "--out", "other"]) == 2
    assert "1 to 12" in capsys.readouterr().err


def test_one_decision_for_the_set(capsys: pytest.CaptureFixture[str]) -> None:
    first = ["--amf-blocks", "first-2", "--methods", "gclip"]
    assert main([*SCENES, "--n", "3", *first, "--out", "voted"]) == 0
    said = capsys.readouterr().err
    blocks = result("voted")["settings"]["rows"][0]["method"]["fusion"]["blocks"]
    assert f"whole set: {', '.join(map(str, blocks))} (" in said
    assert "images" in said


def test_a_planted_channel_is_named_a_simulation(capsys: pytest.CaptureFixture[str]) -> None:
    plant = ["--plant", "7:100:7-11", "--methods", "clearclip"]
    assert main([*SCENES, "--n", "1", *plant, "--out", "out"]) == 0
    assert (
        "simulation: channel 7 × 100 planted in blocks 7, 8, 9, 10, 11" in capsys.readouterr().out
    )
    assert result("out")["settings"]["planted"] == [
        {"channel": 7, "gain": 100.0, "blocks": list(block_numbers(range(6, 11)))}
    ]
    assert main([*SCENES, "--plant", "seven", "--out", "other"]) == 2


def test_cs_gives_back_what_planting_took() -> None:
    command = [*SCENES, "--n", "4", "--ablate"]
    assert main([*command, "--out", "clean"]) == 0
    assert main([*command, "--plant", "7:100:7-11", "--out", "planted"]) == 0
    clean = {r["label"]: r["miou"] for r in result("clean")["results"]}
    planted = {r["label"]: r["miou"] for r in result("planted")["results"]}
    assert planted["neither"] < clean["neither"] - 0.02
    assert planted["CS"] == pytest.approx(clean["neither"], abs=0.02)


def test_a_set_on_disk(capsys: pytest.CaptureFixture[str]) -> None:
    root = CASES["voc20"].make(Path("data"), [[0, 1, 2], [3, 4, 5]])
    command = ["--dataset", "voc20", "--root", str(root), "--methods", "clearclip", "--quiet"]
    small = ["--short-side", "16", "--window", "0", "--templates", "plain"]
    assert main([*command, *small, "--out", "voc", "--per-class"]) == 0
    said = capsys.readouterr()
    assert "VOC20 · Built-in" in said.out
    assert "aeroplane" in said.out
    assert "has never met" in said.err  # the built-in model knows emoji
    found = result("voc")
    assert found["images"] == 2
    assert len(found["results"][0]["iou"]) == 20
    assert Tally.load(Path("voc")).counts.sum() == 2 * 4 * 64


@pytest.mark.parametrize(
    ("case", "short_side", "threshold"),
    [("voc20", 336, 0.0), ("voc21", 336, 0.1), ("context60", 336, 0.1), ("cityscapes", 560, 0.0)],
)
def test_the_protocol_comes_from_the_set(
    case: str, short_side: int, threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Experiment] = []

    def run(settings: Experiment, *_: object, **__: object) -> Tally:
        seen.append(settings)
        return Tally.empty(settings.as_json())

    monkeypatch.setattr(cli.runner, "run", run)
    root = CASES[case].make(Path("data"), [[0, 1, 2], [3, 4, 5]])
    assert main(["--dataset", CASES[case].dataset, "--root", str(root)]) == 0
    (found,) = seen
    used = found.segmenter
    assert (used.short_side, used.window, used.stride) == (short_side, 224, 112)
    assert (found.words, found.threshold, used.logit_scale) == ("all", threshold, 40.0)
    assert found.dataset.background == (0 if threshold else None)


def test_a_class_list_of_ones_own() -> None:
    root = CASES["voc20"].make(Path("data"), [[0, 1, 2], [3, 4, 5]])
    Path("own.txt").write_text("\n".join(f"class {i}: cat {i}" for i in range(20)))
    base = ["--dataset", "voc20", "--root", str(root), "--n", "1", "--methods", "clearclip"]
    small = ["--short-side", "16", "--window", "0", "--templates", "plain", "--quiet"]
    assert main([*base, *small, "--classes", "own.txt", "--out", "own"]) == 0
    assert result("own")["settings"]["classes"][3] == {"name": "class 3", "phrases": ["cat 3"]}
    Path("own.txt").write_text("cat\ndog")
    assert main([*base, *small, "--classes", "own.txt", "--out", "other"]) == 2


def test_official_names_alone() -> None:
    root = CASES["voc20"].make(Path("data"), [[0, 1, 2], [3, 4, 5]])
    base = ["--dataset", "voc20", "--root", str(root), "--n", "1", "--methods", "clearclip"]
    small = ["--short-side", "16", "--window", "0", "--templates", "plain", "--quiet"]
    assert main([*base, *small, "--names", "official", "--out", "official"]) == 0
    phrases = [c["phrases"] for c in result("official")["settings"]["classes"]]
    assert phrases[19] == ["tvmonitor"]


def test_several_backbones_and_one_that_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = options.load_backbone

    def load(name: str, *args: object) -> object:
        if name != "built-in":
            raise BackboneError("no network here")
        return real(name, *args)

    monkeypatch.setattr(options, "load_backbone", load)
    base = [*SCENES, "--n", "1", "--methods", "clearclip"]
    assert main([*base, "--backbone", "built-in", "openai-vit-b-16"]) == 1
    assert "left out openai-vit-b-16: no network here" in capsys.readouterr().err
    assert len(list(Path("results").iterdir())) == 1
    assert main([*base, "--backbone", "openai-vit-b-16"]) == 2


def test_every_backbone_in_one_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = options.load_backbone("built-in")
    monkeypatch.setattr(
        options, "load_backbone", lambda name, *args: replace(real, name=name, title=f"T {name}")
    )
    assert main([*SCENES, "--n", "1", "--methods", "clearclip", "--backbone", "all"]) == 0
    out = capsys.readouterr().out
    table = [line for line in out.splitlines() if line.startswith("T ")]
    assert len(table) == len(cli.BACKBONES)


def test_results_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    base = ["--n", "1", "--methods", "clearclip", "gclip"]
    assert main([*SCENES, *base, "--out", "a"]) == 0
    assert main([*SCENES, *base, "--style", "seen", "--out", "b"]) == 0
    capsys.readouterr()
    assert main(["table", "a", "b"]) == 0
    assert "Scenes (held-out)" in capsys.readouterr().out.splitlines()[0]


def test_fresh_starts_over() -> None:
    assert main([*SCENES, "--n", "1", "--methods", "clearclip", "--out", "out"]) == 0
    other = [*SCENES, "--n", "1", "--methods", "maskclip", "--out", "out"]
    assert main(other) == 2
    assert main([*other, "--fresh"]) == 0
    assert [r["label"] for r in result("out")["results"]] == ["MaskCLIP"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dataset", "voc20"], "--root"),
        (["--dataset", "ade20k", "--root", "nowhere"], "ADEChallengeData2016"),
        ([*SCENES, "--shard", "3/2"], "2/8"),
        ([*SCENES, "--words", "some"], "present"),
        ([*SCENES, "--size", "small"], "144"),
        ([*SCENES, "--style", "cubist"], "held-out"),
        ([*SCENES, "--n", "0"], "At least one scene"),
        ([*SCENES, "--short-side", "-3"], "short_side"),
        ([*SCENES, "--threshold", "2"], "threshold"),
        ([*SCENES, "--base", "clip"], "Choose one of: CLIP, MaskCLIP"),
        ([*SCENES, "--plant", "999:2:7"], "from 0 to 127"),
        ([*SCENES, "--n", "1", "--methods", "clip", "--out", "/dev/null/out"], "/dev/null/out"),
        (["merge", "nowhere"], "nowhere"),
    ],
)
def test_what_goes_wrong_is_said_in_a_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert any(line.startswith("error: ") for line in error.splitlines())
    assert said in error
    assert "Traceback" not in error
