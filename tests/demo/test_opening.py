"""The opening is an example photo whose answer is made while the page starts."""

import pytest

from demo.learn import opening
from demo.look import Request, Studio


def test_the_opening_is_worked_out_while_the_page_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Studio()
    opening.work_out(fresh).join(120)
    monkeypatch.setattr(fresh, "encode", lambda *_: pytest.fail("its picture is encoded again"))
    look = fresh.look(Request(opening.first(fresh.default)[0]))
    assert look.mask(look.chosen).labels.size


def test_a_page_whose_encodings_are_made_elsewhere_works_nothing_out_before_it_is_asked() -> None:
    """A GPU lent to single requests is there in a request only."""
    assert opening.work_out(Studio(encode=lambda *_: pytest.fail("asked"))) is None
