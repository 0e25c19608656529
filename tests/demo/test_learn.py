"""Learn: what a step says follows from what was measured; what it sets, the page then has."""

import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo import variants, wording
from demo.learn import bake, lesson, opening
from demo.look import Request, Studio
from demo.settings import Settings
from demo.tabs import learn as tab
from demo.tabs import machine
from gclip_core import assets
from gclip_core.backbone import load_backbone
from gclip_core.types import FusionReason

FOLDER = assets.path("learn")
NAMES = [turn.name for turn in lesson.turns(False)]


@pytest.fixture
def facts() -> dict:
    return copy.deepcopy(lesson.read_facts())


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


@pytest.fixture(scope="module")
def settings(studio: Studio) -> Settings:
    made = Settings(seed=2)
    return made.changed(words=studio.picture(made, "").words)


def test_the_baked_numbers_are_of_the_model_that_ships(facts: dict) -> None:
    assert facts["weights"] == load_backbone("built-in").digest, "run: python -m demo.learn.bake"
    assert facts["means"]["scenes"] == 24


def test_a_bake_of_the_shipped_picture_makes_what_is_shipped(facts: dict, tmp_path: Path) -> None:
    seed = facts["picture"].split()[-1]
    assert bake.main(["--seed", seed, "--scenes", "1", "--out", str(tmp_path)]) == 0
    made = json.loads((tmp_path / "facts.json").read_text("utf-8"))
    assert made.keys() == facts.keys()
    del made["means"], facts["means"]
    assert leaves(made) == [
        pytest.approx(one, abs=0.01) if isinstance(one, float) else one for one in leaves(facts)
    ]
    pictures = sorted(path.name for path in tmp_path.glob("*.webp"))
    assert pictures == sorted(path.name for path in FOLDER.glob("*.webp"))
    for name in pictures:
        drawn, shipped = (
            np.asarray(Image.open(folder / name).convert("RGB"), int)
            for folder in (tmp_path, FOLDER)
        )
        assert drawn.shape == shipped.shape
        assert np.abs(drawn - shipped).mean() < 1, name


def leaves(value: object) -> list:
    """What a value holds, with the keys on the way."""
    if isinstance(value, dict):
        return [leaf for key in value for leaf in (key, *leaves(value[key]))]
    return [leaf for one in value for leaf in leaves(one)] if isinstance(value, list) else [value]


def test_the_opening_and_the_lesson_say_the_same_of_other_scenes(
    facts: dict, studio: Studio
) -> None:
    _, opened = opening.read(studio.default) or pytest.fail("bake it anew")
    means = facts["means"]
    assert opened["mean_of"] == means["scenes"]
    for switch, states in (("cs", ("sick", "cured")), ("amf", ("clearclip", "amf"))):
        said = opened[f"mean_{switch}"]
        assert [said["off"], said["on"]] == pytest.approx([means[one] for one in states], abs=1e-3)


def test_means_are_of_what_the_page_shows(studio: Studio) -> None:
    means = opening.means(studio, 1)
    scene = opening.look_at(studio, Settings(seed=opening.FIRST_OF_MEAN))
    assert scene.picture.image.size == (384, 288), 'a scene as "New scene" makes it'
    plain, fused = (variants.ablation(scene.settings, amf, False) for amf in (False, True))
    assert means["clearclip"] == pytest.approx(scene.mask(plain).miou)
    assert means["amf"] == pytest.approx(scene.mask(fused).miou)
    assert means["sick"] == pytest.approx(scene.changed(plant=True).mask(plain).miou)


def test_every_step_asks_before_it_tells_and_every_picture_is_there(facts: dict) -> None:
    for turn in lesson.turns(False):
        told = lesson.tell(turn.name, facts)
        assert told.question.endswith("?")
        assert 0 <= told.right < len(told.options) == 3
        assert told.text and told.reveal and "None" not in told.text + told.reveal
        for name, caption in turn.figures:
            assert (FOLDER / f"{name}.webp").is_file() and caption, name


def test_a_page_does_not_hold_its_answer_before_the_guess(
    studio: Studio, settings: Settings
) -> None:
    for step, turn in enumerate(lesson.turns(False), 1):
        before = tab.page(studio.look(Request(settings.changed(step=step, **turn.sets))))
        assert "reveal" not in before and "right" not in before and before["as_set"]
        after = tab.page(studio.look(Request(settings.changed(step=step, told=True, **turn.then))))
        assert after["reveal"] and after["as_set"] and after["question"] == before["question"]
        assert after["text"] == before["text"], "the guess changes nothing that was said"


def test_what_a_step_claims_is_what_the_page_then_shows(studio: Studio, settings: Settings) -> None:
    for turn in lesson.turns(False):
        facts = lesson.measure(studio.look(Request(settings)), turn)[turn.name]
        before, after = (
            studio.look(Request(settings.changed(**sets))) for sets in (turn.sets, turn.then)
        )
        masks = [look.mask(look.chosen) for look in (before, after)]
        if "changed" in facts:
            changed = float((masks[0].labels != masks[1].labels).mean())
            assert facts["changed"] == pytest.approx(changed), turn.name
            assert (facts["before"], facts["after"]) == (masks[0].miou, masks[1].miou), turn.name
        if turn.name == "amf":
            taken = after.findings(after.chosen).fusion.blocks
            assert facts["blocks"] == [block + 1 for block in taken]
        if turn.name == "cs":
            mended = after.findings(after.chosen).suppressed
            assert facts["blocks"] == [block + 1 for block in mended]


