"""``python -m evaluation``: counts, resumed and shared runs, and the command as typed."""

import csv
import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation import EvaluationError, benchmark, metric, options
from evaluation.__main__ import evaluation_parser, main
from evaluation.benchmark import Experiment, chosen_methods
from evaluation.class_lists import ClassName
from evaluation.datasets import DATASETS, LabelledSet, Protocol
from evaluation.metric import IGNORE
from gclip_core import Segmenter, gclip
from gclip_core.relatives import METHODS
from tests.evaluation.sets import CASES, plain_set, save_ids, save_image
from tests.models import look_at_one_patch, tiny_backbone

N = 4
# Keeps a command short: small photos, one sentence per word.
PHOTOS = ["--dataset", "photos", "--short-side", "48", "--templates", "plain"]


def small_experiment(n: int = N, **changed: Any) -> Experiment:
    """A seeded tiny CLIP on small random pictures."""
    backbone = tiny_backbone(prepare=lambda model: look_at_one_patch(model, range(5, 12)))
    segmenter = Segmenter(backbone, short_side=32, templates="plain")
    methods = chosen_methods(["clip"], ablate=True)
    return replace(Experiment(segmenter, plain_set(n), methods, "present+3"), **changed)


def written(folder: str) -> dict:
    return json.loads((Path(folder) / "result.json").read_text("utf-8"))


# --- counts --------------------------------------------------------------------------------------


def test_counts(tmp_path: Path) -> None:
    """The sum over a run's files equals what the segmenter finds in every image, pixel by pixel."""
    experiment = small_experiment()
    benchmark.run(experiment, tmp_path)
    result = benchmark.read_result(tmp_path)
    assert result.complete
    assert (result.counts.sum((1, 2)) == N * 32 * 40).all()
    classes = experiment.dataset.classes
    wanted = [METHODS["clip"], METHODS["clearclip"], gclip(cs=False), gclip(amf=False), gclip()]
    assert experiment.methods == tuple(wanted)
    total = np.zeros_like(result.counts)
    for number, sample in enumerate(experiment.dataset.samples):
        image, truth = sample.load()
        words = experiment.queried(sample.name, truth)
        names = [classes[c].name for c in words]
        for index, method in enumerate(wanted):
            labels = experiment.segmenter.segment(image, names, method).labels
            counts = metric.confusion(truth, np.array(words)[labels], len(classes))
            assert result.image_miou[number, index] == metric.iou_scores(counts).miou
            total[index] += counts
    assert np.array_equal(result.counts, total)


def test_threshold() -> None:
    """A pixel below the threshold is background, or has no class if the set has none."""
    experiment = small_experiment(1, dataset=replace(plain_set(1), protocol=Protocol(threshold=1)))
    sample = experiment.dataset.samples[0]
    assert benchmark.count_image(experiment, sample)[0][:, -1].sum() == 32 * 40
    with_background = replace(experiment, dataset=replace(experiment.dataset, background=2))
    assert benchmark.count_image(with_background, sample)[0][:, 2].sum() == 32 * 40


def test_ignored_image_and_other_size() -> None:
    """An image without labelled pixels counts nothing; a truth of another size is refused."""
    experiment = small_experiment(1, words="present")
    sample = experiment.dataset.samples[0]
    image, truth = sample.load()
    empty = replace(sample, read=lambda: (image, np.full_like(truth, IGNORE)))
    assert benchmark.count_image(experiment, empty).sum() == 0
    turned = replace(sample, read=lambda: (image, truth.T))
    with pytest.raises(EvaluationError, match=r"\(40, 32\) pixels.*has \(32, 40\)"):
        benchmark.count_image(experiment, turned)


def test_queried_classes() -> None:
    """All classes, those present, or those with distractors that depend only on the image."""
    classes = tuple(ClassName(f"c{i}", (f"c{i}",)) for i in range(10))
    ten, truth = LabelledSet("", "", classes, (), None, ""), np.array([[3, 3, IGNORE], [7, 7, 7]])

    def queried(words: str, name: str = "a", dataset: LabelledSet = ten) -> tuple[int, ...]:
        return small_experiment(1, words=words, dataset=dataset).queried(name, truth)

    assert queried("all") == queried("present+100") == tuple(range(10))
    assert queried("present") == (3, 7)
    assert queried("present", dataset=replace(ten, background=0)) == (0, 3, 7)
    # Published figures depend on the order in which distractors are drawn, so it is fixed.
    assert (queried("present+2"), queried("present+2", "b")) == ((3, 4, 7, 9), (1, 3, 6, 7))
    for rule in ("", "some", "present+", "present+-1"):
        with pytest.raises(EvaluationError, match="present"):
            queried(rule)


# --- runs ----------------------------------------------------------------------------------------


