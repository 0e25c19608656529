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
  named: (text) => [text.split(" "), "body"],
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


# --- pointing -------------------------------------------------------------------------------------


POINT = """async ([path, [grid, steps]]) => {
  const up = path.replace("pointing.js", "");
  const [{ freeByEscape, leave, patchOn, pinnedOn, usePointing }, { html }, { h, render }] =
    await Promise.all(["pointing.js", "html.js", "vendor/preact.mjs"].map((n) => import(up + n)));
  if (!window.frees) freeByEscape();
  window.frees = true;
  leave();
  document.body.innerHTML = '<div id="a"></div><div id="b"></div>';
  const shown = { picture: "photo", grid: [3, 5] };
  const Photo = () => html`<div class="stage" ...${usePointing(shown)} />`;
  const one = (id, View) => render(h(View), document.getElementById(id));
  one("a", Photo), one("b", Photo);
  const kinds = { over: "pointermove", leave: "pointerleave", press: "click", key: "keydown" };
  return steps.map(([does, given, on = "a", pointerType = "mouse"]) => {
    const node = on ? document.querySelector(`#${on} .stage`) : document;
    node.getBoundingClientRect = () => ({ left: 0, top: 0, width: 50, height: 30 });
    const [row, column] = Array.isArray(given) ? given : [0, 0];
    const at = { clientY: 10 * row + 5, clientX: 10 * column + 5 };
    const [key, modifier = ""] = does === "key" ? given.split("+").reverse() : [];
    const held = { bubbles: true, cancelable: true, [`${modifier}Key`]: true };
    const event = does === "key"
      ? new KeyboardEvent("keydown", { key, ...held })
      : new PointerEvent(kinds[does], { ...at, pointerType, bubbles: does !== "leave" });
    node.dispatchEvent(event);
    const patch = patchOn({ picture: "photo", grid });
    return patch && [...patch, pinnedOn(shown)];
  });
}"""
"""Where a pointer, keys and presses on two widgets of one picture lead, step by step."""


def lead(
    run: Run, *steps: tuple[Any, ...], grid: tuple[int, int] = (3, 5)
) -> list[list[Any] | None]:
    """The patch after each step, of another widget's ``grid``, and whether it is pinned."""
    return run(POINT, "pointing.js", [grid, steps])


def test_a_mouse_points_until_a_press_pins_and_a_second_press_frees(run: Run) -> None:
    assert lead(
        run,
        ("over", (0, 1)),
        ("leave", None),
        ("over", (0, 1)),
        ("press", (0, 1)),
        ("over", (2, 2)),
        ("leave", None),
        ("press", (2, 2), "b"),
        ("press", (2, 2), "a"),
    ) == [[0, 1, False], None, [0, 1, False], *3 * [[0, 1, True]], [2, 2, True], None]


def test_arrow_keys_move_within_the_grid_and_a_pinned_patch_stays_pinned(run: Run) -> None:
    assert lead(
        run,
        ("key", "ArrowDown"),
        ("key", "ArrowDown"),
        ("key", "ArrowDown"),
        ("key", "Enter"),
        ("key", "ArrowLeft"),
        ("key", "Enter"),
        ("key", "Enter"),
    ) == [
        [1, 2, False],
        [2, 2, False],
        [2, 2, False],
        [2, 2, True],
        [2, 1, True],
        None,
        [1, 2, True],
    ]


@pytest.mark.parametrize(
    ("grid", "patches"),
    [((6, 10), [[1, 9], [5, 1]]), ((2, 3), [[0, 2], [1, 0]]), ((1, 1), [[0, 0], [0, 0]])],
)
def test_what_is_pinned_is_a_place_on_the_photo_in_every_grid_of_patches(
    grid: tuple[int, int], patches: list[list[int]], run: Run
) -> None:
    pinned = lead(run, ("press", (0, 4)), ("press", (2, 0)), grid=grid)
    assert pinned == [[*patch, True] for patch in patches]


@pytest.mark.parametrize("modifier", ["alt", "ctrl", "meta"])
def test_keys_of_the_browser_s_shortcuts_move_nothing(modifier: str, run: Run) -> None:
    keys = [("key", f"{modifier}+{key}") for key in ("ArrowLeft", "Enter")]
    assert lead(run, ("press", (1, 1)), *keys) == 3 * [[1, 1, True]]


def test_escape_frees_the_patch_wherever_the_focus_is(run: Run) -> None:
    for place in ("a", "b", ""):
        assert lead(run, ("press", (1, 1)), ("key", "Escape", place)) == [[1, 1, True], None]


def test_a_finger_presses_and_neither_hovers_nor_leaves(run: Run) -> None:
    assert lead(
        run,
        ("over", (1, 1), "a", "touch"),
        ("press", (1, 1), "a", "touch"),
        ("leave", None, "a", "touch"),
        ("press", (1, 1), "a", "touch"),
    ) == [None, [1, 1, True], [1, 1, True], None]


