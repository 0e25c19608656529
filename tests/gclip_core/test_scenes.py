"""Emoji scenes: the same everywhere, their truth exact; layouts: what is drawn, and what a link may
carry."""

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gclip_core import assets, scenes
from gclip_core.errors import GclipError
from gclip_core.scenes import Item, Layout


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


# --- layouts --------------------------------------------------------------------------------------


SIZE = (96, 128)
CAT = Item("cat", "emojione", 0.4, 0.5, 0.5)
DOG = Item("dog", "twemoji", 0.6, 0.5, 0.6)
PLAIN = Layout(("sky", "grass"), (CAT, DOG))


def same(a: scenes.Scene, b: scenes.Scene) -> bool:
    return (
        np.array_equal(np.asarray(a.image), np.asarray(b.image))
        and np.array_equal(a.labels, b.labels)
        and (a.words, a.things, a.backgrounds) == (b.words, b.things, b.backgrounds)
    )


def of(scene: scenes.Scene, word: str) -> np.ndarray:
    return scene.labels == scene.words.index(word) if word in scene.words else scene.labels < 0


@pytest.mark.parametrize("style", ["held-out", "seen", "fxemoji"])
@pytest.mark.parametrize("size", [(144, 144), (96, 160), (37, 20), (2, 90)])
def test_a_seeds_layout_draws_its_scene_to_the_pixel(style: str, size: tuple[int, int]) -> None:
    for seed in range(25):
        things = None if seed % 2 else 1 + seed % 5
        layout = scenes.arrange(seed, size, style, things)
        assert same(scenes.render(layout, size), scenes.compose(seed, size, style, things))


def test_json_keeps_a_layout() -> None:
    for seed in range(25):
        layout = scenes.arrange(seed, SIZE, "seen")
        text = layout.to_json()
        read = Layout.from_json(text)
        assert read.to_json() == text and Layout.from_json(read.to_json()) == read
        drawn, again = scenes.render(layout, SIZE), scenes.render(read, SIZE)
        assert drawn.words == again.words
        assert (drawn.labels != again.labels).mean() < 0.001
        difference = np.asarray(drawn.image, int) - np.asarray(again.image, int)
        assert np.abs(difference).mean() < 0.1
    assert Layout.from_json(PLAIN.to_json()) == PLAIN


def test_the_truth_is_who_covers_more_than_half_on_top() -> None:
    """By hand: of the items whose alpha is above one half at a pixel, the last owns it."""
    scene = scenes.render(PLAIN, SIZE)
    expected = np.where(np.arange(96)[:, None] < 48, 2, 3) + np.zeros(SIZE, int)
    for label, (item, index) in enumerate(((CAT, 0), (DOG, 1))):
        upright = scenes.turn(scenes.premultiply(scenes.sprite(item.style, index)), 0)
        pixels = item.size * 96 / max(scenes.sprite(item.style, index).shape)
        alpha = scenes.fit(upright, int(max(upright.shape) * pixels + 0.5))[..., 3]
        h, w = alpha.shape
        top, left = int(item.y * 96 - h / 2 + 0.5), int(item.x * 128 - w / 2 + 0.5)
        expected[top : top + h, left : left + w][alpha > 127] = label
    assert scene.words == ("cat", "dog", "sky", "grass")
    assert np.array_equal(scene.labels, expected)


def test_the_last_item_is_in_front() -> None:
    front = of(scenes.render(PLAIN, SIZE), "dog")
    behind = of(scenes.render(replace(PLAIN, items=(DOG, CAT)), SIZE), "dog")
    alone = of(scenes.render(replace(PLAIN, items=(DOG,)), SIZE), "dog")
    assert np.array_equal(front, alone)
    assert behind.sum() < alone.sum() and not (behind & ~alone).any()


def test_two_of_a_thing_are_one_word_and_a_hidden_one_is_none() -> None:
    twice = replace(PLAIN, items=(CAT, replace(CAT, x=0.8), DOG))
    assert scenes.render(twice, SIZE).words == ("cat", "dog", "sky", "grass")
    both = of(scenes.render(replace(PLAIN, items=twice.items[:2]), SIZE), "cat")
    assert both[:, :70].any() and both[:, 90:].any()
    hidden = replace(CAT, size=0.05, x=DOG.x)
    assert scenes.render(replace(PLAIN, items=(hidden, DOG)), SIZE).things == ("dog",)
    outside = replace(CAT, x=1.5, size=0.2)
    assert scenes.render(replace(PLAIN, items=(outside,)), SIZE).things == ()
    assert scenes.render(replace(PLAIN, items=()), SIZE).words == ("sky", "grass")


def test_turn_is_clockwise_and_flip_comes_first() -> None:
    def cat(**changes: object) -> np.ndarray:
        item = replace(CAT, x=0.5, **changes)  # type: ignore[arg-type]
        return of(scenes.render(Layout(("sky",), (item,)), (288, 288)), "cat")

    def alike(a: np.ndarray, b: np.ndarray) -> bool:
        return (a & b).sum() / (a | b).sum() > 0.97

    for half_tangent, quarters in ((1, 3), (-1, 1), (1000, 2)):
        assert alike(cat(turn=half_tangent), np.rot90(cat(), quarters))
    assert alike(cat(turn=-0.2, flip=True), cat(turn=0.2)[:, ::-1])
    assert not alike(cat(turn=0.2, flip=True), cat(turn=0.2)[:, ::-1])


