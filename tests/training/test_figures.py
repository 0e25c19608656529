"""The packed model computes what was learned; figures and chosen constants by hand."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from evaluation.suggested_words import Judgement
from gclip_core import BackboneError, assets, load_backbone
from gclip_core.words.suggest import Thresholds
from tests.training.conftest import CHOOSE
from training import __main__ as command
from training import choose, measure
from training.data import folder_of, read
from training.measure import Case, Fold
from training.network import FEATURES, Network, network_of


def test_round_trip(data: Path, tmp_path: Path) -> None:
    """The packed model, loaded like the built-in, gives the learned tokens and outputs, and its map
    can be a first model's; words with a mask are seen."""
    torch.manual_seed(0)
    mean, spread = torch.randn(FEATURES), torch.rand(FEATURES) + 0.5
    network = Network(mean, spread)
    for name, parameter in network.named_parameters():
        if name.startswith("blocks"):
            parameter.add_(0.02 * torch.randn_like(parameter))
    torch.save(network.state_dict(), folder_of(tmp_path, "choose", 0) / "attention.pt")
    assert command.main(["pack", str(data), str(tmp_path), "--without", "choose"]) == 0
    folder = folder_of(tmp_path, "choose", 0) / "packed"
    known = json.loads((folder / "words.json").read_text())
    assert ["wall", "walls"] in known["seen"] and known["neighbours"] == [["car"]]
    backbone = load_backbone(weights=folder)
    assert ("wall", "walls") in backbone.known.seen
    features = mean + spread * torch.randn(1, 12, 12, FEATURES)
    visual = backbone.visual
    with torch.no_grad():
        tokens = network.tokens(features)
        loaded = visual.conv1.tokens(features)
        assert F.cosine_similarity(tokens, loaded, dim=-1).min() > 0.999
        vectors = network_of(backbone, mean, spread).map_vectors(features)
        assert (vectors * network.map_vectors(features)).sum(-1).min() > 0.99
        x = network.block_input(tokens)
        y = visual.ln_pre(
            torch.cat([visual.class_embedding.expand(1, 1, -1), tokens.flatten(1, 2)], 1)
            + visual.positional_embedding
        )
        for number, block in enumerate(backbone.blocks):
            x, y = network.run(number, x, network.heads(number, x)), block(y)
        assert F.cosine_similarity(x, y, dim=-1).min() > 0.999


def test_cases(data: Path, tmp_path: Path) -> None:
    """Words are those that cover a hundredth of the photo; kinds of wall are "wall"."""
    folder = tmp_path / "cases"
    shutil.copytree(data / "coco-val", folder)
    index = json.loads((folder / "index.json").read_text())
    for item in index:
        item["words"] |= {str(100 + n): f"word {n}" for n in range(12)}
    (folder / "index.json").write_text(json.dumps(index))
    first, *_, last = measure.read_cases(folder)
    assert first.words == ("sky", "dog") and last.words == ("sky", "wall")
    assert len({*first.distractors}) == 10 and not {*first.distractors} & {*first.words}
    assert first.truth.shape == (48, 64)
    assert (first.truth[:, :32] == 0).all() and (first.truth[:, 32:] == 1).all()
    assert [case.distractors for case in measure.read_cases(folder)][0] == first.distractors


def made_case(truth: list[list[int]]) -> Case:
    return Case(Path("a.jpg"), ("sky", "dog"), ("cat",) * 10, np.array(truth))


def test_iou() -> None:
    """IoU by hand: void pixels do not count, distractors do."""
    case = made_case([[0, 0, 1, -1]])
    assert measure.iou(case, np.array([[0, 1, 1, 0]])).tolist() == [0.5, 0.5]
    assert measure.iou(case, np.array([[0, 7, 1, 7]])).tolist() == [0.5, 1.0]
    assert measure.largest_everywhere(case) == pytest.approx(2 / 3 / 2)


