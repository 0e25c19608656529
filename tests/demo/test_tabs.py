"""The deeper tabs: attention, channels and the scores of one pixel, without a browser."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from demo import wording
from demo.look import Request, Studio, changed_share
from demo.settings import Settings
from demo.tabs import attention, channels, common, machine, norms, side, why
from demo.variants import VARIANTS, ablation
from gclip_core.methods import METHODS

SEED = 2


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


@pytest.fixture(scope="module")
def settings(studio: Studio) -> Settings:
    bare = Settings(seed=SEED)
    return bare.changed(words=studio.picture(bare).words)


def see(studio: Studio, settings: Settings) -> channels.ChannelsView:
    return channels.see(studio.look(Request(settings)))


# --- channels ------------------------------------------------------------------------------------


def test_without_an_abnormal_channel_cs_changes_nothing_and_says_so(
    studio: Studio, settings: Settings
) -> None:
    view = see(studio, settings)
    assert (view.off.labels == view.on.labels).all()
    assert view.untouched is None
    found, cs = view.norms.found, ablation(settings, amf=False, cs=True)
    for said in (
        wording.suppression_said(found, 0.0, amf=True),
        wording.nothing_changed(cs, found),
        wording.similarity_note("the truth", found, "a model"),
    ):
        assert said.count("CS changes nothing") == 1, said
    assert view.norms.block < len(view.norms.before) - 1, "the last block's FFN is not used"


def test_a_planted_channel_melts_the_masks_and_cs_brings_them_back(
    studio: Studio, settings: Settings
) -> None:
    view = see(studio, settings.changed(plant=True, amf=False))
    assert view.untouched is not None
    assert view.off.miou < 0.8 * view.untouched.miou
    assert view.on.miou == pytest.approx(view.untouched.miou, abs=0.02)
    found = view.norms.found
    assert found.suppressed == (6, 7, 8, 9, 10)
    assert tuple(b for b in found.abnormal if b != 11) == found.suppressed, "all but the last"
    assert {found.channels[block] for block in found.suppressed} == {77}
    assert view.norms.block == 6
    assert (found.entropy_after > found.entropy)[6:11].all()
    assert max(view.norms.ratios_after[:-1]) < 2 < max(found.ratios[:-1])


def test_a_simulation_is_called_one_wherever_its_result_shows(
    studio: Studio, settings: Settings
) -> None:
    request = Request(settings.changed(plant=True))
    look = studio.look(request)
    view = channels.see(look)
    assert channels._norms(look, view.norms)["simulated"]
    assert channels._similarity(view)["badge"] == wording.SIMULATION_BADGE
    assert all("Simulation" in wording.suppression_title(cs, planted=True) for cs in (False, True))
    bare = studio.look(Request(settings))
    assert not channels._norms(bare, norms.see(bare))["simulated"]


def test_the_largest_channel_is_called_abnormal_only_from_the_threshold_on(
    studio: Studio, settings: Settings
) -> None:
    found = see(studio, settings).norms.found
    assert "not abnormal" in wording.largest_note(found, 3, 2.0)
    assert "block 12 (CS leaves 12, the last" in wording.largest_note(found, 3, 2.0)
    planted = see(studio, settings.changed(plant=True)).norms.found
    assert "Channel 77 has the largest norm" in wording.largest_note(planted, 6, 2.0)
    assert "not abnormal" not in wording.largest_note(planted, 6, 2.0)
    zeros = replace(found, norms_before=torch.zeros_like(found.norms_before))
    assert wording.largest_note(zeros, 0, 2.0) == "All weights of this layer are 0."


def test_every_block_has_its_score_and_those_of_amf_are_named(
    studio: Studio, settings: Settings
) -> None:
    look = studio.look(Request(settings))
    view = attention.see(look)
    bars = attention._scores(look, view)["bars"]
    assert [bar["name"].endswith("AMF") for bar in bars] == [
        b in view.fusion.blocks for b in range(12)
    ]
    shares = [bar["share"] for bar in bars]
    assert (
        np.argsort(shares, kind="stable").tolist()
        == np.argsort(view.scores, kind="stable").tolist()
    )
    assert 0 <= min(shares) <= max(shares) <= 1


def test_planting_leaves_the_shared_backbone_as_it_was(studio: Studio, settings: Settings) -> None:
    weight = studio.default.blocks[6].mlp.c_proj.weight
    before = weight.detach().clone()
    see(studio, settings.changed(plant=True, plant_gain=300.0))
    assert torch.equal(weight, before)
    assert studio.default.planted == ()


def test_dragged_channels_are_suppressed_in_the_block_shown(
    studio: Studio, settings: Settings
) -> None:
    shown = settings.changed(view_block=7, amf=False, cs=False)
    new = channels.choose(studio.segmenter(shown).backbone, shown, range(3, 60))
    assert (new.cs, new.cs_blocks, new.channels) == (True, (7,), tuple(range(3, 60)))
    view = see(studio, new)
    assert view.norms.found.suppressed == (7,)
    before, after = view.norms.before[7], view.norms.after[7]
    assert after[3:60] == pytest.approx(np.delete(before, range(3, 60)).mean(), rel=1e-4)
    assert (np.delete(after, range(3, 60)) == np.delete(before, range(3, 60))).all()
    assert changed_share(view.off.labels, view.on.labels) > 0
    assert channels._norms(studio.look(Request(new)), view.norms)["chosen"] == [3, 59]


def test_where_cs_has_blocks_a_drag_takes_the_place_of_the_abnormal_channel(
    studio: Studio, settings: Settings
) -> None:
    planted = settings.changed(plant=True)
    new = channels.choose(studio.segmenter(planted).backbone, planted, [5])
    assert new.cs_blocks == "backbone"
    view = see(studio, new)
    assert view.norms.found.suppressed == (6, 7, 8, 9, 10)
    assert view.norms.after[6, 77] == view.norms.before[6, 77], "77 is left as it is"


def test_clearing_takes_back_the_channels_and_the_block_a_drag_named(
    studio: Studio, settings: Settings
) -> None:
    new = channels.clear(
        channels.choose(
            studio.segmenter(settings.changed(view_block=4)).backbone,
            settings.changed(view_block=4),
            [1, 2],
        )
    )
    assert (new.channels, new.cs_blocks) == ((), "backbone")
    kept = settings.changed(cs_blocks=(6, 7), channels=(1,))
    assert channels.clear(kept).cs_blocks == (6, 7)


def test_suppressing_in_the_last_block_alone_is_said_to_change_nothing(
    studio: Studio, settings: Settings
) -> None:
    request = Request(
        channels.choose(
            studio.segmenter(settings.changed(view_block=11)).backbone,
            settings.changed(view_block=11),
            range(40),
        )
    )
    view = channels.see(studio.look(request))
    assert (view.off.labels == view.on.labels).all()
    lines = [text for _, text in channels._said(view, request.settings)["lines"]]
    assert wording.last_block_note(12) in lines


def test_a_block_that_the_tower_lacks_becomes_its_last(studio: Studio, settings: Settings) -> None:
    assert see(studio, settings.changed(view_block=40)).norms.block == 11


def test_a_mask_that_finds_no_word_or_misses_one_that_is_there_says_so(
    studio: Studio, settings: Settings
) -> None:
    look = studio.look(Request(settings))
    mask = look.mask(look.chosen)
    mask = replace(mask, shares=(*[0.3] * len(mask.names), 0.0))
    empty = replace(mask, shares=(*[0.0] * len(mask.names), 1.0), iou={0: 0.0, 2: 0.0})
    assert common.found_nothing([mask]) == wording.missed(common.missed(mask)) == ""
    assert common.found_nothing([mask, empty]).startswith(f"{empty.title} cannot find")
    assert common.missed(empty) == [mask.names[0], mask.names[2]]
    assert "count as 0 %" in wording.missed(common.missed(empty))


# --- attention -----------------------------------------------------------------------------------


def test_a_typed_word_that_the_truth_does_not_hold_is_said(
    studio: Studio, settings: Settings
) -> None:
    for words, said in ((f"{settings.words}, car", "“car” is nowhere"), (settings.words, "")):
        look = studio.look(Request(settings.changed(words=words)))
        found = common.absent(look.mask(look.chosen))
        assert said in found
        assert bool(found) == bool(said)


def test_under_a_fault_global_tokens_are_those_of_the_trunk_that_runs(
    studio: Studio, settings: Settings
) -> None:
    look = studio.look(Request(settings.changed(plant=True, cs=False)))
    seen, clean = attention.see(look), look.globality
    tiles = machine.see(look).tiles
    assert seen.tokens == tuple(tuple(tile.tokens) for tile in tiles)
    assert seen.scores == tuple(tile.score for tile in tiles)
    assert seen.received.max(1).tolist() == pytest.approx(seen.scores)
    first = min(look.segmenter.backbone.planted[0].blocks)
    assert seen.scores[: first + 1] == clean.scores[: first + 1]
    assert seen.scores[first + 1 :] != clean.scores[first + 1 :]


def test_the_last_block_s_maps_are_those_without_and_with_amf(
    studio: Studio, settings: Settings
) -> None:
    view = attention.see(studio.look(Request(settings)))
    look = studio.look(Request(settings))
    for amf, shown in ((False, view.used_plain), (True, view.used_fused)):
        method = ablation(settings, amf, cs=True)
        wanted = look.segmenter.last_attention(look.trunk(method), method)[1:, 1:]
        assert np.abs(shown - wanted.numpy()).max() < 1e-6
    assert np.abs(view.used_plain - view.used_fused).max() > 1e-3
    assert view.block == view.fusion.blocks[0]


def test_both_follow_the_chosen_head(studio: Studio, settings: Settings) -> None:
    shown = settings.changed(view_block=7)
    heads = [
        attention.see(studio.look(Request(shown.changed(view_head=head)))) for head in range(4)
    ]
    mean = attention.see(studio.look(Request(shown)))
    for name in ("matrix", "used_plain", "used_fused", "class_row"):
        stacked = np.mean([getattr(view, name) for view in heads], axis=0)
        assert np.abs(stacked - getattr(mean, name)).max() < 1e-5, name
    rows = np.mean([view.class_rows_used for view in heads], axis=0)
    assert np.abs(rows - mean.class_rows_used).max() < 1e-5


def test_global_tokens_are_outlined_and_blocks_count_from_1(
    studio: Studio, settings: Settings
) -> None:
    seen = attention.see(studio.look(Request(settings)))
    block = next(index for index, tokens in enumerate(seen.tokens) if tokens)
    look = studio.look(Request(settings.changed(view_block=block, patch=(2, 3))))
    view = attention.see(look)
    live, strip = attention._live(look, view), attention._strip(look, view)
    assert [one["title"] for one in live["maps"]] == [
        f"Block {block + 1} of 12",
        "Block 12 used, AMF off",
        "Block 12 used, AMF on",
    ]
    assert live["maps"][0]["tokens"] == sorted(view.tokens[block]) != []
    assert live["patch"] == [2, 3]
    assert live["class_row"]
    assert strip["chosen"] == block + 1
    fused = [block["number"] for block in strip["blocks"] if block["fused"]]
    assert fused == [block + 1 for block in view.fusion.blocks]
    assert wording.FUSION_REASONS[view.fusion.reason] in strip["note"]


def test_a_block_without_global_tokens_has_no_row_to_compare(
    studio: Studio, settings: Settings
) -> None:
    seen = attention.see(studio.look(Request(settings)))
    block = next(index for index, tokens in enumerate(seen.tokens) if not tokens)
    look = studio.look(Request(settings.changed(view_block=block, patch=(2, 3))))
    view = attention.see(look)
    card = attention._class_token(look, view)
    assert len(card["thumbs"]) == 1
    assert "no global token" in card["note"]


# --- why here ------------------------------------------------------------------------------------


def test_the_best_word_at_a_pixel_is_its_label_under_every_variant(
    studio: Studio, settings: Settings
) -> None:
    request = Request(settings.changed(words=settings.words + ", dog; puppy, sky"))
    look = studio.look(request)
    masks = [look.mask(v.method(request.settings)) for v in VARIANTS.values()]
    height, width = masks[0].labels.shape
    rng = np.random.default_rng(0)
    for row, column in zip(rng.integers(height, size=6), rng.integers(width, size=6), strict=True):
        found = why.see(look, (int(row), int(column)))
        for one, mask in zip(found, masks, strict=True):
            label = mask.labels[row, column]
            assert label < 0 or one.top[0][0] == mask.names[label], one.title
            assert one.label == (mask.names[label] if label >= 0 else "")
            scores = [score for _, score in one.top]
            assert scores == sorted(scores, reverse=True)
            assert sum(scores) + (one.others or 0) + (one.rest or 0) == pytest.approx(1)
            assert len(scores) == min(5, len(mask.names))


def test_a_pixel_outside_the_image_moves_inside(studio: Studio, settings: Settings) -> None:
    image = studio.picture(settings).image
    size = (image.height, image.width)
    assert why.inside((99_999, 0), size) == (size[0] - 1, 0)
    assert why.inside(None, size) == (size[0] // 2, size[1] // 2)
    look = studio.look(Request(settings))
    corner = [one.top for one in why.see(look, (size[0] - 1, size[1] - 1))]
    assert [one.top for one in why.see(look, (10**6, 10**6))] == corner


def test_the_block_in_view_stays_where_the_fault_is_switched_off(
    studio: Studio, settings: Settings
) -> None:
    planted = see(studio, settings.changed(plant=True)).norms.block
    assert see(studio, settings.changed(plant=False)).norms.block == planted


@pytest.mark.parametrize(
    ("amf", "cs", "said"),
    [(False, False, [""]), (True, False, [", without AMF", ", with AMF"]),
     (True, True, [", without AMF and CS", ", with AMF and CS"])],
)  # fmt: skip
def test_under_the_last_block_stands_what_it_is_without(
    studio: Studio, settings: Settings, amf: bool, cs: bool, said: list[str]
) -> None:
    look = studio.look(Request(settings.changed(amf=amf, cs=cs)))
    made = side._maps(look, side.see(look))["sides"]
    assert [one["title"] for one in made] == [f"block 12{one}" for one in said]


@pytest.mark.parametrize("method", ["clip", "sclip", "resclip"])
def test_a_method_without_switches_is_not_said_to_be_what_they_make(
    studio: Studio, settings: Settings, method: str
) -> None:
    look = studio.look(Request(settings.changed(method=method, amf=True, cs=True)))
    made, title = side._maps(look, side.see(look)), METHODS[method].title
    assert [one["title"] for one in made["sides"]] == ["block 12, ClearCLIP", f"block 12, {title}"]
    assert made["note"].startswith(f"{title}’s last block has an attention of its own")
    maps = attention._live(look, attention.see(look))["maps"]
    assert [one["title"] for one in maps[1:]] == [
        f"Block 12 in GCLIP, AMF {s}" for s in ("off", "on")
    ]
