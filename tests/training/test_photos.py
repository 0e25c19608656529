"""How the photo model is taught: words, sharing out patches, and what is packed."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from PIL import Image
from safetensors.torch import load_file

from gclip_core import blocks, scenes
from gclip_core.shipped import unpack
from gclip_core.stem import Stem
from training.photos import (
    curves,
    emoji,
    features,
    join,
    learn,
    measure,
    pack,
    priors,
    relearn,
    text,
)
from training.photos.student import Student, joined, opened
from training.photos.words import Words, groups, names, plural


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All words that the tables name, with vectors by lot, and a few photos."""
    folder = tmp_path_factory.mktemp("data")
    table = names()
    said = {w for key in ("anywhere", "indoors", "people") for w in table[key]}
    said |= {w for key in ("classes", "labels") for group in table[key].values() for w in group}
    said |= {*table["captions"], *table["called"].values(), *table["synonyms"], *learn_words()}
    for place in table["scenes"].values():
        said |= {*place["there"], *place["may be"]}
    said |= {w for group in table["neighbours"].values() for w in group}
    nouns = sorted({table["called"].get(w, w) for w in said} - set(table["stuff"]))
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((len(nouns), 512)).astype(np.float16)
    np.savez(folder / "clip-text.npz", words=np.array(nouns), embeddings=vectors)
    (folder / "imagenet-names.json").write_text(json.dumps([{"name": "golden retriever"}]))
    photos = [
        {"file": "0.jpg", "source": "mini-imagenet", "words": ["golden retriever"]},
        {"file": "1.jpg", "source": "houses", "words": ["kitchen"]},
        {"file": "2.jpg", "source": "flickr8k-1000", "captions": ["Two dogs run over a lawn ."]},
        {"file": "3.jpg", "source": "camvid", "words": ["sky", "sidewalk"]},
        {"file": "4.jpg", "source": "ade-unlabelled"},
    ]
    (folder / "index.jsonl").write_text("\n".join(json.dumps(photo) for photo in photos))
    return folder


@pytest.fixture(scope="module")
def words(data: Path) -> Words:
    return Words(data)


def learn_words() -> list[str]:
    """What priors and courses name beside the tables."""
    return ["cabinet", "bed", "house", "pole", "street light", "traffic light", "bus", "truck"]


class TestWords:
    def test_what_photos_are_said_to_show(self, words: Words) -> None:
        thing, kitchen, told, road, none = (words.label(photo) for photo in words.photos)
        assert words.number("dog") in thing.there
        assert thing.kind == "thing"
        assert {"cabinet", "floor"} <= {words.all[n] for n in kitchen.there}
        assert {words.all[n] for n in told.there} == {"dog", "grass"}
        assert {words.all[n] for n in road.there} == {"sky", "pavement"}
        assert none.kind == "none"

    def test_no_name_belongs_to_two_words(self, words: Words) -> None:
        every = [name for group in groups(words) for name in group]
        assert len(every) == len(set(every))
        assert [plural(w) for w in ("couch", "knife", "berry", "glass", "scissors")] == [
            "couches", "knives", "berries", "glasses", "scissors",
        ]  # fmt: skip

    def test_words_that_no_photo_names_stand_by_their_neighbours(self, words: Words) -> None:
        settled = words.settle(words.vectors)
        river, water = (settled[words.number(word)] for word in ("river", "water"))
        assert torch.allclose(river, water, atol=1e-6)

    def test_of_a_scene_every_part_is_one_of_its_words(self, data: Path, tmp_path: Path) -> None:
        for name in ("clip-text.npz", "imagenet-names.json"):
            shutil.copy(data / name, tmp_path)
        (tmp_path / "index.jsonl").write_text('{"file": "0.jpg", "source": "ade-unlabelled"}\n')
        (tmp_path / "photos").mkdir()
        emoji.add(tmp_path, 3)
        emoji.add(tmp_path, 3)  # they are there
        found = Words(tmp_path)
        assert [photo["source"] for photo in found.photos] == ["ade-unlabelled", *["emoji"] * 3]
        for photo in found.photos[1:]:
            label = found.label(photo)
            assert [found.all[n] for n in label.there] == photo["words"]
            assert (label.may_be, label.kind) == ((), "place")
            seed = int(photo["file"].split("-")[1].removesuffix(".png"))
            with Image.open(tmp_path / "photos" / photo["file"]) as picture:
                scene = scenes.compose(seed, picture.size, "seen")
                assert picture.tobytes() == scene.image.tobytes()


