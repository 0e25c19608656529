"""The opening: a photo on which AMF shows, its answer made while the page starts."""

import pytest

from demo import opening
from demo.answer import compute, resolve
from demo.engine import Engine
from demo.request import Question, Request
from demo.tabs import side
from tests.demo import engine
from tests.models import loaded


@pytest.fixture(scope="module")
def question() -> Question:
    return resolve(engine(), Request(opening.settings(engine().default)))


def _scores(question: Question) -> list[float]:
    switched = ((False, False), (True, False), (False, True), (True, True))
    methods = (question.switched[switches] for switches in switched)
    return [engine().refined(question, method).miou or 0.0 for method in methods]


def test_the_page_opens_undamaged_with_both_switches_on_where_amf_shows(
    question: Question,
) -> None:
    assert not question.settings.plant
    assert question.settings.amf and question.settings.cs
    neither, amf, cs, both = _scores(question)
    assert amf > neither + 0.02
    assert cs == pytest.approx(neither, abs=0.001), "CS has nothing to repair"
    assert both == pytest.approx(amf, abs=0.001)


def test_with_a_fault_amf_helps_cs_helps_more_and_both_help_most(question: Question) -> None:
    faulty = resolve(engine(), question.request.changed(plant=True))
    neither, amf, cs, both = _scores(faulty)
    assert neither < amf < cs < both
    scores = side.repair(engine(), faulty)
    assert list(scores.values()) == pytest.approx([neither, cs, amf, both])


def test_only_a_fault_on_known_truth_has_the_figures_of_its_repair(question: Question) -> None:
    assert side.repair(engine(), question) == {}
    for changes in ({"words": "dog"}, {"method": "maskclip"}):
        changed = resolve(engine(), question.request.changed(plant=True, **changes))
        assert side.repair(engine(), changed) == {}


def test_the_opening_is_worked_out_while_the_page_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Engine(loaded())
    opening.compute_in_background(fresh).join(120)
    monkeypatch.setattr(fresh, "encode", lambda *_: pytest.fail("its picture is encoded again"))
    answer = compute(fresh, resolve(fresh, Request(opening.settings(fresh.default))))
    assert answer.mask.labels.size


def test_a_page_whose_encodings_are_made_elsewhere_works_nothing_out_before_it_is_asked() -> None:
    """A GPU lent to single requests is there in a request only."""
    assert opening.compute_in_background(Engine(encode=lambda *_: pytest.fail("asked"))) is None
