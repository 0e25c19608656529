"""The opening: a photo on which AMF and CS both show, its answer made while the page starts."""

import pytest

from demo import opening
from demo.look import Look, Request, Studio
from tests.demo import studio
from tests.models import loaded


@pytest.fixture(scope="module")
def look() -> Look:
    return studio().look(Request(opening.first(studio().default)))


def _scores(look: Look) -> list[float]:
    switched = ((False, False), (True, False), (False, True), (True, True))
    return [look.mask(look.ablation(*on)).miou or 0.0 for on in switched]


def test_with_the_fault_each_switch_helps_and_both_help_most(look: Look) -> None:
    neither, amf, cs, both = _scores(look)
    assert neither < amf < cs < both


def test_without_the_fault_amf_is_no_worse_than_clearclip(look: Look) -> None:
    neither, amf, *_ = _scores(look.changed(plant=False))
    assert amf >= neither


def test_the_sentence_under_the_opening_belongs_to_it_alone(look: Look) -> None:
    assert "simulated fault" in opening.remark(look)
    assert opening.remark(look.changed(amf=False)), "it tells of all switches"
    assert not opening.remark(look.changed(plant=False))
    assert not opening.remark(look.changed(words="dog"))


def test_the_opening_is_worked_out_while_the_page_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Studio(loaded())
    opening.work_out(fresh).join(120)
    monkeypatch.setattr(fresh, "encode", lambda *_: pytest.fail("its picture is encoded again"))
    look = fresh.look(Request(opening.first(fresh.default)))
    assert look.mask(look.chosen).labels.size


def test_a_page_whose_encodings_are_made_elsewhere_works_nothing_out_before_it_is_asked() -> None:
    """A GPU lent to single requests is there in a request only."""
    assert opening.work_out(Studio(encode=lambda *_: pytest.fail("asked"))) is None
