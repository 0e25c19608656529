"""The lesson: the same for everybody, a guess before each answer, true of what its masks show."""

import gc
import json
import re
import weakref

import numpy as np
import pytest

from demo.answer import Answer, compute, resolve
from demo.host.blob_store import Later
from demo.request import Request
from demo.tabs import common, learn
from demo.widgets import values
from evaluation.photos import star_photos
from gclip_core import assets
from gclip_core.types import SuppressionReason
from tests.demo import engine


@pytest.fixture(scope="module")
def answer() -> Answer:
    return compute(engine(), resolve(engine(), learn.REQUEST))


@pytest.fixture(scope="module")
def value(answer: Answer) -> learn.Value:
    return learn.compute(engine(), answer)


@pytest.fixture(scope="module")
def pages(value: learn.Value) -> list[dict]:
    return learn.view(value)["lesson"]["pages"]


def test_every_step_asks_before_it_tells_one_number(pages: list[dict]) -> None:
    for page in pages[1:-1]:
        assert page["question"].endswith("?")
        assert 0 <= page["right"] < len(set(page["options"])) == 3
        assert page["answer"] and page["before"]
        strong = re.findall(r"\*\*(.+?)\*\*", page["answer"])
        assert sum(any(c.isdigit() for c in one) for one in strong) == 1, page["answer"]
    assert "$" not in values.packed({"kind": "lesson", "pages": pages}, {})


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


def test_the_right_option_is_what_the_masks_show(value: learn.Value) -> None:
    for page in learn.PAGES[1:-1]:
        if isinstance(page["right"], int):
            continue
        before, after = (100 * value.miou[name] for name in page["right"])
        signs = after - before >= learn.NEAR, before - after >= learn.NEAR
        expected = {(True, False): "Gains", (False, True): "Loses"}.get(signs, "Changes by less")
        assert learn.CHANGES[learn.right(value.miou, page)].startswith(expected)


def test_clip_looks_away_from_the_thing_clearclip_at_it_and_amf_a_bit_farther(
    answer: Answer, value: learn.Value
) -> None:
    clip, amf, clearclip = (value.on_thing[name] for name in ("clip", "amf", "clearclip"))
    assert clip < 0.6 < 0.8 < amf < clearclip
    for name in ("clip", "amf", "clearclip"):
        weights, _ = learn.looks(engine(), answer.question, answer.question, name)
        assert weights.shape == answer.grid
        assert weights.sum() == pytest.approx(1, abs=1e-4)


def test_the_built_in_has_no_abnormal_channel_and_no_global_tokens_on_the_photo(
    answer: Answer,
) -> None:
    scene = answer.question.scene
    assert not any(scene.segmenter.globality(engine().encoded(scene)).tokens)
    assert answer.gclip.cs_reason is SuppressionReason.NONE_ABNORMAL


def test_with_the_planted_channel_patches_look_less_at_their_thing_and_cs_undoes_it(
    answer: Answer, value: learn.Value
) -> None:
    assert value.on_thing["fault_clearclip"] < value.on_thing["clearclip"] - 0.1
    faulty = compute(engine(), resolve(engine(), learn.REQUEST.changed(plant=True)))
    _, method = learn.state(answer.question, faulty.question, "clearclip")
    _, repaired = learn.state(answer.question, faulty.question, "fault_cs")
    own, healed = (common.in_in_out(engine(), *of) for of in ((answer, method), (faulty, repaired)))
    assert healed == pytest.approx(own, abs=0.01)


def test_the_summary_scores_every_state_but_asks_nothing(
    value: learn.Value, pages: list[dict]
) -> None:
    assert "question" not in pages[-1]
    (_, *rows) = pages[-1]["before"][-1]["rows"]
    states = ("clip", "clearclip", "amf", "amf_cs")
    for row, state in zip(rows, states, strict=True):
        scores = (value.miou[name] for name in (state, f"fault_{state}"))
        assert row[1:] == [f"{100 * miou:.1f}\u00a0%" for miou in scores]


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


def test_every_picture_can_be_fetched_and_keeps_no_request_alive(answer: Answer) -> None:
    again = resolve(engine(), Request(answer.question.settings))
    kept = weakref.ref(again)
    computed = learn.compute(engine(), compute(engine(), again))
    later: dict[str, Later] = {}
    values.packed(learn.view(computed)["lesson"], later)
    del again, computed
    gc.collect()
    assert kept() is None
    assert len(later) > 5
    for figure in later.values():
        assert figure.make().body[8:12] == b"WEBP"
