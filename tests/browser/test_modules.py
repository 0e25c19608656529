"""Pure functions of the page's modules, called in a browser without a page around them."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Route
from starlette.applications import Starlette
from starlette.testclient import TestClient

from demo.widgets import code

ORIGIN = "http://modules.test"
TERMS = ["patch", "token", "global token", "CS", "IoU"]
CALL = """async ([path, name, given]) => (await import(path))[name](...given)"""
TYPE = """const type = (u) => ({
  u, least: 8, size: () => u, weight: () => 400,
  lengthOf: (text) => 0.5 * u * text.length,
  wrap: (text, room) => text.split(/(.{1,40})(?:\\s|$)/).filter(Boolean),
  brief: (text) => [text, "body"],
});"""
"""Letters of one width, in place of a browser's."""
ARRANGE = f"""async ([path, value, u, formulas, width, height]) => {{
  {TYPE}
  return (await import(path)).arrange(value, type(u), formulas, width, height);
}}"""
PLACE = """async ([path, names, bounds]) =>
  (await import(path)).placeNames(names, bounds, 1, (text, size) => 0.6 * size * text.length)"""
RINGS = """async ([path, from, to]) => {
  const pixels = new Uint8ClampedArray(4 * from * from).map((_, i) => {
    const [x, y] = [(i >> 2) % from, Math.floor((i >> 2) / from)];
    return 127.5 * (1 + Math.cos((Math.PI * (x * x + y * y)) / (2 * from)));
  });
  const small = (await import(path)).shrink(pixels, [from, from], [to, to]);
  return [...small].filter((_, i) => i % 4 === 0);
}"""
"""A plate of rings, finer and finer to the last, made smaller."""

Run = Callable[..., Any]


def at(name: str) -> str:
    return f"/web/{code.digest()}/{name}"


@pytest.fixture(scope="module")
def run(browser: BrowserContext) -> Iterator[Run]:
    """Evaluates an expression; its first argument is the path of a module."""
    page = browser.new_page()
    web = TestClient(Starlette(routes=code.routes()))

    def serve(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/":
            route.fulfill(body="<!doctype html>", content_type="text/html")
            return
        answer = web.get(path)
        kind = answer.headers["content-type"]
        route.fulfill(status=answer.status_code, body=answer.content, content_type=kind)

    page.route(f"{ORIGIN}/**", serve)
    page.goto(f"{ORIGIN}/")
    yield lambda expression, name, *given: page.evaluate(expression, [at(name), *given])
    page.close()


@pytest.fixture
def call(run: Run) -> Run:
    """Calls a function of a module."""
    return lambda name, function, *given: run(CALL, name, function, given)


@pytest.mark.parametrize("name", [name for name in code.modules() if name != "main.js"])
def test_every_module_can_be_read(name: str, run: Run) -> None:
    """All but the entry, which needs a page around it."""
    assert run("async ([path]) => typeof (await import(path))", name) == "object"


# --- terms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A patch looks at patches.", [("patch", "patch")]),
        ("Patches look.", [("patch", "Patches")]),
        ("Global tokens are tokens.", [("global token", "Global tokens"), ("token", "tokens")]),
        ("CS, not cs; mIoU is no IoU", [("CS", "CS"), ("IoU", "IoU")]),
        ("“patch” is not in the truth", []),
        ("a token-free model, dispatch", []),
    ],
)
def test_the_first_of_each_term_is_found_but_not_in_a_visitor_s_words(
    text: str, found: list[tuple[str, str]], call: Run
) -> None:
    parts = call("terms/split.js", "splitTerms", text, TERMS)
    terms = [(part["term"], part["text"]) for part in parts if isinstance(part, dict)]
    assert terms == found
    assert "".join(part if isinstance(part, str) else part["text"] for part in parts) == text


# --- equations ------------------------------------------------------------------------------------


