"""The opening: a photo on which AMF and CS both show, its answer made while the page starts."""

import pytest

from demo import opening
from demo.answer import Question, compute, mask, resolve
from demo.engine import Engine, Request
from tests.demo import engine
from tests.models import loaded


@pytest.fixture(scope="module")
def question() -> Question:
    return resolve(engine(), Request(opening.first(engine().default)))


def _scores(question: Question) -> list[float]:
    switched = ((False, False), (True, False), (False, True), (True, True))
    methods = (question.switched[switches] for switches in switched)
    return [mask(engine(), question, method).miou or 0.0 for method in methods]


def _remark(question: Question, **changes: object) -> str:
    changed = resolve(engine(), question.request.changed(**changes))
    return opening.remark(engine(), changed)


def test_with_the_fault_each_switch_helps_and_both_help_most(question: Question) -> None:
    neither, amf, cs, both = _scores(question)
    assert neither < amf < cs < both


def test_without_the_fault_amf_is_no_worse_than_clearclip(question: Question) -> None:
    neither, amf, *_ = _scores(resolve(engine(), question.request.changed(plant=False)))
    assert amf >= neither


def test_the_sentence_under_the_opening_belongs_to_it_alone(question: Question) -> None:
    assert "simulated fault" in _remark(question)
    assert _remark(question, amf=False), "it tells of all switches"
    assert not _remark(question, plant=False)
    assert not _remark(question, words="dog")


def test_the_opening_is_worked_out_while_the_page_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Engine(loaded())
    opening.work_out(fresh).join(120)
    monkeypatch.setattr(fresh, "encode", lambda *_: pytest.fail("its picture is encoded again"))
    answer = compute(fresh, resolve(fresh, Request(opening.first(fresh.default))))
    assert answer.mask.labels.size


def test_a_page_whose_encodings_are_made_elsewhere_works_nothing_out_before_it_is_asked() -> None:
    """A GPU lent to single requests is there in a request only."""
    assert opening.work_out(Engine(encode=lambda *_: pytest.fail("asked"))) is None
