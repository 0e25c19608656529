"""What Compare, Learn and Share show, and the sentences."""

import io
import re
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

import gclip_core
from demo import backbones, canvas, compare, diagram, drawing, lessons, plots, segment, share
from demo.answer import MASKS
from demo.backbones import get
from demo.scene import SWITCHES, Scene
from gclip_core import BACKBONES, METHODS, GclipError, load_backbone
from gclip_core.cache import BoundedCache
from tests.demo.photos import DOG, OTHER, SHOWN, SMALL, USUAL, numbers, piece, scene, small_dog

# --- Segment -------------------------------------------------------------------------------------


def test_sentence_names_the_class_that_changed_most() -> None:
    """With its IoU before and after, taken from the masks."""
    current = scene("flower", words="flower, plant", background=False, **SMALL)
    truth = current.photo.example.labels().astype(np.int16)
    mask, names = current.mask(), current.words.names
    labels = truth.copy()
    labels[:100] = 1 - labels[:100].clip(min=0)
    worse, better = (replace(mask, labels=torch.from_numpy(array)) for array in (labels, truth))
    first, last = (current.scores(one).iou for one in (worse, better))
    most = max(first, key=lambda c: last[c] - first[c])
    figures = [(labels != truth).mean(), first[most], last[most]]
    text = canvas.difference(current, worse, better, "AMF")
    assert f"{names[most]}’s overlap rises" in text
    assert re.findall(r"[\d.]+\d", text) == [f"{100 * figure:.1f}" for figure in figures]
    assert "falls from" in canvas.difference(current, better, worse, "AMF")
    assert "hardly differs" in canvas.difference(current, better, better)
    assert "would rise" in canvas.difference(current, worse, better, "AMF", is_on=False)


