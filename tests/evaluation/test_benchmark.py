"""``python -m evaluation``: counts, runs that are resumed or shared, rows, and the command."""

import json
import multiprocessing
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation import EvaluationError, benchmark, options
from evaluation.__main__ import main
from evaluation.benchmark import Experiment, ablation_rows, method_rows, sweep_rows
from evaluation.class_lists import ClassName
from evaluation.metric import IGNORE
from gclip_core import METHODS, Segmenter, gclip
from gclip_core.errors import BackboneError
from tests.evaluation.sets import CASES, plain_set
from tests.models import look_at_one_patch, tiny_backbone

N = 4
# What keeps a command short: small photos, one sentence around each word.
PHOTOS = ["--dataset", "photos", "--short-side", "48", "--templates", "plain", "--quiet"]


def small_experiment(n: int = N) -> Experiment:
    """A seeded tiny CLIP on small random pictures."""
    backbone = tiny_backbone(prepare=lambda model: look_at_one_patch(model, range(5, 12)))
    segmenter = Segmenter(backbone, short_side=32, templates="plain")
    rows = (*method_rows(["clip", "clearclip", "gclip"], gclip), *ablation_rows(gclip))
    return Experiment(segmenter, plain_set(n), rows, "present+3")


def written(folder: str) -> dict:
    return json.loads((Path(folder) / "result.json").read_text("utf-8"))


# --- counts --------------------------------------------------------------------------------------


def test_counts(tmp_path: Path) -> None:
    """The sum over a run's files is what the segmenter says of every image, pixel by pixel."""
    experiment = small_experiment()
    benchmark.run(experiment, tmp_path, show_progress=False)
    result = benchmark.read_result(tmp_path)
    assert result.complete
    assert result.counts.shape == (7, 8, 9)
    assert (result.counts.sum((1, 2)) == N * 32 * 40).all()
    classes = experiment.dataset.classes
    neither, both = METHODS["clearclip"], gclip()
    for index, method in enumerate((METHODS["clip"], neither, both, neither)):
        wanted = np.zeros_like(result.counts[0])
        for number, sample in enumerate(experiment.dataset.samples):
            image, truth = sample.load()
            words = benchmark.queried_classes(truth, classes, "present+3", sample.name)
            names = [classes[c].name for c in words]
            labels = np.array(words)[experiment.segmenter.segment(image, names, method).labels]
            own = np.zeros_like(wanted)
            np.add.at(own, (truth, labels), 1)
            wanted += own
            hits = np.diagonal(own)
            union = own[:, :8].sum(0) + own.sum(1) - hits
            iou = hits[union > 0] / union[union > 0]
            assert result.image_miou[number, index] == pytest.approx(iou.mean())
        assert np.array_equal(result.counts[index], wanted)


def test_threshold() -> None:
    """A pixel below the threshold is background, or of no class if the set has none."""
    experiment = replace(small_experiment(1), threshold=1.0)
    sample = experiment.dataset.samples[0]
    counts = benchmark.count_image(experiment, sample)
    assert counts[0][:, -1].sum() == 32 * 40
    with_background = replace(experiment, dataset=replace(experiment.dataset, background=2))
    counts = benchmark.count_image(with_background, sample)
    assert counts[0][:, 2].sum() == 32 * 40


def test_ignored_image_and_other_size() -> None:
    """An image without a counted pixel counts nothing; a truth of another size is refused."""
    experiment = small_experiment(1)
    image, truth = experiment.dataset.samples[0].load()
    empty = replace(
        experiment.dataset.samples[0], load=lambda: (image, np.full_like(truth, IGNORE))
    )
    assert benchmark.count_image(replace(experiment, words="present"), empty).sum() == 0
    turned = replace(experiment.dataset.samples[0], load=lambda: (image, truth.T))
    with pytest.raises(EvaluationError, match=r"\(32, 40\) was expected, but \(40, 32\)"):
        benchmark.count_image(experiment, turned)


TEN = tuple(ClassName(f"c{i}", (f"c{i}",)) for i in range(10))
TRUTH = np.array([[3, 3, IGNORE], [7, 7, 7]])


