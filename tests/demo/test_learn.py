"""The lesson: the same for everybody, a guess before each answer, true of what is measured."""

import gc
import io
import re
import weakref
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from demo.answer import Answer, compute, resolve
from demo.host.blob_store import LazyBlob
from demo.measured import measured
from demo.request import Request
from demo.tabs import learn, similarity
from demo.tabs.learn import numbers as measures
from demo.tabs.learn.numbers import STATES, Numbers
from demo.tabs.learn.pages import PAGES
from demo.widgets import values
from gclip_core import assets
from tests.demo import engine
from tests.demo.test_value_types import fields

READ = 230 / 60
"""Words a second."""


@pytest.fixture(scope="module")
def answer() -> Answer:
    return compute(engine(), resolve(engine(), learn.REQUEST))


@pytest.fixture(scope="module")
def content(answer: Answer) -> learn.LessonContent:
    return learn.compute(engine(), answer)


@pytest.fixture(scope="module")
def numbers(content: learn.LessonContent) -> Numbers:
    return content.numbers


@pytest.fixture(scope="module")
def pages(content: learn.LessonContent) -> list[dict]:
    return shown(content)


def shown(content: learn.LessonContent) -> list[dict]:
    return learn.view(content)["lesson"]["pages"]


def percent(share: float) -> str:
    return f"{100 * share:.1f}\u00a0%"


# --- its form -------------------------------------------------------------------------------------


def test_every_step_asks_before_it_tells_one_number(pages: list[dict]) -> None:
    for page in pages[1:-1]:
        assert page["question"].endswith("?")
        assert 0 <= page["right"] < len(set(page["options"])) == 3
        assert page["answer"] and page["before"]
        strong = re.findall(r"\*\*(.+?)\*\*", page["answer"])
        assert sum(any(c.isdigit() for c in text) for text in strong) == 1, page["answer"]
    assert "$" not in values.as_json({"kind": "lesson", "pages": pages}, {})


def test_its_pages_and_figures_have_the_fields_of_their_types(pages: list[dict]) -> None:
    for page in pages:
        assert fields("LessonPage") <= set(page)
        for figure in page["before"] + page["after"]:
            assert fields("LessonFigure") <= set(figure)


def test_no_step_asks_which_of_some_figures_is_larger(pages: list[dict]) -> None:
    for page in pages[1:-1]:
        asked = page["question"] + " ".join(page["options"])
        assert not re.search(r"\d\.\d|mIoU|gains|loses", asked, re.IGNORECASE), asked


def test_the_lesson_is_read_in_two_minutes(pages: list[dict]) -> None:
    read = []
    for page in pages:
        figures = page["before"] + page["after"]
        read += [page["title"], page["text"], page.get("question", ""), *page["options"]]
        read += [page.get("answer", ""), *(figure["caption"] for figure in figures)]
    words = " ".join(read).replace("\u00a0%", "%").split()
    assert len(words) / READ <= 120, len(words)


def test_every_picture_can_be_fetched_and_keeps_no_request_alive(answer: Answer) -> None:
    again = resolve(engine(), Request(answer.question.settings))
    kept = weakref.ref(again)
    computed = learn.compute(engine(), compute(engine(), again))
    later: dict[str, LazyBlob] = {}
    values.as_json(learn.view(computed)["lesson"], later)
    del again, computed
    gc.collect()
    assert kept() is None
    assert len(later) > 5
    for figure in later.values():
        assert figure.make().body[8:12] == b"WEBP"


# --- what it says is what is measured -------------------------------------------------------------


def test_every_word_of_the_lesson_is_found_by_some_method(answer: Answer) -> None:
    clean, faulty = answer.question, measures.with_fault(engine())
    masks = [measures.state_mask(engine(), clean, faulty, name) for name in STATES[:4]]
    for index, word in enumerate(masks[0].names):
        assert max(mask.iou[index] for mask in masks) > 0.05, word


