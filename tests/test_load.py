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


Question = tuple[str, str, str, bool]
"""An example photo, words, the name of a variant, and whether a channel is planted."""


def _answer(engine: Engine, question: Question) -> tuple[Tensor, Tensor]:
    """Labels and logits of a question."""
    example, words, name, plant = question
    settings = Settings(
        example=example,
        words=words,
        templates="plain",
        short_side=96,
        plant=plant,
        plant_channel=7,
    )
    resolved = resolve(engine, Request(settings))
    method = variants.methods([name], resolved.switched)[name]
    result = engine.segment(resolved, method).result
    return result.labels, result.logits


def _is_equal(answer: tuple[Tensor, Tensor], alone: tuple[Tensor, Tensor]) -> bool:
    """Whether all labels are those of the question alone, other than at a tie."""
    (labels, logits), (expected, before) = answer, alone
    assert torch.allclose(logits, before, atol=TIE)
    differ = labels != expected
    if not differ.any():
        return True
    large = F.interpolate(before[None], labels.shape, mode="bilinear")[0]
    best, second = large.topk(2, dim=0).values
    return bool((best - second)[differ].max() <= 10 * TIE)


def _differing(backbone: Backbone, questions: int, asked: int, threads: int) -> list[Question]:
    """Questions whose answer beside others is not that of the question alone."""
    photos = list(shipped_photos())[:2]
    possible = list(itertools.product(photos, WORDS, variants.VARIANTS, (False, True)))
    chosen = random.Random(0).sample(possible, questions)
    alone = {}
    for question in chosen:
        backbone.text_cache.clear()
        alone[question] = _answer(Engine(backbone), question)
    together = Engine(backbone)

    def ask(number: int) -> tuple[Question, bool]:
        chance = random.Random(number)
        if chance.random() < 0.1:
            together.cache.clear()
            backbone.text_cache.clear()
        question = chance.choice(chosen)
        return question, _is_equal(_answer(together, question), alone[question])

    with ThreadPoolExecutor(threads) as pool:
        return [question for question, is_equal in pool.map(ask, range(asked)) if not is_equal]


def test_a_question_has_the_same_labels_in_any_company() -> None:
    assert _differing(tiny_backbone(), questions=12, asked=60, threads=4) == []


@pytest.mark.long
def test_forty_eight_questions_have_the_same_labels_in_any_company() -> None:
    assert _differing(load_backbone(), questions=48, asked=480, threads=4) == []


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