def test_resumed_run(tmp_path: Path) -> None:
    """A restarted run counts only what is missing, and ends with the same result."""
    experiment = small_experiment()
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    benchmark.run(experiment, whole)
    benchmark.run(experiment, parts, rank=1, world=3)
    assert sorted(file.name for file in (parts / "images").iterdir()) == ["000001.npz"]
    assert not benchmark.read_result(parts).complete
    before = (parts / "images" / "000001.npz").stat().st_ino
    benchmark.run(experiment, parts)
    assert (parts / "images" / "000001.npz").stat().st_ino == before
    wanted, result = benchmark.read_result(whole), benchmark.read_result(parts)
    assert result.complete
    assert np.array_equal(result.counts, wanted.counts)
    assert np.array_equal(result.image_miou, wanted.image_miou)
    assert not list(parts.rglob(".*")), "no file is left half written"


def test_folders(tmp_path: Path) -> None:
    """A folder that is damaged, incomplete, or of other settings, pictures or code is refused."""
    experiment = small_experiment(1)
    benchmark.run(experiment, tmp_path)
    fewer = replace(experiment, segmenter=replace(experiment.segmenter, max_patches=4))
    with pytest.raises(EvaluationError, match=r"max_patches: 4 here"):
        benchmark.run(fewer, tmp_path)
    dataset = replace(experiment.dataset, protocol=Protocol(threshold=0.5))
    other = replace(experiment, dataset=dataset, methods=experiment.methods[:1])
    with pytest.raises(EvaluationError, match=r"threshold: 0\.5 here, 0\.0 there; meth.*--out"):
        benchmark.run(other, tmp_path)
    file = tmp_path / "settings.json"
    saved = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(saved | {"code": "other"}), "utf-8")
    with pytest.raises(EvaluationError, match=r"code: \w{12} here, other there"):
        benchmark.run(experiment, tmp_path)
    file.write_text(json.dumps({"rows": []}), "utf-8")
    with pytest.raises(EvaluationError, match=r"settings\.json is damaged"):
        benchmark.read_result(tmp_path)
    file.write_text(json.dumps(saved), "utf-8")
    (tmp_path / "images" / "000000.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(EvaluationError, match=r"000000\.npz is damaged.*delete it"):
        benchmark.read_result(tmp_path)
    file.unlink()
    with pytest.raises(EvaluationError, match=r"settings\.json .* cannot be read"):
        benchmark.run(experiment, tmp_path)


def test_two_processes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Two processes, named as by torchrun, share the images; the table equals that of one."""
    command = [*PHOTOS, "--n", "2", "--methods", "clearclip", "--out"]
    assert main([*command, "one"]) == 0
    alone = capsys.readouterr().out
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, n_files in (("1", 1), ("0", 2), ("1", 2)):  # the last has nothing to do
        monkeypatch.setenv("RANK", rank)
        assert main([*command, "two"]) == 0
        assert len(list(Path("two/images").iterdir())) == n_files
    assert capsys.readouterr().out == alone
    one, two = (benchmark.read_result(Path(folder)) for folder in ("one", "two"))
    assert np.array_equal(one.counts, two.counts)


# --- the command ---------------------------------------------------------------------------------


def test_photos(capsys: pytest.CaptureFixture[str]) -> None:
    """The photos that ship need no data; a result has scores, settings and versions."""
    assert main([*PHOTOS, "--n", "1", "--methods", "clip", "gclip", "--ablate"]) == 0
    printed = capsys.readouterr()
    assert printed.out.split()[:2] == ["Built-in", "Photos"]
    assert "words: woman, girl, child, boy." in printed.err, "it knows every other word"
    (folder,) = Path("results").iterdir()
    assert folder.name.startswith("photos-built-in-")
    assert f"written: {folder / 'result.json'}" in printed.err
    result = written(str(folder))
    titles = ["CLIP", "ClearCLIP", "GCLIP (AMF)", "GCLIP (CS)", "GCLIP (AMF + CS)"]
    assert [row["method"] for row in result["results"]] == titles
    assert 0 < result["results"][0]["miou"] < 1
    assert result["settings"]["words"] == "present"
    assert all(result["settings"][key] for key in ("weights", "torch", "open_clip", "version"))
    assert main(["table", str(folder)]) == 0
    assert "Built-in" in capsys.readouterr().out
    assert main(["table", str(folder), "--per-class", "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == ",".join(['"Built-in, Photos"', *titles])
    header, row = csv.reader((folder / "images.csv").read_text("utf-8").splitlines())
    assert header == ["image", *titles]
    assert float(row[1]) == pytest.approx(result["results"][0]["image_miou"], abs=1e-6)
    assert main(["table", "results"]) == 2
    assert "results has no run; name the folders in it." in capsys.readouterr().err


def test_blocks() -> None:
    """Blocks are numbered from 1."""
    given = ["--methods", "gclip", "--amf-blocks", "7 8", "--cs-blocks", "7-11"]
    assert main([*PHOTOS, "--n", "1", *given, "--out", "gclip"]) == 0
    (method,) = written("gclip")["settings"]["methods"]
    assert method["last"]["fusion"]["blocks"] == [7, 8]
    assert method["suppression"]["blocks"] == [7, 8, 9, 10, 11]


OWN = """
from pathlib import Path
from evaluation.datasets import DATASETS, Dataset, Files, Ids
from gclip_core.methods import Method, add
from gclip_core.relatives.proxy import Proxy

def brightness(pixels):
    return pixels.unfold(1, 4, 4).unfold(2, 4, 4).mean((-1, -2)).permute(1, 2, 0)

add(Method("mine", "Mine", Proxy(3, 1.2, brightness)))
files = Files("{name}.jpg", "{name}.png", Ids({1: 0, 2: 1}, ignored=frozenset({0})))
DATASETS.add(Dataset("own", "Own", str(Path(__file__).with_name("own")), "val", (files,)))
"""


def test_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file outside the repository adds a method, here ProxyCLIP with other features, and a data
    set; other code in the file is another run."""
    monkeypatch.setattr(options, "load_backbone", lambda *_: tiny_backbone())
    (tmp_path / "own.txt").write_text("cat\nsky\n", "utf-8")
    save_image(tmp_path / "a.jpg")
    save_ids(tmp_path / "a.png", [[0, 1, 2], [2, 1, 1]])
    command = ["--dataset", "own", "--root", ".", "--methods", "mine"]
    command += ["--short-side", "48", "--templates", "plain", "--out", "out"]
    for name, more, status in (("one.py", "", 0), ("two.py", "# changed\n", 2)):
        (tmp_path / name).write_text(OWN + more, "utf-8")
        try:
            assert main(["--add", name, *command]) == status
        finally:
            METHODS.pop("mine"), DATASETS.pop("own")
    assert written("out")["settings"]["methods"][0]["last"]["network"] == "brightness"


@pytest.mark.parametrize(
    ("case", "given", "changed"),
    [
        ("voc20", ["--window", "0", "--short-side", "32"], {"window": 0, "short_side": 32}),
        ("context60", ["--stride", "224", "--logit-scale", "50", "--refine", "guided",
                       "--words", "present"],
         {"stride": 224, "logit_scale": 50, "refine": "guided", "words": "present",
          "threshold": 0.1, "background": 0}),
    ],
)  # fmt: skip
def test_protocol(
    case: str, given: list[str], changed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A data set on disk is evaluated with its own protocol; options change only their own part."""
    root = str(CASES[case].make(Path("data")))
    command = ["--dataset", CASES[case].dataset, "--root", root, "--methods", "clearclip", "--n"]
    assert main([*command, "1", "--templates", "plain", *given, "--out", "out"]) == 0
    assert "note: Built-in does not know" in capsys.readouterr().err
    plain = {"short_side": 336, "window": 224, "stride": 112, "logit_scale": 40, "words": "all"}
    wanted = plain | {"refine": "none", "threshold": 0, "background": None} | changed
    settings = written("out")["settings"]
    assert {key: settings[key] for key in wanted} == wanted
    counted = 64 * (np.array(CASES[case].labels) >= 0).sum()
    assert benchmark.read_result(Path("out")).counts.sum() == counted


@pytest.mark.parametrize("is_published", [True, False])
def test_local_weights(is_published: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that is given or in the folder of weights is the published model only if it has its
    digest; else its name is in the backbone's."""
    file = tmp_path / "openai-vit-b-16.pt"
    file.write_bytes(b"weights")
    digest = sha256(b"weights" if is_published else b"others").hexdigest()
    backbone = replace(tiny_backbone(), name="openai-vit-b-16")
    monkeypatch.setattr(options, "load_backbone", lambda *_: backbone)
    monkeypatch.setattr(
        options, "get_pretrained_cfg", lambda *_: {"url": f"https://x/{digest}/B.pt"}
    )
    monkeypatch.setenv("GCLIP_WEIGHTS", str(tmp_path))
    given = evaluation_parser().parse_args(["--dataset", "photos", "--backbone", "openai-vit-b-16"])
    name = options.opened_backbone(given).name
    assert name == "openai-vit-b-16" + ("" if is_published else ", openai-vit-b-16.pt")
    monkeypatch.delenv("GCLIP_WEIGHTS")
    given.weights = file
    assert options.opened_backbone(given).name == name


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--dataset", "voc20"], "--root"),
        (["--dataset", "ade20k", "--root", "nowhere"], "ADEChallengeData2016"),
        (["--dataset", "imagenet"], "is not a data set"),
        ([*PHOTOS, "--methods", "mine"], "is not a method"),
        ([*PHOTOS, "--words", "some"], "present"),
        ([*PHOTOS, "--split", "val"], "--split needs --root"),
        ([*PHOTOS, "--n", "0"], "--n must be"),
        ([*PHOTOS, "--threshold", "2"], "threshold"),
        ([*PHOTOS, "--weights", "nowhere.pt"], "nowhere.pt"),
        ([*PHOTOS, "--n", "1", "--methods", "gclip", "--amf-blocks", "13"], "block 13 cannot"),
        ([*PHOTOS, "--n", "1", "--methods", "clip", "--out", "/dev/null/out"], "/dev/null/out"),
        (["table", "nowhere"], "nowhere"),
    ],
)
def test_errors(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong input ends in one message that names it, without a traceback."""
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert any(line.startswith("error: ") for line in error.splitlines())
    assert expected in error
