"""What the tabs show, without a browser: channels, attention, Compare, the words at a pixel."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from demo import variants, wording
from demo.answer import Answer, compute, resolve
from demo.engine import Mask
from demo.page import Page
from demo.request import Request
from demo.settings import Settings
from demo.tabs import TABS, TabEntry, attention, change, channels, compare, contents, side, why
from demo.variants import VARIANTS, methods
from demo.widgets.values import Json
from gclip_core import vocabulary
from gclip_core.methods import METHODS
from gclip_core.segmenter import Segmenter
from gclip_core.types import Overtaken, UnknownPhrase
from gclip_core.writing import reason_of
from tests.demo import engine

SETTINGS = Settings(
    example="teddy", words="teddy bear, person, floor, tree", short_side=128, plant=False
)


def answer_of(**changes: Any) -> Answer:
    return compute(engine(), resolve(engine(), Request(SETTINGS.changed(**changes))))


def mask_of(answer: Answer, amf: bool, cs: bool) -> Mask:
    return engine().segment(answer.question, answer.question.switched[amf, cs])


def canvas(**changes: Any) -> Json:
    return side.view(side.compute(engine(), answer_of(**changes)))["canvas"]


def maps(**changes: Any) -> Json:
    return side.view(side.compute(engine(), answer_of(**changes)))["attention"]


@pytest.mark.parametrize("refine", ["none", "guided"])
def test_a_cut_out_has_the_photo_s_colours_where_its_word_is_and_none_beside_it(
    refine: str,
) -> None:
    answer = answer_of(refine=refine)
    image = np.asarray(answer.question.scene.picture.image)
    cutouts = contents.cutouts(engine(), answer.question, answer.mask)
    assert list(cutouts) == [index for index, share in enumerate(answer.mask.class_shares) if share]
    for index, later in cutouts.items():
        blob = later.make()
        cutout = np.asarray(Image.open(io.BytesIO(blob.body)))
        opacity = cutout[..., 3]
        assert blob.media_type == "image/png" and cutout.shape == (*image.shape[:2], 4)
        assert ((opacity > 127) == (answer.mask.labels == index)).mean() > 0.999
        assert (cutout[..., :3][opacity > 0] == image[opacity > 0]).all()
        assert not cutout[..., :3][opacity == 0].any(), "the rest of a photo stays at home"
        assert set(np.unique(opacity)) <= {0, 255}


def test_a_cut_out_has_another_name_where_its_edges_or_its_method_differ() -> None:
    answers = [answer_of(), answer_of(refine="none"), answer_of(amf=False)]
    names = [contents.cutouts(engine(), a.question, a.mask)[0].name for a in answers]
    assert len(set(names)) == 3


def compared(**changes: Any) -> compare.CompareContent:
    return compare.compute(engine(), answer_of(**changes))


def test_without_an_abnormal_channel_cs_changes_nothing_and_says_so() -> None:
    answer = answer_of()
    off, on = (mask_of(answer, False, cs) for cs in (False, True))
    assert (off.labels == on.labels).all()
    note, *_ = wording.suppression_notes(answer.gclip, 0.0, amf=True)
    for text in (note, wording.nothing_changed(on.method, "")):
        assert text.count("CS changes nothing") == 1, text


def test_a_planted_channel_is_the_one_that_cs_scales_down() -> None:
    answer = answer_of(plant=True)
    report = answer.gclip
    assert report.suppressed == (6, 7, 8, 9, 10)
    assert {report.channels[block] for block in report.suppressed} == {77}
    assert answer.block == answer_of().block == 6
    assert answer_of(view_block=40).block == 11
    assert engine().default.planted == (), "the shared backbone stays as it is"


def test_the_largest_channel_is_called_abnormal_only_from_the_threshold_on() -> None:
    plain, planted = (answer_of(plant=plant).gclip for plant in (False, True))
    assert "not abnormal" in wording.largest_note(plain, 3, 2.0)
    assert "not abnormal" not in wording.largest_note(planted, 6, 2.0)
    zeros = replace(plain, norms_before=torch.zeros_like(plain.norms_before))
    assert wording.largest_note(zeros, 0, 2.0) == "All weights of this layer are 0."


def test_dragged_channels_are_suppressed_in_the_block_shown() -> None:
    shown = SETTINGS.changed(view_block=7, amf=False, cs=False)
    new = channels.choose(engine().segmenter(shown).backbone, shown, range(3, 60))
    assert (new.cs, new.cs_blocks, new.channels) == (True, (7,), tuple(range(3, 60)))
    report = compute(engine(), resolve(engine(), Request(new))).gclip
    before, after = report.norms_before[7].numpy(), report.norms_after[7].numpy()
    assert after[3:60] == pytest.approx(np.delete(before, range(3, 60)).mean(), rel=1e-4)
    assert (np.delete(after, range(3, 60)) == np.delete(before, range(3, 60))).all()


def test_where_cs_has_blocks_a_drag_takes_the_place_of_the_abnormal_channel() -> None:
    planted = SETTINGS.changed(plant=True)
    new = channels.choose(engine().segmenter(planted).backbone, planted, [5])
    assert new.cs_blocks == "backbone"
    report = compute(engine(), resolve(engine(), Request(new))).gclip
    assert report.suppressed == (6, 7, 8, 9, 10)
    assert report.norms_after[6, 77] == report.norms_before[6, 77], "77 is not changed"


def test_clearing_takes_back_the_channels_and_the_block_a_drag_named() -> None:
    shown = SETTINGS.changed(view_block=4)
    backbone = engine().segmenter(shown).backbone
    new = channels.choose(backbone, channels.choose(backbone, shown, [1, 2]), ())
    assert (new.channels, new.cs_blocks) == ((), "backbone")
    typed = SETTINGS.changed(cs_blocks=(6, 7), channels=(1,))
    assert channels.choose(backbone, typed, ()).cs_blocks == (6, 7)


def test_values_that_move_against_the_paper_are_said_to() -> None:
    text = wording.similarity_note("the truth", (0.5, -0.09), (0.6, 0.695))
    assert "two regions became more alike, −0.09 to 0.69" in text
    assert "otherwise" not in wording.similarity_note("the truth", (0.5, 0.4), (0.6, 0.3))


def test_the_strip_has_every_block_s_score_and_names_those_of_amf() -> None:
    answer = answer_of()
    value = attention.compute(engine(), answer)
    blocks = attention.view(value)["strip"]["blocks"]
    fused = answer.report.fusion.blocks
    assert [block["number"] - 1 for block in blocks if block["fused"]] == list(fused)
    assert tuple(block["score"] for block in blocks) == value.tokens.scores


def test_under_a_simulation_global_tokens_are_those_of_the_trunk_that_runs() -> None:
    answer = answer_of(plant=True, cs=False)
    scene = answer.question.scene
    seen = attention.compute(engine(), answer).tokens.scores
    clean = scene.segmenter.globality(engine().encoded(scene)).scores
    first = min(scene.segmenter.backbone.planted[0].blocks)
    assert seen[: first + 1] == clean[: first + 1]
    assert seen[first + 1 :] != clean[first + 1 :]


@pytest.mark.parametrize("head", [None, 2])
def test_the_last_block_s_maps_are_without_and_with_amf(head: int | None) -> None:
    answer = answer_of(view_head=head, view_block=7)
    question, scene = answer.question, answer.question.scene
    shown = attention.view(attention.compute(engine(), answer))["maps"]["maps"]
    titles = ["Block 8 of 12", "Block 12, AMF off", "Block 12, AMF on"]
    assert [one["title"] for one in shown] == titles
    for one, amf in zip(shown[1:], (False, True), strict=True):
        method = question.switched[amf, True]
        trunk = engine().trunk(scene, method)
        row = scene.segmenter.last_attention(trunk, method, head)[0, 1:]
        assert one["class_row"]["best"] == int(row.argmax())
        assert one["matrix"] == contents.matrix(engine(), question, method, head)
    assert len({one["matrix"].name for one in shown}) == 3


def test_another_method_s_own_attention_stands_beside_clearclip_s() -> None:
    answer = answer_of(method="scclip")
    *_, plain, own = attention.view(attention.compute(engine(), answer))["maps"]["maps"]
    assert (plain["title"], own["title"]) == ("Block 12, ClearCLIP", "Block 12, SC-CLIP")
    assert own["matrix"] == contents.matrix(engine(), answer.question, METHODS["scclip"])
    assert wording.FAILS_CALIBRATION in own["note"]


@pytest.mark.parametrize(
    ("amf", "cs", "titles"),
    [
        (False, False, [""]),
        (True, False, [", without AMF", ", with AMF"]),
        (True, True, [", without AMF", ", with AMF"]),
        (False, True, [""]),
    ],
)
def test_under_the_last_block_stands_what_it_is_without_and_equal_ones_once(
    amf: bool, cs: bool, titles: list[str]
) -> None:
    sides = maps(amf=amf, cs=cs)["sides"]
    assert [one["title"] for one in sides] == [f"Block 12{title}" for title in titles]


@pytest.mark.parametrize("method", ["clip", "sclip", "resclip", "itaclip"])
def test_a_method_without_switches_says_so_and_what_it_mixes(method: str) -> None:
    shown, title = maps(method=method), METHODS[method].title
    sides = [one["title"] for one in shown["sides"]]
    assert sides == ["Block 12, ClearCLIP", f"Block 12, {title}"]
    assert shown["note"].startswith(f"{title} uses neither AMF nor CS.")
    assert ("the mean of blocks" in shown["note"]) is (METHODS[method].fusion is not None)


def test_a_hint_names_what_one_points_with() -> None:
    for text in (wording.ATTENTION_INTRO, wording.COMPARE_NOTE):
        hints = wording.by_pointer(text)
        assert "click" in hints["mouse"].lower() and "tap" not in hints["mouse"].lower()
        assert "Tap a" in hints["touch"] and "click" not in hints["touch"].lower()


def test_a_best_score_is_marked_unless_it_is_nothing_or_everybody_s() -> None:
    assert compare.best({"a": 0.5, "b": 0.4, "c": 0.5}) == ("a", "c")
    assert compare.best({"a": 0.0, "b": 0.0}) == compare.best({"a": 0.5, "b": 0.5}) == ()
    assert compare.best({"a": None, "b": None}) == ()


def test_every_row_differs_from_the_mask_that_all_are_compared_with_by_its_pixels() -> None:
    for left in ("naclip", compare.TRUTH):
        value = compared(left=left)
        table = compare.view(value)["table"]
        assert (table["base"]["name"], table["base"]["title"]) == (left, value.sides[0].title)
        masks = {row.name: row.mask for row in value.rows} | {compare.TRUTH: value.truth}
        for row in (*table["rows"], table["truth"]):
            wanted = (masks[row["name"]].labels != value.sides[0].labels).mean()
            assert row["differs"] == pytest.approx(wanted)
            assert (row["differs"] == 0) == (row["mask"] == table["base"]["mask"])


def test_the_table_has_a_row_a_method_with_its_year_marks_and_scores() -> None:
    table = compare.view(compared(extras=True))["table"]
    assert [row["name"] for row in table["rows"]] == list(VARIANTS)
    years = [row["year"] for row in table["rows"] if row["year"]]
    assert years == sorted(years)
    for row in table["rows"]:
        assert row["summary"]
        assert len(row["marks"]) == len(table["parts"])
        assert len(row["scores"]) == len(table["headers"])
    marks = {row["name"]: [bool(mark) for mark in row["marks"]] for row in table["rows"]}
    assert not any(marks["clip"])
    assert marks["gclip"] == [True, True, False, True, True, True]
    assert marks["scclip"][2] and marks["sfp"][2]


def test_a_method_that_refuses_the_picture_says_why_in_its_row() -> None:
    value = compared(short_side=64, right="sfp", extras=True)
    rows = {row["name"]: row for row in compare.view(value)["table"]["rows"]}
    assert list(rows) == list(VARIANTS)
    for name in ("scclip", "sfp"):
        assert "patches" in rows[name]["refused"] and "mask" not in rows[name]
    assert value.sides[1].title == "ClearCLIP"


def test_what_is_known_of_methods_on_the_built_in_is_said_there_alone() -> None:
    methods = [METHODS["maskclip"], METHODS["sfp"]]
    known = wording.on_this_model(engine().default.name, methods)
    assert known == [wording.FAVOURS_VALUES, wording.FAILS_CALIBRATION]
    assert wording.on_this_model("openai-vit-b-16", methods) == []


def test_what_a_method_does_to_the_score_of_a_photo_is_named_either_way() -> None:
    lowers, lifts, leaves = (0.5, 0.4), (0.4, 0.5), (0.5, 0.50001)
    assert "AMF lowers this mask from 50.0 % to 40.0 %" in wording.compared(
        "AMF", lowers, "none", lowers
    )
    lifted = "AMF lifts this mask from 40.0 % to 50.0 % mIoU (edges refined)."
    assert wording.compared("AMF", lifts, "guided", lifts) == lifted
    assert "leaves this mask at 50.0 %" in wording.compared("AMF", leaves, "none", leaves)


def test_a_contrary_verdict_with_plain_edges_is_named() -> None:
    verdict = wording.compared("AMF", (0.4, 0.5), "guided", (0.45, 0.44))
    assert verdict.startswith("AMF lifts this mask from 40.0 % to 50.0 % mIoU (edges refined).")
    assert "With plain edges, as in Compare, it lowers it from 45.0 % to 44.0 %." in verdict
    assert verdict.endswith(wording.ONLY_MEAN)
    assert [*map(wording.percent, (0, 0.0004, 0.001))] == ["0.0 %", "<0.1 %", "0.1 %"]


@pytest.mark.parametrize(
    ("phrase", "sentence"),
    [
        ("qwzx", "This model never met “qwzx”: it knows English words for things."),
        ("犬", "“犬” is not in English, and this model knows English words alone."),
        ("42", "“42” is no thing: this model knows no numbers and counts none."),
        ("😀", "This model knows no word for “😀”."),
        ("!!!", "“!!!” is no word."),
    ],
)
def test_an_unknown_word_is_told_what_it_gets(phrase: str, sentence: str) -> None:
    unknown = [UnknownPhrase(phrase, reason_of(phrase), None)]
    assert wording.unknown(unknown) == f"{sentence} A mask for such a word means little."


def test_a_word_with_hardly_a_pixel_is_told_what_takes_its_place() -> None:
    words = [Overtaken("bottle", 0.004, "cup", False), Overtaken("fork", 0.0, "wall", True)]
    assert wording.overtaken(words) == (
        "“bottle” gets under 1 %: where it fits best, “cup” fits better. "
        "“fork” gets no pixel: where it fits best, the background word “wall” fits better."
    )


def test_the_largest_region_of_one_change_is_connected_and_its_box_has_room() -> None:
    codes = np.full((8, 10), -1)
    codes[1, 1:4] = 5
    codes[6, 1:9] = 5
    codes[5, 1:3] = 7  # beside it, but another change
    region = change.largest_region(codes)
    assert region.sum() == 8 and region[6, 1:9].all()
    top, left, bottom, right = change.box_of(region)
    assert top < 6 / 8 < 7 / 8 < bottom <= 1 and 0 <= left < 0.1 < 0.9 < right <= 1


def test_numbers_of_a_change_are_of_patches_whose_best_word_changed_likewise() -> None:
    before = torch.tensor([[5.0, 5.0, 1.0, 5.0], [1.0, 1.0, 5.0, 1.0]])
    after = torch.tensor([[1.0, 5.0, 1.0, 1.0], [5.0, 1.0, 5.0, 5.0]])
    region = torch.tensor([True, True, True, False])
    own = change.supporting(region, [before, after], (0, 1))
    assert own.tolist() == [True, False, False, False]
    edge = change.Change(("sky", "sea"), (0, 0, 1, 1), None, None)
    assert "edge between sky and sea" in change.sentence(edge, "AMF")


def test_where_nothing_can_differ_the_mask_has_the_names_of_the_one_before() -> None:
    """So that a switch back fetches nothing."""
    first, *_ = canvas(amf=True)["sides"]
    only, *none = canvas(amf=False)["sides"]
    assert not none
    assert (only["matrix"], only["words"]) == (first["matrix"], first["words"])


def test_a_reason_for_a_change_is_only_what_its_patches_numbers_support() -> None:
    cosines = ((0.29, 0.28), (0.27, 0.31))
    pair, fits = ("dirt", "bear"), "bear 0.27 → 0.31, dirt 0.29 → 0.28 (cosines)."
    looks = wording.region_changed("AMF", pair, (0.2, 0.35), cosines)
    assert "now look at more of the bear around (20 % → 35 %" in looks and looks.endswith(fits)
    assert "look at more" not in wording.region_changed("AMF", pair, (0.2, 0.2), cosines)
    near = wording.region_changed("AMF", pair, (0.2, 0.2), [(0.0412, 0.0291), (0.0208, 0.0313)])
    assert near.endswith("bear 0.021 → 0.031, dirt 0.041 → 0.029 (cosines)."), "0.03 and 0.03 tie"


@pytest.mark.parametrize(
    ("switched", "before", "after", "subject"),
    [
        ({}, "Without AMF", "With AMF", "AMF"),
        ({"plant": True}, "Without CS", "With CS", "CS"),
        ({"plant": True, "amf": False}, "Without CS", "With CS", "CS"),
        ({"plant": True, "cs": False}, "Without AMF", "With AMF", "AMF"),
        ({"method": "naclip"}, "ClearCLIP", "NACLIP", "NACLIP"),
    ],
)
def test_before_is_the_same_in_masks_matrices_and_the_sentence(
    switched: dict, before: str, after: str, subject: str
) -> None:
    answer = answer_of(**switched)
    shown = side.view(side.compute(engine(), answer))
    assert [one["title"] for one in shown["canvas"]["sides"]] == [before, after]
    matrices = [one["title"] for one in shown["attention"]["sides"]]
    assert matrices == [f"Block 12, {wording.within(title)}" for title in (before, after)]
    assert shown["canvas"]["notes"][0].startswith(f"{subject} ")
    assert "this mask" in shown["canvas"]["notes"][0]


def test_cs_that_changes_nothing_leaves_clearclip_its_name() -> None:
    assert [one["title"] for one in canvas(amf=False)["sides"]] == ["ClearCLIP"]


def test_without_truth_the_table_has_no_scores() -> None:
    value = compared(words="car")
    table = compare.view(value)["table"]
    assert table["headers"] == [] and table["truth"] is None
    assert "“teddy bear”" in value.unmeasured, "the truth is known, but of other words"


def test_words_of_the_truth_that_a_mask_misses_and_words_beside_it_are_said() -> None:
    whole = answer_of(words=f"{SETTINGS.words}, car").mask
    assert any("“car” is not in the truth" in note for note in side.notes_on(whole, ()))
    shares = (0.0,) * len(whole.names)
    empty = replace(whole, class_shares=shares, rest_share=1.0, missed=whole.names[:2])
    assert compare.empty_masks([whole, empty]).startswith(f"{empty.title} cannot find")
    assert any(
        f"“{whole.names[0]}”, “{whole.names[1]}” are in the picture" in note
        for note in side.notes_on(empty, ())
    )


def test_the_best_word_at_a_pixel_is_its_label_under_every_variant() -> None:
    question = answer_of(extras=True, refine="none").question
    every = methods(VARIANTS, question.switched).values()
    masks = [engine().segment(question, method) for method in every]
    for row, column in ((0, 0), (99, 200), (300, 420)):
        shown = why.view(why.compute(engine(), question, (row, column)))
        assert shown["title"] == f"Pixel in row {row + 1}, column {column + 1}"
        for one, own in zip(shown["variants"], masks, strict=True):
            label, entries = own.labels[row, column], one["entries"]
            assert label < 0 or entries[0]["name"] == own.names[label], one["title"]
            assert [entry["name"] for entry in entries if entry["label"]] == (
                [own.names[label]] if label >= 0 else ["background"]
            )
            scores = [entry["score"] for entry in entries]
            assert sum(scores) == pytest.approx(1)
            words = [entry["score"] for entry in entries if entry["colour"]]
            assert words == sorted(words, reverse=True)


def test_a_pixel_whose_word_the_edges_change_names_that_word() -> None:
    question, plain = (answer_of(refine=name).question for name in ("guided", "none"))
    shown, unrefined = (engine().refined(asked, asked.chosen) for asked in (question, plain))
    changed = np.argwhere(shown.labels != unrefined.labels)[0]
    word = (*shown.names, "background")[shown.labels[tuple(changed)]]
    sentence = f"In the mask whose edges follow the photo, it is “{word}”"
    pixel = tuple(map(int, changed))
    assert sentence in why.view(why.compute(engine(), question, pixel))["note"]
    assert "edges" not in why.view(why.compute(engine(), plain, pixel))["note"]


def test_a_pixel_outside_the_image_moves_inside() -> None:
    question = answer_of().question
    height, _ = question.scene.picture.size
    assert why.compute(engine(), question, (99_999, 0)).pixel == (height - 1, 0)


def test_a_view_needs_no_model() -> None:
    """It is a function of its value alone."""
    at_pixel = why.Scores("ClearCLIP", [0.2, 0.7], label=1, has_hidden=True)
    (shown,) = why.view(why.WhyContent((4, 2), (0, 0), ["cat", "sofa"], [at_pixel], ""))["variants"]
    names = [(entry["name"], entry["label"]) for entry in shown["entries"]]
    assert names == [("sofa", True), ("cat", False), ("background", False)]


def test_in_one_request_nothing_is_segmented_or_parsed_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many parts of the page need it."""
    calls: list[str] = []

    def count(module: Any, name: str) -> None:
        own = getattr(module, name)

        def counted(*given: Any, **named: Any) -> Any:
            calls.append(name)
            return own(*given, **named)

        monkeypatch.setattr(module, name, counted)

    count(Segmenter, "segment")
    count(vocabulary, "parse")
    count(variants, "gclip")
    engine().cache.clear()
    answer = answer_of(words="teddy bear, window pane")
    side.view(side.compute(engine(), answer))
    assert calls.count("segment") == 2, "one a side"
    assert calls.count("parse") <= 2
    assert calls.count("gclip") == 1


