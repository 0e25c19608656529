"""Many visitors at once each get their own answer; the load itself is long."""

import itertools
from pathlib import Path

import pytest

from demo.look import Studio
from tests.load import __main__ as load
from tests.load import same
from tests.load.__main__ import (
    answers_alone,
    cache_share,
    growth,
    page,
    run,
    weights_folder,
    wishes,
    write,
)
from tests.models import tiny_backbone
from tests.visitor import served

BOUND = 1_500_000_000
"""Bytes: what `--memory` is without being asked."""


@pytest.mark.long
def test_visitors_at_once_each_get_their_own_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With pictures up to three megapixels; the next has the largest that the page takes."""
    monkeypatch.setattr(load, "SIZES", load.SIZES[:3])
    with served(Studio()) as url:
        alone = answers_alone(url, wishes(different := 8, second=False))
    answers = list(alone.values())
    alike = [(i, j) for i in range(different) for j in range(i) if answers[i].same_as(answers[j])]
    assert len(alike) < different // 2, "the requests differ"
    with page(tmp_path, None, BOUND) as server:
        tally = run(server, alone, clients=6, requests=24)
    assert tally.wrong == []
    assert tally.failed == []
    assert len(tally.seconds) + tally.busy == 24


def test_the_same_request_has_the_same_labels_to_the_byte() -> None:
    differed, texts, trunks = same.run(tiny_backbone(), requests=400, threads=4)
    assert texts > 5
    assert trunks > 5
    assert differed == []


def test_labels_that_hang_on_what_was_asked_before_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest, asked = same.answer, itertools.count()
    monkeypatch.setattr(
        same, "answer", lambda *about: honest(*about) + ("!" if next(asked) % 100 == 99 else "")
    )
    assert same.run(tiny_backbone(), requests=200, threads=2)[0]


def test_a_run_takes_the_place_of_the_last_one_alone(tmp_path: Path) -> None:
    document = tmp_path / "soak.md"
    document.write_text("# Soak\n\nAbout.\n\n## The last run\n\nOld.\n\n## Before\n\nOlder.\n")
    for section in ("\nNew.\n", "\nNewer.\n"):
        write(document, section)
    whole = "# Soak\n\nAbout.\n\n## The last run\n\nNewer.\n\n## Before\n\nOlder.\n"
    assert document.read_text() == whole


@pytest.mark.long
def test_thirty_visitors_for_five_minutes(tmp_path: Path) -> None:
    weights = weights_folder(tmp_path)
    with page(tmp_path, weights, BOUND) as server:
        alone = answers_alone(server.url, wishes(80, second=True))
    with page(tmp_path, weights, BOUND) as server:
        tally = run(server, alone, clients=30, minutes=5)
        assert cache_share(server) <= 1
    assert tally.wrong == []
    assert tally.failed == []
    assert tally.ranks > 0, "who waits is told the place in the queue"
    assert max(tally.waits) < 10 * sorted(tally.waits)[len(tally.waits) // 2] + 30, "fair"
    assert growth(tally) < 0.05
