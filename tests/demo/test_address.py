"""The address: what it contains, what it leaves to the browser, and what a forged one can do."""

import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from demo.address import ABSENT, Address, restore, to_browser
from demo.files import reference, saved, upload
from demo.gate.files import DIGEST, GONE
from demo.scene import OPENING, Photo, Scene
from demo.settings import Settings
from tests.demo.photos import DOG, scene
from tests.demo.visitor import Visitor
from tests.pictures import encoded

OWN = "?example=own&words=cat"


def png(width: int = 240) -> bytes:
    """An uploaded photo: a dog, small."""
    return encoded(Image.open(DOG).resize((width, 160)), "PNG")


@pytest.fixture(scope="module")
def uploaded(visitor: Visitor) -> str:
    return visitor.uploaded(png(), "holiday.png")["path"]


def test_example_is_in_the_link() -> None:
    sent = json.loads(to_browser(scene(words="dog, grass", threshold=0.35)))
    assert sent["link"].startswith("?example=dog&backbone=built-in&words=dog%2C+grass")
    assert (sent["photo"], sent["words"]) == ("", "")


def test_own_photo_is_not_in_the_link(uploaded: str) -> None:
    """The link has neither its name nor its digest; the browser gets that separately."""
    sent = json.loads(to_browser(scene(uploaded, words="dog")))
    assert "example=own&" in sent["link"] and "holiday" not in str(sent)
    assert DIGEST.fullmatch(sent["photo"]) and sent["photo"] not in sent["link"]


def test_shared_photo_is_opened_by_others(url: str, uploaded: str) -> None:
    values = Visitor(url).open(f"{OWN}&photo={reference(uploaded)}")
    assert values["photo"]["path"] == uploaded


@pytest.mark.parametrize("kept", ["", "&kept=k1", "&kept=../../etc"])
def test_copied_address_does_not_contain_the_photo(url: str, kept: str) -> None:
    """Whoever opens it gets a message, and no other photo with its words."""
    visitor = Visitor(url)
    values = visitor.open(OWN + kept)
    assert values["photo"] is None and values["words"] == "cat"
    assert visitor.answer(values)["canvas"] == {"lost": ABSENT}


def test_deleted_photo(url: str) -> None:
    """A message for its owner and for others."""
    visitor = Visitor(url)
    path = visitor.uploaded(png(208))["path"]
    name = reference(path)
    Path(path).unlink()
    for query, kept in ((OWN, name), (f"{OWN}&photo={name}", "")):
        values = visitor.open(f"{query}&tab=compare", photo=kept)
        assert values["photo"] is None and values["tab"] == "segment"
        assert visitor.answer(values)["canvas"] == {"lost": GONE}


def test_forged_reference_opens_no_file(uploaded: str, tmp_path: Path) -> None:
    """A reference is a digest, not a path, a file beside the uploads, or a folder of theirs."""
    folder = Path(uploaded).parent
    outside = tmp_path / "secret.png"
    outside.write_bytes(png())
    names = ["", ".", "..", "/", "\0", "é", folder.name[:-1], f"{folder.name}/", str(folder)]
    names += [uploaded, DOG, str(outside), f"../{Path(get_upload_folder()).name}/{folder.name}"]
    for name in [*names, f"{folder.name}/holiday.png", "0" * 64, folder.name.upper()]:
        assert upload(name) is None, name
        for address in (Address(query=OWN, photo=name), Address(query=f"{OWN}&photo={name}")):
            assert restore(address).photo is None
    assert upload(folder.name) == uploaded
    assert reference(DOG) == reference(str(outside)) == ""


def test_unfinished_file_is_not_opened(uploaded: str) -> None:
    """Gradio writes a copy under a name with a dot, then renames it."""
    path = Path(saved(b"another picture", "a.png"))
    path.rename(path.with_name(".a.png.part"))
    assert upload(path.parent.name) is None


def test_long_words_are_kept_by_the_browser() -> None:
    """They are restored with the key; without it, a message says that they are missing."""
    words = ",".join(f"{number:03}" + 16 * "猫" for number in range(200))
    current = Scene(Photo.of(DOG), Settings(words=words, cs=False))
    sent = json.loads(to_browser(current))
    assert sent["words"] == words and "words" not in parse_qs(sent["link"])
    opened = restore(Address(query=f"{sent['link']}&kept=k1", words=words))
    assert (opened.settings, opened.notes) == (current.settings, ())
    (note,) = restore(Address(query=f"{sent['link']}&kept=k1")).notes
    assert "does not contain its words" in note


def test_unknown_tab_and_example() -> None:
    opened = restore(Address(query="?example=moon&tab=admin"))
    assert opened.tab == "segment" and Path(opened.photo).stem == OPENING
    assert len(opened.notes) == 1 and "moon" in opened.notes[0]