def test_an_equation_s_words_are_upright_and_its_quantities_single_letters(call: Run) -> None:
    terms = call("machine/equation.js", "termsOf", "softmax(s q q^{T}) W_{2}[d̂] A_{qk}^{l}")
    shown = [(t["base"]["kind"], t["base"]["text"], t["below"], t["above"]) for t in terms]
    solid = [term for term in shown if term[0] != "mtext"]
    assert solid[0] == ("mi", "softmax", "", "")
    assert solid[1:6] == [
        ("mo", "(", "", ""),
        ("mi", "s", "", ""),
        ("mi", "q", "", ""),
        ("mi", "q", "", "T"),
        ("mo", ")", "", ""),
    ]
    assert ("mi", "W", "2", "") in solid and ("mi", "d̂", "", "") in solid
    assert solid[-1] == ("mi", "A", "qk", "l")


# --- the canvas -----------------------------------------------------------------------------------


def test_a_photo_is_made_smaller_without_moire(run: Run) -> None:
    """Rings that are finer than the screen's pixels become grey, as in a reference by Pillow."""
    size, to = 384, 290
    y, x = np.mgrid[0:size, 0:size]
    rings = 127.5 * (1 + np.cos(np.pi * (x * x + y * y) / (2 * size)))
    wanted = Image.fromarray(rings.astype(np.uint8)).resize((to, to), Image.Resampling.BICUBIC)
    small = np.reshape(run(RINGS, "resample.js", size, to), (to, to))
    assert np.abs(small - np.asarray(wanted, float)).mean() < 1.5
    assert small[-40:, -40:].std() < 0.35 * small[:40, :40].std(), "the finest fade"


def test_names_on_a_mask_stay_apart_and_inside(run: Run) -> None:
    rng = np.random.default_rng(0)
    bounds = [0, 300, 20, 220]
    names = [
        {"text": "word" * int(rng.integers(1, 4)), "x": float(x), "y": float(y), "room": 30.0}
        for x, y in rng.uniform((0, 20), (300, 220), (12, 2))
    ]
    boxes = [box for box in run(PLACE, "canvas/names.js", names, bounds) if box]
    assert len(boxes) >= 6, "most have room"
    for i, a in enumerate(boxes):
        assert a["x"] - a["w"] / 2 >= 0 and a["x"] + a["w"] / 2 <= 300
        assert a["y"] - a["h"] / 2 >= 20 and a["y"] + a["h"] / 2 <= 220
        for b in boxes[:i]:
            apart_x = abs(a["x"] - b["x"]) >= (a["w"] + b["w"]) / 2
            assert apart_x or abs(a["y"] - b["y"]) >= (a["h"] + b["h"]) / 2


# --- the input ------------------------------------------------------------------------------------


def test_only_one_answer_more_is_due_while_one_is(run: Run) -> None:
    words = {"tabs": ["side", "compare"], "heavy": ["compare"], "none": "", "keys": []}
    asked = run(
        """async ([path, words]) => {
          const { WORDS } = await import(path.replace("waiting", "words"));
          Object.assign(WORDS, words);
          const { answered, ask, failed, isWaiting } = await import(path);
          const given = ["0", "0", "0", "0"];
          const steps = [ask(false, "side", ...given), ask(false, "compare", ...given)];
          answered({ state: "fresh", query: "" });
          steps.push(isWaiting(), ask(true, "side", ...given), failed("side", ...given));
          steps.push(isWaiting(), failed("side", ...given), isWaiting());
          return steps;
        }""",
        "waiting.js",
        words,
    )
    light, heavy, waits, same_lane, again, still_waits, last, waits_no_more = asked
    assert light == ["1", "0", "0", "0"]
    assert heavy == ["0", "0", "0", "1"], "a heavy tab is always asked in the heavy queue"
    assert waits is True
    assert same_lane == ["1", "0", "0", "0"], "in the queue of the answer that is due"
    assert again == ["1", "0", "0", "0"], "what waited behind the failed request is asked anew"
    assert still_waits is True
    assert last == ["0", "0", "0", "0"]
    assert waits_no_more is False


# --- masks by block -------------------------------------------------------------------------------

