"""Answers: each piece is a function of the photo and of the settings that it uses."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from errno import ENOSPC
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from demo import api, backbones, canvas, segment
from demo.answer import PIECES, answered
from demo.photo import forget
from demo.scene import SWITCHES, Scene
from demo.settings import Settings
from demo.turns import TURNS
from gclip_core import GclipError
from gclip_core.backbones.load import WEIGHTS_FOLDER
from gclip_core.relatives import METHODS
from tests.demo.photos import DOG, OTHER, SMALL, USUAL, numbers, piece, scene, small_dog
from tests.demo.visitor import FailedError, Visitor, names_of

SECRET = "zanzibar"
BASES = {
    "damaged": USUAL | {"marks": "0.5,0.5,rug"},
    "whole": {"words": "dog, grass", **SMALL},
    "other method": {"backbone": "built-in-damaged", "method": "resclip", "enlarged": "gclip"}
    | SMALL,
}
"""Scenes whose pieces differ most: CS acts or is idle, GCLIP or another method."""
OF_PHOTO = [name for name, one in PIECES.items() if "photo" in one.uses]
FOLLOWING = {"enlarged": "large", "head": "detail", "block": "norms", "global_threshold": "tower"}
FOLLOWING |= {"n_fused": "attention_text"}


@lru_cache(9)
def made(current: Scene, name: str) -> str:
    """A piece as it is sent: JSON, which has no NaN."""
    return json.dumps(piece(current, name), allow_nan=False)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    own = small_dog(tmp_path_factory.mktemp("photo"))
    return {name: scene(own if name == "damaged" else "dog", **BASES[name]) for name in BASES}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", OF_PHOTO)
def test_unused_settings_change_nothing(name: str, base: str, bases: dict[str, Scene]) -> None:
    """The browser keeps a piece for all values of what it does not use, and of the switches: a
    missing entry would show a stale mask. Where each has an effect, it is changed alone, since one
    may hide another."""
    current, one = bases[base], PIECES[name]
    unused = {setting: value for setting, value in OTHER.items() if setting not in one.uses}
    if base != "damaged":
        assert made(current.with_settings(**unused), name) == made(current, name)
        return
    usual = one.make(current)
    for setting in unused.keys() - {*SWITCHES}:
        changed = current.with_settings(**{setting: unused[setting]})
        assert one.make(changed) == usual, setting


@pytest.mark.parametrize("name", Settings.model_fields)
def test_setting_is_followed(name: str, bases: dict[str, Scene]) -> None:
    """By a piece of the tab that shows it, in a scene in which every setting has an effect."""
    if name in SWITCHES:  # the pieces have a value for each of their states
        return
    follows, usual = FOLLOWING.get(name, "canvas"), bases["damaged"]
    assert name in PIECES[follows].uses
    assert made(usual.with_settings(**{name: OTHER[name]}), follows) != made(usual, follows)


@pytest.mark.parametrize("base", ["damaged", "whole"])
def test_pieces_have_a_value_for_every_switch(base: str, bases: dict[str, Scene]) -> None:
    """Bit 0 of an index is AMF, bit 1 is CS, where CS acts."""
    current = bases[base]
    states = [{"amf": bool(n & 1), "cs": bool(n & 2)} for n in range(2 ** len(current.ideas))]
    assert len(states) == (4 if base == "damaged" else 2)
    assert [one.mask().method for one in current.states()] == [
        current.with_settings(**on).mask().method for on in states
    ]
    drawn, attended = canvas.canvas(current), segment.matrices(current)
    for n, on in enumerate(states):
        mask = current.with_settings(**on).mask()
        assert (numbers(drawn["masks"][n]["mask"]) == mask.labels.byte().numpy()).all()
        assert drawn["masks"][n]["title"] == mask.method.title
        matrix = mask.method.matrix(current.encoded)[1:, 1:]
        shares = (matrix / matrix.amax(1, keepdim=True)).sqrt().numpy()
        assert np.abs(numbers(attended["matrices"][n]) / 255 - shares).max() < 0.074, "8 levels"
    for name in ("attention_text", "norms", "patches", "tower", "detail"):
        values = piece(current, name)
        assert len(values) == 2 ** len({*PIECES[name].switches} & {*current.ideas})
        assert all(one != values[0] for one in values[1:])
    for code, on in zip(piece(current, "python"), states, strict=True):
        assert ("amf=False" in code) != on["amf"]
        assert ("cs=False" in code) == (not on["cs"] and "cs" in current.ideas)


def test_many_words_take_several_turns() -> None:
    """Others are served while 200 words are embedded."""
    many = scene("dog", words=", ".join(f"word {n}" for n in range(45)), **SMALL)
    assert [[*part] for part in answered(many, ["words"])] == [[], [], ["words"]]


def test_compare_takes_several_turns(visitor: Visitor) -> None:
    """One for each method; so does its figure."""
    settings = SMALL | {"words": "dog"}
    parts = [[*part] for part in answered(scene("dog", **settings), ["methods"])]
    assert parts == [*([] for _ in METHODS), ["methods"]]
    before = TURNS.count
    assert next(visitor.call("download", "dog", settings, "grid", 0))
    assert TURNS.count > before + len(METHODS)


def test_mask_comes_first(visitor: Visitor) -> None:
    """Of all that Segment shows; only what names the words is before it."""
    asked = names_of("segment")
    pieces = [[*one] for (one,) in visitor.call("answer", "flower", SMALL, asked[::-1])]
    assert pieces[:2] == [["words"], ["canvas"]]
    assert {name for (name,) in pieces} == {*asked}


def test_shown_state_comes_first(visitor: Visitor) -> None:
    """On the damaged copy, each piece first has the state that is shown; then come the others."""
    settings = SMALL | {"backbone": "built-in-damaged", "amf": True, "cs": False}
    parts = [one for (one,) in visitor.call("answer", "flower", settings, names_of("how"))]
    names = [name for part in parts for name in part]
    assert sorted(names[: len({*names})]) == sorted({*names}), "every piece, before other states"
    first = {name: value for part in parts[: len({*names})] for name, value in part.items()}
    states = {name: [one is not None for one in first[name]] for name in ("tower", "patches")}
    assert states == {"tower": [True, False], "patches": [False, True, False, False]}


def test_same_answer_whatever_else_is_asked(url: str, tmp_path: Path) -> None:
    """It depends on no order, repetition or other visitor."""
    data = small_dog(tmp_path).read_bytes()
    photos = ["flower", Visitor(url).uploaded(data)]
    wishes = [
        (photo, SMALL | settings, names)
        for photo in photos
        for settings in ({}, {"words": "cat, grass", "amf": False}, {"method": "sclip", "head": 2})
        for names in (["words", "canvas"], ["detail"], ["python", "matrices"])
    ]

    def ask(order: int) -> list[tuple[int, dict]]:
        visitor = Visitor(url)
        numbered = [*enumerate(wishes)][::order] + [(0, wishes[0])]
        return [(number, visitor.pieces(*wish)) for number, wish in numbered]

    alone = dict(ask(1))
    with ThreadPoolExecutor(2) as pool:
        for answers in pool.map(ask, (-1, 1)):
            assert all(answer == alone[number] for number, answer in answers)


def test_photo_that_goes(visitor: Visitor, tmp_path: Path, monkeypatch: Any) -> None:
    """While it is read: the browser is told so, and sends it again."""
    data = small_dog(tmp_path, size=(120, 90)).read_bytes()
    photo = visitor.uploaded(data)

    def delete(current: Scene) -> str:
        current.photo.path.unlink()
        forget(current.photo.name)
        return str(current.photo.picture)

    monkeypatch.setitem(PIECES, "chips", replace(PIECES["chips"], make=delete))
    assert visitor.pieces(photo, SMALL, ["words", "chips"])["gone"] == photo
    assert next(visitor.call("download", photo, SMALL, "mask", 0)) == [{"gone": photo}]
    assert visitor.uploaded(data) == photo
    assert visitor.pieces(photo, SMALL, ["words"])["words"]["isOwn"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (GclipError("no marks"), "no marks"),
        (MemoryError(), "memory"),
        (torch.OutOfMemoryError(), "memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory"),
        (OSError(ENOSPC, "full"), "disk is full"),
        (FileNotFoundError("/secret"), "server could not"),
        (RuntimeError("/secret"), "request failed"),
    ],
)
def test_refusal_in_mid_answer(
    error: Exception, words: str, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent before it stays; nothing follows."""

    def refuse(_: Scene) -> None:
        raise error

    monkeypatch.setitem(PIECES, "chips", replace(PIECES["chips"], make=refuse))
    answer = visitor.call("answer", "flower", SMALL, ["words", "canvas", "chips", "matrices"])
    *sent, (last,) = answer
    assert [[*one] for (one,) in sent] == [["words"], ["canvas"]]
    assert words in last["error"] and "/secret" not in last["error"]


