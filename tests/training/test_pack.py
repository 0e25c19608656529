"""The packed model computes what was learned; the card's measures; errors of the commands."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gclip_core import METHODS, Segmenter, blocks, gclip, load_backbone
from tests.models import tiny_backbone
from training import __main__ as command
from training import card
from training.data import folder_of
from training.network import FEATURES, Network, network_of


def test_round_trip(data: Path, tmp_path: Path) -> None:
    """The packed model, loaded like the built-in, gives the learned tokens and outputs, and its map
    can be a first model's; words with a mask are seen."""
    torch.manual_seed(0)
    mean, std = torch.randn(FEATURES), torch.rand(FEATURES) + 0.5
    network = Network(mean, std)
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
    features = mean + std * torch.randn(1, 12, 12, FEATURES)
    visual = backbone.visual
    with torch.no_grad():
        tokens = network.tokens(features)
        loaded = visual.conv1.tokens(features)
        assert F.cosine_similarity(tokens, loaded, dim=-1).min() > 0.999
        vectors = network_of(backbone, mean, std).map_vectors(features)
        assert (vectors * network.map_vectors(features)).sum(-1).min() > 0.99
        x = network.block_input(tokens)
        y = visual.ln_pre(
            torch.cat([visual.class_embedding.expand(1, 1, -1), tokens.flatten(1, 2)], 1)
            + visual.positional_embedding
        )
        for own, block in zip(network.blocks, backbone.blocks, strict=True):
            x = blocks.run(own, x, blocks.project(own, x))
            y = block(y)
        assert F.cosine_similarity(x, y, dim=-1).min() > 0.999


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
        if len(row) == 4 and row[1] != "choose"
    }
    assert all(0 <= min(of[:2]) <= of[2] <= max(of[:2]) <= 100 for of in means.values())
    absent = [of for (name, _), of in means.items() if name == "absent"]
    assert absent[0] == [100, 100, 100], "without a background"
    assert len(absent) == 3 and absent[2][2] < 100
    kinds = {name for name, _ in means} - {"clearclip"}
    assert {"one", "two", "three", "absent"} <= kinds
    assert len([name for name, _ in means if name == "clearclip"]) == 2
    assert all(sum(of == kind for of, _ in means) == 3 for kind in kinds)


def test_errors(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing folder or step, and options that a step does not have, end in an error message."""
    work = str(tmp_path / "work")
    for arguments, message in {
        ("map", str(tmp_path), work): "data.json is missing",
        ("map", str(data), work): "run `features` first",
        ("attention", str(data), work): "map.pt is missing; run `map` first",
        ("pack", str(data), work): "attention.pt is missing; run `attention` first",
        ("data", work, "--masks", "away", "--first", "away", "--photos", "away"): "away",
    }.items():
        assert command.main([*arguments]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["pack", str(data), work, "--steps", "20"])
