"""What the tabs show, without a browser: channels, attention, Compare, the words at a pixel."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from demo import wording
from demo.look import Look, Request
from demo.settings import Settings
from demo.tabs import attention, channels, common, compare, side, why
from demo.variants import VARIANTS, ablation, shown, variant
from gclip_core.methods import METHODS
from tests.demo import studio

SETTINGS = Settings(
    example="teddy", words="teddy bear, person, floor, tree", short_side=128, plant=False
)


def look_at(**changes: Any) -> Look:
    return studio().look(Request(SETTINGS.changed(**changes)))


def test_without_an_abnormal_channel_cs_changes_nothing_and_says_so() -> None:
    look = look_at()
    off, on = (look.mask(ablation(look.settings, amf=False, cs=cs)) for cs in (False, True))
    assert (off.labels == on.labels).all()
    found = look.suppression
    said, *_ = wording.suppression_said(found, 0.0, amf=True)
    for text in (said, wording.nothing_changed(on.method, found)):
        assert text.count("CS changes nothing") == 1, text


def test_a_planted_channel_is_the_one_that_cs_scales_down() -> None:
    look = look_at(plant=True)
    found = look.suppression
    assert found.suppressed == (6, 7, 8, 9, 10)
    assert {found.channels[block] for block in found.suppressed} == {77}
    assert common.channels_block(look) == common.channels_block(look_at()) == 6
    assert common.channels_block(look_at(view_block=40)) == 11
    assert studio().default.planted == (), "the shared backbone stays as it is"


def test_the_largest_channel_is_called_abnormal_only_from_the_threshold_on() -> None:
    found, planted = (look_at(plant=plant).suppression for plant in (False, True))
    assert "not abnormal" in wording.largest_note(found, 3, 2.0)
    assert "not abnormal" not in wording.largest_note(planted, 6, 2.0)
    zeros = replace(found, norms_before=torch.zeros_like(found.norms_before))
    assert wording.largest_note(zeros, 0, 2.0) == "All weights of this layer are 0."


def test_dragged_channels_are_suppressed_in_the_block_shown() -> None:
    shown = SETTINGS.changed(view_block=7, amf=False, cs=False)
    new = channels.choose(studio().segmenter(shown).backbone, shown, range(3, 60))
    assert (new.cs, new.cs_blocks, new.channels) == (True, (7,), tuple(range(3, 60)))
    found = studio().look(Request(new)).suppression
    before, after = found.norms_before[7].numpy(), found.norms_after[7].numpy()
    assert after[3:60] == pytest.approx(np.delete(before, range(3, 60)).mean(), rel=1e-4)
    assert (np.delete(after, range(3, 60)) == np.delete(before, range(3, 60))).all()


def test_where_cs_has_blocks_a_drag_takes_the_place_of_the_abnormal_channel() -> None:
    planted = SETTINGS.changed(plant=True)
    new = channels.choose(studio().segmenter(planted).backbone, planted, [5])
    assert new.cs_blocks == "backbone"
    found = studio().look(Request(new)).suppression
    assert found.suppressed == (6, 7, 8, 9, 10)
    assert found.norms_after[6, 77] == found.norms_before[6, 77], "77 is not changed"


def test_clearing_takes_back_the_channels_and_the_block_a_drag_named() -> None:
    shown = SETTINGS.changed(view_block=4)
    backbone = studio().segmenter(shown).backbone
    new = channels.choose(backbone, channels.choose(backbone, shown, [1, 2]), ())
    assert (new.channels, new.cs_blocks) == ((), "backbone")
    typed = SETTINGS.changed(cs_blocks=(6, 7), channels=(1,))
    assert channels.choose(backbone, typed, ()).cs_blocks == (6, 7)


def test_values_that_move_against_the_paper_are_said_to() -> None:
    text = wording.similarity_note("the truth", (0.5, -0.09), (0.6, 0.695))
    assert "two regions became more alike, −0.09 to 0.69" in text
    assert "otherwise" not in wording.similarity_note("the truth", (0.5, 0.4), (0.6, 0.3))


def test_the_strip_has_every_block_s_score_and_names_those_of_amf() -> None:
    look = look_at()
    shown, fusion = attention._strip(look), look.findings(look.chosen).fusion
    assert [one["number"] - 1 for one in shown["blocks"] if one["fused"]] == list(fusion.blocks)
    assert tuple(one["score"] for one in shown["blocks"]) == common.tokens(look).scores


def test_under_a_simulation_global_tokens_are_those_of_the_trunk_that_runs() -> None:
    look = look_at(plant=True, cs=False)
    seen, clean = common.tokens(look).scores, look.segmenter.globality(look.encoded).scores
    first = min(look.segmenter.backbone.planted[0].blocks)
    assert seen[: first + 1] == clean[: first + 1]
    assert seen[first + 1 :] != clean[first + 1 :]


@pytest.mark.parametrize("head", [None, 2])
def test_the_last_block_s_maps_are_without_and_with_amf(head: int | None) -> None:
    look = look_at(view_head=head, view_block=7)
    shown = attention._maps(look)["maps"]
    titles = ["Block 8 of 12", "Block 12, AMF off", "Block 12, AMF on"]
    assert [one["title"] for one in shown] == titles
    for one, amf in zip(shown[1:], (False, True), strict=True):
        method = ablation(look.settings, amf, cs=True)
        row = look.segmenter.last_attention(look.trunk(method), method, head)[0, 1:]
        assert one["class_row"]["best"] == int(row.argmax())
        assert one["matrix"] == common.matrix(look, method, head)
    assert len({one["matrix"] for one in shown}) == 3


def test_another_method_s_own_attention_stands_beside_clearclip_s() -> None:
    look = look_at(method="scclip")
    *_, plain, own = attention._maps(look)["maps"]
    assert (plain["title"], own["title"]) == ("Block 12, ClearCLIP", "Block 12, SC-CLIP")
    assert own["matrix"] == common.matrix(look, METHODS["scclip"])
    assert wording.FAILS_CALIBRATION in own["note"]


@pytest.mark.parametrize(
    ("amf", "cs", "titles"),
    [(False, False, [""]), (True, False, [", without AMF", ", with AMF"]),
     (True, True, [", without AMF and CS", ", with AMF and CS"]),
     (False, True, [", with and without CS alike"])],
)  # fmt: skip
def test_under_the_last_block_stands_what_it_is_without_and_equal_ones_once(
    amf: bool, cs: bool, titles: list[str]
) -> None:
    made = side._maps(look_at(amf=amf, cs=cs))["sides"]
    assert [one["title"] for one in made] == [f"Block 12{one}" for one in titles]


@pytest.mark.parametrize("method", ["clip", "sclip", "resclip", "itaclip"])
def test_a_method_without_switches_says_so_and_what_it_mixes(method: str) -> None:
    made, title = side._maps(look_at(method=method)), METHODS[method].title
    assert [one["title"] for one in made["sides"]] == ["Block 12, ClearCLIP", f"Block 12, {title}"]
    assert made["note"].startswith(f"{title} uses neither AMF nor CS.")
    assert ("the mean of blocks" in made["note"]) is (METHODS[method].fusion is not None)


def test_a_best_score_is_marked_unless_it_is_nothing_or_everybody_s() -> None:
    assert compare.best({"a": 0.5, "b": 0.4, "c": 0.5}) == ("a", "c")
    assert compare.best({"a": 0.0, "b": 0.0}) == compare.best({"a": 0.5, "b": 0.5}) == ()
    assert compare.best({"a": None, "b": None}) == ()


def test_the_table_has_a_row_a_method_with_its_year_marks_scores_and_time() -> None:
    look = look_at(extras=True)
    table = compare._table(look, compare.see(look, shown(extras=True)), compare.known(look))
    assert [row["name"] for row in table["rows"]] == list(VARIANTS)
    years = [row["year"] for row in table["rows"] if row["year"]]
    assert years == sorted(years)
    for row in table["rows"]:
        assert row["summary"] and row["milliseconds"] > 0
        assert len(row["marks"]) == len(table["parts"])
        assert len(row["scores"]) == len(table["headers"])
    marks = {row["name"]: [bool(one) for one in row["marks"]] for row in table["rows"]}
    assert not any(marks["clip"])
    assert marks["gclip"] == [True, True, False, True, True, True]
    assert marks["scclip"][2] and marks["sfp"][2]


def test_a_method_that_refuses_the_picture_says_why_in_its_row() -> None:
    look = look_at(short_side=64, right="sfp", extras=True)
    found = compare.see(look, shown(extras=True))
    rows = {row["name"]: row for row in compare._table(look, found, None)["rows"]}
    assert list(rows) == list(VARIANTS)
    for name in ("scclip", "sfp"):
        assert "patches" in rows[name]["refused"] and "mask" not in rows[name]
    assert compare.pair(look, None)[1].method.name == "clearclip"


def test_what_is_known_of_methods_on_the_built_in_is_said_there_alone() -> None:
    methods = [METHODS["maskclip"], METHODS["sfp"]]
    known = wording.on_this_model(studio().default.name, methods)
    assert known == [wording.FAVOURS_VALUES, wording.FAILS_CALIBRATION]
    assert wording.on_this_model("openai-vit-b-16", methods) == []


def test_what_a_method_does_to_the_score_of_a_photo_is_named_either_way() -> None:
    assert "GCLIP lowers mIoU from 50.0 % to 40.0 %" in wording.compared("GCLIP", 0.5, 0.4, "")
    assert wording.compared("GCLIP", 0.4, 0.5, "").endswith("raises mIoU from 40.0 % to 50.0 %.")
    assert "leaves mIoU at 50.0 %" in wording.compared("GCLIP", 0.5, 0.50001, "")
    assert [*map(wording.percent, (0, 0.0004, 0.001))] == ["0.0 %", "<0.1 %", "0.1 %"]
    assert "changes mostly wall to cat" in wording.compared("GCLIP", None, None, "wall to cat")


def test_what_most_changed_pixels_were_and_are_is_counted_with_those_of_no_word() -> None:
    mask = look_at().mask(METHODS["clearclip"])
    before = replace(mask, labels=np.array([[0, 0, 2, -1, -1, -1, 1]], np.int16))
    after = replace(mask, labels=np.array([[0, 1, 1, 2, 2, -1, 1]], np.int16))
    assert side._main_change(before, after) == "background to floor"
    assert side._main_change(after, before) == "floor to background"


@pytest.mark.parametrize(
    ("switched", "before", "change"),
    [({}, "ClearCLIP", "AMF"), ({"plant": True}, "ClearCLIP + AMF", "CS"),
     ({"plant": True, "amf": False}, "ClearCLIP", "CS"),
     ({"plant": True, "cs": False}, "ClearCLIP", "AMF"),
     ({"method": "naclip"}, "ClearCLIP", "NACLIP")],
)  # fmt: skip
def test_the_sentence_names_what_is_compared(switched: dict, before: str, change: str) -> None:
    shown = side._canvas(look_at(**switched))
    assert shown["sides"][0]["title"] == before
    assert shown["notes"][0].startswith(f"On this photo {change} ")


def test_cs_that_changes_nothing_leaves_clearclip_its_name() -> None:
    assert [one["title"] for one in side._canvas(look_at(amf=False))["sides"]] == ["ClearCLIP"]


def test_without_truth_the_table_has_no_scores() -> None:
    look = look_at(words="car")
    table = compare._table(look, compare.see(look, shown(extras=False)), compare.known(look))
    assert table["headers"] == [] and table["truth"] is None
    assert "“teddy bear”" in common.unmeasured(look), "the truth is known, but of other words"


def test_words_of_the_truth_that_a_mask_misses_and_words_beside_it_are_said() -> None:
    look = look_at(words=f"{SETTINGS.words}, car")
    mask = look.mask(look.chosen)
    assert "“car” is not in the truth" in common.absent(mask)
    empty = replace(mask, shares=(*[0.0] * len(mask.names), 1.0), iou={0: 0.0, 2: 0.0})
    assert common.found_nothing([mask, empty]).startswith(f"{empty.title} cannot find")
    assert common.missed(empty) == [mask.names[0], mask.names[2]]


def test_the_best_word_at_a_pixel_is_its_label_under_every_variant() -> None:
    look = look_at(extras=True)
    masks = [look.mask(variant(look.settings, name)) for name in VARIANTS]
    for row, column in ((0, 0), (99, 200), (300, 420)):
        found = why.value(look, (row, column))
        assert found["title"] == f"Pixel in row {row + 1}, column {column + 1}"
        for one, mask in zip(found["variants"], masks, strict=True):
            label, entries = mask.labels[row, column], one["entries"]
            assert label < 0 or entries[0]["name"] == mask.names[label], one["title"]
            assert [entry["name"] for entry in entries if entry["label"]] == (
                [mask.names[label]] if label >= 0 else ["background"]
            )
            scores = [entry["score"] for entry in entries]
            assert sum(scores) == pytest.approx(1)
            words = [entry["score"] for entry in entries if entry["colour"]]
            assert words == sorted(words, reverse=True)


def test_a_pixel_outside_the_image_moves_inside() -> None:
    look = look_at()
    assert why.value(look, (99_999, 0))["pixel"] == [look.picture.size[0] - 1, 0]
