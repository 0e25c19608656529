"""The one event, without a server: what changes, what stays, and what is refused."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest

from demo import backbones, scene
from demo.answer import VIEWS, answer
from demo.settings import Settings
from gclip_core import GclipError
from gclip_core.load import WEIGHTS_FOLDER
from tests.demo.photos import DOG, FLOWER, Visitor, numbers, upload
from tests.demo.photos import scene as scene_of


def test_first_answer_fills_the_open_tab() -> None:
    """An example brings its own words; closed tabs are not computed."""
    visitor = Visitor()
    got = visitor.ask()
    assert visitor.settings["words"].startswith("dog, person, grass")
    assert got["canvas"]["views"][1]["score"] > 0.5
    segment = {name for name, view in VIEWS.items() if "segment" in view.tabs}
    assert segment <= set(got) and not set(got) & (set(VIEWS) - segment)


def test_same_question_sends_nothing() -> None:
    visitor = Visitor()
    visitor.ask()
    assert not set(visitor.ask()) & set(VIEWS)


def test_change_sends_what_depends_on_it() -> None:
    visitor = Visitor(size=112, edges="none")
    visitor.ask()
    for change, sent in (
        ({"amf": False}, {"canvas", "looks", "address"}),
        ({"weight": 0.7}, {"canvas", "address"}),
        ({"block": 3}, {"norms", "norms_text", "address"}),
        ({"words": "dog, cat"}, {"canvas", "chips", "address"}),
        ({"row": 2}, {"address"}),
        ({"tab": "share"}, {"link", "link_note", "python", "shared"}),
    ):
        assert set(visitor.ask(**change)) & set(VIEWS) == sent, change


USUAL = {"words": "dachshund, grass", "backbone": "built-in-damaged", "window": 112, "size": 128}
USUAL |= {"amf_blocks": "auto", "cs_blocks": "auto", "method": "gclip", "stride": 112}
OTHER = {"words": "dog, sky", "nearest": False, "background": False, "weight": 0.9, "amf": False}
OTHER |= {"cs": False, "backbone": "built-in", "method": "sclip", "edges": "none", "size": 160}
OTHER |= {"threshold": 0.6, "window": 0, "stride": 56, "templates": "plain", "scale": 9.0}
OTHER |= {"amf_blocks": "5 6", "fused": 4, "tokens": 2.0, "cs_blocks": "11", "target": "median"}
OTHER |= {"outlier": 900.0, "block": 3, "head": 1, "patch": 5, "row": 2}
FOLLOWING = ("canvas", "looks", "norms_text")
OF_OTHERS = {"row": ("large",), "head": ("closer",), "tokens": ("tower",), "patch": ()}
OF_OTHERS |= {"target": ("norms",)}  # the mean and the median are alike: no mask need change


@pytest.fixture(scope="module")
def usual() -> tuple[scene.Scene, dict]:
    """A scene in which every setting counts, and what is shown of it."""
    current, views = scene_of(**USUAL), (*FOLLOWING, "large", "closer", "tower", "norms")
    return current, {name: shown(current, name) for name in views}


def shown(current: scene.Scene, name: str) -> str:
    """A value but for its patch, which changes without an answer; norms as numbers."""
    if name == "norms":
        return repr(current.report.norms_after.tolist())
    value = VIEWS[name].make(current)
    if isinstance(value, dict):
        value = {k: v for k, v in value.items() if k != "patch"}
    return repr(value)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting_is_followed(name: str, usual: tuple[scene.Scene, dict]) -> None:
    """It is in the link; what shows it has another value, and is made anew."""
    before, values = usual
    after = before.with_settings(**{name: OTHER[name]})
    assert Settings.from_query(dict(parse_qsl(after.settings.to_query())))[0] == after.settings
    views = OF_OTHERS.get(name, FOLLOWING)
    changed = [view for view in views if shown(after, view) != values[view]]
    assert changed or name == "patch"
    assert not [view for view in changed if VIEWS[view].key(before) == VIEWS[view].key(after)]


def test_switch_twice_is_as_before() -> None:
    visitor = Visitor()
    first = visitor.ask()["canvas"]
    assert visitor.ask(amf=False)["canvas"]["view"] == 0
    assert visitor.ask(amf=True)["canvas"] == first


def test_words_of_the_page_are_filled_in_anew(tmp_path: Path) -> None:
    """With another photo, and where the field was emptied."""
    visitor = Visitor()
    visitor.ask()
    assert visitor.ask(path=FLOWER)["words"] == "flower, plant"
    own = visitor.ask(path=upload(tmp_path))["words"]
    assert "dog" in own and "girl" not in own
    assert visitor.ask(words=" ")["words"] == own


def test_typed_words_stay() -> None:
    """With another photo, too."""
    visitor = Visitor()
    visitor.ask()
    visitor.ask(words="grass, person")
    assert "words" not in visitor.ask(path=FLOWER)
    assert [c["name"] for c in visitor.shown["canvas"]["classes"]] == ["grass", "person"]


def test_typed_words_that_were_filled_in_once() -> None:
    """They are a person's, and stay with another photo."""
    visitor = Visitor(size=112, edges="none")
    filled = visitor.ask()["words"]
    visitor.ask(words="grass")
    visitor.ask(words=filled)
    assert "words" not in visitor.ask(path=FLOWER)