def test_step_one_replaces_attention_alone(answer: Answer) -> None:
    clean = answer.question
    (_, clip), (_, sclip) = (measures.state(clean, clean, n) for n in ("clip", "sclip"))
    unnamed = {"name": "", "title": "", "summary": "", "authors": "", "year": 0, "paper": ""}
    assert replace(clip, attention=sclip.attention, **unnamed) == replace(sclip, **unnamed)


def test_figures_over_many_photos_are_those_of_the_model_s_card(pages: list[dict]) -> None:
    many = {name: f"{miou}\u00a0%" for name, miou in measured().miou.items()}
    assert f"from {many['clip']} to {many['sclip']}" in pages[1]["answer"]
    assert f"from {many['clearclip']} to {many['AMF']}" in pages[3]["answer"]
    assert f"over {measured().photos} " in pages[1]["answer"]
    planted = measured().planted
    rows = {head: cells[-1] for head, *cells in pages[-1]["before"][-1]["rows"]}
    assert rows["ClearCLIP"] == str(planted["neither"])
    assert rows["+ AMF"] == str(planted["AMF"])
    assert rows["+ AMF + CS"] == str(planted["both"])


def changed_sclip(numbers: Numbers, sign: int) -> Numbers:
    share = numbers.on_thing["clip"] + 0.1 * sign
    return replace(numbers, on_thing={**numbers.on_thing, "sclip": share})


def changed_scores(numbers: Numbers, sign: int) -> Numbers:
    variation = numbers.variation["clearclip"] * (1 + 0.1 * sign)
    return replace(numbers, variation={**numbers.variation, "amf": variation})


def changed_values(numbers: Numbers, sign: int) -> Numbers:
    inside, across = numbers.alike["clearclip"]
    return replace(
        numbers, alike={**numbers.alike, "fault_clearclip": (inside, across + 0.1 * sign)}
    )


@pytest.mark.parametrize(
    ("step", "change", "words"),
    [
        (1, changed_sclip, ("Now **", "only", "Still")),
        (3, changed_scores, ("more.", "less.", "as before")),
        (4, changed_values, ("rises", "falls", "stays")),
    ],
)
def test_the_right_option_and_its_sentence_follow_what_is_measured(
    content: learn.LessonContent,
    step: int,
    change: Callable[[Numbers, int], Numbers],
    words: tuple[str, ...],
) -> None:
    for index, sign in enumerate((1, -1, 0)):
        page = shown(replace(content, numbers=change(content.numbers, sign)))[step]
        assert page["right"] == index
        assert words[index] in page["answer"]


def test_a_model_with_global_tokens_or_an_abnormal_channel_is_told_so(
    content: learn.LessonContent,
) -> None:
    tokens = [0] * 8 + [3] * 4
    pages = shown(replace(content, numbers=replace(content.numbers, own_tokens=tokens)))
    assert "no bright columns" not in pages[2]["text"]
    assert "for lack" not in pages[3]["text"]
    pages = shown(replace(content, numbers=replace(content.numbers, abnormal=[7])))
    assert "has none" not in pages[4]["text"]
    pages = shown(replace(content, numbers=replace(content.numbers, own_tokens=[0] * 11 + [3])))
    assert "no bright columns before its last block" in pages[2]["text"]


def test_where_patches_look_is_a_distribution_over_the_photo(
    answer: Answer, numbers: Numbers
) -> None:
    for name, share in numbers.on_thing.items():
        weights, on_thing = measures.looks(engine(), answer.question, answer.question, name)
        assert weights.shape == answer.grid
        assert weights.sum() == pytest.approx(1, abs=1e-4)
        assert on_thing == share


def test_distance_is_in_patches_and_variation_is_between_neighbours() -> None:
    far = measures.distances((2, 3))
    assert far[0].tolist() == pytest.approx([0, 1, 2, 1, 2**0.5, 5**0.5])
    scores = torch.tensor([[0.0, 1.0, 1.0, 0.0, 1.0, 3.0]])
    # Across 1, 0, 1, 2: mean 1; down 0, 0, 2: mean 2/3.
    assert measures.variation(scores, (2, 3)) == pytest.approx(5 / 3)


