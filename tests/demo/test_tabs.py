"""What the tabs show, without a browser: channels, attention, Compare, the words at a pixel."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from demo import wording
from demo.look import Look, Request, Studio
from demo.settings import Settings
from demo.tabs import attention, channels, common, compare, machine, norms, side, why
from demo.variants import VARIANTS, ablation
from gclip_core.methods import METHODS

SETTINGS = Settings(
    example="teddy", words="teddy bear, person, floor, tree", short_side=128, plant=False
)


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


def look_at(studio: Studio, **changes: Any) -> Look:
    return studio.look(Request(SETTINGS.changed(**changes)))


# --- channels ------------------------------------------------------------------------------------


def test_without_an_abnormal_channel_cs_changes_nothing_and_says_so(studio: Studio) -> None:
    look = look_at(studio)
    off, on = (look.mask(ablation(look.settings, amf=False, cs=cs)) for cs in (False, True))
    assert (off.labels == on.labels).all()
    found = norms.see(look).found
    for said in (
        wording.suppression_said(found, 0.0, amf=True),
        wording.nothing_changed(on.method, found),
        wording.similarity_note("the truth", found, (0.5, 0.1), (0.5, 0.1)),
    ):
        assert said.count("CS changes nothing") == 1, said


def test_a_planted_channel_is_the_one_that_cs_brings_back(studio: Studio) -> None:
    shown = norms.see(look_at(studio, plant=True))
    assert shown.found.suppressed == (6, 7, 8, 9, 10)
    assert {shown.found.channels[block] for block in shown.found.suppressed} == {77}
    assert shown.block == 6
    assert max(shown.ratios_after[:-1]) < 2 < max(shown.found.ratios[:-1])


def test_the_block_in_view_stays_where_the_fault_is_switched_off(studio: Studio) -> None:
    assert norms.see(look_at(studio, plant=True)).block == norms.see(look_at(studio)).block


def test_a_block_that_the_tower_lacks_becomes_its_last(studio: Studio) -> None:
    assert norms.see(look_at(studio, view_block=40)).block == 11


def test_the_largest_channel_is_called_abnormal_only_from_the_threshold_on(
    studio: Studio,
) -> None:
    found, planted = (norms.see(look_at(studio, plant=plant)).found for plant in (False, True))
    assert "not abnormal" in wording.largest_note(found, 3, 2.0)
    assert "not abnormal" not in wording.largest_note(planted, 6, 2.0)
    zeros = replace(found, norms_before=torch.zeros_like(found.norms_before))
    assert wording.largest_note(zeros, 0, 2.0) == "All weights of this layer are 0."


def test_planting_leaves_the_shared_backbone_as_it_was(studio: Studio) -> None:
    weight = studio.default.blocks[6].mlp.c_proj.weight
    before = weight.detach().clone()
    norms.see(look_at(studio, plant=True, plant_gain=300.0))
    assert torch.equal(weight, before)
    assert studio.default.planted == ()


def test_dragged_channels_are_suppressed_in_the_block_shown(studio: Studio) -> None:
    shown = SETTINGS.changed(view_block=7, amf=False, cs=False)
    new = channels.choose(studio.segmenter(shown).backbone, shown, range(3, 60))
    assert (new.cs, new.cs_blocks, new.channels) == (True, (7,), tuple(range(3, 60)))
    found = norms.see(studio.look(Request(new)))
    before, after = found.before[7], found.after[7]
    assert after[3:60] == pytest.approx(np.delete(before, range(3, 60)).mean(), rel=1e-4)
    assert (np.delete(after, range(3, 60)) == np.delete(before, range(3, 60))).all()


def test_where_cs_has_blocks_a_drag_takes_the_place_of_the_abnormal_channel(
    studio: Studio,
) -> None:
    planted = SETTINGS.changed(plant=True)
    new = channels.choose(studio.segmenter(planted).backbone, planted, [5])
    assert new.cs_blocks == "backbone"
    found = norms.see(studio.look(Request(new)))
    assert found.found.suppressed == (6, 7, 8, 9, 10)
    assert found.after[6, 77] == found.before[6, 77], "77 is left as it is"


def test_clearing_takes_back_the_channels_and_the_block_a_drag_named(studio: Studio) -> None:
    shown = SETTINGS.changed(view_block=4)
    new = channels.clear(channels.choose(studio.segmenter(shown).backbone, shown, [1, 2]))
    assert (new.channels, new.cs_blocks) == ((), "backbone")
    assert channels.clear(SETTINGS.changed(cs_blocks=(6, 7), channels=(1,))).cs_blocks == (6, 7)


def test_values_that_move_against_the_paper_are_said_to(studio: Studio) -> None:
    found = norms.see(look_at(studio, plant=True)).found
    said = wording.similarity_note("the truth", found, (0.5, -0.09), (0.6, 0.695))
    assert "two regions became more alike, −0.09 to 0.69" in said
    assert "otherwise" not in wording.similarity_note("the truth", found, (0.5, 0.4), (0.6, 0.3))


# --- attention -----------------------------------------------------------------------------------


def test_every_block_has_its_score_and_those_of_amf_are_named(studio: Studio) -> None:
    look = look_at(studio)
    view = attention.see(look)
    bars = attention._scores(look, view)["bars"]
    named = [index for index, bar in enumerate(bars) if bar["name"].endswith("AMF")]
    assert named == list(view.fusion.blocks)
    shares = [bar["share"] for bar in bars]
    assert np.argsort(shares).tolist() == np.argsort(view.scores).tolist()


def test_under_a_fault_global_tokens_are_those_of_the_trunk_that_runs(studio: Studio) -> None:
    look = look_at(studio, plant=True, cs=False)
    seen, clean = attention.see(look), look.globality
    assert seen.scores == machine.tokens(look).scores
    first = min(look.segmenter.backbone.planted[0].blocks)
    assert seen.scores[: first + 1] == clean.scores[: first + 1]
    assert seen.scores[first + 1 :] != clean.scores[first + 1 :]


def test_the_last_block_s_maps_are_those_without_and_with_amf(studio: Studio) -> None:
    look = look_at(studio)
    view = attention.see(look)
    for amf, shown in ((False, view.used_plain), (True, view.used_fused)):
        method = ablation(look.settings, amf, cs=True)
        wanted = look.segmenter.last_attention(look.trunk(method), method)[1:, 1:]
        assert np.abs(shown - wanted.numpy()).max() < 1e-6
    assert np.abs(view.used_plain - view.used_fused).max() > 1e-3


def test_the_mean_of_all_heads_is_what_each_head_gives_on_average(studio: Studio) -> None:
    heads = [attention.see(look_at(studio, view_block=7, view_head=head)) for head in range(4)]
    mean = attention.see(look_at(studio, view_block=7))
    for name in ("matrix", "used_plain", "used_fused", "class_row"):
        stacked = np.mean([getattr(view, name) for view in heads], axis=0)
        assert np.abs(stacked - getattr(mean, name)).max() < 1e-5, name


@pytest.mark.parametrize(
    ("amf", "cs", "said"),
    [(False, False, [""]), (True, False, [", without AMF", ", with AMF"]),
     (True, True, [", without AMF and CS", ", with AMF and CS"])],
)  # fmt: skip
def test_under_the_last_block_stands_what_it_is_without(
    studio: Studio, amf: bool, cs: bool, said: list[str]
) -> None:
    look = look_at(studio, amf=amf, cs=cs)
    made = side._maps(look, side.see(look))["sides"]
    assert [one["title"] for one in made] == [f"block 12{one}" for one in said]


def test_a_matrix_that_a_switch_does_not_change_is_drawn_once(studio: Studio) -> None:
    look = look_at(studio, amf=False, cs=True)
    assert len(side._maps(look, side.see(look))["sides"]) == 1


@pytest.mark.parametrize("method", ["clip", "sclip", "resclip"])
def test_a_method_without_switches_is_not_said_to_be_what_they_make(
    studio: Studio, method: str
) -> None:
    look, title = look_at(studio, method=method), METHODS[method].title
    made = side._maps(look, side.see(look))
    assert [one["title"] for one in made["sides"]] == ["block 12, ClearCLIP", f"block 12, {title}"]
    assert made["note"].startswith(f"{title}’s last block has an attention of its own")


# --- Compare and the words at a pixel ------------------------------------------------------------


def test_a_best_score_is_marked_unless_it_is_nothing_or_everybody_s() -> None:
    assert compare.best({"a": 0.5, "b": 0.4, "c": 0.5}) == ("a", "c")
    assert compare.best({"a": 0.0, "b": 0.0}) == compare.best({"a": 0.5, "b": 0.5}) == ()
    assert compare.best({"a": None, "b": None}) == ()


def test_the_table_has_a_row_a_method_with_its_year_marks_scores_and_time(
    studio: Studio,
) -> None:
    look = look_at(studio, extras=True)
    table = compare._table(look, compare.see(look, compare.shown(extras=True)))
    assert [row["name"] for row in table["rows"]] == list(VARIANTS)
    years = [row["year"] for row in table["rows"] if row["year"]]
    assert years == sorted(years)
    for row in table["rows"]:
        assert row["summary"] and row["milliseconds"] > 0
        assert len(row["marks"]) == len(table["parts"])
        assert len(row["scores"]) == len(table["headers"])
    marks = {row["name"]: [bool(one) for one in row["marks"]] for row in table["rows"]}
    assert not any(marks["clip"])
    assert marks["amf_cs"] == [True, True, False, True, True, True]
    assert marks["scclip"][2] and marks["sfp"][2]


def test_a_method_that_refuses_the_picture_leaves_the_others_their_rows(studio: Studio) -> None:
    found = compare.see(look_at(studio, short_side=64), compare.shown(extras=True))
    assert {"scclip", "sfp"}.isdisjoint(found.masks)
    assert {"clip", "clearclip", "amf_cs"} <= found.masks.keys()


def test_a_photo_on_which_a_method_lowers_the_score_is_named() -> None:
    assert "from 50.0 % to 40.0 %" in wording.lowered("GCLIP", 0.5, 0.4)
    assert wording.lowered("GCLIP", 0.5, 0.5) == wording.lowered("GCLIP", 0.4, 0.5) == ""


def test_without_truth_the_table_has_no_scores(studio: Studio) -> None:
    look = look_at(studio, words="car")
    table = compare._table(look, compare.see(look, compare.shown(extras=False)))
    assert table["headers"] == [] and table["truth"] is None


def test_words_of_the_truth_that_a_mask_misses_and_words_beside_it_are_said(
    studio: Studio,
) -> None:
    look = look_at(studio, words=f"{SETTINGS.words}, car")
    mask = look.mask(look.chosen)
    assert "“car” is nowhere" in common.absent(mask)
    empty = replace(mask, shares=(*[0.0] * len(mask.names), 1.0), iou={0: 0.0, 2: 0.0})
    assert common.found_nothing([mask, empty]).startswith(f"{empty.title} cannot find")
    assert common.missed(empty) == [mask.names[0], mask.names[2]]


def test_the_best_word_at_a_pixel_is_its_label_under_every_variant(studio: Studio) -> None:
    look = look_at(studio)
    masks = [look.mask(v.method(look.settings)) for v in VARIANTS.values()]
    for row, column in ((0, 0), (99, 200), (300, 420)):
        found = why.see(look, (row, column))
        for one, mask in zip(found, masks, strict=True):
            label = mask.labels[row, column]
            assert label < 0 or one.top[0][0] == mask.names[label], one.title
            scores = [score for _, score in one.top]
            assert scores == sorted(scores, reverse=True)
            assert sum(scores) + (one.others or 0) + (one.rest or 0) == pytest.approx(1)


def test_a_pixel_outside_the_image_moves_inside() -> None:
    assert why.inside((99_999, 0), (30, 40)) == (29, 0)
    assert why.inside(None, (30, 40)) == (15, 20)
