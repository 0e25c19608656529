"""Bad input gets an error message, and nothing is lost: over HTTP, as a browser sends it."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from demo import address, share
from demo.gate import numbers
from demo.scene import Photo, Scene
from demo.settings import LABELS, Settings
from gclip_core import assets
from tests import TRACES
from tests.demo.visitor import FailedError, Visitor
from tests.pictures import encoded, noise, png_bomb

PNG = encoded(noise(120, 160), "PNG")


@pytest.fixture(scope="module")
def visitor(url: str) -> Visitor:
    visitor = Visitor(url)
    visitor.ask(words="cat, grass")
    return visitor


def refused(visitor: Visitor, photo: Any, **settings: Any) -> str:
    """The message for a request that cannot be answered; the page keeps what it shows."""
    before = visitor.shown["canvas"]
    visitor.shown.pop("warning", None)
    visitor.ask(photo, **settings)
    sentence = visitor.shown.get("warning", "")
    assert sentence and not any(trace in sentence for trace in TRACES), sentence
    assert visitor.shown["canvas"] == before
    assert len(sentence) < 400
    return sentence


NO_PICTURE = {
    "a text": (b"no picture at all", "image"),
    "400 megapixels": (png_bomb(20_000, 20_000), "at most 64,000,000 pixels"),
}


@pytest.mark.parametrize("name", NO_PICTURE)
def test_no_picture(name: str, visitor: Visitor) -> None:
    data, word = NO_PICTURE[name]
    photo = visitor.uploaded(data, "photo.png")
    assert word in refused(visitor, photo, words="cat")
    with pytest.raises(FailedError, match=word):
        visitor.program("suggest", photo, 5, "default")


def test_deleted_photo(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others' uploads may delete one at any time: a message says to upload it again."""
    photo = visitor.uploaded(PNG, "deleted.png")

    def delete(scene: Scene) -> Scene:
        Path(scene.photo.path).unlink()
        return scene

    monkeypatch.setattr(Scene, "with_words", delete)
    assert "Upload it again" in refused(visitor, photo, words="cat", short_side=32)
    monkeypatch.undo()
    with pytest.raises(FailedError, match="Upload it again"):
        visitor.ask(photo)


def test_two_visitors(visitor: Visitor, url: str) -> None:
    """Two visitors with simultaneous requests see their own answers."""
    visitors, words = (visitor, Visitor(url)), ("plant, sky", "person, grass")
    with ThreadPoolExecutor(2) as pool:
        shown = [*pool.map(lambda of, typed: of.ask(words=typed, refine="none"), visitors, words)]
    names = [", ".join(entry["name"] for entry in of["canvas"]["classes"]) for of in shown]
    assert names == [*words]


@pytest.mark.parametrize("photo", [None, {"url": "http://127.0.0.1/a.png"}])
def test_no_photo(photo: Any, visitor: Visitor) -> None:
    """The page keeps what it shows, and a message says so."""
    values = visitor.open("words=cat")
    before = visitor.answer(values)["canvas"]
    visitor.shown.pop("warning", None)
    assert visitor.answer(values | {"photo": photo})["canvas"] == before
    assert "the previous one is still shown" in visitor.shown["warning"]


def test_forged_values(visitor: Visitor, capfd: Any) -> None:
    """Values of another type, which no control sends, leave no traceback."""
    values = visitor.open("words=cat,grass")
    before = visitor.shown["canvas"]
    for name in ("words", "background_weight", "amf", "backbone", "cs_blocks"):
        for value in ([[1]], "x" * 5000):
            visitor.shown.pop("warning", None)
            assert visitor.answer(values | {name: value})["canvas"] == before
            assert f"“{LABELS[name]}”" in visitor.shown["warning"]
    assert "Traceback" not in "".join(capfd.readouterr())


FORGED = [
    (event, [], data, "This request failed")
    for event in ("choose_example", "press")
    for data in ({}, None, [], "index", {"index": 99}, {"index": "x"}, {"index": {}, "settings": 9})
]
FORGED += [
    (event, [["<planted>"]], {"index": 0}, "is not a backbone") for event in ("fetch", "offer")
]
FORGED.append(
    ("press", [], {"settings": {"short_side": "<planted>"}}, "“short_side” cannot be used")
)
FORGED += [
    ("open_address", [None, address], None, "This request failed")
    for address in ("", "null", '{"query": 5}', '{"photo": ["a"]}', "{" * 50, None, 5)
]


@pytest.mark.parametrize(("event", "inputs", "data", "message"), FORGED)
def test_forged_press(
    event: str, inputs: list, data: Any, message: str, visitor: Visitor, capfd: Any
) -> None:
    """A press on what does not exist, with inputs of another type, or that sets what no control
    can have; an address that no browser sends."""
    with pytest.raises(FailedError, match=message):
        list(visitor.call(visitor.events[event]["id"], inputs, data))
    printed = "".join(capfd.readouterr())
    assert "Traceback" not in printed and "planted" not in printed


def nonsense(chance: random.Random) -> str:
    """A value that no link of the page contains."""
    values = "1e999 nan -1 0x1 00 9999999999999999999 built-in true null [] {} \0 é %00 ../../etc"
    return chance.choice(values.split(" ")) * chance.choice((1, 1, 1, 50))


def test_links(visitor: Visitor) -> None:
    """Nonsense in every key opens the page, with a message that lists what was ignored."""
    chance = random.Random(0)
    values = visitor.open("&".join(f"{name}=%00nonsense" for name in Settings.model_fields))
    assert values["backbone"] == "built-in" and values["photo"]
    assert "Ignored in this link" in visitor.shown["warning"]
    for number in range(1_000):
        names = chance.sample([*Settings.model_fields, "example", "zzz", "__proto__"], 8)
        query = {name: nonsense(chance) for name in names}
        if number % 200 == 0:
            assert visitor.open(urlencode(query))["photo"]
        settings, note = Settings.from_query(query)
        assert Settings.read(settings.model_dump()) == settings and len(note) < 400


def test_longest_link(visitor: Visitor) -> None:
    """Every link of the page works: words that would make it too long are left out."""
    dog = Photo.of(str(assets.path("photos", "dog.jpg")))
    for letter in ("x", "猫"):
        words = ",".join(f"{number:03}" + 16 * letter for number in range(numbers.MAX_PHRASES))
        scene = Scene(dog, Settings(words=words, amf=False))
        link = f"{visitor.web.base_url}{address.link(scene)}"
        with visitor.web.stream("GET", link, headers={"referer": link}) as page:
            assert page.status_code == 200
        values = visitor.open(link.partition("?")[2])
        assert values["amf"] is False
        assert (values["words"] == words) == (letter == "x")
        assert ("left out" in share.note(scene)) == (letter != "x")