def test_refusal_in_mid_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent before it is noted: going back makes it anew."""

    def refuse(_: scene.Scene) -> None:
        raise GclipError("no memory")

    visitor = Visitor(words="dog", size=112, edges="none")
    visitor.ask()
    monkeypatch.setitem(VIEWS, "looks", replace(VIEWS["looks"], make=refuse))
    seen = visitor.seen
    with pytest.raises(GclipError):
        for part in answer(seen, "segment", DOG, *(visitor.settings | {"amf": False}).values()):
            visitor.seen = part.get("seen", visitor.seen)
    assert visitor.ask()["canvas"]["view"] == 1


def test_unknown_word_is_replaced_with_a_way_back() -> None:
    """The nearest known word takes its place; kept, it has no score."""
    visitor = Visitor(words="dachshund, grass")
    canvas = visitor.ask()["canvas"]
    assert [c["name"] for c in canvas["classes"]] == ["dog", "grass"]
    assert canvas["notes"] == ["“dachshund” is not known here: “dog” is used."]
    assert canvas["views"][0]["score"] is not None
    assert visitor.shown["chips"]["items"][0]["caption"] == "Undo: keep “dachshund”"
    canvas = visitor.ask(nearest=False)["canvas"]
    assert [c["name"] for c in canvas["classes"]] == ["dachshund", "grass"]
    assert [view["score"] for view in canvas["views"]] == [None, None]
    assert "never trained on “dachshund”" in canvas["notes"][0]
    assert visitor.shown["chips"]["items"][0]["caption"] == "Use “dog”"


def test_background_is_on_for_typed_words() -> None:
    """Its share is the last; without it every pixel has a word."""
    visitor = Visitor(words="dog")
    on = visitor.ask()["canvas"]["views"][1]
    assert 0.3 < on["shares"][-1] < 0.95
    off = visitor.ask(background=False)["canvas"]["views"][1]
    assert off["shares"] == [1, 0]
    less = visitor.ask(background=True, weight=0.1)["canvas"]["views"][1]
    assert less["shares"][-1] < on["shares"][-1]


def test_damaged_model_is_named_and_compares_cs() -> None:
    visitor = Visitor(backbone="built-in-damaged")
    got = visitor.ask()
    assert got["canvas"]["banner"].startswith("Simulation")
    assert [view["title"] for view in got["canvas"]["views"]] == ["Without CS", "With CS"]
    assert got["cs"]["interactive"] and "as it is" in got["cs_link"]["value"]
    assert visitor.ask(cs=False)["canvas"]["view"] == 0
    assert visitor.ask(backbone="built-in")["canvas"]["banner"] is None


def test_switch_that_can_do_nothing_is_dimmed() -> None:
    """And says why."""
    visitor = Visitor()
    got = visitor.ask()
    assert not got["cs"]["interactive"] and "no outlier channel" in got["cs_idle"]
    assert got["amf"]["interactive"] and got["amf_idle"] == ""
    got = visitor.ask(method="sclip")
    assert not got["amf"]["interactive"] and "SCLIP" in got["amf_idle"]
    assert [view["title"] for view in got["canvas"]["views"]][1] == "SCLIP"
    assert got["canvas"]["view"] == 1


def test_backbone_that_is_not_here_changes_nothing_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Size and licence are offered; the page keeps the backbone before."""
    monkeypatch.setenv(WEIGHTS_FOLDER, str(tmp_path))
    monkeypatch.setattr(backbones, "HOST", backbones.Host())
    visitor = Visitor()
    visitor.ask()
    got = visitor.ask(backbone="metaclip-vit-b-16")
    assert not set(got) & set(VIEWS)
    assert got["fetch"]["visible"]
    assert "599 MB" in got["fetch_text"] and "CC-BY-NC-4.0" in got["fetch_text"]
    got = visitor.ask(amf=False)
    assert got["canvas"]["of"] == Visitor().ask()["canvas"]["of"]
    assert not visitor.ask(backbone="built-in")["fetch"]["visible"]


