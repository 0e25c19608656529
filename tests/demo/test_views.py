"""What the cards show of a value made by hand: views of tabs need no model, engine or cache."""

from dataclasses import replace

import pytest

from demo import around, wording
from demo.page import Page
from demo.settings import Settings
from demo.tabs import attention, channels, compare, side
from demo.widgets import values
from demo.widgets.values import Json
from gclip_core import palette
from tests.demo import engine
from tests.demo.samples import (
    AMF,
    BOTH,
    CLEARCLIP,
    SECTIONS,
    around_content,
    attention_tab,
    blob,
    cards,
    channels_tab,
    looks,
    mask,
    masks,
    norms,
    of,
    table,
)


def shown(value: side.Masks, attended: side.Attention | None = None) -> Json:
    attended = attended or looks(AMF, "plain", "fused")
    return side.view(cards(value, attended))


def test_a_canvas_has_both_masks_the_change_and_the_measured_sentence() -> None:
    canvas = shown(masks(mask(CLEARCLIP, 0, 0.5), mask(AMF, [0, 0, 0, 0, 0, 1], 0.6)))["canvas"]
    assert [one["title"] for one in canvas["sides"]] == ["Off", "On"]
    assert canvas["changed"] == 1 / 6
    assert canvas["notes"][0] == "AMF lifts this mask from 50.0 % to 60.0 % mIoU (plain edges)."
    assert [entry["cutout"] for entry in canvas["classes"]] == [blob("cat"), ""]
    assert (canvas["opacity"], canvas["pixel"], canvas["rest"]) == (0.5, (1, 2), [0.0, 0.0])


def test_one_mask_is_shown_where_nothing_changes_and_a_note_says_so() -> None:
    canvas = shown(masks(mask(CLEARCLIP, 0), mask(AMF, 0)))["canvas"]
    assert len(canvas["sides"]) == 1 and canvas["changed"] is None
    assert "AMF changes no pixel here." in canvas["notes"]


def test_a_score_names_the_edges_only_where_they_follow_the_photo() -> None:
    before, plain = mask(CLEARCLIP, 0, 0.5), mask(AMF, 1, 0.6)
    refined = replace(plain, result=replace(plain.result, refined="guided"))
    plain, refined = (shown(masks(before, after))["canvas"] for after in (plain, refined))
    assert not any(wording.REFINED in note for note in plain["notes"])
    assert any(wording.REFINED in note for note in refined["notes"])


def test_a_repair_has_a_bar_for_each_pair_of_switches_and_marks_the_chosen_one() -> None:
    repair = {(False, False): 0.2, (True, False): 0.3, (False, True): 0.5, (True, True): 0.6}
    bars = shown(masks(mask(CLEARCLIP, 0), mask(BOTH, 1), repair=repair))["canvas"]["bars"][
        "entries"
    ]
    assert [bar["score"] for bar in bars] == [0.2, 0.3, 0.5, 0.6]
    assert [bar["text"] for bar in bars if bar["now"]] == ["60.0 %"]


def test_an_attention_card_has_a_map_a_block_and_the_last_matrix_of_each_side() -> None:
    card = shown(masks(mask(CLEARCLIP, 0), mask(AMF, 1)))["attention"]
    assert [thumb["title"] for thumb in card["thumbs"]] == ["Block 2 of 4", "Block 3 of 4"]
    assert [thumb["tokens"] for thumb in card["thumbs"]] == [[], [5]]
    assert card["brightest"] == 5.0
    titles = [(one["title"], one["matrix"].name) for one in card["sides"]]
    assert titles == [("Block 4, without AMF", "plain"), ("Block 4, with AMF", "fused")]


def test_equal_matrices_are_shown_once() -> None:
    alone = looks(CLEARCLIP, "plain", None)
    card = shown(masks(mask(CLEARCLIP, 0), mask(CLEARCLIP, 0)), alone)["attention"]
    assert [(one["title"], one["matrix"].name) for one in card["sides"]] == [("Block 4", "plain")]


def test_norms_have_the_channel_that_cs_moves_and_the_block_s_number() -> None:
    value = masks(mask(CLEARCLIP, 0), mask(BOTH, 1))
    card = shown(value)["norms"]
    assert (card["title"], card["block"]) == ("block 3 of 4 · Tiny", 3)
    assert (card["top"], card["moved"], card["abnormal"]) == (2, [[2, 1.0]], [3])
    assert "CS scales the norm of channel 2 in block 3 from 8 to 1" in card["note"]
    off = values.norms_value(norms(cs=False), card["curves"])
    assert off["badge"] == "CS off" and off["moved"] == card["moved"], "what CS would do is shown"


def test_the_attention_tab_has_the_block_s_own_map_and_the_last_one_on_both_sides() -> None:
    view = attention.view(attention_tab())
    strip, colours = view["strip"], palette.of_names(["cat", "sofa"])
    words = [{"name": "cat", "colour": colours[0]}, {"name": "sofa", "colour": colours[1]}]
    assert (strip["words"], strip["by_block"].name) == (words, "by block")
    assert strip["brightest"] == 5.0, "one scale on all tabs"
    assert [block["fused"] for block in view["strip"]["blocks"]] == [False, True, True, False]
    assert view["strip"]["chosen"] == 2
    titles = [one["title"] for one in view["maps"]["maps"]]
    assert titles == ["Block 2 of 4", "Block 4, AMF off", "Block 4, AMF on"]
    assert [one["tokens"] for one in view["maps"]["maps"]] == [[], [5], [5]]
    assert "no global token" in view["maps"]["maps"][0]["note"]
    assert view["maps"]["patch"] == [1, 2]


