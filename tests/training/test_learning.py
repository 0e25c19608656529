"""Losses by hand-computed numbers, and what each step learns and leaves unchanged."""

import copy
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gclip_core.backbones.load import load_backbone
from gclip_core.blocks import Heads
from gclip_core.words import text
from tests.training.conftest import CHOOSE
from training import __main__ as command
from training import attention as learn_attention
from training import patch_map
from training.attention import (
    Squares,
    affinity_attention,
    averaging_error,
    divergence,
    terms_of,
)
from training.data import Data, folder_of, read
from training.dino import affinity
from training.features import file_of
from training.fitting import fit
from training.network import FEATURES, WIDTH, Network, network_of
from training.patch_map import SCALE, Compared, mask_terms, teacher_term
from training.patches import labels, stored
from training.words import NONE, WordList


@pytest.fixture
def network() -> Network:
    """A new network, whose features are standardised already."""
    torch.manual_seed(0)
    return Network(torch.zeros(FEATURES), torch.ones(FEATURES))


@pytest.fixture
def compared() -> Compared:
    """Three orthogonal words: a, b and c."""
    made = Compared(WordList("abc", ()), torch.eye(3, WIDTH), [0, 1, 2])
    made.vectors = torch.eye(WIDTH)[:3] / SCALE
    made.alike = torch.zeros(3, 3, dtype=torch.bool)
    return made


def test_fit() -> None:
    """The weighted sum of the terms becomes small, then everything is frozen."""
    x = torch.nn.Parameter(torch.tensor([4.0, 4.0]))
    weights = {"counts": 1.0, "does not": 0.0}
    fit([x], lambda step: dict(zip(weights, x.square(), strict=True)), weights, 200, lr=0.02)
    assert x[0] < 2.4 and x[1] > 3.9
    assert not x.requires_grad


def test_mask_terms(compared: Compared) -> None:
    """Cross-entropies over all words, and over those of the photo; a patch with none of the
    source's words is pushed away only from these."""
    e = math.e
    vectors = torch.eye(WIDTH)[[0, 0]]  # both patches are nearest to a
    label = torch.tensor([0, NONE])
    own = torch.tensor([[True, False, False]] * 2)
    present = torch.tensor([[True, True, False]] * 2)
    terms = mask_terms(compared, vectors, label, own, present)
    assert terms["all"].item() == pytest.approx(-math.log(e / (e + 2)))
    assert terms["photo"].item() == pytest.approx(-math.log(e / (e + 1)))
    assert terms["none"].item() == pytest.approx(-math.log(2 / (e + 2)) / 2)
    other = mask_terms(compared, vectors, label, own[:, [1, 0, 2]], present)
    assert other["none"].item() == pytest.approx(-math.log((e + 1) / (e + 2)) / 2)
    truth_absent = mask_terms(compared, vectors, label, own, present[:, [2, 1, 0]])
    assert truth_absent["photo"].item() == pytest.approx(-math.log(e / (e + 2)))


def test_alike_words(compared: Compared) -> None:
    """A nearly identical word is not compared."""
    compared.alike[0, 1] = compared.alike[1, 0] = True
    vectors, label = torch.eye(WIDTH)[[0]], torch.tensor([0])
    everything = torch.ones(1, 3, dtype=torch.bool)
    terms = mask_terms(compared, vectors, label, everything, everything)
    assert terms["all"].item() == pytest.approx(-math.log(math.e / (math.e + 1)))
    assert terms["none"].item() == 0


def test_divergence_from_first(compared: Compared) -> None:
    """KL divergence of the probabilities of words that count, by hand."""
    ours, theirs = torch.eye(WIDTH)[[1]], torch.eye(WIDTH)[[0]]
    e, nothing = math.e, torch.zeros(1, 3, dtype=torch.bool)
    assert teacher_term(compared, theirs, theirs, nothing).item() == pytest.approx(0)
    apart = teacher_term(compared, ours, theirs, nothing).item()
    assert apart == pytest.approx((e - 1) / (e + 2))
    hidden = torch.tensor([[False, False, True]])
    assert teacher_term(compared, ours, theirs, hidden).item() == pytest.approx((e - 1) / (e + 1))


def test_affinity() -> None:
    """Affinities are the mean of the cosines of centred Queries and of centred Keys."""
    q = torch.tensor([[[[9.0, 9.0], [1.0, 0.0], [-1.0, 0.0]]]])
    k = torch.tensor([[[[7.0, 0.0], [0.0, 3.0], [0.0, 3.0]]]])
    assert affinity(Heads(q, k))[0].tolist() == [[0.5, -0.5], [-0.5, 0.5]]


def test_target() -> None:
    """Attention goes where affinities are not negative, and never to another true region."""
    affinity = torch.tensor([[1.0, 0.5, 0.5, -0.1], [0.5, 1, 0.5, 0.5]])
    affinity = torch.stack([*affinity, *affinity])[None]
    label = torch.tensor([[3, 5, -1, 3]])
    target = affinity_attention(affinity, label)[0]
    assert target.sum(1).tolist() == pytest.approx([1] * 4)
    e10, e5 = math.exp(10), math.exp(5)
    assert target[0].tolist() == pytest.approx([e10 / (e10 + e5), 0, e5 / (e10 + e5), 0])
    assert target[1, [0, 3]].tolist() == [0, 0], "two patches of another region"
    assert target[2, 1] > 0, "a patch whose label is not known may be anything"
    assert target[3, 1] == 0 < target[3, 0]


