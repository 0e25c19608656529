"""Emoji scenes: the same everywhere, and their truth exact."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from gclip_core import assets, scenes
from gclip_core.errors import GclipError


def digest(scene: scenes.Scene) -> str:
    pixels = np.asarray(scene.image).tobytes() + scene.labels.astype("<i8").tobytes()
    return hashlib.sha256(pixels).hexdigest()[:16]


@pytest.mark.parametrize("style", ["held-out", "seen", "openmoji", "twemoji"])
@pytest.mark.parametrize("size", [(144, 144), (96, 160), (37, 20)])
def test_a_seed_gives_one_scene(style: str, size: tuple[int, int]) -> None:
    first, again = (scenes.compose(7, size, style) for _ in range(2))
    assert digest(first) == digest(again)
    assert first.words == again.words
    assert first.image.size == (size[1], size[0])
    assert first.image.mode == "RGB"
    assert first.labels.shape == size
    assert digest(scenes.compose(8, size, style)) != digest(first)


def test_scenes_are_those_of_every_other_machine() -> None:
    """Digests taken once: whoever changes how scenes are made has to measure the card anew."""
    made = [digest(scenes.compose(seed, style=s)) for seed, s in [(1, "held-out"), (2, "seen")]]
    assert made == DIGESTS


DIGESTS = ["53d2aa4146e7e61c", "0b32f1694815426d"]


def test_every_pixel_has_a_word_and_every_word_a_pixel() -> None:
    for seed in range(60):
        scene = scenes.compose(seed, (48 + seed, 90), "seen" if seed % 2 else "held-out")
        assert set(np.unique(scene.labels)) == set(range(len(scene.words)))
        assert scene.words == scene.things + scene.backgrounds
        assert len(set(scene.words)) == len(scene.words)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_the_number_of_things_can_be_fixed(count: int) -> None:
    for seed in range(8):
        assert len(scenes.compose(seed, things=count).things) == count


def test_all_numbers_of_things_and_backgrounds_come_up() -> None:
    made = [scenes.compose(seed, (32, 32)) for seed in range(300)]
    assert {len(s.things) for s in made} == {1, 2, 3, 4, 5}
    assert {b for s in made for b in s.backgrounds} == {b.name for b in scenes.backgrounds()}
    assert {len(s.backgrounds) for s in made} == {1, 2}


def test_the_label_is_the_thing_that_covers_more_than_half() -> None:
    """Pasting by hand: alpha of 127 and below leaves the label, 128 and above takes it."""
    image = np.full((1, 4, 3), 200, np.uint8)
    labels = np.zeros((1, 4), int)
    sprite = np.zeros((1, 4, 4), np.uint8)
    sprite[0, :, 3] = [0, 127, 128, 255]
    scenes.paste(image, labels, sprite, 0, 0, 3)
    assert labels.tolist() == [[0, 0, 3, 3]]
    assert image[0, :, 0].tolist() == [200, 100, 100, 0]


def test_labels_follow_the_picture() -> None:
    """With one thing on one background, the pixels that differ from the bare background are it."""
    for seed in range(40):
        scene = scenes.compose(seed, things=1)
        thing = scene.labels == 0
        assert 0.02 < thing.mean() < 0.75
        rows, columns = np.nonzero(thing)
        longer = max(np.ptp(rows), np.ptp(columns)) + 1
        low, high = scenes.SPANS[1]
        assert low * 144 * 0.8 <= longer <= high * 144 + 2


def test_a_larger_scene_is_the_same_scene() -> None:
    small, large = (scenes.compose(5, (side, side)) for side in (96, 288))
    assert small.things == large.things
    assert small.backgrounds == large.backgrounds


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (8, 8), (300, 3)])
def test_any_size(size: tuple[int, int]) -> None:
    scene = scenes.compose(3, size)
    assert scene.labels.shape == size
    assert scene.labels.max() < len(scene.words)


def test_held_out_art_is_in_no_seen_scene() -> None:
    seen = {s.name for s in scenes.styles_for("seen")}
    held_out = {s.name for s in scenes.styles_for("held-out")}
    assert held_out == {"emojione"}
    assert not seen & (held_out | {"openmoji"})
    assert len(seen) >= 5


def test_vocabulary() -> None:
    words = scenes.things()
    assert len(words) >= 120
    assert len(scenes.backgrounds()) >= 11
    assert sum(bool(w.synonyms) for w in words) > 30
    assert sum(bool(w.plurals) for w in words) > 90
    names = [n for w in words + scenes.backgrounds() for n in (w.name, *w.synonyms, *w.plurals)]
    assert len(names) == len(set(names)), "a word stands for two things"
    held_out = scenes.styles()["emojione"]
    assert len(held_out.things) == len(words), "the held-out style draws everything"


def test_wishes_that_cannot_be_met() -> None:
    with pytest.raises(GclipError, match="emojione"):
        scenes.compose(1, style="crayon")
    with pytest.raises(GclipError, match="1 to 5"):
        scenes.compose(1, things=6)
    with pytest.raises(GclipError, match="1 x 1"):
        scenes.compose(1, size=(0, 5))
    with pytest.raises(GclipError, match="seed"):
        scenes.compose(-1)


def test_sheets_are_small_and_their_licences_named() -> None:
    assert {s.licence for s in scenes.styles().values()} <= {
        "MIT",
        "Apache-2.0",
        "CC-BY-4.0",
        "CC-BY-SA-4.0",
    }
    sizes = []
    for style in scenes.styles().values():
        sheet = assets.path("emoji", f"{style.name}.webp")
        sizes.append(sheet.stat().st_size)
        with Image.open(sheet) as picture:
            assert picture.mode == "RGBA"
    assert max(sizes) < 10e6
    assert sum(sizes) < 15e6


def test_scenes_need_only_numpy_and_pillow() -> None:
    """The module itself imports neither torch nor anything heavy (the package's face does)."""
    code = (
        "import sys, types, importlib.util as u, pathlib;"
        "p = types.ModuleType('gclip_core'); p.__path__ = ['gclip_core'];"
        "sys.modules['gclip_core'] = p; import gclip_core.scenes as s; s.compose(1);"
        "print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    )
    root = assets.path("emoji").parent.parent
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["False", "False"]
