"""The page's one event, without a server: what changes, what stays, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo import backbones, plots, scene
from demo.answer import VIEWS, Seen, answer
from demo.settings import Settings
from gclip_core import GclipError, inspection
from gclip_core.backbones.load import WEIGHTS_FOLDER
from tests.demo.photos import DOG, FLOWER, OTHER, SMALL, USUAL, Session, numbers, small_dog
from tests.demo.photos import scene as scene_of


def test_first_answer_fills_the_open_tab() -> None:
    """An example has its own words; closed tabs are not computed."""
    session = Session()
    outputs = session.ask()
    assert session.settings["words"].startswith("dog, person, grass")
    assert outputs["canvas"]["masks"][1]["score"] > 0.5
    segment = {name for name, view in VIEWS.items() if "segment" in view.tabs}
    assert segment <= set(outputs) and not set(outputs) & (set(VIEWS) - segment)
    assert not set(session.ask()) & set(VIEWS), "the same again sends nothing"


def test_change_sends_what_depends_on_it() -> None:
    """A switch does not recompute what is slow and does not change."""
    session = Session(**SMALL)
    session.ask()
    slow = {name for name, view in VIEWS.items() if view.ignores}
    for change, sent in (
        ({"amf": False}, {"canvas", "canvas.looks"}),
        ({"background_weight": 0.2}, {"canvas"}),
        ({"block": 3}, {"norms"}),
        ({"words": "dog, cat"}, {"canvas", "chips"}),
        ({"enlarged": "sclip"}, set()),
    ):
        assert set(session.ask(**change)) & slow == sent, change


FOLLOWING = {"enlarged": "large", "head": "diagram.closer", "global_threshold": "diagram.tower"}
FOLLOWING |= {"block": "norms_text", "n_fused": "attention_text"}
IN_PART = [name for name, view in VIEWS.items() if 0 < len(view.ignores) < len(OTHER)]


def shown(current: scene.Scene, name: str) -> Any:
    value = VIEWS[name].make(current)
    return plots.image(value).tobytes() if name == "norms" else value


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> scene.Scene:
    """A scene in which every setting has an effect."""
    return scene_of(small_dog(tmp_path_factory.mktemp("usual")), **USUAL)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting_is_followed(name: str, usual: scene.Scene) -> None:
    """An output that depends on it has another value: the one of FOLLOWING, or the canvas."""
    view = FOLLOWING.get(name, "canvas")
    assert shown(usual.with_settings(**{name: OTHER[name]}), view) != shown(usual, view)


@pytest.mark.parametrize("name", IN_PART)
def test_ignored_settings_change_nothing(name: str, usual: scene.Scene) -> None:
    """Each output that is not recomputed would be the same."""
    others = {setting: OTHER[setting] for setting in VIEWS[name].ignores}
    assert shown(usual.with_settings(**others), name) == shown(usual, name)


def test_photo_has_its_own_words(tmp_path: Path) -> None:
    """A new photo has its own words, and so does an emptied field."""
    session = Session(**SMALL)
    filled = session.ask()["words"]
    assert session.ask(backbone="built-in-damaged")["words"] == filled, "models have the same words"
    assert session.ask(path=FLOWER)["words"] == "flower, plant"
    own = session.ask(path=small_dog(tmp_path))
    assert "dog" in own["words"] and "girl" not in own["words"] and "undo" not in own
    assert session.ask(words=" ")["words"] == own["words"]
    session.ask(path=DOG)
    assert session.settings["words"] == filled
    came = session.ask(path=FLOWER, words="leaf")["words"]
    assert came == "leaf", "words that come with a photo are its own"


def test_typed_words_are_never_lost() -> None:
    """One chip restores them, after another photo and after other words."""

    def undo(outputs: dict[str, Any]) -> list[str]:
        return [chip["settings"]["words"] for chip in outputs["undo"]["items"]]

    session = Session(**SMALL)
    session.ask()
    assert "undo" not in session.ask(words="kite, sky")
    outputs = session.ask(path=FLOWER)
    assert outputs["words"] == "flower, plant" and undo(outputs) == ["kite, sky"]
    assert undo(session.ask(**outputs["undo"]["items"][0]["settings"])) == []
    assert "undo" not in session.ask(words="kite, sky, leaf"), "none is gone"
    assert undo(session.ask(words="leaf")) == ["kite, sky, leaf"]
    assert undo(session.ask(words="kite, sky, leaf")) == [], "all is there again"


def test_words_without_a_comma() -> None:
    """An unknown phrase of known words is offered as several things."""
    session = Session(words="wall, cat keyboard", **SMALL)
    chip = session.ask()["chips"]["items"][0]
    assert chip["caption"] == "Separate: cat, keyboard"
    assert chip["settings"] == {"words": "wall, cat, keyboard"}
    assert "word" in session.ask(words="old red car, traffic light")["chips"]["items"][0]


def test_refusal_in_mid_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent before the refusal is recorded, so that going back recomputes it."""

    def refuse(_: scene.Scene) -> None:
        raise GclipError("no memory")

    session = Session(words="dog", **SMALL)
    session.ask()
    monkeypatch.setitem(VIEWS, "canvas.looks", replace(VIEWS["canvas.looks"], make=refuse))
    with pytest.raises(GclipError):
        session.ask(amf=False)
    assert session.ask(amf=True)["canvas"]["shown"] == 1


