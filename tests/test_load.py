"""Many visitors at once each get their own answer; the load itself is long."""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from demo import variants
from demo.answer import resolve
from demo.engine import Engine
from demo.host import memory
from demo.request import Request
from demo.settings import Settings
from evaluation.photos import shipped_photos
from gclip_core import load_backbone
from gclip_core.backbone import Backbone
from tests.load.__main__ import WORDS, answers_alone, run, wishes
from tests.load.attack import ATTACKS, Attack, attacked
from tests.models import tiny_backbone
from tests.visitor import serving

TIE = 1e-4
"""Logits at most so far apart may change places from one order of sums to another."""


def _answers(backbone: Backbone, questions: int, asked: int, threads: int) -> list[str]:
    """Questions of which a label differs from the answer given alone, other than at a tie."""
    photos = list(shipped_photos())[:2]
    all_questions = list(itertools.product(photos, WORDS, variants.VARIANTS, (False, True)))
    chosen = random.Random(0).sample(all_questions, questions)

    def answer(engine: Engine, question: tuple[str, str, str, bool]) -> tuple[Tensor, Tensor]:
        example, words, name, plant = question
        settings = Settings(
            example=example,
            words=words,
            templates="plain",
            short_side=96,
            plant=plant,
            plant_channel=7,
        )
        asked = resolve(engine, Request(settings))
        method = variants.methods([name], asked.switched)[name]
        result = engine.segment(asked, method).result
        return result.labels, result.logits

    alone = {}
    for question in chosen:
        backbone.text_cache.clear()
        alone[question] = answer(Engine(backbone), question)
    together = Engine(backbone)

    def differs(number: int) -> str:
        chance = random.Random(number)
        if chance.random() < 0.1:
            together.cache.clear()
            backbone.text_cache.clear()
        question = chance.choice(chosen)
        labels, logits = answer(together, question)
        expected, before = alone[question]
        assert torch.allclose(logits, before, atol=TIE)
        differ = labels != expected
        if not differ.any():
            return ""
        large = F.interpolate(before[None], labels.shape, mode="bilinear")[0]
        best, second = large.topk(2, dim=0).values
        return str(question) if (best - second)[differ].max() > 10 * TIE else ""

    with ThreadPoolExecutor(threads) as pool:
        return [difference for difference in pool.map(differs, range(asked)) if difference]


def test_a_question_has_the_same_labels_in_any_company() -> None:
    assert _answers(tiny_backbone(), questions=12, asked=60, threads=4) == []


@pytest.mark.long
def test_forty_eight_questions_have_the_same_labels_in_any_company() -> None:
    assert _answers(load_backbone(), questions=48, asked=480, threads=4) == []


@pytest.mark.long
def test_visitors_at_once_each_get_their_own_answer_in_bounded_memory() -> None:
    asked = wishes(24)
    options = ("--backbone", "built-in", "--no-downloads", "--quiet")
    with serving(*options) as server:
        alone = answers_alone(server.url, asked)
    with serving(*options) as server:
        tally = run(server, alone, clients=6, requests=72)
        assert "Traceback" not in server.output()
    assert tally.wrong == []
    assert tally.failed == []
    assert tally.peak <= memory.BOUND / 10**6


@pytest.mark.long
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_leaves_no_trace_and_stays_in_bounded_memory(attack: Attack) -> None:
    assert attacked(attack)
