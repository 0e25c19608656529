"""What is packed computes what was learned, and figures are what they say."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from open_clip.transformer import TextTransformer
from safetensors.torch import save_file

from gclip_core import assets
from gclip_core.builtin import unpack
from gclip_core.load import read
from tests import ROOT
from tests.training.conftest import CHOOSE
from training import __main__ as command
from training import choose, measure, nearest
from training.data import folder_of, half
from training.frozen import FEATURES
from training.measure import Case, Fold
from training.network import Network
from training.pack import CONFIG, image_tower, known, packed
from training.text import TEXT, Sentences, encode
from training.vocabulary import WIDTH, Words


def test_packed_rows() -> None:
    """Matrices keep eight bits a number and a scale a row; small tensors keep sixteen."""
    weight = torch.randn(80, 100) * torch.logspace(-3, 1, 80)[:, None]
    state = packed({"w": weight, "bias": torch.randn(80), "zero": torch.zeros(80, 100)})
    assert state["w"].dtype == torch.int8 and state["bias"].dtype == torch.float16
    back = state["w"].float() * state["w.scale"].float()[:, None]
    assert ((back - weight).abs() <= 0.51 * weight.abs().amax(1, keepdim=True) / 127 + 1e-7).all()
    assert (state["zero"] == 0).all()


def test_round_trip(words: Words, tmp_path: Path) -> None:
    """The packed model, loaded as the built-in is, gives the tokens, outputs and words learned."""
    torch.manual_seed(0)
    mean, spread = torch.randn(FEATURES), torch.rand(FEATURES) + 0.5
    network = Network(mean, spread)
    for name, parameter in network.named_parameters():
        if name.startswith(("blocks", "positional")):
            parameter.add_(0.02 * torch.randn_like(parameter))
    shipped = [
        assets.path("built-in", f"{name}.safetensors") for name in ("stem", "dino-1", "dino-2")
    ]
    stem = {k: v for file in shipped for k, v in read(file).items()}
    stem = unpack(stem, 0, "the built-in model")
    prefix, of_map = "visual.conv1.", ("linear.", "hidden.", "out.")
    frozen = {name.removeprefix(prefix): value for name, value in stem.items()}
    frozen = {name: value for name, value in frozen.items() if not name.startswith(of_map)}
    files = image_tower(network.state_dict(), frozen)
    assert {name.split(".")[0] for name in files} == {"model", "stem", "dino-1", "dino-2"}
    assert max(sum(v.numel() for v in of.values()) for of in files.values()) < 10e6
    sentences = Sentences(words)
    tower = TextTransformer(vocab_size=len(sentences.ids), output_dim=WIDTH, **TEXT).eval()
    text = tower.state_dict()
    text["token_rows"] = text.pop("token_embedding.weight")
    files["model"]["logit_scale"] = torch.tensor(40.0).log()
    for name, state in files.items():
        save_file(packed(state), tmp_path / f"{name}.safetensors")
    ids = {"token_ids": torch.from_numpy(sentences.ids)}
    save_file({**packed(text), **ids}, tmp_path / "text.safetensors")

    backbone = measure.load(tmp_path)
    assert json.loads(assets.path("built-in", "model.json").read_text()) == CONFIG
    features = mean + spread * torch.randn(1, 12, 12, FEATURES)
    visual = backbone.visual
    with torch.no_grad():
        tokens = network.tokens(features)
        loaded = visual.conv1.tokens(features)
        assert F.cosine_similarity(tokens, loaded, dim=-1).min() > 0.999
        x = network.block_input(tokens)
        y = visual.ln_pre(
            torch.cat([visual.class_embedding.expand(1, 1, -1), tokens.flatten(1, 2)], 1)
            + visual.positional_embedding
        )
        for number, block in enumerate(backbone.blocks):
            x, y = network.run(number, x, network.heads(number, x)), block(y)
        assert F.cosine_similarity(x, y, dim=-1).min() > 0.999
        texts = [sentences.names[0], f"a photo of a {sentences.names[1]}."]
        typed = F.normalize(backbone.model.encode_text(backbone.tokenizer(texts)), dim=1)
        wanted = encode(tower, sentences.encode(texts))
        assert (typed * wanted).sum(1).min() > 0.999


def test_known(words: Words) -> None:
    """Words that a photo or a mask has are seen; of a class only these are named."""
    kinds = known(words)
    seen = {group[0] for group in kinds["seen"]}
    assert seen == {"sky", "dog", "wall", "tree", "fish", "person", "rock", "helmet"}
    others = {group[0] for group in kinds["neighbours"]}
    assert seen | others == set(words.all) and not seen & others
    assert kinds["classes"] == [["fish"], ["dog"], [], []]
    assert ["dog", "dogs"] in kinds["seen"]
    names = [name for kind in ("seen", "neighbours") for group in kinds[kind] for name in group]
    assert len(names) == len(set(names)), "no name belongs to two words"


@pytest.mark.skipif(not (nearest.WORDNET / "data.noun").is_file(), reason="needs wordnet-base")
def test_nearest() -> None:
    """Nouns lead to the first seen word above them."""
    near = nearest.table({"seen": [["dog", "dogs"], ["person"]], "more": [["poodle"]]})
    assert "golden retriever" in near["dog"] and "teacher" in near["person"]
    assert "poodle" not in near["dog"] and "happiness" not in near["person"]


def test_cases(data: Path) -> None:
    """Words are those of a hundredth of the photo; kinds of wall are "wall"."""
    index = json.loads((data / "coco-val" / "index.json").read_text())
    for item in index:
        item["words"] |= {str(100 + n): f"word {n}" for n in range(12)}
    folder = data.parent / "cases"
    folder.mkdir(exist_ok=True)
    for file in (data / "coco-val").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "index.json").write_text(json.dumps(index))
    first, *_, last = measure.read_cases(folder)
    assert first.words == ("sky", "dog") and last.words == ("sky", "wall")
    assert len({*first.distractors}) == 10 and not {*first.distractors} & {*first.words}
    assert first.truth.shape == (48, 64)
    assert (first.truth[:, :32] == 0).all() and (first.truth[:, 32:] == 1).all()
    assert [case.distractors for case in measure.read_cases(folder)][0] == first.distractors


def made_case(truth: list[list[int]], words: tuple[str, ...] = ("sky", "dog")) -> Case:
    return Case(Path("a.jpg"), words, ("cat",) * 10, np.array(truth))


def test_iou() -> None:
    """IoU by hand: void pixels do not count, distractors do."""
    case = made_case([[0, 0, 1, -1]])
    assert measure.iou(case, np.array([[0, 1, 1, 0]])).tolist() == [0.5, 0.5]
    assert measure.iou(case, np.array([[0, 7, 1, 7]])).tolist() == [0.5, 1.0]
    assert measure.largest_everywhere(case) == pytest.approx(2 / 3 / 2)


def test_means() -> None:
    """The mean of both halves is that of the halves' means."""
    case = made_case([[0, 1]])
    rows = {
        "choose": [(case, {"clearclip": (np.array([1.0, 0.5]), np.array([0.5, 0.5]))})],
        "report": [
            (case, {"clearclip": (np.array([0.2, 0.2]), np.array([0.1, 0.1]))}),
            (case, {"clearclip": (np.array([0.4, 0.4]), np.array([0.1, 0.1]))}),
        ],
    }
    by_question = measure.means(rows)["clearclip"]
    assert by_question == {"there": [52.5, 75.0, 30.0], "+10": [30.0, 50.0, 10.0]}
    fold = [Fold(name, None, [], frozenset({"sky"})) for name in rows]
    with_masks, without = measure.by_masks(fold, rows).splitlines()
    assert with_masks == "3 words with masks: 53.3 / 23.3"
    assert without == "3 words without masks: 36.7 / 23.3"