def test_compare_s_table_marks_the_best_score_and_says_why_a_row_has_no_mask() -> None:
    shown = compare.view(table())["table"]
    assert shown["headers"] == ["mIoU", "cat"] and shown["truth"]["name"] == "truth"
    rows = {row["name"]: row for row in shown["rows"]}
    best = {name: [score["best"] for score in row.get("scores", ())] for name, row in rows.items()}
    assert best == {"clearclip": [False, False], "gclip": [True, True], "sfp": []}
    assert rows["sfp"]["refused"] == "Too many patches came."
    assert "blocks 2 and 3" in rows["gclip"]["summary"], "those that AMF takes"


def test_compare_has_what_differs_from_the_first_of_the_pair_by_row() -> None:
    shown = compare.view(table())["table"]
    first, second, refused = shown["rows"]
    assert (shown["base"]["name"], shown["base"]["title"]) == ("clearclip", "ClearCLIP")
    assert shown["base"]["mask"] == first["mask"] != second["mask"]
    assert [first["differs"], second["differs"], shown["truth"]["differs"]] == [0, 0.5, 0.5]
    assert "differs" not in refused


def test_without_truth_compare_has_no_scores_and_says_why() -> None:
    view = compare.view(table(truth=None, unmeasured="Its classes are not among your words."))
    assert view["table"]["headers"] == [] and view["table"]["truth"] is None
    assert ["note", "Its classes are not among your words."] in [*map(list, view["notes"]["lines"])]


def test_compare_explains_calibration_only_where_a_method_calibrates() -> None:
    shown = table()
    without = replace(shown, rows=[row for row in shown.rows if not row.method.calibration])
    notes = [str(compare.view(content)["notes"]["lines"]) for content in (shown, without)]
    assert ["calibration of outlier tokens" in text for text in notes] == [True, False]
    assert all("A dot is" in text for text in notes)


def test_compare_swipes_between_the_two_chosen_masks_and_explains_a_score_only_with_two() -> None:
    pair = compare.view(table())["pair"]
    assert pair["mode"] == "swipe"
    assert [shown["title"] for shown in pair["sides"]] == ["ClearCLIP", "Truth"]
    assert pair["notes"] == []
    assert compare.view(table(has_scores=True))["pair"]["notes"] == [wording.SCORE_COUNTS]


def test_channels_have_a_third_mask_only_under_a_simulation() -> None:
    view = channels.view(channels_tab())
    assert view["untouched"] is None
    assert [view[name]["sides"][0]["title"] for name in ("off", "on")] == ["CS off", "CS on"]
    clean = of(mask(CLEARCLIP, 0), "No simulation")
    untouched = channels.view(channels_tab(untouched=clean, simulated="Simulation."))
    assert untouched["untouched"]["sides"][0]["title"] == "No simulation"
    assert list(untouched["notes"]["lines"][0]) == ["note", "Simulation."]


def test_the_similarity_card_has_a_bar_for_each_kind_of_pair_without_and_with_cs() -> None:
    card = channels.view(channels_tab())["similarity"]
    assert [bar["share"] for bar in card["bars"]] == [0.5, 0.25, 0.75, 0.125]
    nothing = channels.view(channels_tab(in_in_out=((0.5, float("nan")), (0.75, float("nan")))))
    assert [bar["text"] for bar in nothing["similarity"]["bars"]][1] == "no pairs"


def test_only_a_run_of_channels_is_marked_in_the_plot() -> None:
    for chosen, run in (((0, 1, 2), (0, 2)), ((0, 2), None), ((), None)):
        assert channels.view(channels_tab(channels=chosen))["norms"]["chosen"] == run


def test_around_are_the_photo_words_to_add_and_why_a_switch_does_nothing() -> None:
    view = around.view(around_content())
    assert view["suggested"] == "tram, grass"
    undo, more = view["chips"]["rows"]
    assert undo["choices"] == [{"label": "Undo", "nearest": False}]
    assert more["choices"] == [{"label": "+ person", "add": "person"}]
    assert view["reasons"]["off"] == ("cs",)
    assert around.view(around_content(cs_changes=True))["reasons"]["rows"] == []


@pytest.fixture(scope="module")
def built() -> Page:
    return Page(engine(), Settings())


def test_every_section_of_the_page_has_a_sample(built: Page) -> None:
    assert set(SECTIONS) == set(built.sections)


@pytest.mark.parametrize("name", SECTIONS)
def test_what_a_view_names_is_a_component_of_its_section(built: Page, name: str) -> None:
    """A mistyped name would fail at a visitor's first request."""
    section = built.sections[name]
    assert set(section.view(SECTIONS[name])) <= set(section.parts)
