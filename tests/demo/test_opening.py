"""The opening shows both switches at work, as it was measured."""

import itertools
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from demo import wording
from demo.learn import opening
from demo.look import Request, Studio
from demo.settings import Settings
from gclip_core import vocabulary
from gclip_core.registry import BUILT_IN


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


def test_both_switches_change_pixels_and_miou_as_baked(studio: Studio) -> None:
    settings, facts = opening.read(studio.default) or pytest.fail("bake it anew")
    _, of_amf, of_cs = opening.effects(studio, settings)
    for name, effect in (("amf", of_amf), ("cs", of_cs)):
        assert effect.changed == pytest.approx(facts[name]["changed"], abs=0.01)
        assert effect.off == pytest.approx(facts[name]["off"], abs=0.01)
        assert effect.on == pytest.approx(facts[name]["on"], abs=0.01)
        assert effect.matters == (effect.changed >= 0.05 and abs(effect.on - effect.off) >= 0.03)
    assert facts["both_matter"] == (of_amf.matters and of_cs.matters)
    assert facts["both_matter"]
    assert settings.plant == facts["simulation"]


def test_of_scenes_whose_switches_both_matter_the_best_mask_is_baked(studio: Studio) -> None:
    baked = opening.bake(tried=2, mean_of=1)
    measured = []
    for amf, seed in itertools.product((False, True), (1, 2)):
        settings = Settings(seed=seed, amf=amf, cs=True, plant=True)
        look, *of_both = opening.effects(studio, settings)
        measured.append((all(one.matters for one in of_both), of_both[1].on, look, of_both))
    both, _, look, (of_amf, of_cs) = max(measured, key=lambda one: one[:2])
    assert (baked["query"], baked["both_matter"]) == (look.settings.to_query(), both)
    assert baked["amf"] == pytest.approx(asdict(of_amf), abs=1e-3)
    assert baked["cs"] == pytest.approx(asdict(of_cs), abs=1e-3)
    _, shipped = opening.read(studio.default) or pytest.fail("bake it anew")
    assert baked.keys() == shipped.keys()
    for name in ("weights", "simulation", "blocks"):
        assert baked[name] == shipped[name]


def test_the_mean_over_other_scenes_is_said_beside_it(studio: Studio) -> None:
    _, note = opening.first(studio.default)
    _, facts = opening.read(studio.default) or pytest.fail("bake it anew")
    assert note == wording.opened(facts)
    assert f"{100 * facts['mean_cs']['on']:.0f} %" in note
    assert facts["mean_of"] >= 24


def test_a_backbone_without_a_baked_opening_opens_on_a_photo_without_a_simulation() -> None:
    other = SimpleNamespace(name="openai-vit-b-16", digest="")
    settings, note = opening.first(other)
    assert (settings.source, settings.amf, settings.cs, settings.plant) == (
        "example",
        True,
        True,
        False,
    )
    assert settings.words
    assert note == ""


def test_other_weights_take_no_opening_of_these() -> None:
    assert opening.read(SimpleNamespace(name=BUILT_IN, digest="other")) is None


def test_the_opening_is_worked_out_while_the_page_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Studio()
    opening.work_out(fresh).join(120)
    monkeypatch.setattr(fresh, "encode", lambda *_: pytest.fail("its picture is encoded again"))
    look = fresh.look(Request(opening.first(fresh.default)[0]))
    assert look.mask(look.chosen).labels.size


def test_words_read_early_are_those_that_a_mask_asks_for(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = studio.look(Request(Settings(seed=3, words="cat, an unheard of word")))
    look.read()
    monkeypatch.setattr(vocabulary, "embed", lambda *_: pytest.fail("they are read again"))
    assert look.mask(look.chosen).labels.size


def test_a_page_whose_encodings_are_made_elsewhere_works_nothing_out_before_it_is_asked() -> None:
    """A GPU lent to single requests is there in a request only."""
    assert opening.work_out(Studio(encode=lambda *_: pytest.fail("asked"))) is None