class TestShares:
    def test_only_allowed_words_share_and_those_there_get_some(self) -> None:
        torch.manual_seed(0)
        logits = torch.randn(2, features.TOKENS, 4)
        logits[..., 0] -= 6  # of a word that must be there all the same
        allowed = torch.tensor([[True, True, True, False]]).expand(2, 4)
        must = torch.tensor([[True, False, False, False]]).expand(2, 4)
        look = torch.randn(2, features.TOKENS, 16)
        share = learn.shares(logits, allowed, must, torch.full((2, 4), 0.06), look)
        assert torch.allclose(share.sum(-1), torch.ones(2, features.TOKENS), atol=1e-4)
        assert share[..., 3].max() < 1e-6
        without = learn.shares(logits, allowed, ~allowed, torch.full((2, 4), 0.06), look)
        assert share[..., 0].mean() > 2 * without[..., 0].mean()

    def test_patches_that_look_alike_share_alike(self) -> None:
        half = torch.arange(features.TOKENS) < features.TOKENS // 2
        look = torch.where(half[:, None], torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))[None]
        logits = torch.zeros(1, features.TOKENS, 2)
        logits[0, half, 0] = 0.7  # a hint, missing from one patch
        logits[0, 5, 0] = -0.7
        both = torch.ones(1, 2, dtype=torch.bool)
        share = learn.shares(logits, both, both, torch.full((1, 2), 0.06), look)
        assert share[0, 5, 0] > 0.5

    def test_of_a_thing_there_is_one_share_whatever_it_is_called(self, words: Words) -> None:
        label = words.label({"source": "mini-imagenet", "words": ["hen"]})
        assert len(label.there) > 1
        said = torch.zeros(1, features.TOKENS, len(words.all))
        half = torch.arange(features.TOKENS) < features.TOKENS // 2
        said[0, half, label.there[-1]] = 0.9
        look = torch.where(half[:, None], 1.0, -1.0).expand(-1, features.FEATURES)[None]
        grey = torch.full((1, features.TOKENS, 4), 128, dtype=torch.uint8)
        share = relearn.worked_out(learn.Course(words), [label], said, grey, look)
        assert share[0, half, 0].min() > 0.6
        assert share[0, ~half, 0].max() < 0.12
        assert (share[0, :, 1 : len(label.there)] < 1e-6).all()

    def test_the_sky_is_above_and_blue(self, words: Words) -> None:
        prior = priors.positions(words)[words.number("sky")]
        assert prior[0] > prior[-1]
        blue, green = (
            torch.tensor(c, dtype=torch.uint8).expand(1, features.TOKENS, 4)
            for c in ([90, 140, 230, 4], [70, 120, 40, 20])
        )
        assert (priors.by_colour(blue)["sky"] > priors.by_colour(green)["sky"]).all()
        assert (priors.by_colour(green)["grass"] > priors.by_colour(blue)["grass"]).all()


def test_what_is_exported_computes_what_was_taught() -> None:
    torch.manual_seed(0)
    mean, spread = torch.randn(features.FEATURES), torch.rand(features.FEATURES) + 0.5
    student = Student(mean, spread).eval()
    for parameter in student.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    found = torch.randn(1, features.TOKENS, features.FEATURES)
    with torch.no_grad():
        patches, whole = student(student.even(found))
    model = CLIP(**{k: v for k, v in pack.config().items() if k != "stem"})
    model.visual.conv1 = Stem(256, pack.config()["stem"])
    missing, unexpected = model.load_state_dict(student.exported(), strict=False)
    assert not unexpected
    assert not [key for key in missing if "visual" in key and "conv1.first" not in key
                and "conv1.stages" not in key]  # fmt: skip
    visual = model.visual.eval()
    with torch.no_grad():
        tokens = visual.conv1.tokens(found)
        x = torch.cat([visual.class_embedding.expand(1, 1, -1), tokens], 1)
        x = visual.ln_pre(x + visual.positional_embedding)
        x = blocks.block_inputs(visual.transformer.resblocks, x)[-1]
        last = visual.transformer.resblocks[-1]
        values = blocks.merge(last, blocks.project(last, x).v)
        ours = F.normalize(visual.ln_post(values)[:, 1:] @ visual.proj, dim=-1)
        cls = F.normalize(visual.ln_post(last(x))[:, 0] @ visual.proj, dim=-1)
    assert torch.allclose(ours, patches, atol=1e-4)
    assert torch.allclose(cls, whole, atol=1e-4)


