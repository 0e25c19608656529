"""What the scene editor fetches: light, kept by the browser, right, and closed to anything else."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from demo.settings import Settings, from_query, read
from demo.source import Sources, layout
from demo.tabs.export import python_text
from demo.widgets import editor
from gclip_core import images, scenes
from gclip_core.errors import GclipError, ImageError

LAYOUT = scenes.Layout(("sky", "grass"), horizon=0.4, seed=3)
AT = f"/draw/{editor.key()}"


@pytest.fixture(scope="module")
def web() -> TestClient:
    return TestClient(Starlette(routes=editor.routes()))


def picture(web: TestClient, path: str, **query: str) -> Image.Image:
    answer = web.get(f"{AT}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/webp"
    assert "immutable" in answer.headers["cache-control"]
    return Image.open(io.BytesIO(answer.content))


def test_opening_the_editor_is_light(web: TestClient) -> None:
    opened = ["catalogue.json", "things/emojione.webp", "grounds.webp"]
    sizes = {path: len(web.get(f"{AT}/{path}").content) for path in opened}
    assert sum(sizes.values()) < 200_000, sizes


def test_the_code_is_a_module_of_its_own(web: TestClient) -> None:
    answer = web.get(f"{AT}/editor.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.text.startswith("export default (element, props, trigger, watch) =>")
    assert len(answer.content) < 32_000
    for taken in ("innerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert taken not in answer.text, "words of visitors go in as text"


def test_the_catalogue_is_what_a_scene_can_hold(web: TestClient) -> None:
    told = web.get(f"{AT}/catalogue.json").json()
    assert [name for name, _ in told["things"]] == [word.name for word in scenes.things()]
    assert [name for name, _ in told["grounds"]] == [word.name for word in scenes.backgrounds()]
    assert told["styles"][0][0] == "emojione", "art no training saw comes first"
    for style, _, drawn in told["styles"]:
        assert tuple(drawn) == scenes.styles()[style].things
        sheet = picture(web, f"things/{style}.webp")
        assert sheet.width == told["columns"] * editor.CELL
        assert sheet.height == -(-len(drawn) // told["columns"]) * editor.CELL


def test_the_sprites_are_those_the_server_draws_with(web: TestClient) -> None:
    for thing in (0, 17, 131):
        got = np.asarray(picture(web, f"sprite/twemoji/{thing}.webp").convert("RGBA"))
        drawn = scenes.sprite("twemoji", thing)
        assert np.array_equal(got[..., 3], drawn[..., 3])
        assert np.array_equal(got[drawn[..., 3] > 0], drawn[drawn[..., 3] > 0])


def test_the_ground_is_that_of_the_scene(web: TestClient) -> None:
    got = picture(web, "ground.webp", layout=LAYOUT.to_json(), size="96x128").convert("RGB")
    true = scenes.render(LAYOUT, (96, 128)).image
    assert got.size == true.size
    assert np.abs(np.asarray(got, int) - np.asarray(true, int)).mean() < 6  # lossy


@pytest.mark.parametrize(
    "path",
    [
        "things/crayon.webp", "things/..%2F..%2Fetc.webp", "sprite/emojione/132.webp",
        "sprite/emojione/-1.webp", "sprite/emojione/x.webp", "sprite/fxemoji/" + "9" * 30 + ".webp",
        "sprite.webp", "other.webp", "ground.webp", "ground.webp?layout={}&size=9x9",
        f"ground.webp?size=96x128&layout={LAYOUT.to_json()[:-1]}",
        *(f"ground.webp?layout={LAYOUT.to_json()}&size={size}" for size in
          ("", "9", "0x9", "99999x9", "9x9x9", "-4x4", "4096x4096", "axb")),
    ],
)  # fmt: skip
def test_nothing_else_is_answered(web: TestClient, path: str) -> None:
    answer = web.get(f"{AT}/{path}")
    assert answer.status_code == 404
    assert "Traceback" not in answer.text and len(answer.text) < 1000


def test_a_value_is_small_and_carries_no_picture() -> None:
    value = editor.value(scenes.arrange(7, (288, 384)), (288, 384))
    assert len(json.dumps(value)) < 1000
    assert scenes.Layout.from_json(value["layout"]).seed == 7


def drawn(size: int = 96) -> Settings:
    return Settings(source="drawing", drawing=LAYOUT.to_json(), scene_size=size, words="sky, grass")


def test_a_drawing_is_a_picture_with_truth() -> None:
    sources = Sources(2**20)
    picture = sources.picture(drawn())
    true = scenes.render(LAYOUT, (96, 128))
    assert picture.digest == images.digest(true.image)
    assert picture.words == "sky, grass"
    assert picture.truth is not None and np.array_equal(picture.truth.labels, true.labels)
    assert picture.truth.names[1] == ("grass", "lawn", "meadow")
    assert sources.picture(drawn()) is picture, "kept"


def test_the_editor_goes_on_from_any_scene_but_no_photo() -> None:
    assert layout(drawn()) == LAYOUT
    composed = Settings(seed=9, things=3, style="seen")
    assert layout(composed) == scenes.arrange(9, (288, 384), "seen", 3)
    assert layout(Settings(source="example", example="coffee")) is None


def test_a_link_carries_a_drawing_only_where_it_is_shown() -> None:
    assert from_query(drawn().to_query()) == (drawn(), ())
    assert "drawing" not in drawn().changed(source="scene").to_query()
    for given, told in (
        ("", 0),
        ("&drawing=", 0),
        ("&drawing={}", 1),
        ("&drawing=" + "x" * 5000, 1),
    ):
        settings, notes = from_query("source=drawing" + given)
        assert settings == Settings()
        assert len(notes) == told
    with pytest.raises(GclipError, match="Draw a scene"):
        read({"source": "drawing", "drawing": "[" * 3000})
    with pytest.raises(ImageError, match="Draw a scene"):
        Sources(2**20).picture(Settings(source="drawing"))


def test_the_python_of_a_drawing_draws_it_again() -> None:
    text = python_text(drawn(), (96, 128), 12)
    line = next(line for line in text.splitlines() if line.startswith("image = "))
    space: dict[str, object] = {"scenes": scenes}
    exec(line, space)
    assert images.digest(space["image"]) == Sources(2**20).picture(drawn()).digest
