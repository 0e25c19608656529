"""The lesson: the same for everybody, a guess before each answer, true of what its masks show."""

import json
import re

import numpy as np
import pytest

from demo.look import Look
from demo.tabs import common, learn
from demo.widgets.blobs import STORE
from evaluation.photos import star_photos
from gclip_core import assets
from gclip_core.types import SuppressionReason
from tests.demo import studio


@pytest.fixture(scope="module")
def look() -> Look:
    return studio().look(learn.REQUEST)


@pytest.fixture(scope="module")
def pages(look: Look) -> list[dict]:
    return learn.value(look)["pages"]


def test_every_step_asks_before_it_tells_one_number(pages: list[dict]) -> None:
    for page in pages[1:-1]:
        assert page["question"].endswith("?")
        assert 0 <= page["right"] < len(set(page["options"])) == 3
        assert page["answer"] and page["before"]
        strong = re.findall(r"\*\*(.+?)\*\*", page["answer"])
        assert sum(any(c.isdigit() for c in one) for one in strong) == 1, page["answer"]
    assert "$" not in json.dumps(pages)


def test_amf_rises_on_as_many_example_photos_as_its_step_names(pages: list[dict]) -> None:
    measured = json.loads(assets.path("built-in", "measured.json").read_text("utf-8"))
    every = measured["shipped photos: neither, AMF, CS, both"]["as it is"]
    rises = [every[name][1] > every[name][0] for name in star_photos()]
    falls = [every[name][1] < every[name][0] for name in star_photos()]
    words = f"{sum(rises)} of {len(rises)} example photos gain, {sum(falls)} lose"
    assert any(words in page.get("answer", "") for page in pages)


def test_the_lesson_is_read_in_ninety_seconds(pages: list[dict]) -> None:
    read = []
    for page in pages:
        read += [page["text"], page.get("question", ""), page.get("answer", "")]
        read += page["options"] if "question" in page else ()
    words = " ".join(dict.fromkeys(read)).split()
    assert len(words) <= 90 * 5, "at five words a second; what comes again is read once"


def test_the_right_option_is_what_the_masks_show(look: Look) -> None:
    for page in learn.PAGES[1:-1]:
        if isinstance(page["right"], int):
            continue
        before, after = (100 * learn.mask(look, name).miou for name in page["right"])
        signs = after - before >= learn.NEAR, before - after >= learn.NEAR
        expected = {(True, False): "Gains", (False, True): "Loses"}.get(signs, "Changes by less")
        assert learn.CHANGES[learn.right(look, page)].startswith(expected)


def test_clip_looks_away_from_the_thing_clearclip_at_it_and_amf_a_bit_farther(look: Look) -> None:
    clip, amf, clearclip = (learn.attention(look, name) for name in ("clip", "amf", "clearclip"))
    assert clip[1] < 0.5 < 0.8 < amf[1] < clearclip[1]
    for weights, _ in (clip, amf, clearclip):
        assert weights.shape == look.grid
        assert weights.sum() == pytest.approx(1, abs=1e-4)


def test_the_built_in_has_no_abnormal_channel_and_global_tokens_at_its_end(look: Look) -> None:
    *before, last = common.tokens(look).tokens
    assert last and not any(before)
    assert look.suppression.cs_reason is SuppressionReason.NONE_ABNORMAL


def test_the_planted_channel_makes_different_things_alike_and_cs_undoes_it(look: Look) -> None:
    across = {}
    for name in ("clearclip", "fault_clearclip", "fault_cs"):
        at, method = learn.state(look, name)
        across[name] = at.alike(method)[1]
    assert across["fault_clearclip"] > across["clearclip"] + 0.1
    assert across["fault_cs"] == pytest.approx(across["clearclip"], abs=0.01)


def test_the_summary_scores_every_state_but_asks_nothing(look: Look, pages: list[dict]) -> None:
    assert "question" not in pages[-1]
    (_, *rows) = pages[-1]["before"][-1]["rows"]
    states = ("clip", "clearclip", "amf", "amf_cs")
    for row, state in zip(rows, states, strict=True):
        masks = (learn.mask(look, name) for name in (state, f"fault_{state}"))
        assert row[1:] == [f"{100 * mask.miou:.1f}\u00a0%" for mask in masks]


def test_the_other_transformer_has_stripes_and_a_loud_channel(pages: list[dict]) -> None:
    baked = learn.stored("learn", "stripes.json")
    norms = np.array(baked["norms"])
    assert norms.argmax() == baked["channel"]
    assert norms.max() / np.median(norms) == pytest.approx(baked["ratio"], abs=0.01)
    assert baked["photo"] == learn.PHOTO
    assert 0 < baked["tokens"] < baked["patches"] / 10
    theirs, planted = (np.array(figure["norms"]) for figure in pages[4]["before"])
    assert theirs.max() == pytest.approx(baked["ratio"], abs=0.01)
    assert planted.max() > 10 * theirs.max()
    assert np.median(theirs) == pytest.approx(1, abs=0.01)
    assert np.median(planted) == pytest.approx(1, abs=0.01)


def test_every_picture_can_be_fetched(look: Look) -> None:
    with STORE.offers() as offers:
        learn.value(look)
    assert offers
    for offered in offers.values():
        assert offered.make().body[8:12] == b"WEBP"