def test_queried_classes() -> None:
    """All classes, those present, or those with distractors that depend on the image alone."""
    assert benchmark.queried_classes(TRUTH, TEN, "all", "a") == tuple(range(10))
    assert benchmark.queried_classes(TRUTH, TEN, "present", "a") == (3, 7)
    assert benchmark.queried_classes(TRUTH, TEN, "present", "a", background=0) == (0, 3, 7)
    # The order by which distractors are drawn decides published figures: it is fixed.
    assert benchmark.queried_classes(TRUTH, TEN, "present+2", "a") == (3, 4, 7, 9)
    assert benchmark.queried_classes(TRUTH, TEN, "present+2", "b") == (1, 3, 6, 7)
    assert benchmark.queried_classes(TRUTH, TEN, "present+100", "a") == tuple(range(10))
    for rule in ("", "some", "present+", "present+-1"):
        with pytest.raises(EvaluationError, match="present"):
            replace(small_experiment(1), words=rule)


# --- runs ----------------------------------------------------------------------------------------


def test_resumed_run(tmp_path: Path) -> None:
    """A run that is started again counts only what is missing, and ends the same."""
    experiment = small_experiment()
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    benchmark.run(experiment, whole, show_progress=False)
    benchmark.run(experiment, parts, first=1, step=3, show_progress=False)
    assert sorted(file.name for file in (parts / "images").iterdir()) == ["000001.npz"]
    assert not benchmark.read_result(parts).complete
    before = (parts / "images" / "000001.npz").read_bytes()
    benchmark.run(experiment, parts, show_progress=False)
    assert (parts / "images" / "000001.npz").read_bytes() == before
    wanted, result = benchmark.read_result(whole), benchmark.read_result(parts)
    assert result.complete
    assert np.array_equal(result.counts, wanted.counts)
    assert np.array_equal(result.image_miou, wanted.image_miou)
    assert result.environments[0]["torch"] == torch.__version__
    assert 0 < result.seconds < 600
    assert not list(parts.rglob(".*")), "no file is left half written"


def test_other_settings(tmp_path: Path) -> None:
    """A folder of another configuration is refused, and the sentence names what differs."""
    experiment = small_experiment(1)
    benchmark.run(experiment, tmp_path, show_progress=False)
    other = replace(experiment, threshold=0.5, rows=experiment.rows[:1])
    expected = r"threshold: 0\.5 here, 0\.0 there; rows\).*--out"
    with pytest.raises(EvaluationError, match=expected):
        benchmark.run(other, tmp_path, show_progress=False)