def test_unknown_word_is_replaced_with_a_way_back() -> None:
    """The nearest known word stands for it; if it is used as typed, there is no score."""
    session = Session(words="dachshund, grass", background=False, **SMALL)
    outputs = session.ask()
    canvas, chip = outputs["canvas"], outputs["chips"]["items"][0]
    named = [(c["name"], c["as"]) for c in canvas["classes"]]
    assert named == [("dachshund", "dog"), ("grass", "")]
    assert outputs["chips"]["note"].endswith("that it knows: “dog” for “dachshund”.")
    assert all(entry["isKnown"] for entry in canvas["classes"])
    assert canvas["masks"][0]["score"] is not None
    assert chip["caption"] == "Use “dachshund” as typed"
    outputs = session.ask(**chip["settings"])
    canvas, chip = outputs["canvas"], outputs["chips"]["items"][0]
    assert [c["name"] for c in canvas["classes"]] == ["dachshund", "grass"]
    assert [view["score"] for view in canvas["masks"]] == [None, None]
    assert "does not know “dachshund”" in outputs["chips"]["note"]
    assert [entry["isKnown"] for entry in canvas["classes"]] == [False, True]
    assert (chip["caption"], chip["settings"]) == ("Use “dog”", {"nearest": True})


def test_background_is_on_for_typed_words() -> None:
    """The background's share is the last; without a background, every pixel has a word."""
    session = Session(words="dog", **SMALL)
    on = session.ask()["canvas"]["masks"][1]
    assert 0.3 < on["shares"][-1] < 0.95
    off = session.ask(background=False)["canvas"]["masks"][1]
    assert off["shares"] == [1, 0]
    less = session.ask(background=True, background_weight=0.1)["canvas"]["masks"][1]
    assert less["shares"][-1] < on["shares"][-1]


def test_damaged_model_compares_cs_too() -> None:
    """There is a mask for each state of both switches; the banner leads back."""
    session = Session(backbone="built-in-damaged", **SMALL)
    canvas = session.ask()["canvas"]
    assert canvas["ideas"] == ["AMF", "CS"] and canvas["shown"] == 3 and not canvas["idle"]
    current = scene_of(backbone="built-in-damaged", **SMALL)
    for shown, view in enumerate(canvas["masks"]):
        mask = current.with_settings(amf=bool(shown & 1), cs=bool(shown & 2)).mask()
        assert (numbers(view["mask"]) == mask.labels.byte().numpy()).all()
    assert canvas["banner"]["text"].startswith("Simulation")
    assert current.suggested() == current.undamaged.suggested()
    assert session.ask(cs=False)["canvas"]["shown"] == 1
    back = session.ask(**canvas["banner"]["settings"])["canvas"]
    assert back["ideas"] == ["AMF"] and not back["banner"]
    assert session.ask(**back["idle"]["settings"])["canvas"]["shown"] == 3