@pytest.mark.usefixtures("no_trace")
def test_unforeseen_error(
    visitor: Visitor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages and programs are told of it; the log has its place, and not its text."""

    def fail(_: Scene) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(Scene, "mask", fail)
    photo = visitor.file(DOG.read_bytes())
    with pytest.raises(FailedError, match="request failed"):
        visitor.program("segment", photo, "dog", *api.segment.__defaults__)
    with pytest.raises(FailedError, match="request failed"):
        visitor.pieces("dog", SMALL, ["canvas"])
    ((downloaded,),) = visitor.call("download", "dog", SMALL, "mask", 0)
    assert "request failed" in downloaded["error"]
    lines = [record.getMessage() for record in caplog.records if record.name == "demo.errors"]
    assert [line.split(",")[0] for line in lines] == 3 * ["RuntimeError in test_answer.py"]
    assert "planted" not in caplog.text


def test_log(visitor: Visitor, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """A request is one line without any typed or forged text, or the visitor's address."""
    with caplog.at_level(logging.INFO, "demo"):
        visitor.ask(words=f"{SECRET}, grass", **SMALL)
        visitor.pieces(SECRET, {}, [f"\n{SECRET}"])
        for forged in ({SECRET: 1}, {"amf": SECRET}):
            with pytest.raises(FailedError, match=SECRET):
                visitor.pieces("flower", forged, ["words"])
        visitor.uploaded(small_dog(tmp_path, f"{SECRET}.png", (60, 50)).read_bytes())
        visitor.program("about")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("demo")]
    assert len(lines) >= 2 and all(line.startswith("answered ") for line in lines)
    assert SECRET not in caplog.text and "127.0.0.1" not in caplog.text


