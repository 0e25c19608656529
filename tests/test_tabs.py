"""The deeper tabs: attention, channels and the scores of one pixel, without a browser."""

import numpy as np
import pytest
import torch

from demo import wording
from demo.service import Request, Service, changed_share
from demo.settings import BLOCK, Settings
from demo.tabs import attention, channels, why
from demo.variants import VARIANTS, ablation
from demo.views import channels as views

SEED = 2


@pytest.fixture(scope="module")
def service() -> Service:
    return Service()


@pytest.fixture(scope="module")
def settings(service: Service) -> Settings:
    bare = Settings(seed=SEED)
    return bare.changed(words=service.sources.picture(bare).words)


def see(service: Service, settings: Settings) -> views.SuppressionView:
    return views.suppression(service, Request(settings))


# --- channels ------------------------------------------------------------------------------------


def test_without_an_abnormal_channel_cs_changes_nothing_and_says_so(
    service: Service, settings: Settings
) -> None:
    view = see(service, settings)
    assert (view.off.labels == view.on.labels).all()
    assert view.untouched is None
    assert "CS changes nothing" in wording.suppression_said(view.channels.found, 0.0, amf=True)
    assert view.block < len(view.channels.before) - 1, "the last block's FFN is not used"


def test_a_planted_channel_melts_the_masks_and_cs_brings_them_back(
    service: Service, settings: Settings
) -> None:
    view = see(service, settings.changed(plant=True, amf=False))
    assert view.untouched is not None
    assert view.off.miou < 0.8 * view.untouched.miou
    assert view.on.miou == pytest.approx(view.untouched.miou, abs=0.02)
    found = view.channels.found
    assert found.suppressed == (6, 7, 8, 9, 10)
    assert tuple(b for b in found.abnormal if b != 11) == found.suppressed, "all but the last"
    assert {found.channels[block] for block in found.suppressed} == {77}
    assert view.block == 6
    assert (found.entropy_after > found.entropy)[6:11].all()
    assert max(view.ratios_after[:-1]) < 2 < max(found.ratios[:-1])


def test_a_simulation_is_called_one_wherever_its_result_shows(
    service: Service, settings: Settings
) -> None:
    request = Request(settings.changed(plant=True))
    view = views.suppression(service, request)
    assert "simulation" in channels._norms(view, request)["title"]
    assert "simulation" in channels._by_block(view, request)["plot"]
    assert all("Simulation" in wording.suppression_title(cs, planted=True) for cs in (False, True))
    assert "simulation" not in channels._norms(see(service, settings), Request(settings))["title"]


def test_planting_leaves_the_shared_backbone_as_it_was(
    service: Service, settings: Settings
) -> None:
    weight = service.default.blocks[6].mlp.c_proj.weight
    before = weight.detach().clone()
    see(service, settings.changed(plant=True, plant_gain=300.0))
    assert torch.equal(weight, before)
    assert service.default.planted == ()


def test_dragged_channels_are_suppressed_in_the_block_shown(
    service: Service, settings: Settings
) -> None:
    shown = settings.changed(view_block=7, amf=False, cs=False)
    new = views.choose(service, shown, range(3, 60))
    assert (new.cs, new.cs_blocks, new.channels) == (True, (7,), tuple(range(3, 60)))
    view = see(service, new)
    assert view.channels.found.suppressed == (7,)
    before, after = view.channels.before[7], view.channels.after[7]
    assert after[3:60] == pytest.approx(np.delete(before, range(3, 60)).mean(), rel=1e-4)
    assert (np.delete(after, range(3, 60)) == np.delete(before, range(3, 60))).all()
    assert changed_share(view.off.labels, view.on.labels) > 0
    assert channels._norms(view, Request(new))["chosen"] == [3, 59]


def test_where_cs_has_blocks_a_drag_takes_the_place_of_the_abnormal_channel(
    service: Service, settings: Settings
) -> None:
    planted = settings.changed(plant=True)
    new = views.choose(service, planted, [5])
    assert new.cs_blocks == "backbone"
    view = see(service, new)
    assert view.channels.found.suppressed == (6, 7, 8, 9, 10)
    assert view.channels.after[6, 77] == view.channels.before[6, 77], "77 is left as it is"


def test_clearing_takes_back_the_channels_and_the_block_a_drag_named(
    service: Service, settings: Settings
) -> None:
    new = views.clear(views.choose(service, settings.changed(view_block=4), [1, 2]))
    assert (new.channels, new.cs_blocks) == ((), "backbone")
    kept = settings.changed(cs_blocks=(6, 7), channels=(1,))
    assert views.clear(kept).cs_blocks == (6, 7)