def test_error_keeps_the_last_answer(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    visitor = Visitor()
    visitor.ask()
    for change in ({"path": str(broken)}, {"path": str(tmp_path / "gone.png")}, {"weight": 2}):
        with pytest.raises(GclipError):
            visitor.ask(**change)
        visitor.settings["weight"] = 0.5
    assert not set(visitor.ask(path=DOG)) & set(VIEWS)


def test_page_of_a_server_that_started_anew() -> None:
    """It knows neither the open tab nor what the page has: all is made, until a tab is opened."""
    visitor = Visitor(words="dog, grass", size=112, edges="none")
    visitor.ask(tab="share")
    visitor.seen, visitor.tab = {}, "segment"
    assert set(VIEWS) <= set(visitor.ask(amf=False))
    visitor.ask(tab="how")
    assert "canvas" not in visitor.ask(weight=0.7)
    assert "link" not in visitor.ask(tab="segment")


def test_no_photo_is_no_error() -> None:
    assert "canvas" not in Visitor(path=None).ask()


def test_block_that_the_tower_lacks_is_the_last() -> None:
    assert "block 12" in Visitor(block=64, head=64).ask()["norms_text"]


def test_visitors_do_not_see_each_other() -> None:
    """Two whose answers are computed in turn, part by part, get what each gets alone."""
    dog, flower = Visitor(DOG), Visitor(FLOWER, words="flower")
    alone = [dog.ask()["canvas"], flower.ask()["canvas"]]
    values = [Visitor().settings.values(), flower.settings.values()]
    both = [
        answer({"opened": True}, "segment", path, *v)
        for path, v in zip((DOG, FLOWER), values, strict=True)
    ]
    got: list[dict] = [{}, {}]
    for parts in zip(*both, strict=False):
        for mine, part in zip(got, parts, strict=True):
            mine |= part
    assert [mine["canvas"] for mine in got] == alone


def test_reasons_add_up_and_agree_with_the_mask() -> None:
    """A patch's bars add up to 1, and the longest is the word of its place in the mask."""
    canvas = Visitor(edges="none").ask()["canvas"]
    view, (rows, columns) = canvas["views"][1], canvas["grid"]
    reasons, labels = numbers(view["reasons"]), numbers(view["mask"]).astype(np.int16)
    assert reasons.shape == (len(canvas["classes"]) + 1, rows * columns)
    assert np.abs(reasons.sum(0) - 255.0).max() <= len(reasons)
    labels[labels == 255] = len(canvas["classes"])
    height, width = labels.shape
    y = ((np.arange(rows) + 0.5) * height / rows).astype(int)
    x = ((np.arange(columns) + 0.5) * width / columns).astype(int)
    assert (reasons.argmax(0) == labels[np.ix_(y, x)].ravel()).mean() > 0.98


def test_looks_are_the_last_attention() -> None:
    """Row i is where patch i looks: the root of its share of the row's largest."""
    looks = Visitor().ask()["looks"]["looks"]
    current = scene_of()
    for on, packed in enumerate(looks["matrices"]):
        method = current.settings.gclip(amf=bool(on))
        matrix = current.segmenter.last_attention(current.encoded, method)[1:, 1:]
        shares = (matrix / matrix.amax(1, keepdim=True)).sqrt().numpy()
        assert np.abs(numbers(packed) / 255 - shares).max() < 0.003