def test_a_joined_map_says_the_mean_of_what_maps_say() -> None:
    torch.manual_seed(0)
    average, spread = torch.randn(features.FEATURES), torch.rand(features.FEATURES) + 0.5
    one, other = (Student(average, spread, hidden) for hidden in (8, 12))
    both = opened(joined([one.state_dict(), other.state_dict()], [2, 1]))
    even = one.even(torch.randn(1, features.TOKENS, features.FEATURES))
    with torch.no_grad():
        mean = (2 * one.tokens(even) + other.tokens(even)) / 3
        assert torch.allclose(both.tokens(even), mean, atol=1e-5)
    with pytest.raises(ValueError, match="one cache"):
        joined([one.state_dict(), Student(average + 1, spread).state_dict()], [1, 1])


def test_the_recipe_makes_a_model(
    words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step after the features, for moments; nothing is learned, but everything fits."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    singles, mosaics = [(photo, 0) for photo in range(4)], [(0, 0, 0, 0)]
    cache, run, out = tmp_path / "cache", tmp_path / "run", tmp_path / "out"
    cache.mkdir()
    for kind, views in (("single", singles), ("mosaic", mosaics)):
        (cache / f"{kind}.json").write_text(json.dumps(views))
        (cache / f"{kind}.done").write_text(str(len(views)))
        size = (len(views), features.TOKENS)
        found = rng.standard_normal((*size, features.FEATURES)).astype(np.float16)
        np.save(cache / f"{kind}-features.npy", found)
        np.save(cache / f"{kind}-activation.npy", rng.uniform(-1, 1, size).astype(np.float16))
        np.save(cache / f"{kind}-colours.npy", rng.integers(0, 255, (*size, 4), np.uint8))

    monkeypatch.setattr(text, "OPENAI_IMAGENET_TEMPLATES", text.OPENAI_IMAGENET_TEMPLATES[:1])
    moment = 0.001
    learn.learn(words, cache, run, moment, size=4)
    text.learn(words, run, moment, size=4)
    learn.learn(words, cache, run, moment, size=4, name="map-2")
    join.join(run, ["map", "map-2"])
    relearn.relearn(words, cache, run, "map-3", moment, size=4)
    join.join(run, ["map", "map", "map-3"])
    assert not (run / "shares.npy").exists(), "the next map would learn what an earlier one says"
    learn.learn(words, cache, run, moment, blocks=4, size=4)
    monkeypatch.setattr(pack, "Teacher", lambda width, hidden: SimpleNamespace(
        stem=Stem(width, pack.config(hidden)["stem"])))  # fmt: skip
    pack.pack(words, cache, run, out)

    said = torch.load(run / "map.pt", weights_only=True)["vectors"]
    assert torch.allclose(said, text.said(words, run)), "maps but the first learn what text says"
    settings = json.loads((out / "model.json").read_text())
    state = {}
    for file in sorted(out.glob("*.safetensors")):
        state.update(load_file(file))
    model = CLIP(**{key: value for key, value in settings.items() if key != "stem"})
    model.visual.conv1 = Stem(settings["embed_dim"], settings["stem"])
    model.load_state_dict(unpack(state, settings["text_cfg"]["vocab_size"], "the photo model"))


def test_the_logs_that_lie_there_are_drawn(tmp_path: Path) -> None:
    folder = Path(curves.__file__).parent
    curves.draw([folder / "map-2.jsonl", folder / "tower.jsonl"], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 20_000


def test_packing_costs_little() -> None:
    state = {"w": torch.randn(100, 100), "b": torch.randn(7)}
    back = unpack(pack.packed(state), vocabulary=0, title="the photo model")
    assert (back["w"] - state["w"]).abs().max() < 0.02
    assert torch.allclose(back["b"].float(), state["b"], atol=2e-3)


def test_regions_of_a_percent_are_measured_and_walls_are_one_word(tmp_path: Path) -> None:
    mask = np.zeros((40, 50), np.uint8)
    mask[:20], mask[20:30], mask[30:, :10], mask[39, 49] = 1, 2, 3, 4
    Image.fromarray(mask).save(tmp_path / "a.png")
    Image.new("RGB", (50, 40)).save(tmp_path / "a.jpg")
    others = {str(100 + n): f"word {n}" for n in range(12)}
    index = [
        {"file": "a", "words": {"1": "wall tile", "2": "wall", "3": "sea", "4": "cat", **others}}
    ]
    (tmp_path / "index.json").write_text(json.dumps(index))
    (case,) = measure.cases(tmp_path)
    assert case.words == ("wall", "ocean")
    assert len(case.distractors) == 10
    assert not set(case.distractors) & set(case.words)
    assert ((case.truth == -1) == ((mask == 0) | (mask == 4))).all()
    assert measure.largest_everywhere(case) == pytest.approx(1500 / 1600 / 2)
    assert measure.iou(case, np.where(case.truth < 0, 5, case.truth)).tolist() == [1.0, 1.0]