def test_damaged_result(tmp_path: Path) -> None:
    """A damaged file is named, and a folder without a result too."""
    benchmark.run(small_experiment(1), tmp_path, show_progress=False)
    (tmp_path / "images" / "000000.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(EvaluationError, match=r"000000\.npz is damaged.*delete it"):
        benchmark.read_result(tmp_path)
    with pytest.raises(EvaluationError, match="nowhere"):
        benchmark.read_result(tmp_path / "nowhere")


def test_two_processes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two processes as torchrun names them share the images; the table is that of one."""
    command = [*PHOTOS, "--n", "3", "--methods", "clearclip", "--threads", "1", "--out"]
    assert main([*command, "one"]) == 0
    alone = capfd.readouterr().out

    def share(rank: int) -> None:
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
        sys.exit(main([*command, "two"]))

    for rank, n_files in ((1, 1), (0, 3)):  # one after the other, so that the second prints
        process = multiprocessing.get_context("fork").Process(target=share, args=(rank,))
        process.start()
        process.join(600)
        assert process.exitcode == 0
        assert len(list(Path("two/images").iterdir())) == n_files
        assert ("3 images" in capfd.readouterr().out) == (rank == 0)
    assert "3 images" in alone
    one, two = (benchmark.read_result(Path(folder)) for folder in ("one", "two"))
    assert np.array_equal(one.counts, two.counts)


# --- rows ----------------------------------------------------------------------------------------


def test_ablation() -> None:
    on = {
        r.label: (bool(r.method.fusion), bool(r.method.suppression)) for r in ablation_rows(gclip)
    }
    assert on == {
        "neither": (False, False),
        "AMF": (True, False),
        "CS": (False, True),
        "AMF + CS": (True, True),
    }


def test_sweeps() -> None:
    """A sweep has every first block that AMF can fuse or CS change, compared with neither."""
    first, *pairs = sweep_rows("amf_blocks", gclip, 12, 2)
    assert (first.label, first.method.fusion) == ("no fusion", None)
    assert [r.method.fusion.blocks for r in pairs] == [(i, i + 1) for i in range(10)]
    assert pairs[5].label == "AMF 6, 7"
    assert all(r.method.suppression is None for r in pairs)
    _, *singles = sweep_rows("amf_blocks", gclip, 24, 1)
    assert [r.method.fusion.blocks for r in singles] == [(i,) for i in range(23)]
    first, *suppressed = sweep_rows("cs_blocks", gclip, 12, 2)
    assert (first.label, first.method.suppression) == ("no suppression", None)
    assert [r.method.suppression.blocks for r in suppressed] == [
        tuple(range(i, 11)) for i in range(11)
    ]
    assert suppressed[6].label == "CS 7-11"
    assert all(r.method.fusion is None and r.part == "sweep" for r in suppressed)
    with pytest.raises(EvaluationError, match="too few"):
        sweep_rows("amf_blocks", gclip, 2, 2)


def test_sweeps_run() -> None:
    """Every row of both sweeps runs on a real tower."""
    experiment = small_experiment(1)
    rows = tuple(row for name in benchmark.SWEEPS for row in sweep_rows(name, gclip, 12, 2))
    counts = benchmark.count_image(replace(experiment, rows=rows), experiment.dataset.samples[0])
    assert (counts.sum((1, 2)) == 32 * 40).all()


# --- the command ---------------------------------------------------------------------------------


def test_photos(capsys: pytest.CaptureFixture[str]) -> None:
    """The photos that ship need no data; a result has scores, settings, versions and digests."""
    assert main([*PHOTOS, "--n", "3", "--methods", "clearclip", "gclip", "--ablate"]) == 0
    assert "Photos · Built-in · 3 images" in capsys.readouterr().out
    (folder,) = Path("results").iterdir()
    result = written(str(folder))
    assert result["complete"]
    labels = ["ClearCLIP", "GCLIP", "neither", "AMF", "CS", "AMF + CS"]
    assert [row["label"] for row in result["results"]] == labels
    assert 0 < result["results"][0]["miou"] < 1
    assert folder.name == f"photos-built-in-{result['settings_digest']}"
    assert result["settings"]["weights"]
    assert result["settings"]["words"] == "present"
    assert result["environments"][0]["torch"] == torch.__version__
    assert main(["table", str(folder)]) == 0
    assert "Built-in" in capsys.readouterr().out


def test_default_rows() -> None:
    """Every method is a row, unless other rows are asked for; blocks count from 1."""
    wide_enough_for_calibration = [*PHOTOS, "--short-side", "112", "--n", "1"]
    assert main([*wide_enough_for_calibration, "--out", "all"]) == 0
    assert len(written("all")["results"]) == len(METHODS)
    rows = {row["method"]["name"]: row["method"] for row in written("all")["settings"]["rows"]}
    fusion, suppression = rows["gclip"]["fusion"], rows["gclip"]["suppression"]
    assert (fusion["blocks"], fusion["n_fused"]) == ("backbone", 2)
    assert (fusion["heads"], fusion["global_threshold"]) == ("each", 5)
    assert (suppression["blocks"], suppression["target"]) == ("backbone", "mean")
    assert suppression["channel_threshold"] == 2
    given = ["--methods", "gclip", "--amf-blocks", "paper-from-0", "--cs-blocks", "7-11"]
    given += ["--amf-heads", "mean", "--cs-target", "median", "--channel-threshold", "3"]
    assert main([*PHOTOS, "--n", "1", *given, "--out", "gclip"]) == 0
    (row,) = written("gclip")["settings"]["rows"]
    fusion, suppression = row["method"]["fusion"], row["method"]["suppression"]
    assert (fusion["blocks"], fusion["heads"]) == ([7, 8], "mean")
    assert (suppression["blocks"], suppression["target"]) == ([7, 8, 9, 10, 11], "median")
    assert suppression["channel_threshold"] == 3


@pytest.mark.parametrize(
    ("case", "given", "sizes", "threshold"),
    [
        ("voc20", ["--window", "0", "--short-side", "32", "--logit-scale", "50"], (32, 0), 0.0),
        ("context60", ["--stride", "224"], (336, 224), 0.1),
    ],
)
def test_protocol(case: str, given: list[str], sizes: tuple[int, int], threshold: float) -> None:
    """A data set on disk is evaluated by its own protocol; an option changes only its own part."""
    root = str(CASES[case].make(Path("data"), [[0, 1, 2], [3, 4, 5]]))
    command = ["--dataset", CASES[case].dataset, "--root", root, "--methods", "clearclip", "--n"]
    assert main([*command, "1", "--quiet", "--templates", "plain", *given, "--out", "out"]) == 0
    settings = written("out")["settings"]
    assert (settings["short_side"], settings["window"]) == sizes
    assert settings["stride"] == (224 if "--stride" in given else 112)
    assert settings["logit_scale"] == (50 if "--logit-scale" in given else 40)
    assert (settings["words"], settings["threshold"]) == ("all", threshold)
    assert settings["background"] == (0 if threshold else None)
    counted = 64 * (np.array(CASES[case].labels) >= 0).sum()
    assert benchmark.read_result(Path("out")).counts.sum() == counted


def test_refined() -> None:
    """``--refine`` changes masks, not which pixels count, and the table's heading names it."""
    command = [*PHOTOS, "--n", "2", "--methods", "clearclip", "--refine"]
    for refine in ("none", "guided"):
        assert main([*command, refine, "--out", refine]) == 0
    plain, refined = (benchmark.read_result(Path(name)).counts for name in ("none", "guided"))
    assert plain.sum() == refined.sum()
    assert (plain != refined).any()


def test_several_backbones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several are compared; one that cannot be loaded is left out, and alone it is an error."""
    real = options.load_backbone

    def load(name: str, *args: object) -> object:
        if not name.startswith("built-in"):
            raise BackboneError("no network here")
        return real(name, *args)

    monkeypatch.setattr(options, "load_backbone", load)
    base = [*PHOTOS, "--n", "1", "--methods", "clearclip", "--backbone"]
    assert main([*base, "built-in", "openai-vit-b-16", "built-in-damaged"]) == 1
    printed = capsys.readouterr()
    assert "left out openai-vit-b-16: no network here" in printed.err
    assert printed.out.count("Photos · Built-in") == 2
    assert "ClearCLIP" in printed.out.partition("Built-in  ")[2], "the comparison"
    assert len(list(Path("results").iterdir())) == 2
    assert main([*base, "openai-vit-b-16"]) == 2
    assert main([*base, "all"]) == 1
    assert "damaged" not in capsys.readouterr().out, "all are those that are not damaged"
    for option in ("--weights", "--out"):
        assert main([*base, "built-in", "openai-vit-b-16", option, "x"]) == 2


def test_damage() -> None:
    """A damaged channel changes the result, which has a name of its own; CS repairs it."""
    rows = ["--methods", "clearclip", "--ablate", "--n", "3", "--short-side", "96"]
    assert main([*PHOTOS, *rows, "--damage", "77:300:7-11", "--out", "out"]) == 0
    result = written("out")
    assert result["settings"]["backbone"] == "built-in-77:300:7-11"
    assert "damaged on purpose" in result["backbone"]
    miou = {row["label"]: row["miou"] for row in result["results"]}
    assert miou["neither"] == miou["ClearCLIP"]
    assert main([*PHOTOS, *rows, "--out", "plain"]) == 0
    plain = {row["label"]: row["miou"] for row in written("plain")["results"]}
    assert miou["neither"] != plain["neither"]
    assert miou["CS"] == pytest.approx(plain["CS"], abs=0.05)


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
        ([*PHOTOS, "--damage", "999:2:7"], "from 0 to 255"),
        ([*PHOTOS, "--damage", "seven"], "seven"),
        ([*PHOTOS, "--n", "1", "--amf-blocks", "13"], "1 to 12"),
        ([*PHOTOS, "--n", "1", "--methods", "clip", "--out", "/dev/null/out"], "/dev/null/out"),
        (["table", "nowhere"], "nowhere"),
        (["field", "nowhere"], "nowhere"),
    ],
)
def test_errors(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong input is one sentence that names it, without a traceback."""
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert any(line.startswith("error: ") for line in error.splitlines())
    assert expected in error


def test_own_photos() -> None:
    """``--root`` names a folder of one's own photos, ``--split`` one of its lists."""
    for name in ("one", "two"):
        Image.new("RGB", (64, 48), "green").save(f"{name}.jpg")
        Image.fromarray(np.eye(48, 64, dtype=np.uint8)).save(f"{name}.png")
    index = [{"file": name, "words": {"0": "grass", "1": "dog"}} for name in ("one", "two")]
    Path("index.json").write_text(json.dumps(index))
    Path("report.txt").write_text("two\n")
    command = [*PHOTOS, "--root", ".", "--methods", "clearclip"]
    assert main([*command, "--split", "report", "--out", "out"]) == 0
    assert written("out")["images"] == 1
    assert benchmark.read_result(Path("out")).counts.sum() == 48 * 64
    assert main([*command, "--split", "choose"]) == 2
