"""``python -m evaluation``: photos, a data set on disk, and errors."""

import json
from pathlib import Path

import pytest
import torch

from evaluation import options
from evaluation.benchmark import runner
from evaluation.benchmark.cli import main
from evaluation.benchmark.experiment import Experiment
from evaluation.benchmark.tally import Tally
from gclip_core.errors import BackboneError
from gclip_core.methods import METHODS
from tests.evaluation.sets import CASES

# What keeps a test short: small photos, one sentence around each word.
SMALL = ["--short-side", "48", "--templates", "plain", "--quiet"]
PHOTOS = ["--dataset", "photos", *SMALL]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def result(folder: str) -> dict:
    return json.loads((Path(folder) / "result.json").read_text("utf-8"))


def test_photos_are_evaluated_without_any_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PHOTOS, "--n", "3", "--methods", "clearclip", "gclip", "--ablate"]) == 0
    out = capsys.readouterr().out
    assert "Photos · Built-in" in out
    (folder,) = Path("results").iterdir()
    written = result(str(folder))
    assert written["complete"]
    labels = ["ClearCLIP", "GCLIP", "neither", "AMF", "CS", "AMF + CS"]
    assert [row["label"] for row in written["results"]] == labels
    assert 0 < written["results"][0]["miou"] < 1
    assert written["settings_digest"] in folder.name
    assert written["settings"]["weights"]
    assert written["environments"][0]["torch"] == torch.__version__


def test_every_method_is_a_row_unless_other_rows_are_asked_for() -> None:
    wide_enough_for_calibration = ["--short-side", "112"]
    assert main([*PHOTOS, "--n", "1", "--out", "all", *wide_enough_for_calibration]) == 0
    assert len(result("all")["results"]) == len(METHODS)
    assert main([*PHOTOS, "--n", "1", "--out", "ablation", "--ablate"]) == 0
    labels = [row["label"] for row in result("ablation")["results"]]
    assert labels == ["neither", "AMF", "CS", "AMF + CS"]


@pytest.mark.parametrize(("text", "blocks"), [("6 7", [6, 7]), ("paper-from-0", [7, 8])])
def test_blocks_count_from_1_and_the_papers_have_a_name(text: str, blocks: list[int]) -> None:
    options = ["--methods", "gclip", "--amf-blocks", text, "--cs-blocks", "7-11"]
    assert main([*PHOTOS, "--n", "1", *options, "--out", "out"]) == 0
    method = result("out")["settings"]["rows"][0]["method"]
    assert method["fusion"]["blocks"] == blocks
    assert method["suppression"]["blocks"] == [7, 8, 9, 10, 11]


def test_a_data_set_on_disk_is_evaluated(capsys: pytest.CaptureFixture[str]) -> None:
    root = CASES["voc20"].make(Path("data"), [[0, 1, 2], [3, 4, 5]])
    command = ["--dataset", "voc20", "--root", str(root), "--methods", "clearclip", "--quiet"]
    small = ["--short-side", "16", "--window", "0", "--templates", "plain"]
    assert main([*command, *small, "--out", "voc"]) == 0
    printed = capsys.readouterr()
    assert "VOC20 · Built-in" in printed.out
    written = result("voc")
    assert written["images"] == 2
    assert len(written["results"][0]["iou"]) == 20
    assert Tally.load(Path("voc")).counts.sum() == 2 * 4 * 64


@pytest.mark.parametrize(
    ("case", "short_side", "threshold"),
    [("voc20", 336, 0.0), ("context60", 336, 0.1), ("cityscapes", 560, 0.0)],
)
def test_the_protocol_comes_from_the_set(
    case: str, short_side: int, threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiments: list[Experiment] = []

    def run(settings: Experiment, *_: object, **__: object) -> Tally:
        experiments.append(settings)
        return Tally.empty(settings.as_json())

    monkeypatch.setattr(runner, "run", run)
    root = CASES[case].make(Path("data"), [[0, 1, 2], [3, 4, 5]])
    assert main(["--dataset", CASES[case].dataset, "--root", str(root)]) == 0
    (experiment,) = experiments
    used = experiment.segmenter
    assert (used.short_side, used.window, used.stride) == (short_side, 224, 112)
    assert (experiment.words, experiment.threshold, used.logit_scale) == ("all", threshold, 40.0)
    assert experiment.dataset.background == (0 if threshold else None)


def test_a_backbone_that_cannot_be_loaded_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = options.load_backbone

    def load(name: str, *args: object) -> object:
        if name != "built-in":
            raise BackboneError("no network here")
        return real(name, *args)

    monkeypatch.setattr(options, "load_backbone", load)
    base = [*PHOTOS, "--n", "1", "--methods", "clearclip"]
    assert main([*base, "--backbone", "built-in", "openai-vit-b-16"]) == 1
    assert "left out openai-vit-b-16: no network here" in capsys.readouterr().err
    assert len(list(Path("results").iterdir())) == 1
    assert main([*base, "--backbone", "openai-vit-b-16"]) == 2


def test_fresh_starts_over() -> None:
    assert main([*PHOTOS, "--n", "1", "--methods", "clearclip", "--out", "out"]) == 0
    other = [*PHOTOS, "--n", "1", "--methods", "maskclip", "--out", "out"]
    assert main(other) == 2
    assert main([*other, "--fresh"]) == 0
    assert [r["label"] for r in result("out")["results"]] == ["MaskCLIP"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--dataset", "voc20"], "--root"),
        (["--dataset", "ade20k", "--root", "nowhere"], "ADEChallengeData2016"),
        ([*PHOTOS, "--words", "some"], "present"),
        ([*PHOTOS, "--root", "nowhere"], "index.json"),
        ([*PHOTOS, "--n", "0"], "At least one image"),
        ([*PHOTOS, "--short-side", "-3"], "short_side"),
        ([*PHOTOS, "--threshold", "2"], "threshold"),
        ([*PHOTOS, "--plant", "999:2:7"], "from 0 to 255"),
        ([*PHOTOS, "--plant", "seven"], "seven"),
        ([*PHOTOS, "--n", "1", "--amf-blocks", "13"], "1 to 12"),
        ([*PHOTOS, "--n", "1", "--methods", "clip", "--out", "/dev/null/out"], "/dev/null/out"),
        (["table", "nowhere"], "nowhere"),
        (["field", "nowhere"], "nowhere"),
    ],
)
def test_an_error_is_one_sentence_without_a_traceback(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert any(line.startswith("error: ") for line in error.splitlines())
    assert expected in error
    assert "Traceback" not in error


def test_refined_masks_are_counted_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {}
    for refine in ("none", "guided"):
        command = [*PHOTOS, "--n", "3", "--methods", "clearclip", "--refine", refine]
        assert main([*command, "--out", refine]) == 0
        assert ("refined: guided filter" in capsys.readouterr().out) == (refine == "guided")
        assert result(refine)["settings"]["refine"] == refine
        counts[refine] = Tally.load(Path(refine)).counts
    assert counts["none"].sum() == counts["guided"].sum()
    assert (counts["none"] != counts["guided"]).any()