def test_facts_of_masks_are_computed_once_for_all_views_of_them() -> None:
    first, again = (
        answer_of(words="person, floor", cs=False, pixel=pixel) for pixel in (None, (1, 2))
    )
    assert again.mask.overtaken is first.mask.overtaken
    assert again.gclip is first.gclip
    before = engine().refined(first.question, first.question.switched[False, False])
    assert change.compute(engine(), again, before, again.mask) is change.compute(
        engine(), first, before, first.mask
    )


@pytest.fixture(scope="module")
def built() -> Page:
    return Page(engine(), SETTINGS)


@pytest.mark.parametrize("entry", TABS, ids=[entry.name for entry in TABS])
def test_what_a_tab_shows_is_a_component_of_its_own(built: Page, entry: TabEntry) -> None:
    """With the machine open: all that the tab can show."""
    request = entry.request or Request(SETTINGS.changed(machine=True))
    answer = compute(engine(), resolve(engine(), request))
    shown = entry.view(entry.compute(engine(), answer))
    assert shown and set(shown) <= set(built.sections[entry.name].parts)


def test_scores_with_plain_edges_on_side_by_side_are_those_of_compare() -> None:
    answer = answer_of(refine="guided")
    rows = {row.name: row.mask for row in compare.compute(engine(), answer).rows}
    plain = side.compute(engine(), answer).masks.plain
    assert plain == (rows["clearclip"].miou, rows["gclip"].miou)
    assert side.compute(engine(), answer_of(refine="none")).masks.plain is None