def test_backbone_that_is_not_here(
    visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Size and licence come instead of an answer."""
    monkeypatch.setenv(WEIGHTS_FOLDER, str(tmp_path))
    monkeypatch.setattr(backbones, "HOST", backbones.Host())
    (offer,) = visitor.ask(backbone="metaclip-vit-b-16", **SMALL).values()
    assert offer["canDownload"] and offer["name"] == "metaclip-vit-b-16"
    assert "599 MB" in offer["text"] and "CC-BY-NC-4.0" in offer["text"]
    monkeypatch.setattr(backbones, "HOST", backbones.Host(downloads=False))
    (offer,) = visitor.ask(backbone="metaclip-vit-b-16", **SMALL).values()
    assert not offer["canDownload"] and "downloads are off" in offer["text"]
    ((failed,),) = visitor.call("fetch", "metaclip-vit-b-16")
    assert "downloads are off" in failed["error"]


# --- words ---------------------------------------------------------------------------------------


def test_photo_has_its_own_words(tmp_path: Path) -> None:
    """They fill an empty field; models have the same."""
    own = small_dog(tmp_path)
    for photo in ("dog", own):
        words = segment.words(scene(photo, **SMALL))
        assert words["isOwn"] and "dog" in words["text"] and "girl" not in words["text"]
        assert segment.words(scene(photo, words=" ", **SMALL)) == words
        assert segment.words(scene(photo, backbone="built-in-damaged", **SMALL)) == words
    assert segment.words(scene("flower"))["text"] == "flower, plant"
    assert segment.words(scene("flower", words="leaf")) == {"text": "leaf", "isOwn": False}


def test_unknown_word_is_replaced_with_a_way_back() -> None:
    """The nearest known word stands for it; used as typed, it has no score, and is not trusted."""
    replaced = scene(words="dachshund, grass", background=False, **SMALL)
    typed = replaced.with_settings(**segment.chips(replaced)["items"][0]["settings"])
    assert segment.chips(typed)["items"][0]["settings"] == {"nearest": True}
    for current, stands, is_known in ((replaced, "dog", True), (typed, "", False)):
        drawn = canvas.canvas(current)
        unknown, grass = drawn["classes"]
        assert (unknown["name"], unknown["as"], unknown["isKnown"]) == (
            "dachshund",
            stands,
            is_known,
        )
        assert (grass["name"], grass["as"], grass["isKnown"]) == ("grass", "", True)
        assert "“dachshund”" in segment.chips(current)["note"]
        assert all((mask["score"] is not None) == is_known for mask in drawn["masks"])
        assert all(("“dachshund”" in note) != is_known for note in drawn["notes"])
    assert scene(words="dog, xyzzy; cat", nearest=False, **SMALL).is_known == (True, True)
    marked = replaced.with_settings(marks="0.5,0.5,dachshund")
    assert [*segment.embeddings(marked)] == ["dachshund"], "the page asks for what was typed"


# --- the canvas ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "idle", "titles", "ideas"),
    [
        ("gclip", [False, True], ["GCLIP (neither)", "GCLIP (AMF)"], ("amf", "cs")),
        ("sclip", [True, True], ["GCLIP (AMF)", "SCLIP"], ("amf",)),
    ],
)
def test_idle_switches(method: str, idle: list, titles: list, ideas: tuple) -> None:
    """A press on one leads to where it acts: to the damaged copy, or back to GCLIP."""
    current = scene(method=method, **SMALL)
    drawn = canvas.canvas(current)
    assert [switch["isIdle"] for switch in drawn["switches"]] == idle
    assert [mask["title"] for mask in drawn["masks"]] == titles
    assert current.with_settings(**drawn["switches"][1]["why"]["settings"]).ideas == ideas


def test_reasons_add_up_and_agree_with_the_mask() -> None:
    """A patch's bars add up to 1, and the longest is its word in the mask."""
    drawn = canvas.canvas(scene(refine="none"))
    view, (rows, columns) = drawn["masks"][1], drawn["grid"]
    reasons, labels = numbers(view["reasons"]), numbers(view["mask"]).astype(np.int16)
    assert reasons.shape == (len(drawn["classes"]) + 1, rows * columns)
    assert np.abs(reasons.sum(0) - 255.0).max() <= len(reasons)
    labels[labels == 255] = len(drawn["classes"])
    height, width = labels.shape
    y = ((np.arange(rows) + 0.5) * height / rows).astype(int)
    x = ((np.arange(columns) + 0.5) * width / columns).astype(int)
    assert (reasons.argmax(0) == labels[np.ix_(y, x)].ravel()).mean() > 0.98