def test_suppressing_in_the_last_block_alone_is_said_to_change_nothing(
    service: Service, settings: Settings
) -> None:
    request = Request(views.choose(service, settings.changed(view_block=11), range(40)))
    view = views.suppression(service, request)
    assert (view.off.labels == view.on.labels).all()
    lines = [text for _, text in channels._said(view, request)["lines"]]
    assert wording.last_block_note(12) in lines


def test_a_block_that_the_tower_lacks_becomes_its_last(
    service: Service, settings: Settings
) -> None:
    assert see(service, settings.changed(view_block=40)).block == 11


# --- attention -----------------------------------------------------------------------------------


def test_the_last_block_s_maps_are_those_without_and_with_amf(
    service: Service, settings: Settings
) -> None:
    view = service.attention(Request(settings), None, None)
    look = service.look(Request(settings))
    for amf, shown in ((False, view.used_plain), (True, view.used_fused)):
        method = ablation(settings, amf, cs=True)
        wanted = look.segmenter.last_attention(look.trunk(method), method)[1:, 1:]
        assert np.abs(shown - wanted.numpy()).max() < 1e-6
    assert np.abs(view.used_plain - view.used_fused).max() > 1e-3
    assert view.block == view.amf_blocks[0]


def test_both_follow_the_chosen_head(service: Service, settings: Settings) -> None:
    request = Request(settings)
    heads = [service.attention(request, 7, head) for head in range(4)]
    mean = service.attention(request, 7, None)
    for name in ("matrix", "used_plain", "used_fused", "class_row"):
        stacked = np.mean([getattr(view, name) for view in heads], axis=0)
        assert np.abs(stacked - getattr(mean, name)).max() < 1e-5, name
    rows = np.mean([view.class_rows_used for view in heads], axis=0)
    assert np.abs(rows - mean.class_rows_used).max() < 1e-5


def test_global_tokens_are_outlined_and_blocks_count_from_1(
    service: Service, settings: Settings
) -> None:
    seen = service.attention(Request(settings), 0, None)
    block = next(index for index, tokens in enumerate(seen.tokens) if tokens)
    view = service.attention(Request(settings), block, None)
    live, strip = attention._live(view, (2, 3)), attention._strip(view)
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
    assert fused == [block + 1 for block in view.amf_blocks]
    assert view.reason in strip["note"]


def test_a_block_without_global_tokens_has_no_row_to_compare(
    service: Service, settings: Settings
) -> None:
    seen = service.attention(Request(settings), 0, None)
    block = next(index for index, tokens in enumerate(seen.tokens) if not tokens)
    view = service.attention(Request(settings), block, None)
    card = attention._class_token(view)
    assert len(card["figures"]) == 1
    assert "no global token" in card["note"]


@pytest.mark.parametrize("text", ["", None, "x", "-1", "999", "<b>"])
def test_a_hidden_field_with_nonsense_is_no_choice(text: object) -> None:
    assert attention._read(BLOCK)(text) is None
    assert why._pixel_of(text) is None


# --- why here ------------------------------------------------------------------------------------


def test_the_best_word_at_a_pixel_is_its_label_under_every_variant(
    service: Service, settings: Settings
) -> None:
    request = Request(settings.changed(words=settings.words + ", dog; puppy, sky"))
    look = service.look(request)
    masks = [look.mask(v.title, v.method(request.settings)) for v in VARIANTS.values()]
    height, width = masks[0].labels.shape
    rng = np.random.default_rng(0)
    for row, column in zip(rng.integers(height, size=6), rng.integers(width, size=6), strict=True):
        found = service.explain(request, int(row), int(column))
        for one, mask in zip(found, masks, strict=True):
            assert one.top[0][0] == mask.names[mask.labels[row, column]], one.title
            scores = [score for _, score in one.top]
            assert scores == sorted(scores, reverse=True)
            assert len(scores) == min(5, len(mask.names))


def test_a_pixel_outside_the_image_moves_inside(service: Service, settings: Settings) -> None:
    image = service.sources.picture(settings).image
    size = (image.height, image.width)
    assert why._inside((99_999, 0), size) == (size[0] - 1, 0)
    assert why._inside(None, size) == (size[0] // 2, size[1] // 2)
    request = Request(settings)
    corner = service.explain(request, size[0] - 1, size[1] - 1)
    assert service.explain(request, 10**6, 10**6) == corner