LABELS = [[1, 1, 2, 2, 0, 0], [1, 1, 2, 3, 3, 0], [1, 1, 1, 3, 3, 0], [1, 1, 1, 3, 3, 3]]
"""Of six patches in four blocks; 0 is the background."""
BY_BLOCK = {"labels": sum(LABELS, []), "n": 6}
BY_NAME = [{"name": name, "colour": "#000000"} for name in ("sky", "sand", "kite")]


def test_a_word_appears_where_half_of_its_last_mask_is_there_for_good(call: Run) -> None:
    assert call("block-masks.js", "firstBlocks", BY_BLOCK) == [[1, 1], [3, 2]]
    assert call("block-masks.js", "shareAsLast", BY_BLOCK, 1) == pytest.approx(4 / 6)
    text = call("block-masks.js", "appearText", BY_BLOCK, BY_NAME)
    assert text.endswith("“sky” from block 1 on; “kite” from block 2 on.")
    late = {"labels": [2, 2, 2, 1, 1, 1], "n": 3}
    assert "“sky” only in block 2" in call("block-masks.js", "appearText", late, BY_NAME)
    early = {"labels": [1, 1, 1, 1, 1, 1], "n": 3}
    assert "Every word is there from block 1" in call(
        "block-masks.js", "appearText", early, BY_NAME
    )
    none = {"labels": [1, 1, 0, 0], "n": 2}
    assert "no patch a word" in call("block-masks.js", "appearText", none, BY_NAME)


def test_the_words_of_a_patch_are_told_block_by_block(call: Run) -> None:
    wanted = {2: "“sand” 1 to 2, “sky” 3 to 4", 5: "background 1 to 3, “kite” 4"}
    for patch, runs in wanted.items():
        text = call("block-masks.js", "patchHistory", BY_BLOCK, BY_NAME, patch)
        assert text == f"By block: {runs}."


# --- the machine ----------------------------------------------------------------------------------


def test_percentages_of_a_patch_add_up_to_100(call: Run) -> None:
    for shares in ([1 / 3, 1 / 3, 1 / 3], [0.005, 0.995], [0.124, 0.336, 0.54], [1, 0, 0]):
        assert sum(call("machine/scores.js", "rounded", shares)) == 100


def machine(blocks: int, words: int, fused: int, size: tuple[int, int]) -> dict[str, Any]:
    """What the layout reads of the machine's value."""
    names = ["picture", "blocks", "heads", "matrix", "values", "words", "scores", "mask"]
    part = {
        "name": "Channels, Values",
        "equation": "n_{d} = ‖W‖",
        "mark": "paper",
        "value": "x" * 60,
    }
    return {
        "size": size,
        "blocks": [{}] * blocks,
        "fused": list(range(fused)),
        "words": [{"index": i} for i in range(words)],
        "parts": dict.fromkeys(names, part),
    }


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("size", [(300, 450), (450, 300)], ids=["wide photo", "tall photo"])
@pytest.mark.parametrize(("blocks", "words", "fused"), [(12, 3, 2), (24, 20, 0), (6, 1, 2)])
def test_nothing_of_the_machine_lies_outside_or_over_another_part(
    width: int, size: tuple[int, int], blocks: int, words: int, fused: int, run: Run
) -> None:
    value = machine(blocks, words, fused, size)
    plan = run(
        ARRANGE, "machine/plan.js", value, width / 96, True, width, 800 if width > 900 else 0
    )
    boxes = [plan["photo"], plan["used"], plan["norms"], plan["mask"]]
    boxes += [*plan["tiles"], *plan["heads"], *plan["maps"], *plan["maplets"]]
    assert len(plan["tiles"]) == blocks and len(plan["maps"]) == max(1 + fused, 3)
    for i, a in enumerate(boxes):
        assert a["x"] >= -0.01 and a["x"] + a["w"] <= width + 0.01
        assert a["y"] >= 0 and a["y"] + a["h"] <= plan["height"]
        for b in boxes[:i]:
            apart_x = a["x"] >= b["x"] + b["w"] - 0.01 or b["x"] >= a["x"] + a["w"] - 0.01
            assert apart_x or a["y"] >= b["y"] + b["h"] or b["y"] >= a["y"] + a["h"]