def test_the_blocks_that_amf_adds_look_nearer_than_evenly(numbers: Numbers) -> None:
    assert 0 < numbers.distance < numbers.even
    assert 0 < numbers.same <= 1


def test_the_planted_channel_harms_the_mask_and_cs_undoes_it(
    answer: Answer, content: learn.LessonContent, pages: list[dict]
) -> None:
    numbers = content.numbers
    assert numbers.miou["fault_clearclip"] < numbers.miou["clearclip"] - 0.05
    assert numbers.alike["fault_cs"] == pytest.approx(numbers.alike["clearclip"], abs=0.01)
    faulty = compute(engine(), resolve(engine(), learn.REQUEST.changed(plant=True)))
    _, method = measures.state(answer.question, faulty.question, "fault_clearclip")
    across = similarity.in_in_out(engine(), faulty, method)[1]
    assert across == pytest.approx(numbers.alike["fault_clearclip"][1])
    assert f"**{across:.2f}**" in pages[4]["answer"]
    word, before, after = numbers.spread
    assert before < after
    assert f"“{word}” goes from {percent(before)} to {percent(after)}" in pages[4]["answer"]
    norms = pages[4]["before"][-1]["norms"]
    assert np.median(norms) == pytest.approx(1, abs=0.01)
    assert np.argmax(norms) == answer.question.settings.plant_channel


def test_the_summary_scores_every_state_but_asks_nothing(
    numbers: Numbers, pages: list[dict]
) -> None:
    assert "question" not in pages[-1]
    (_, *rows) = pages[-1]["before"][-1]["rows"]
    for row, state in zip(rows, ("clip", "sclip", "clearclip", "amf", "amf_cs"), strict=True):
        scores = (numbers.miou[name] for name in (state, f"fault_{state}"))
        assert row[1:3] == [f"{100 * miou:.1f}" for miou in scores]


# --- another transformer's global tokens ----------------------------------------------------------


def test_stored_global_tokens_are_of_the_lesson_s_photo_and_grid(
    answer: Answer, pages: list[dict]
) -> None:
    stored = measures.global_tokens()
    patches = answer.grid[0] * answer.grid[1]
    assert stored["photo"] == measures.PHOTO
    assert tuple(stored["grid"]) == answer.grid
    assert stored["tokens"] == sorted({*stored["tokens"]})
    assert 0 <= stored["tokens"][0] <= stored["tokens"][-1] < patches
    assert f"**{len(stored['tokens'])}** of {patches} patches" in pages[2]["answer"]


def test_they_are_bright_columns_of_the_late_matrix_but_not_of_the_early_one() -> None:
    tokens = measures.global_tokens()["tokens"]
    bright = {}
    for name in ("early", "late"):
        drawn = np.asarray(Image.open(assets.path("learn", f"attention-{name}.webp")).convert("L"))
        columns = drawn.mean(0)
        bright[name] = columns[tokens].mean() / columns.mean()
    assert bright["early"] < 1.5 < bright["late"]


def test_each_global_token_has_a_frame_on_the_photo(content: learn.LessonContent) -> None:
    plain, framed = (
        np.asarray(Image.open(io.BytesIO(content.figures[kind, ""].make().body)).convert("L"), int)
        for kind in ("photo", "tokens")
    )
    stored = measures.global_tokens()
    rows, columns = stored["grid"]
    height, width = len(plain) // rows, plain.shape[1] // columns
    cells = abs(framed - plain)[: rows * height, : columns * width]
    changed = cells.reshape(rows, height, columns, width).mean((1, 3)).flatten()
    assert sorted(np.argsort(changed)[-len(stored["tokens"]) :]) == stored["tokens"]


def test_each_step_with_a_score_says_that_its_edges_are_plain() -> None:
    for page in PAGES:
        figures = [*page.get("before", []), *page.get("after", [])]
        told = [page["text"], page.get("answer", ""), *(one["caption"] for one in figures)]
        scores = [text for text in told if "mIoU" in text]
        assert all("plain edges" in text for text in scores)