def test_sentence_without_a_truth(tmp_path: Path) -> None:
    """It says which label became which."""
    current = scene(small_dog(tmp_path), words="dog, grass", **SMALL)
    mask = current.mask()
    labels = torch.zeros_like(mask.labels)
    labels[: len(labels) // 4] = 1
    pair = [replace(mask, labels=array) for array in (torch.zeros_like(labels), labels)]
    text = canvas.difference(current, *pair, "CS")
    assert re.findall(r"[\d.]+\d|“\w+”", text) == ["25.0", "“dog”", "“grass”"]


def test_blocks_of_cs() -> None:
    """CS has an effect where it scales a channel, even if set by hand; other outliers are named."""
    by_hand = scene(words="dog", cs_blocks="7 8", block=7, **SMALL)
    assert by_hand.ideas == ("amf", "cs") and not canvas.canvas(by_hand)["switches"][1]["isIdle"]
    texts = [drawn["text"] for drawn in piece(by_hand, "norms")]
    assert "would scale channel" in texts[0] and "CS scales channel" in texts[1]
    damaged = BACKBONES["built-in-damaged"].defect[-1][0] + 1
    elsewhere = scene(backbone="built-in-damaged", cs_blocks="2", block=damaged, **SMALL)
    assert "CS skips it" in segment.norms(elsewhere)["text"]


def test_sentences_of_switches() -> None:
    """Whatever is on, a sentence tells what each idea changes, or would change."""
    current = scene(backbone="built-in-damaged", **SMALL)
    labels = [mask.labels for mask in current.masks()]  # bit 0 is AMF, bit 1 is CS
    sentences = canvas.canvas(current)["sentences"]
    for bit, name in enumerate(("AMF", "CS")):
        for shown, sentence in enumerate(sentences[bit]):
            changed = (labels[shown] != labels[shown ^ 1 << bit]).float().mean()
            assert sentence.startswith(name) and f"{100 * changed:.1f}\u00a0%" in sentence
            assert ("would" in sentence) == (not shown >> bit & 1)


def test_python_and_copy_have_the_weights_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where these are on the server stays there."""
    host = backbones.Host("built-in", weights=Path("/secret/packed"))
    current = scene(backbone="built-in-damaged", **SMALL)
    share.python(current)  # loads the backbone, before its weights are elsewhere
    monkeypatch.setattr(backbones, "HOST", host)
    assert "'built-in-damaged', weights='packed'" in share.python(current)
    assert backbones.weights_of("openai-vit-b-16") is None
    monkeypatch.setattr(backbones, "HOST", replace(host, backbone="built-in-damaged"))
    assert backbones.weights_of("built-in") == host.weights


def test_photo_is_what_was_segmented(tmp_path: Path) -> None:
    """It has the aspect of its masks; what was transparent is as it was flattened."""
    picture = Image.open(DOG).resize((120, 80)).convert("RGBA")
    picture.putalpha(0)
    picture.save(tmp_path / "clear.png")
    photo = scene(tmp_path / "clear.png", words="dog").photo
    for side, size in ((480, (120, 80)), (60, (60, 40))):
        shown = Image.open(io.BytesIO(drawing.jpeg(photo, side)))
        assert shown.size == size and np.asarray(shown).min() > 240


@pytest.mark.parametrize("background", [False, True])
def test_labels_by_block(background: bool) -> None:
    """A block's labels are those of a tower that ends there; the last ones are the mask's."""
    words = {"words": "dog, sky, grass", "shown": f"grass,{SHOWN}"}
    current = scene(**words, method="sclip", background=background, **SMALL)
    by_block, logits = diagram.labels_by_block(current), current.mask().logits
    assert by_block.shape == (12, *current.encoded.grid)
    own = torch.tensor(current.mask().prompt_classes)[logits.argmax(0)]
    assert torch.equal(by_block[-1].long(), own)
    visual, text = current.segmenter.backbone.visual, current.prompts.text
    for block in [] if background else range(11):
        output = visual.transformer.resblocks[block](current.encoded.inputs[block][None])[0, 1:]
        best = (visual.ln_post(output) @ visual.proj @ text.T).argmax(1)
        assert (best.view(current.encoded.grid) == by_block[block]).float().mean() > 0.99


@pytest.mark.parametrize("method", METHODS)
def test_diagram_of_every_method(method: str) -> None:
    """It marks the blocks whose attention the method's mask has."""
    current = scene(words="dog", method=method, **SMALL)
    tower, used = diagram.tower(current), current.mask().report.fused.blocks
    assert tower["formula"] and len(tower["last"]) == 2
    assert [i for i, block in enumerate(tower["blocks"]) if block["fused"]] == [*used]
    assert (tower["fusion"] == "AMF") == (method == "gclip")
    assert ("AMF" in segment.attention_text(current)) == (method == "gclip")


def test_strip(tmp_path: Path) -> None:
    """A photo that is extremely tall or wide has small pictures."""
    current = scene(small_dog(tmp_path, size=(2, 100)), words="dog", short_side=32, refine="none")
    shown = Image.open(io.BytesIO(drawing.jpeg(current.photo, 480)))
    pictures = shown, drawing.painted(current, current.mask()), drawing.over(shown, np.ones((1, 1)))
    assert all(picture.width * picture.height < 500_000 for picture in pictures)


# --- Compare -------------------------------------------------------------------------------------


def test_compare() -> None:
    """Every method, the best score first, which its picture, its row and Segment share; where CS
    acts, GCLIP's four variants come before the others."""
    current = scene(**SMALL)
    compared, items = compare.compared(current), compare.methods(current)["items"]
    assert {item["name"] for item in items} == {*METHODS}
    scores = [100 * current.miou(compared[item["name"]][0]) for item in items]
    assert scores == sorted(scores, reverse=True)
    for item, score in zip(items, scores, strict=True):
        title, shown, *_ = item["row"]
        assert (title, shown) == (compared[item["name"]][0].method.title, f"{score:.1f}")
        assert item["caption"] == f"{title}\n{shown} %"
    (ours,) = (item["row"] for item in items if item["isOurs"])
    score = canvas.canvas(current)["masks"][1]["score"]
    assert ours[:2] == ["GCLIP (AMF)", f"{100 * score:.1f}"]
    damaged = compare.methods(current.with_settings(backbone="built-in-damaged"))["items"]
    titles = [item["row"][0] for item in damaged]
    assert titles[:4] == ["GCLIP (neither)", "GCLIP (AMF)", "GCLIP (CS)", "GCLIP (AMF + CS)"]
    assert len(titles) == len(METHODS) + 3


def test_method_that_needs_more_patches(tmp_path: Path) -> None:
    """It is left out, and the text says why."""
    current = scene(small_dog(tmp_path, size=(64, 64)), words="dog", short_side=64, refine="none")
    shown = compare.methods(current)
    assert {item["name"] for item in shown["items"]} == {*METHODS} - {"scclip"}
    assert "SC-CLIP needs at least 31 patches" in shown["text"]


def test_large_mask() -> None:
    """It is beside GCLIP's. GCLIP's own is beside another mask: without a score the first one, or
    the one with both ideas off."""
    current = scene(**SMALL)
    assert compare.large(current) is None
    assert compare.large(scene(enlarged="cs", **SMALL)) is None, "only where a channel is damaged"
    for name, (mask, _) in list(compare.compared(current).items())[:2]:
        shown = compare.large(current.with_settings(enlarged=name))
        titles = [view["title"] for view in shown["masks"]]
        assert "GCLIP (AMF)" in titles and len({*titles}) == 2
        drawn = shown["masks"][titles.index(mask.method.title)]
        assert (numbers(drawn["mask"]) == mask.labels.byte().numpy()).all()
        assert shown["masks"][shown["side"]] == drawn
    for changes, side in (
        ({"enlarged": "naclip", "words": "grass"}, 1),
        ({"enlarged": "naclip", "backbone": "built-in-damaged"}, 1),
        ({"enlarged": "gclip", "amf": False, "cs": False}, 0),
        ({"enlarged": "gclip", "words": "car, sky"}, 0),
    ):
        shown = compare.large(scene(**SMALL | changes))
        titles = [view["title"] for view in shown["masks"]]
        assert len({*titles}) == 2 and titles[0].startswith("GCLIP")
        assert shown["side"] == side and (titles[1] == "NACLIP") == side


# --- Learn ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["small", pytest.param("as_shipped", marks=pytest.mark.long)])
def test_lessons_are_true(size: str, request: pytest.FixtureRequest) -> None:
    """Each step holds on its photo and with these weights; the third loses the animal's nose. The
    pictures say how much it changes."""
    if size != "small":
        request.getfixturevalue(size)
    for name, right in zip(lessons.LESSONS, [0, 0, 1, 0], strict=True):
        lesson, drawn = lessons.LESSONS[name], lessons.step(name)
        assert drawn["right"] == right, name
        before, after = map(lessons.scene_of, (lesson.before, lesson.after))
        changed = float((before.mask().labels != after.mask().labels).float().mean())
        caption = drawn["after"][2]["caption"]
        assert caption.startswith(f"Changed: {100 * changed:.1f} % of")
    outlier = lessons.LESSONS["outlier"]
    before, after = (
        lessons.scene_of(settings).mask().labels for settings in (outlier.before, outlier.after)
    )
    height, width = before.shape
    nose = int(0.58 * height), int(0.6 * width)
    assert before[nose] == 0 and after[nose] != 0


# --- Share ---------------------------------------------------------------------------------------


def test_cutouts_are_the_classes() -> None:
    """Words are not paths, empty classes have no file, and what was cut away is in none."""
    current = scene(words="dog, ../../grass", **SMALL)
    archive = zipfile.ZipFile(io.BytesIO(share.cutouts_zip(current)))
    labels = current.mask().labels.numpy()
    for name in archive.namelist():
        cut = np.asarray(Image.open(io.BytesIO(archive.read(name))))
        pixels = (labels == int(name[0]) - 1).sum()
        assert (cut[..., 3] >= 128).sum() == pytest.approx(pixels, rel=0.05)
        assert not cut[cut[..., 3] == 0].any()
        assert "/" not in name and ".." not in name
    with pytest.raises(GclipError, match="no pixel"):
        share.made(current, "cutout", 7)


@pytest.mark.parametrize(
    "settings",
    [
        {"words": 'dachshund, it\'s; a "thing"', "method": "sclip", "background": False},
        USUAL,
        USUAL | {name: value for name, value in OTHER.items() if name in (*MASKS, *SWITCHES)},
    ],
)
def test_python_makes_the_same_mask(settings: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few lines that run, whatever settings differ from the defaults."""
    monkeypatch.setattr(gclip_core, "load_backbone", get)  # loaded already
    prints_the_same_areas(scene(**settings))


def test_python_names_words_of_other_photos() -> None:
    """The lines have no copy of those photos, so they say what to pass."""
    current = scene(words="dog, it's", shown=f"it's,{SHOWN}", **SMALL)
    assert 'shown=[segmenter.show("it\'s", (photo, marks))]' in share.python(current)
    assert "shown" not in share.python(current.with_settings(words="dog"))


def test_python_computes_in_the_precision_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host may compute in bfloat16, where a few labels differ."""
    once = cache(load_backbone)
    monkeypatch.setattr(backbones, "get", partial(once, dtype="bfloat16"))
    for module in ("photo", "scene"):
        monkeypatch.setattr(f"demo.{module}.CACHE", BoundedCache(100))
    monkeypatch.setattr(gclip_core, "load_backbone", once)
    small = {"templates": "plain", "background": False, "short_side": 64, "refine": "none"}
    prints_the_same_areas(scene(words="dog, grass, person", **small))


def prints_the_same_areas(current: Scene) -> None:
    code = share.python(current)
    assert len([line for line in code.splitlines() if line]) <= 7
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(code, {})
    mask = current.mask()
    expected = dict(zip(mask.vocabulary.names, mask.areas(), strict=True))
    assert eval(printed.getvalue()) == pytest.approx(expected)


# --- figures -------------------------------------------------------------------------------------


def figure(words: str = "cat, dog, sofa, wall", **settings: Any) -> Figure:
    small = {"short_side": 64, "refine": "none", "background": False}
    return plots.of_result(scene(words=words, **small, **settings))


def texts(shown: Figure) -> str:
    return "\n".join(text.get_text() for text in shown.findobj(Text))


def test_panels_of_a_figure() -> None:
    """Photo, masks, fused blocks with their scale, matrix and norms are side by side."""
    shown = figure(amf_blocks="6 7")
    assert len(shown.axes) == 3 + 2 + 1 + 1 + 1
    written = texts(shown)
    assert all(text in written for text in ("cat, dog, sofa, wall", "Block 6", "Block 7"))
    shares = [float(share) for share in re.findall(r"  ([\d.]+) %", written)]
    assert 99.7 < sum(shares) < 100.3
    assert len(figure(method="maskclip").axes) == 3 + 1 + 1, "no maps without fusion"
    assert len(figure(amf=False).axes) == 2 + 1 + 1, "and one mask with nothing to compare"
    damaged = texts(figure(backbone="built-in-damaged"))
    assert re.search(r"channel \d+: \d+ × the median", damaged)


def test_any_words_in_a_figure() -> None:
    """Any words are drawn, long ones truncated; of many words, those that cover most."""
    shown = figure(", ".join(["$cat$ & <b>", "猫", "a" * 60, *map(chr, range(97, 120))]))
    assert plots.save(shown, "png", dpi=20).startswith(b"\x89PNG")
    assert "and 6 more" in texts(shown) and "$cat$ & <b>, 猫, aaa" in texts(shown)
    with warnings.catch_warnings(action="error"):  # letters that the font lacks are not logged
        assert plots.save(plots.of_methods(scene(words="dog, a$x^$b, 猫", **SMALL)), dpi=20)


def test_files_of_a_figure() -> None:
    """Text stays text in vector files; equal figures are equal pixels, also from two threads."""
    _, pdf = share.made(scene(words="dog, sky", short_side=64, refine="none"), "pdf", 0)
    assert pdf.startswith(b"%PDF") and b"/Type3" not in pdf and b"CreationDate" not in pdf
    png = plots.save(figure(), dpi=20)
    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(figure, backbone="built-in-damaged")
        again = pool.submit(lambda: plots.save(figure(), dpi=20))
        assert again.result() == png and other.result()
