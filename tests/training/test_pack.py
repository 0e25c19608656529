"""The packed model computes what was learned; the card's measures; errors of the commands."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from evaluation.class_lists import ClassName
from evaluation.datasets import LabelledSet, Sample
from gclip_core import METHODS, Segmenter, gclip, load_backbone
from tests.models import loaded, picture, tiny_backbone
from training import __main__ as command
from training import card, pack
from training.network import FEATURES, PatchMap


def test_round_trip(tmp_path: Path) -> None:
    """The packed model, loaded like the built-in, gives the learned tokens and vectors, and all
    else as before; words with a mask are seen."""
    torch.manual_seed(0)
    mean, std = torch.randn(FEATURES), torch.rand(FEATURES) + 0.5
    before = load_backbone()
    network = PatchMap(before, mean, std)
    for parameter in network.learned():
        parameter.add_(0.02 * torch.randn_like(parameter))
    seen = [*(group[0] for group in before.known.seen), "raccoon"]
    pack.write(tmp_path / "packed", network.exported(), seen, ["raccoon", "dog"])
    after = load_backbone(weights=tmp_path / "packed")
    assert {*after.known.seen} - {*before.known.seen} == {("raccoon", "raccoons")}
    assert after.known.taught == {"raccoon", "dog"} and not before.known.taught
    features = mean + std * torch.randn(1, 12, 12, FEATURES)
    with torch.no_grad():
        tokens, loaded = network.tokens(features), after.visual.conv1.tokens(features)
        assert F.cosine_similarity(tokens, loaded, dim=-1).min() > 0.999
        vectors = PatchMap(after, mean, std)(features)
        assert (vectors * network(features)).sum(-1).min() > 0.99
    for name, value in before.model.state_dict().items():
        if name.split(".")[2:3] not in (["linear"], ["hidden"], ["out"]):
            assert torch.equal(value, after.model.state_dict()[name]), name


TINY = tiny_backbone()


def test_half(data: Path) -> None:
    """Kinds of wall are "wall", and a region under a hundredth of the photo is void."""
    half = card.coco_half(data / "coco-val", "report")
    assert [entry.name for entry in half.classes] == ["sky", "dog", "wall"]
    sample = half.samples[0]
    assert np.unique(sample.load()[1]).tolist() == [0, 2]
    for pixels, expected in ((30, [-1, 2]), (31, [0, 2])):  # of 48 × 64
        truth = np.full((48, 64), 2, np.int16)
        truth.flat[:pixels] = 0
        assert np.unique(card.without_small(truth)).tolist() == expected


def test_by_method(data: Path) -> None:
    """The mean IoU of a photo's words, by hand: distractors take pixels, but do not count."""
    half = card.coco_half(data / "coco-val", "choose")
    segmenter = Segmenter(TINY, templates="plain")
    for rule, words in (("present", ["sky", "dog"]), ("present+10", ["sky", "dog", "wall"])):
        scores = card.by_method(segmenter, half, ["clearclip", "amf"], rule)
        for name, method in (("clearclip", METHODS["clearclip"]), ("amf", gclip(cs=False))):
            for score, sample in zip(scores[name], half.samples, strict=True):
                image, truth = sample.load()
                labels = segmenter.segment(image, words, method).labels.numpy()
                iou = [
                    ((labels == c) & (truth == c)).sum() / ((labels == c) | (truth == c)).sum()
                    for c in (0, 1)
                ]
                assert score == pytest.approx(100 * np.mean(iou))


def test_by_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares of words, area and things, by hand: a synonym and a kind of a word count, and a word
    that is named twice counts once."""
    truth = np.full((10, 10), -1, np.int16)  # ignored pixels have no area
    truth[:6], truth[6:8], truth[8, :4], truth[9, :2] = 0, 1, 2, 3
    names = ("wall brick", "dog", "banana", "cat")
    classes = tuple(ClassName(name, (name,)) for name in names)
    empty = np.full((10, 10), -1, np.int16)
    samples = tuple(Sample("", lambda t=t: (picture(10, 10), t)) for t in (truth, empty))
    photos = LabelledSet("", "", classes, samples, None, "")
    segmenter = Segmenter(loaded("built-in"))
    for words, expected in {
        ("wall", "fruit", "sky"): (1 / 3, 60 / 86, 0, 1 / 2),
        ("dog", "dog", "cat"): (1, 22 / 86, 1, 1 / 2),
    }.items():
        monkeypatch.setattr(Segmenter, "suggest", lambda *_, words=words: words)
        scores = card.by_suggestion(segmenter, photos)
        assert [np.mean(of) / 100 for of in scores.values()] == pytest.approx([*expected])


def test_card(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command prints a table for each list of words, with a column for each half."""
    monkeypatch.setattr(card, "load_backbone", lambda weights: TINY)
    few = {"none": (False, 0.8), "a list": (["tree"], 0.5), "own": (True, 0.8)}
    monkeypatch.setattr(card, "COMPETING", few)
    card.main([str(data), str(tmp_path), "--methods", "clearclip"])
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    means = {
        (row[0], n): [*map(float, row[1:])]
        for n, row in enumerate(rows)
        if len(row) == 4 and row[1] != "choose" and "nan" not in row  # no such thing in a half
    }
    assert all(0 <= min(of[:2]) <= of[2] <= max(of[:2]) <= 100 for of in means.values())
    absent = [of for (name, _), of in means.items() if name == "absent"]
    assert absent[0] == [100, 100, 100], "without a background"
    assert len(absent) == 3 and absent[2][2] < 100
    suggested = {"words that are in the photo", "labelled area"}
    assert suggested <= {name for name, _ in means}
    kinds = {name for name, _ in means if "thing" not in name} - {"clearclip", *suggested}
    assert {"one", "two", "three", "absent"} <= kinds
    assert len([name for name, _ in means if name == "clearclip"]) == 2
    assert all(sum(of == kind for of, _ in means) == 3 for kind in kinds)


def test_errors(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing folder or step, and options that a step does not have, end in an error message."""
    work = str(tmp_path / "work")
    for arguments, message in {
        ("map", str(tmp_path), work): "data.json is missing",
        ("map", str(data), work): "run `features` first",
        ("data", work, "--masks", "away", "--photos", "away"): "away",
    }.items():
        assert command.main([*arguments]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["features", str(data), work, "--steps", "20"])