def test_pressing_walks_the_steps_and_a_guess_shows_what_it_reveals(settings: Settings) -> None:
    at = machine.pressed(settings, ["go", 4], own=False)
    assert (at.step, at.told, at.plant, at.amf, at.cs) == (4, False, False, False, False)
    told = machine.pressed(at, ["guess", 1], own=False)
    assert (told.step, told.told, told.plant) == (4, True, True)
    onward = machine.pressed(told, ["step", 1], own=False)
    assert (onward.step, onward.told, onward.plant, onward.cs) == (5, False, True, False)
    assert machine.pressed(onward, ["guess", 0], own=False).cs
    assert machine.pressed(onward, ["step", -5], own=False).step == 0
    otherwise = onward.changed(amf=True)
    assert not machine.pressed(otherwise, ["set", 5], own=False).amf
    assert machine.pressed(settings, ["block", 7], own=False).view_block == 6


@pytest.mark.parametrize(
    "what", [None, "x", [], ["go"], ["go", "1"], ["go", None], ["switch", "words"], ["block", -1],
             ["block", 1e9], ["go", True], [["go"], 1], {"go": 1}, ["guess", 1]],
)  # fmt: skip
def test_a_forged_press_changes_nothing(settings: Settings, what: object) -> None:
    assert machine.pressed(settings, what, own=False) == settings


def test_a_model_with_a_fault_of_its_own_gets_none_planted() -> None:
    assert not any(turn.sets.get("plant") or turn.then.get("plant") for turn in lesson.turns(True))


@pytest.mark.parametrize(
    ("off", "on", "words"), [(0.5, 0.6, "what the paper reports"), (0.6, 0.5, "unlike the paper"),
                             (0.6, 0.605, "next to nothing"), (0.6, 0.595, "next to nothing")],
)  # fmt: skip
def test_amf_is_praised_only_where_it_helped(
    facts: dict, off: float, on: float, words: str
) -> None:
    facts["means"].update(clearclip=off, amf=on)
    assert words in lesson.tell("amf", facts).reveal
    facts["means"] = None
    facts["amf"].update(before=off, after=on)
    assert words in lesson.tell("amf", facts).reveal


def test_without_truth_no_accuracy_is_claimed(facts: dict) -> None:
    facts.update(means=None, built_in=False)
    for name in ("clip", "amf", "fault", "cs"):
        facts[name].update(before=None, after=None)
    assert not any("mIoU" in lesson.tell(name, facts).reveal for name in NAMES)
    assert "ViT-B/16" not in lesson.tell("own", facts).reveal


def test_a_planted_channel_is_called_a_simulation(facts: dict) -> None:
    facts["fault"]["own"] = False
    assert "a simulation" in lesson.tell("fault", facts).text
    facts["fault"]["own"] = True
    assert "simulation" not in lesson.tell("fault", facts).text


def test_the_values_are_said_to_follow_the_paper_only_where_they_do(facts: dict) -> None:
    facts["cs"]["alike"] = [[0.5, 0.4], [0.6, 0.2]]
    assert "not both" not in lesson.tell("cs", facts).reveal.replace("\n", " ")
    facts["cs"]["alike"] = [[0.5, 0.1], [0.6, 0.2]]
    assert "not both" in lesson.tell("cs", facts).reveal


def test_fallen_back_blocks_are_not_called_global(facts: dict) -> None:
    facts["amf"].update(reason=FusionReason.MIDDLE, blocks=[6, 7])
    assert "the middle blocks 6 and 7" in lesson.tell("amf", facts).text
    facts["amf"]["reason"] = FusionReason.GLOBAL_TOKENS
    assert "Here these are blocks 6 and 7" in lesson.tell("amf", facts).text


def test_a_model_without_global_tokens_is_said_to_have_none(facts: dict) -> None:
    facts["tokens"]["counts"] = [0] * facts["n_blocks"]
    assert "no patch reaches" in lesson.tell("tokens", facts).reveal


def test_agreement_is_told_with_what_its_numbers_mean(facts: dict) -> None:
    facts["tokens"]["agreement"] = [None, 0.1, 0.8]
    said = lesson.tell("tokens", facts).reveal
    assert "class token looks (0 elsewhere, 1 alike): here 0.10 to 0.80" in said
    facts["tokens"]["agreement"] = [None, None, None]
    assert "lowest number" not in lesson.tell("tokens", facts).reveal


def test_what_words_can_answer_is_said_as_the_rest_is_set(facts: dict) -> None:
    for rest, said in ((True, "the words you type, or with none."), (False, "and no others.")):
        facts["own"]["rest"] = rest
        assert f"{said} Suppose" in lesson.tell("own", facts).text


def test_the_opening_says_of_each_mean_whether_the_fault_is_in_it(studio: Studio) -> None:
    _, found = opening.read(studio.default) or pytest.fail("bake it anew")
    said = wording.opened(found)
    assert re.search(r"CS takes mIoU from \d+ to \d+ % under that fault; without it AMF", said)
    assert "fault" not in wording.opened({**found, "simulation": False})


def test_nothing_baked_is_no_error(tmp_path: Path) -> None:
    assert lesson.read_facts(tmp_path) is None


def test_the_lesson_that_needs_no_model_holds_every_step() -> None:
    value = tab.baked()
    assert value is not None and value["kind"] == "baked"
    assert [page["at"] for page in value["pages"]] == list(range(lesson.COUNT + 1))
    assert all(page["figures"] for page in value["pages"])