def test_means() -> None:
    """A row has the mean of the halves' means, then each half; alone, then with ten others."""
    case = made_case([[0, 1]])
    rows = {
        "choose": [(case, {"clearclip": (np.array([1.0, 0.5]), np.array([0.5, 0.5]))})],
        "report": [
            (case, {"clearclip": (np.array([0.2, 0.2]), np.array([0.1, 0.1]))}),
            (case, {"clearclip": (np.array([0.4, 0.4]), np.array([0.1, 0.1]))}),
        ],
    }
    table = measure.table(measure.means(rows)).splitlines()
    assert table[2:] == ["| ClearCLIP | 2024 | 52.5 | 30.0 | 75.0, 50.0 | 30.0, 10.0 |"]
    fold = [Fold(name, None, [], frozenset({"sky"})) for name in rows]
    with_masks, without = measure.by_masks(fold, rows).splitlines()
    assert with_masks == "3 words with masks: 53.3 / 23.3"
    assert without == "3 words without masks: 36.7 / 23.3"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A folder where the built-in's weights stand for those of both folds."""
    for name in measure.HALVES:
        folder = tmp_path / f"without-{name}-0" / "packed"
        folder.mkdir(parents=True)
        for file in assets.path("built-in").iterdir():
            (folder / file.name).symlink_to(file)
    return tmp_path


def test_folds(data: Path, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half is measured with the model trained without it, which was not taught what only that
    half has, nor words that it does not know."""
    with pytest.raises(BackboneError, match="there is none"):
        next(measure.folds(data, packed, seed=1))
    choose_, report = measure.folds(data, packed)
    assert {f"coco/{case.image.stem}" for case in choose_.cases} == read(data, "choose").held
    assert [case.image.stem for case in choose_.cases] == list(CHOOSE)
    assert choose_.taught == {"sky", "dog"}, "voc teaches the dog"
    assert report.taught == {"sky"}, "no photo but its own has a wall"
    cases = [replace(case, words=("sky", "xyz")) for case in choose_.cases]
    monkeypatch.setattr(measure, "read_cases", lambda folder: cases)
    assert next(measure.folds(data, packed)).taught == {"sky"}


@pytest.mark.long
def test_constants(data: Path, packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the figures of each constant, on all photos."""
    for only in ("suggested", "weak", "background"):
        choose.main([str(data), str(packed), "--only", only])
    lines = capsys.readouterr().out.splitlines()
    titles = ("thresholds as they are", "crossed", "ships", "without the classifier")
    assert [line.split(": 4 photos")[0] for line in lines[:4]] == list(titles)
    marked = [float(line.split("good masks, ")[1].split(" %")[0]) for line in lines[4:10]]
    assert marked == sorted(marked), "a higher threshold marks more"
    titles = ("no background", "ships", "crossed", "best of both")
    for line, title in zip(lines[10:], titles, strict=True):
        assert line.startswith(title)
        figures = {kind: float(of) for kind, of in re.findall(r"(absent|one) (\d+\.\d)", line)}
        assert all(0 <= figure <= 100 for figure in figures.values())
        if title == "no background":
            assert figures["absent"] == 100


def test_best_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds are those whose figures, with their neighbours', come closest to the aims."""
    values = {"thing": (0.1, 0.2, 0.3, 0.4, 0.5), "stuff": (0.15, 0.2, 0.25, 0.3, 0.35)}
    monkeypatch.setattr(choose, "TRIED", values)

    def judged(thresholds: Thresholds) -> list[Judgement]:
        if (thresholds.thing, thresholds.stuff) == (0.2, 0.25):
            return [Judgement(n_words=2, n_right=2, area=0.6)]  # the best, by chance
        right = 2 if thresholds.thing >= 0.3 else 1
        only_stuff = thresholds.stuff < 0.25  # stuff alone is subtracted
        return [
            Judgement(
                n_words=2, n_right=right, area=0.5, main=True, first=True, only_stuff=only_stuff
            )
        ]

    best = choose.best_thresholds(judged)
    assert best == Thresholds(thing=0.4, stuff=0.3), "all around it is good"


def test_errors(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without data, and options that a step does not have, end in an error message."""
    work = str(tmp_path / "work")
    assert command.main(["map", str(tmp_path), work]) == 2
    assert "data.json is missing" in capsys.readouterr().err
    assert command.main(["map", str(data), work]) == 2
    assert "run `features` first" in capsys.readouterr().err
    assert command.main(["attention", str(data), work]) == 2
    assert "map.pt is missing" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["pack", str(data), work, "--steps", "20"])