def test_divergence() -> None:
    """Kullback-Leibler divergence and the error of averages, by hand."""
    target = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])
    attention = torch.tensor([[[0.5, 0.5], [0.5, 0.5]]])
    assert divergence(attention, target).item() == pytest.approx(math.log(2) / 2)
    vectors = torch.tensor([[[1.0], [3.0]]])  # centred: -1 and 1
    assert averaging_error(attention, target, vectors).item() == pytest.approx(1)
    assert averaging_error(target, target, vectors).item() == 0


def test_squares(opened: Data, work: Path) -> None:
    """Features, affinities and labels belong to the same patches, mirrored or not."""
    words = opened.words()
    squares = Squares(words, work, opened.masks[:1])
    features, affinity, label = squares.sample(np.random.default_rng(1), 4)
    sky, dog = (words.numbers([word])[0] for word in ("sky", "dog"))
    grid = label.unflatten(1, (20, 20))
    assert {int(grid[n, 0, 0]) for n in range(4)} == {sky, dog}, "some are mirrored"
    for n in range(4):
        left = features[n][grid[n] == sky].mean(0)
        right = features[n][grid[n] == dog].mean(0)
        assert F.cosine_similarity(left, right, dim=0) < 0.9
        same = label[n][:, None] == label[n]
        known = (label[n] >= 0)[:, None] & (label[n] >= 0)
        assert affinity[n][same & known].mean() > affinity[n][~same & known].mean() + 0.5


def test_terms(network: Network, opened: Data, work: Path) -> None:
    """At the start, Values are the map's, and these stay the target when the last block learns."""
    before = copy.deepcopy(network)
    drawn = Squares(opened.words(), work, opened.masks[4:5]).sample(np.random.default_rng(0), 2)
    terms = terms_of(network, before, *drawn)
    assert terms["values"] < 0.03
    assert terms["class"] > 0.1
    assert all(torch.isfinite(term) and term >= -1e-6 for term in terms.values())
    network.blocks[-1].attn.out_proj.weight.add_(0.1 * torch.randn(WIDTH, WIDTH))
    assert terms_of(network, before, *drawn)["values"] > 0.1


def run(*arguments: object) -> int:
    """A step of the recipe as it is typed."""
    return command.main([*map(str, arguments), "--threads", "1"])


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
    monkeypatch.setattr(patch_map, "load_backbone", cache(load_backbone))
    monkeypatch.setattr(patch_map, "LABELLED", 128)
    monkeypatch.setattr(patch_map, "FREE", 64)
    monkeypatch.setattr(learn_attention, "CROPS", 1)
    fold = ("--without", "choose", "--steps", 1)
    states = {}
    for step, seed in (("map", 1), ("map", 0), ("attention", 0), ("map", 0)):
        assert run(step, data, tmp_path, *fold, "--seed", seed) == 0
        file = folder_of(tmp_path, "choose", seed) / f"{step}.pt"
        states.setdefault((step, seed), []).append(torch.load(file))
    assert run("map", data, tmp_path, "--steps", 2) == 2
    (other,), (before, again), (after,) = states["map", 1], states["map", 0], states["attention", 0]
    assert torch.equal(before["linear.weight"], again["linear.weight"])
    assert not torch.equal(before["linear.weight"], other["linear.weight"])
    for name in ("linear.weight", "hidden.weight", "out.weight", "mean", "proj"):
        assert torch.equal(before[name], after[name]), "attention leaves the map alone"
    assert not torch.equal(before["positional_embedding"], after["positional_embedding"])


@pytest.mark.long
def test_further(pairs: Path, tmp_path: Path) -> None:
    """Two photos of one's own, with the real stem, teach the built-in a word that it had only by
    its embedding; its vectors on other photos hardly move, and its files can be loaded."""
    data, work = tmp_path / "DATA", tmp_path / "WORK"
    assert command.main(["data", str(data), "--masks", str(pairs)]) == 0
    assert run("all", data, work, "--steps", 40) == 0
    backbone = load_backbone(weights=folder_of(work, None, 0) / "packed")
    assert any(group[0] == "raccoon" for group in backbone.known.seen)
    assert run("attention", data, work) == 2, "the built-in keeps its blocks"
    opened, before = read(data), load_backbone()
    arrays = stored(work, opened.masks[0])
    label = labels(opened.words(), opened.masks[0], arrays["labels"])
    raccoon = torch.from_numpy(arrays["features"][label >= 0]).float()
    elsewhere = torch.from_numpy(stored(work, opened.others[0])["features"]).float()
    word = text.embed(before, ["raccoon"])[0]
    old, new = (
        network_of(b, torch.zeros(FEATURES), torch.ones(FEATURES)) for b in (before, backbone)
    )
    assert (new.map_vectors(raccoon) @ word).mean() > (old.map_vectors(raccoon) @ word).mean() + 0.1
    same = (new.map_vectors(elsewhere) * old.map_vectors(elsewhere)).sum(-1)
    assert same.mean() > 0.95