def test_turning_keeps_a_things_size() -> None:
    areas = [
        of(scenes.render(replace(PLAIN, items=(replace(CAT, turn=t),)), SIZE), "cat").sum()
        for t in (0, 0.1, 0.4, 1, -0.7)
    ]
    assert max(areas) < 1.05 * min(areas)


def test_grounds_horizon_and_light() -> None:
    low = scenes.render(Layout(("sky", "grass"), horizon=0.75), SIZE)
    assert np.array_equal(of(low, "grass"), np.indices(SIZE)[0] >= 72)
    assert scenes.render(Layout(("sky", "grass"), horizon=1), SIZE).words == ("sky",)
    assert scenes.render(Layout(("sand",)), SIZE).words == ("sand",)
    plain, other = (scenes.render(Layout(("sand",), seed=seed), SIZE) for seed in (0, 1))
    assert not same(plain, other), "a seed has textures of its own"
    light = np.asarray(scenes.render(Layout(("sand",), light=(0.5, 10)), SIZE).image, float)
    assert np.abs(light - (np.asarray(plain.image, float) * 0.5 + 10)).max() <= 0.5


def test_the_same_layout_at_another_size() -> None:
    small, large = (scenes.render(PLAIN, size) for size in (SIZE, (288, 384)))
    shrunk = of(large, "cat")[1::3, 1::3]
    assert (shrunk & of(small, "cat")).sum() / (shrunk | of(small, "cat")).sum() > 0.95


def changed(**data: object) -> str:
    return json.dumps(json.loads(PLAIN.to_json()) | data)


def with_item(**data: object) -> str:
    row = dict(zip(("thing", "style", "x", "y", "size", "turn", "flip"), CAT_ROW, strict=True))
    return changed(items=[list((row | data).values())])


CAT_ROW = ["cat", "emojione", 0.4, 0.5, 0.5, 0, 0]


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "7", '"x"', "[]", "{}", "[" * 3999, '{"a":' * 700, "{" * 4000, "nan",
        '["ground","horizon","light","like","items"]', PLAIN.to_json()[:-1], " " * 4001,
        changed(more=1), changed(ground=[]), changed(ground="sky"), changed(ground=["moon"]),
        changed(ground=["sky", "sky"]), changed(ground=["sky", "sand", "snow"]),
        changed(ground=[["sky"]]), changed(ground={"sky": 1, "moon": 2}), changed(ground=None),
        changed(horizon=2), changed(horizon=None), changed(horizon=True), changed(horizon="0.5"),
        changed(horizon=float("nan")), changed(horizon=float("inf")), changed(light=[1]),
        changed(light=[9, 0]), changed(light="ab"), changed(light=[1, 1e9]), changed(light=[[], 0]),
        changed(like=[1, "crayon", 0]), changed(like=[-1, "seen", 0]), changed(like=[1, "seen", 9]),
        changed(like=[1.5, "seen", 0]), changed(like=[10**80, "seen", 0]), changed(like=[1, [], 0]),
        changed(like=[True, "seen", 0]), changed(like=[1, "seen", -1]), changed(items=None),
        changed(items=[None]), changed(items=["catcatc"]), changed(items={"a": 1}),
        changed(items=[CAT_ROW[:-1]]), changed(items=[[*CAT_ROW, 0]]),
        changed(items=[CAT_ROW] * 25),
        changed(items=[[]]), changed(items=[["cat"]]),
        with_item(thing="unicorn dust"), with_item(thing=0), with_item(thing=None),
        with_item(style="../../etc/passwd"), with_item(style=[]), with_item(style="seen"),
        with_item(x=7), with_item(x="0"), with_item(y=-0.51), with_item(y=[0]), with_item(size=0),
        with_item(size=9), with_item(size=float("nan")), with_item(turn=2e3), with_item(turn=None),
        with_item(flip=2), with_item(flip=-1), with_item(flip=[]), with_item(flip="0"),
        changed(horizon=0.5).replace("0.5", "9" * 3000), changed().replace("0.5", "1e999"),
    ],
)  # fmt: skip
def test_a_link_may_hold_anything(text: str) -> None:
    start = time.process_time()
    with pytest.raises(GclipError) as refused:
        Layout.from_json(text)
    assert len(str(refused.value)) < 2500 and "Traceback" not in str(refused.value)
    assert time.process_time() - start < 1


def test_the_largest_layout_still_travels() -> None:
    longest = max((word.name for word in scenes.things()), key=len)
    item = Item(longest, "fluent-emoji-flat", -0.1234, 1.1234, 0.1234, -0.1234, True)
    full = Layout(("brick wall", "tiled floor"), (item,) * scenes.MAX_ITEMS, 0.1234, seed=2**31)
    assert Layout.from_json(full.to_json()) == full


def test_a_style_that_does_not_draw_a_thing_is_refused() -> None:
    missing = set(range(len(scenes.things()))) - set(scenes.styles()["fxemoji"].things)
    name = scenes.things()[min(missing)].name
    with pytest.raises(GclipError, match=name):
        Layout(("sky",), (Item(name, "fxemoji", 0.5, 0.5, 0.5),))
    with pytest.raises(GclipError, match="1 x 1"):
        scenes.render(PLAIN, (0, 4))