SQUARES = """async ([path]) => {
  const { squaresOf } = await import(path);
  const { tall, wide, count, at, middle, patch, spread } = squaresOf({ grid: [3, 5], pooled: 2 });
  return { tall, wide, count, at: [at([0, 0]), at([1, 2]), at([2, 4])],
    middle: [middle(0), middle(2), middle(5)], patch: [patch(0), patch(2), patch(5)],
    spread: [...spread([0, 1, 2, 3, 4, 5])] };
}"""


def test_squares_of_patches_are_smaller_at_the_lower_and_right_edge(run: Run) -> None:
    assert run(SQUARES, "squares.js") == {
        "tall": 2,
        "wide": 3,
        "count": 6,
        "at": [0, 1, 5],
        "middle": [[1, 1], [1, 4.5], [2.5, 4.5]],
        "patch": [[1, 1], [1, 4], [2, 4]],
        "spread": [0, 0, 1, 1, 2, 0, 0, 1, 1, 2, 3, 3, 4, 4, 5],
    }


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


# --- widgets --------------------------------------------------------------------------------------


MOUNT = """async ([path, slow, fails]) => {
  const { mount } = await import(path);
  document.body.innerHTML = ["mask", "card"].map((id) => `<div id="${id}" class="block">
    <div class="gw" data-empty="empty" data-after="${id === "card" ? "mask" : ""}"></div>
  </div>`).join("");
  const put = (id, load) => mount({ load, View: () => "drawn" }, document.getElementById(id),
    { value: { kind: "any" } }, () => {}, () => {});
  const wait = (turns) => new Promise((done) => setTimeout(done, 5 * turns));
  const begun = {};
  put("mask", () => new Promise((done, fail) => Object.assign(begun, { done, fail })));
  put("card", () => wait(slow));
  await wait(8);
  const early = document.getElementById("card").innerText;
  begun[fails ? "fail" : "done"](new Error("lost"));
  await wait(12);
  return [early, document.getElementById("card").innerText];
}"""
"""A card below a mask, which comes late or fails; the card itself is loaded before or after it."""
NAMELESS = """async ([path]) => {
  const { mount } = await import(path);
  const block = '<div class="block"><div class="gw"></div></div>';
  document.body.innerHTML = `<div id="row">${block}${block}</div>`;
  for (const element of document.querySelectorAll(".block")) {
    mount({ View: () => "drawn" }, element, { value: { kind: "any" } }, () => {}, () => {});
  }
  await new Promise((done) => setTimeout(done, 20));
  return document.getElementById("row").textContent;
}"""


@pytest.mark.parametrize("slow", [0, 10], ids=["loaded before it", "loaded after it"])
@pytest.mark.parametrize("fails", [False, True], ids=["mask comes", "mask fails"])
def test_a_card_waits_for_the_mask_above_it_and_no_longer(fails: bool, slow: int, run: Run) -> None:
    early, late = run(MOUNT, "gradio.js", slow, fails)
    assert (early, late) == ("empty", "drawn")


def test_widgets_without_an_id_in_one_row_are_all_drawn(run: Run) -> None:
    assert run(NAMELESS, "gradio.js") == "drawndrawn"


# --- the input ------------------------------------------------------------------------------------


LANES = [("side", False), ("side", True), ("compare", True)]
WORDS = {
    "lanes": [{"tab": tab, "heavy": heavy} for tab, heavy in LANES],
    "none": "",
    "keys": [],
}
STEPS = """async ([path, words, steps]) => {
  const { WORDS } = await import(path.replace("waiting", "words"));
  Object.assign(WORDS, words);
  const { answered, ask, failed, isWaiting, setUpload } = await import(path);
  document.body.innerHTML = '<div id="tabs"></div>';
  const { dataset } = document.getElementById("tabs");
  let at = performance.now(), before = [], given = ["0", "0", "0"];
  const does = {
    ask: (heavy, tab) => (given = ask(heavy, tab, ...(before = given))),
    "ask at once": (heavy, tab) => ask(heavy, tab, ...before),
    answer: (tab = "side") => answered({ tab, state: "fresh", query: "", at: ++at }, "side"),
    again: () => answered({ tab: "side", state: "fresh", query: "", at }, "side"),
    fail: () => (given = failed("side", ...given)),
    upload: (now) => setUpload(now),
  };
  failed("side", ...given);
  return steps.map(([name, ...more]) => [does[name](...more), isWaiting(), "busy" in dataset]);
}"""
"""What each step returns, whether an answer is due, whether the tabs are dimmed."""


def follow(run: Run, *steps: tuple[Any, ...]) -> list[tuple[Any, bool, bool]]:
    return [tuple(result) for result in run(STEPS, "page/waiting.js", WORDS, steps)]