def test_mask_and_words_come_first() -> None:
    """What follows repeats them, because a busy browser shows only the last of several updates."""
    first, last = answer(Seen(), "segment", DOG, *Settings(**SMALL).model_dump().values())
    assert first.keys() <= last.keys() and {"canvas", "filled"} <= first.keys()
    assert last.keys() - first.keys() >= {"attention", "norms", "chips"}


def test_switch_that_can_do_nothing_is_dimmed() -> None:
    """And a line says why."""
    session = Session(**SMALL)
    canvas = session.ask()["canvas"]
    assert [switch["isIdle"] for switch in canvas["switches"]] == [False, True]
    assert "no outlier channel" in canvas["idle"]["text"]
    canvas = session.ask(method="sclip")["canvas"]
    assert [switch["isIdle"] for switch in canvas["switches"]] == [True, True]
    assert "SCLIP" in canvas["idle"]["text"]
    assert [view["title"] for view in canvas["masks"]] == ["GCLIP (AMF)", "SCLIP"]
    assert canvas["shown"] == 1
    assert session.ask(**canvas["idle"]["settings"])["canvas"]["ideas"] == ["AMF"]


def test_backbone_that_is_not_here_changes_nothing_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Size and licence are shown; the page keeps the previous backbone."""
    monkeypatch.setenv(WEIGHTS_FOLDER, str(tmp_path))
    monkeypatch.setattr(backbones, "HOST", backbones.Host())
    session = Session(**SMALL)
    patches = session.ask()["canvas"]["of"]
    outputs = session.ask(backbone="metaclip-vit-b-16")
    assert not set(outputs) & set(VIEWS)
    assert outputs["fetch.visible"]
    assert "599 MB" in outputs["fetch_text"] and "CC-BY-NC-4.0" in outputs["fetch_text"]
    assert session.ask(amf=False)["canvas"]["of"] == patches
    assert not session.ask(backbone="built-in")["fetch.visible"]


def test_reasons_add_up_and_agree_with_the_mask() -> None:
    """A patch's bars add up to 1, and the longest is its word in the mask."""
    canvas = Session(refine="none").ask()["canvas"]
    view, (rows, columns) = canvas["masks"][1], canvas["grid"]
    reasons, labels = numbers(view["reasons"]), numbers(view["mask"]).astype(np.int16)
    assert reasons.shape == (len(canvas["classes"]) + 1, rows * columns)
    assert np.abs(reasons.sum(0) - 255.0).max() <= len(reasons)
    labels[labels == 255] = len(canvas["classes"])
    height, width = labels.shape
    y = ((np.arange(rows) + 0.5) * height / rows).astype(int)
    x = ((np.arange(columns) + 0.5) * width / columns).astype(int)
    assert (reasons.argmax(0) == labels[np.ix_(y, x)].ravel()).mean() > 0.98


def test_looks_are_the_last_attention() -> None:
    """Row i is what patch i attends to: square roots of shares of the row's maximum."""
    looks = Session(**SMALL).ask()["canvas.looks"]
    current = scene_of(**SMALL)
    for on, packed in enumerate(looks["matrices"]):
        method = current.settings.gclip(amf=bool(on))
        matrix = inspection.last_attention(current.encoded, method)[1:, 1:]
        shares = (matrix / matrix.amax(1, keepdim=True)).sqrt().numpy()
        assert np.abs(numbers(packed) / 255 - shares).max() < 0.035, "16 levels"