def test_folds(data: Path, tmp_path: Path) -> None:
    """A half is measured by the model without it, which was not taught what only that half has."""
    with pytest.raises(ValueError, match="run `pack`"):
        next(measure.folds(data, tmp_path))
    for name in measure.HALVES:
        folder = folder_of(tmp_path, name, 0) / "packed"
        folder.mkdir()
        for file in assets.path("built-in").glob("*.safetensors"):
            (folder / file.name).symlink_to(file)
    choose_, report = measure.folds(data, tmp_path)
    assert {f"coco/{case.image.stem}" for case in choose_.cases} == half(data, "choose")
    assert [case.image.stem for case in choose_.cases] == list(CHOOSE)
    assert choose_.taught == {"sky", "dog"}, "voc teaches the dog"
    assert report.taught == {"sky"}, "no photo but its own has a wall"


def test_truth_of_some_words() -> None:
    """The other words of a photo become background, or do not count."""
    case = made_case([[0, 1, 2, -1]], ("sky", "dog", "cat"))
    assert choose._truth(case, ["dog"], 1).tolist() == [[1, 0, 1, -1]]
    assert choose._truth(case, ["cat", "sky"], -1).tolist() == [[1, -1, 0, -1]]


def test_commands() -> None:
    """README has the six steps in order, and each is a command."""
    text = (ROOT / "training" / "README.md").read_text("utf-8")
    steps = [
        line.split()[3] for line in text.splitlines() if line.startswith("python -m training ")
    ]
    assert steps[:6] == list(command.STEPS)


def test_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without data is an error with a sentence, not a trace."""
    assert command.main(["words", str(tmp_path), str(tmp_path / "work")]) == 1
    assert "clip-text.npz" in capsys.readouterr().err
    assert math.isnan(measure.percent([]))