def test_a_question_during_an_answer_goes_to_its_queue(run: Run) -> None:
    asked = follow(
        run,
        ("ask", False, "side"),
        ("ask", False, "compare"),
        ("answer",),
        ("ask", True, "side"),
        ("fail",),
        ("fail",),
    )
    light, heavy, _, same_queue, again, last = (returned for returned, _, _ in asked)
    assert light == ["1", "0", "0"]
    assert heavy == ["1", "0", "1"], "a heavy tab is always asked in the heavy queue"
    assert same_queue == ["2", "0", "1"], "in the queue of the answer that is due"
    assert again == ["3", "0", "1"], "what waited behind the failed request is asked anew"
    assert last == again
    assert [waits for _, waits, _ in asked] == [True, True, True, True, True, False]


def test_the_last_answer_is_dimmed_until_no_other_is_due(run: Run) -> None:
    asked = follow(
        run,
        ("ask", False, "side"),
        ("ask", False, "side"),
        ("answer",),
        ("again",),
        ("answer",),
    )
    assert [busy for _, _, busy in asked] == [True, True, True, True, False]


def test_an_answer_of_a_tab_that_was_left_ends_a_wait_but_is_not_followed(run: Run) -> None:
    asked = follow(
        run, ("ask", False, "compare"), ("ask", False, "side"), ("answer", "compare"), ("answer",)
    )
    (_, late), (_, own) = ((waits, followed) for followed, waits, _ in asked[2:])
    assert (late, own) == (False, True)
    assert [waits for _, waits, _ in asked] == [True, True, True, False]


def test_two_questions_at_once_are_one_request_and_one_answer(run: Run) -> None:
    asked = follow(run, ("ask", False, "side"), ("ask at once", False, "side"), ("answer",))
    assert asked[0][0] == asked[1][0], "no text changes twice"
    assert [(waits, busy) for _, waits, busy in asked] == [
        (True, True),
        (True, True),
        (False, False),
    ]


def test_a_photo_on_its_way_dims_and_a_refused_one_ends_no_other_wait(run: Run) -> None:
    refused = follow(run, ("ask", False, "side"), ("upload", "sending"), ("upload", "none"))
    assert [busy for _, _, busy in refused] == [True, True, True], "an answer is still due"
    taken = follow(
        run, ("upload", "sending"), ("upload", "sent"), ("ask", True, "side"), ("answer",)
    )
    assert [busy for _, _, busy in taken] == [True, True, True, False]


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
        "words": [{"index": i, "name": "space shuttle"} for i in range(words)],
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


NAMED = """async ([path, name, share]) => {
  const type = (await import(path)).makeType(16, 8, "sans-serif");
  return type.named(name, share * type.lengthOf(name, "tiny"))[0];
}"""
"""A name in a share of its own width."""


@pytest.mark.parametrize(
    ("name", "share", "lines"),
    [
        ("space shuttle", 1.01, ["space shuttle"]),
        ("space shuttle", 0.8, ["space", "shuttle"]),
        ("a b c", 0.8, ["a b", "c"]),
    ],
)
def test_a_word_of_the_machine_is_in_two_lines_before_it_is_cut(
    name: str, share: float, lines: list[str], run: Run
) -> None:
    assert run(NAMED, "machine/type.js", name, share) == lines
    assert run(NAMED, "machine/type.js", "spaceship", share)[0].endswith("…") is (share < 1)


ROWS = """async ([path]) => {
  const up = path.replace("machine/zone.js", "");
  const [{ Zone }, { Provider }, { pointed }, { squaresOf }, { html }, { render }] =
    await Promise.all(["machine/zone.js", "machine/frame.js", "pointing.js", "squares.js",
      "html.js", "vendor/preact.mjs"].map((name) => import(up + name)));
  const value = { grid: [21, 31], pooled: 2, picture: "photo" };
  const squares = squaresOf(value);
  const state = { h: 21, w: 31, m: squares.count, squares, value };
  document.body.innerHTML = "<svg width=352 height=352></svg>";
  const box = { x: 0, y: 0, w: 352, h: 352 };
  render(html`<${Provider} value=${{ state }}><${Zone} box=${box} kind="rows" /><//>`,
    document.querySelector("svg"));
  const zone = document.querySelector(".gm-zone"), { left, top } = zone.getBoundingClientRect();
  return [0.5, 105.5, 175.5].map((row) => [1, 2].map(() => {
    zone.dispatchEvent(new MouseEvent("click", { clientX: left + 9, clientY: top + 2 * row,
      bubbles: true }));
    return Boolean(pointed.value?.pinned);
  }));
}"""
"""Two presses on each of three rows of a matrix of squares; patches fill the last only in part."""


def test_a_second_press_on_a_matrix_frees_the_patch_in_every_row(run: Run) -> None:
    assert run(ROWS, "machine/zone.js") == [[True, False]] * 3
