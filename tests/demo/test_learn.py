"""The lesson: the same for everybody, a guess before each answer, true of what its masks show."""

import json
import re

import numpy as np
import pytest

from demo.look import Look
from demo.tabs import learn
from demo.widgets.blobs import STORE
from evaluation.photos import star_photos
from gclip_core import assets
from tests.demo import studio


@pytest.fixture(scope="module")
def look() -> Look:
    return studio().look(learn.REQUEST)


@pytest.fixture(scope="module")
def pages(look: Look) -> list[dict]:
    return learn.value(look)["pages"]


def test_every_step_asks_before_it_tells_one_number(pages: list[dict]) -> None:
    for page in pages[1:]:
        assert page["question"].endswith("?")
        assert 0 <= page["right"] < len(set(page["options"])) == 3
        assert page["answer"] and page["before"]
        assert "{" not in page["text"] + page["answer"] + "".join(page["options"])
        strong = re.findall(r"\*\*(.+?)\*\*", page["answer"])
        assert sum(any(c.isdigit() for c in one) for one in strong) == 1, page["answer"]


def test_amf_rises_on_as_many_example_photos_as_its_step_names(pages: list[dict]) -> None:
    measured = json.loads(assets.path("built-in", "measured.json").read_text("utf-8"))
    every = measured["shipped photos: neither, AMF, CS, both"]["as it is"]
    rises = [amf > neither for neither, amf, *_ in (every[name] for name in star_photos())]
    assert (sum(rises), len(rises)) == (10, 12)
    assert any("ten of the twelve example photos" in page["answer"] for page in pages)


def test_the_lesson_is_read_in_ninety_seconds(pages: list[dict]) -> None:
    words = " ".join(
        " ".join([page["text"], page["question"], *page["options"], page["answer"]])
        for page in pages
    )
    assert len(words.split()) <= 90 * 5, "at five words a second"


def test_the_right_option_is_what_the_masks_show(look: Look) -> None:
    for page in learn.PAGES[1:]:
        if isinstance(page["right"], int):
            continue
        before, after = (learn.mask(look, name).miou for name in page["right"])
        expected = ("gets better", "gets worse", "hardly changes")[learn.right(look, page)]
        change = "gets better" if after > before else "gets worse"
        assert expected == ("hardly changes" if abs(after - before) < learn.NEAR else change)
        assert expected in learn.CHANGES[learn.right(look, page)]


def test_the_word_that_takes_the_place_of_the_missing_one_takes_most_pixels(look: Look) -> None:
    all_words, left_out = (learn.mask(look, name) for name in ("clearclip", "left_out"))
    assert learn.LEFT_OUT not in left_out.names
    missing = all_words.labels == all_words.names.index(learn.LEFT_OUT)
    counts = np.bincount(left_out.labels[missing] + 1, minlength=len(left_out.names) + 1)
    assert learn.measure(look)["taker"] == left_out.names[int(counts.argmax()) - 1]


def test_the_other_transformer_has_stripes_and_a_loud_channel() -> None:
    baked = learn.stripes()
    norms = np.array(baked["norms"])
    assert norms.argmax() == baked["channel"]
    assert norms.max() / np.median(norms) == pytest.approx(baked["ratio"], abs=0.01)
    assert baked["photo"] == learn.PHOTO
    assert 0 < baked["tokens"] < baked["patches"] / 10


def test_every_picture_can_be_fetched(look: Look) -> None:
    with STORE.offers() as offers:
        learn.value(look)
    assert offers
    for offered in offers.values():
        assert offered.make().body[8:12] == b"WEBP"
