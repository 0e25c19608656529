"""Losses by hand-computed numbers, and what the map learns and leaves unchanged."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gclip_core.backbones.load import load_backbone
from gclip_core.words import text
from tests.training.conftest import CHOOSE
from training import __main__ as command
from training import patch_map
from training.data import Data, folder_of, read
from training.features import file_of
from training.network import FEATURES, PatchMap
from training.patch_map import fit, mask_terms, teacher_term
from training.patches import labels, stored
from training.words import NONE


def test_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weighted sum of the terms becomes small, then everything is frozen."""
    x = torch.nn.Parameter(torch.tensor([4.0, 4.0]))
    weights = {"counts": 1.0, "does not": 0.0}
    monkeypatch.setattr(patch_map, "WEIGHTS", weights)
    monkeypatch.setattr(patch_map, "RATE", 0.02)
    fit([x], lambda: dict(zip(weights, x.square(), strict=True)), 200)
    assert x[0] < 2.4 and x[1] > 3.9
    assert not x.requires_grad


def test_mask_terms() -> None:
    """Cross-entropies over all words, and over those of the photo; a patch with none of the
    source's words is pushed away only from these; a word that is alike is not compared."""
    e = math.e
    logits = torch.eye(3)[[0, 0]]  # of the words a, b and c: both patches are nearest to a
    label, alike = torch.tensor([0, NONE]), torch.zeros(3, 3, dtype=torch.bool)
    own = torch.tensor([[True, False, False]] * 2)
    present = torch.tensor([[True, True, False]] * 2)
    terms = mask_terms(logits, label, alike, own, present)
    assert terms["all"].item() == pytest.approx(-math.log(e / (e + 2)))
    assert terms["photo"].item() == pytest.approx(-math.log(e / (e + 1)))
    assert terms["none"].item() == pytest.approx(-math.log(2 / (e + 2)) / 2)
    other = mask_terms(logits, label, alike, own[:, [1, 0, 2]], present)
    assert other["none"].item() == pytest.approx(-math.log((e + 1) / (e + 2)) / 2)
    truth_absent = mask_terms(logits, label, alike, own, present[:, [2, 1, 0]])
    assert truth_absent["photo"].item() == pytest.approx(-math.log(e / (e + 2)))
    alike[0, 1] = alike[1, 0] = True
    without = mask_terms(logits, label, alike, own, present)
    assert without["all"].item() == pytest.approx(-math.log(e / (e + 1)))


def test_teacher_term() -> None:
    """KL divergence of the probabilities of words that count, by hand."""
    ours, theirs = torch.eye(3)[[1]], torch.eye(3)[[0]]
    e, nothing = math.e, torch.zeros(1, 3, dtype=torch.bool)
    assert teacher_term(theirs, theirs, nothing).item() == pytest.approx(0)
    assert teacher_term(ours, theirs, nothing).item() == pytest.approx((e - 1) / (e + 2))
    hidden = torch.tensor([[False, False, True]])
    assert teacher_term(ours, theirs, hidden).item() == pytest.approx((e - 1) / (e + 1))


def run(*arguments: object) -> int:
    """A step of the recipe as it is typed."""
    return command.main([*map(str, arguments), "--threads", "1"])


@pytest.mark.long
def test_fold(
    data: Path, opened: Data, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training without a half needs none of its files; training with it reports what is missing.
    The same seed learns the same map, another seed another one."""
    for photo in [*opened.masks, *opened.others]:
        if photo.name.removeprefix("coco/") not in CHOOSE:
            copy = file_of(tmp_path, photo)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.symlink_to(file_of(work, photo))
    monkeypatch.setattr(patch_map, "LABELLED", 128)
    monkeypatch.setattr(patch_map, "FREE", 64)
    learned = []
    for seed in (1, 0, 0):
        fold = ("--without", "choose", "--steps", 1, "--seed", seed)
        assert run("map", data, tmp_path, *fold) == 0
        packed = folder_of(tmp_path, "choose", seed) / "packed"
        learned.append(load_file(packed / "stem.safetensors")["visual.conv1.linear.weight"])
    assert not torch.equal(learned[0], learned[1])
    assert torch.equal(learned[1], learned[2])
    assert run("map", data, tmp_path, "--steps", 2) == 2


@pytest.mark.long
def test_further(pairs: Path, tmp_path: Path) -> None:
    """Two photos of one's own, with the real stem, teach the built-in a word that it had only by
    its embedding; its vectors on other photos hardly move, and its files can be loaded."""
    data, work = tmp_path / "DATA", tmp_path / "WORK"
    assert command.main(["data", str(data), "--masks", str(pairs)]) == 0
    assert run("all", data, work, "--steps", 40) == 0
    backbone = load_backbone(weights=folder_of(work, None, 0) / "packed")
    assert any(group[0] == "raccoon" for group in backbone.known.seen)
    opened, before = read(data), load_backbone()
    arrays = stored(work, opened.masks[0])
    label = labels(opened.words(), opened.masks[0], arrays["labels"])
    raccoon = torch.from_numpy(arrays["features"][label >= 0]).float()
    elsewhere = torch.from_numpy(stored(work, opened.others[0])["features"]).float()
    word = text.embed(before, ["raccoon"])[0]
    old, new = (
        PatchMap(b, torch.zeros(FEATURES), torch.ones(FEATURES)) for b in (before, backbone)
    )
    assert (new(raccoon) @ word).mean() > (old(raccoon) @ word).mean() + 0.1
    same = (new(elsewhere) * old(elsewhere)).sum(-1)
    assert same.mean() > 0.95
